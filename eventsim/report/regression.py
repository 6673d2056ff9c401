"""The page of a run of regression: errors, R2, and answers beside targets."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from eventsim.events.storage import write_atomically
from eventsim.plot import history
from eventsim.plot.style import FAINT, figure, grid, look, population_colour
from eventsim.report import html
from eventsim.report.html import Picture
from eventsim.report.numbers import duration, error_units, r2_rows
from eventsim.report.pictures import picture
from eventsim.report.record import FitRecord
from eventsim.report.tables import PageTable
from eventsim.report.write import write_forms

MOST_DRAWN = 3  # recordings whose answers are drawn over time


def write_fit(path: Path, fit: FitRecord, *, forms: Sequence[str] = ()) -> Path:
    """Write the page, whole or not at all, and its pictures in further formats beside it."""
    with look():
        drawn = list(_pictures(fit))
        write_forms(path.parent, drawn, forms)
    write_atomically(path, _page(fit, drawn))
    return path


def _page(fit: FitRecord, drawn: Sequence[Picture]) -> str:
    result, test = fit.result, fit.result["test"]
    items = [html.item(r2, name) for name, r2 in r2_rows(test, ", test part")]
    values = {
        "mean squared error, test part": f"{test['mean_squared_error']:.4g}",
        "guess: always the mean of training": f"{result['guess_mean_squared_error']:.4g}",
        "recordings learned": f"{result['parts']['training']['recordings']:,}",
        "recordings held out for validation": f"{result['parts']['validation']['recordings']:,}",
        "recordings tested": f"{test['samples']:,}",
        "targets compared": f"{test['targets']:,}",
        "targets left out (empty)": f"{test['targets_left_out']:,}",
        "trained parameters": f"{result['trained_parameters']:,}",
        "training time": duration(result["training_seconds"]),
    }
    columns = ["epoch", *(key for key in ("loss", "validation_loss") if key in fit.history[-1])]
    rows = [[line["epoch"], *(f"{line[key]:.5g}" for key in columns[1:])] for line in fit.history]
    unit = _unit(fit)
    body = "".join(
        [
            html.header(fit.title, f"Division: {result['division']}."),
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
    footer = f"Written by eventsim {result['version']}. Numbers are of the test part."
    return html.document(fit.title, body, footer=footer)


def _unit(fit: FitRecord) -> str:
    return f"Errors count in the unit: {error_units(fit.result)}."


def _pictures(fit: FitRecord) -> Iterator[Picture]:
    yield picture(
        _against(fit),
        "answers.png",
        "Answers against targets",
        "Every dot is a target of the test part. On the line the answer is equal to the target.",
    )
    if fit.targets.values.shape[1] > 1:
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


def _against(fit: FitRecord) -> Figure:
    names = fit.targets.names
    drawn = figure(max(4.2 * len(names), 4.2), 4.0)
    for k, axes in enumerate(drawn.subplots(1, len(names), squeeze=False)[0]):
        wanted, found = fit.targets.values[:, :, k].ravel(), fit.predicted[:, :, k].ravel()
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


def _over_time(fit: FitRecord) -> Figure:
    n = min(MOST_DRAWN, fit.predicted.shape[0])
    drawn = figure(10.0, 2.0 * n)
    for row, axes in enumerate(drawn.subplots(n, 1, squeeze=False)[:, 0]):
        for k, name in enumerate(fit.targets.names):
            colour = population_colour(k)
            there = ~np.isnan(fit.targets.values[row, :, k])
            times = fit.targets.times[row, there]
            axes.plot(times, fit.targets.values[row, there, k], "o", color=colour, label=name)
            axes.plot(times, fit.predicted[row, there, k], color=colour)
        axes.set_ylabel(f"recording {row}")
        grid(axes)
    axes.set_xlabel("time (ms)")
    return drawn
