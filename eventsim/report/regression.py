"""The page of a run of regression: errors, R2, and answers beside targets."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from eventsim.events import Values
from eventsim.plot import history
from eventsim.plot.style import FAINT, figure, grid, population_colour
from eventsim.report import html
from eventsim.report.html import Picture
from eventsim.report.numbers import duration, error_units, r2_rows
from eventsim.report.pictures import picture
from eventsim.report.record import RunRecord
from eventsim.report.tables import PageTable

MOST_DRAWN = 3  # recordings whose answers are drawn over time


def render(fit: RunRecord, drawn: Sequence[Picture]) -> str:
    """The whole page with these pictures."""
    test, parts = fit.last.described(), fit.parts
    learned = (
        {}
        if parts is None
        else {
            "recordings learned": f"{parts.training.recordings:,}",
            "recordings held out for validation": f"{parts.validation.recordings:,}",
        }
    )
    guess = {} if fit.guess is None else {"guess: always the mean of training": f"{fit.guess:.4g}"}
    items = [html.item(r2, name) for name, r2 in r2_rows(test, ", test part")]
    values = {
        "mean squared error, test part": f"{test['mean_squared_error']:.4g}",
        **guess,
        **learned,
        "recordings tested": f"{test['samples']:,}",
        "targets compared": f"{test['targets']:,}",
        "targets left out (empty)": f"{test['targets_left_out']:,}",
        "trained parameters": f"{fit.n_parameters:,}",
        "training time": duration(fit.seconds),
    }
    columns = ["epoch", *(key for key in ("loss", "validation_loss") if key in fit.history[-1])]
    rows = [[line["epoch"], *(f"{line[key]:.5g}" for key in columns[1:])] for line in fit.history]
    unit = _unit(fit)
    body = "".join(
        [
            html.header(fit.title, fit.about),
            f'<div class="headline">{"".join(items)}</div>',
            html.paragraph(
                "R2 is 1 for a perfect answer and 0 for one that is as good as the mean of the "
                "targets. It is none where all targets are equal."
            ),
            html.tiles(values),
            html.section("answers", "Answers and targets", html.figures(drawn)),
            html.details(
                "Every epoch",
                html.paragraph(f"Loss: mean squared error. {unit}"),
                html.table(
                    PageTable("", [name.replace("_", " ") for name in columns], rows, numbers=0)
                ),
            ),
            html.details("Command", html.code(fit.command)),
        ]
    )
    footer = f"Written by eventsim {fit.version}. Numbers are of the test part."
    return html.document(fit.title, body, footer=footer)


def _unit(fit: RunRecord) -> str:
    return f"Errors count in the unit: {error_units(fit.test.target.names, fit.loss_scale)}."


def pictures(fit: RunRecord) -> Iterator[Picture]:
    """Answers against targets, answers over time, the learning curve."""
    yield picture(
        _against(fit),
        "answers.png",
        "Answers against targets",
        "Every dot is a target of the test part. On the line the answer is equal to the target.",
    )
    if _wanted(fit).values.shape[1] > 1:
        yield picture(
            _over_time(fit),
            "followed.png",
            "Answers over time",
            "The first recordings of the test part. Dots: targets; line: answers at their times.",
        )
    drawn = figure(6.0, 3.4)
    history(list(fit.history), metric="loss", ax=drawn.subplots())
    text = f"Mean squared error of training by epoch. {_unit(fit)}"
    yield picture(drawn, "learning.png", "Learning curve", text)


def _wanted(fit: RunRecord) -> Values:
    wants = fit.test.target
    assert isinstance(wants, Values)
    return wants


def _against(fit: RunRecord) -> Figure:
    wants, answers = _wanted(fit), fit.last.evaluation.predicted
    names = wants.names
    drawn = figure(max(4.2 * len(names), 4.2), 4.0)
    for k, axes in enumerate(drawn.subplots(1, len(names), squeeze=False)[0]):
        wanted, found = wants.values[:, :, k].ravel(), answers[:, :, k].ravel()
        there = ~np.isnan(wanted)
        if there.any():
            both = np.concatenate([wanted[there], found[there]])
            ends = both.min(), both.max()
            axes.plot(ends, ends, color=FAINT, linewidth=1.0)
        axes.plot(wanted, found, ".", color=population_colour(k))
        axes.set_title(names[k])
        axes.set_xlabel("target")
        axes.set_ylabel("answer")
        grid(axes)
    return drawn


def _over_time(fit: RunRecord) -> Figure:
    wants, answers = _wanted(fit), fit.last.evaluation.predicted
    n = min(MOST_DRAWN, answers.shape[0])
    drawn = figure(10.0, 2.0 * n)
    for row, axes in enumerate(drawn.subplots(n, 1, squeeze=False)[:, 0]):
        for k, name in enumerate(wants.names):
            colour = population_colour(k)
            there = ~np.isnan(wants.values[row, :, k])
            times = wants.times[row, there]
            axes.plot(times, wants.values[row, there, k], "o", color=colour, label=name)
            axes.plot(times, answers[row, there, k], color=colour)
        axes.set_ylabel(f"recording {row}")
        grid(axes)
    axes.set_xlabel("time (ms)")
    return drawn
