"""Regression by ``train``, ``evaluate``, ``predict`` and ``report``: values, not classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from eventsim.arrays import Floats
from eventsim.cli import options as opt
from eventsim.cli import terminal
from eventsim.cli.answers import noted, one_stream, recordings_of, show_answers, write_csv
from eventsim.cli.events import Events, find_settings
from eventsim.cli.train_settings import TypedTraining, network_of, own_bip, with_options
from eventsim.datasets.formats import format_of
from eventsim.errors import DataError, ParameterError
from eventsim.events import StoredStream
from eventsim.events.labelled import TARGETS
from eventsim.network import Network
from eventsim.report.numbers import r2_rows
from eventsim.runs.regression import (
    LOSS,
    RegressionOutcome,
    RegressionRun,
    RegressionSettings,
    evaluate_run,
    execute_regression,
)
from eventsim.runs.run import Which
from eventsim.train import RegressionConfig

TAKEN = ("epochs", "batch_size", "seed", "backend", "precision")  # options of the training
COSTS = {"activity": "activity_", "sparse": "", "quantise": "quantise_"}  # tables, option prefixes
EPOCHS_TOLD = 10  # lines of progress that a run has, about


def has_targets(data: str | None) -> bool:
    """Whether DATA is a file of recordings with values."""
    path = Path(data or "")
    if not path.is_file() or format_of(path) != "stored":
        return False
    return TARGETS in StoredStream.open(path).columns


def is_asked(asked: TypedTraining) -> bool:
    """Whether what was typed is regression: its loss, or data with values and no other loss."""
    return asked.loss == LOSS or (asked.loss is None and has_targets(asked.data))


def settings_of(asked: TypedTraining, command: str) -> tuple[RegressionSettings, Network | None]:
    """Settings of a run, and the network that it goes on from, if there is one.

    Raises ParameterError for options that regression does not take.
    """
    if asked.data is None:
        raise DataError("eventsim train: no DATA. Name a file of eventsim data import --targets.")
    wrong = [opt.option_name(key) for key in asked.tables["train"] if key not in TAKEN]
    for table, prefix in COSTS.items():
        wrong += [opt.option_name(prefix + key) for key in asked.tables[table]]
    wrong += ["--config"] if asked.config is not None else []
    wrong += ["--round-times"] if asked.round_times is not None else []
    if wrong:
        raise ParameterError(
            f"{wrong[0]}: is not for --loss {LOSS}. Regression takes the options of the network "
            "and of the data, --epochs, --batch-size, --seed, --lr, --bip, --init, --backend, "
            "--precision and --set."
        )
    network, net = network_of(asked)
    values: dict[str, Any] = RegressionConfig().to_dict()
    values |= opt.with_precision(asked.tables["train"])
    values["bip"] += own_bip(network)
    config = RegressionConfig.from_dict(with_options(asked, values))
    data = find_settings(
        asked.data, asked.file, test_data=asked.test_data, more=asked.chosen, targets=True
    )
    return RegressionSettings(data=data, network=network, train=config, command=command), net


def train_values(
    settings: RegressionSettings,
    net: Network | None,
    folder: Path,
    *,
    overwrite: bool,
    forms: Sequence[str],
    as_json: bool,
) -> None:
    """Train in the folder, test, write the page, show the result."""
    config = settings.train
    terminal.say_backend(config.backend)
    info = settings.data.info
    terminal.say(f"data: {info.description}; {info.splits}")
    step = max(config.epochs // EPOCHS_TOLD, 1)

    def told(line: Mapping[str, Any]) -> None:
        if line["epoch"] % step == 0 or line["epoch"] == config.epochs:
            terminal.say(f"epoch {line['epoch']} of {config.epochs}: loss {line['loss']:.4f}")

    try:
        done = execute_regression(settings, folder, net=net, overwrite=overwrite, callback=told)
    except KeyboardInterrupt:
        terminal.say("Stopped. Nothing of it is kept: regression cannot be resumed.")
        raise typer.Exit(terminal.INTERRUPTED) from None
    _report(done, folder / "index.html", forms, as_json=as_json)


def _report(done: RegressionOutcome, path: Path, forms: Sequence[str], *, as_json: bool) -> None:
    """Write the page of a run, and show its result."""
    from eventsim.report.regression import FitPage, write_fit  # loads Matplotlib

    run = done.run
    fit = FitPage(
        title=f"{run.settings.data.title}: regression",
        command=run.settings.command,
        result=run.result,
        history=run.history,
        targets=done.targets,
        predicted=done.found.predicted,
    )
    page = write_fit(path, fit, forms=forms)
    found = run.result | {"folder": str(run.folder), "report": str(page)}
    terminal.present(found, _show_run, as_json=as_json)


def report_values(
    run: RegressionRun, out: Path | None, forms: Sequence[str], *, as_json: bool
) -> None:
    """Write the page of a run again."""
    found, targets = evaluate_run(run.network(), run.data("test"), run.settings.train)
    done = RegressionOutcome(run, found, targets)
    _report(done, out or run.folder / "index.html", forms, as_json=as_json)


def predict_values(
    run: RegressionRun, found: Mapping[str, Events], *, every: float | None, which: Which
) -> dict[str, Any]:
    """The answers of a run to recordings: at their end, or every so many ms; plain values."""
    on, stream = terminal.say_backend(run.settings.train.backend), one_stream(found)
    times = _times(np.asarray(stream.duration), every)
    predicted = run.predict(stream, times, which=which)
    names, rows = run.result["test"]["outputs"], list[dict[str, Any]]()
    for where, mine, answers in zip(recordings_of(found), times, predicted, strict=True):
        # Times behind the end of a recording repeat its end.
        for k in np.flatnonzero(np.diff(mine, prepend=-1.0) > 0):
            values = dict(zip(names, map(float, answers[k]), strict=True))
            rows.append({**where, "time_ms": float(mine[k]), "values": values})
    return {
        "run": str(run.folder),
        "samples": stream.n_samples,
        "outputs": names,
        "answers": rows,
        "backend": on.name,
        "device": on.device,
    }


def _times(duration: Floats, every: float | None) -> Floats:
    """Times of the answers, ms [samples, times]: up to the end of each recording, which is last."""
    if every is None:
        return duration[:, None]
    grid = np.arange(every, float(duration.max()) + every, every)
    times: Floats = np.minimum(grid, duration[:, None])
    return times


def _columns(found: Mapping[str, Any]) -> list[str]:
    return ["file", "sample", "key", "time_ms", *found["outputs"], "note"]


def write_values_csv(found: Mapping[str, Any]) -> None:
    """Answers as CSV on stdout."""
    write_csv(_columns(found), found)


def show_values(found: Mapping[str, Any]) -> None:
    """Answers as a table."""
    rows = noted(found)
    empty = {name for name in ("sample", "key", "note") if not any(row.get(name) for row in rows)}
    columns = [name for name in _columns(found) if name not in empty]
    headings = {name: name.replace("_ms", " (ms)") for name in columns}
    show_answers(found["run"], headings, found, form=".6g", numbers=1)


def _show_run(outcome: Mapping[str, Any]) -> None:
    """The end of a run as a table."""
    test = outcome["test"]
    rows = r2_rows(test, ", test part")
    left = f"; {test['targets_left_out']:,} left out (empty)" if test["targets_left_out"] else ""
    rows += [
        ["mean squared error, test part", f"{test['mean_squared_error']:.6g}"],
        ["guess: always the mean of training", f"{outcome['guess_mean_squared_error']:.6g}"],
        ["recordings", f"{outcome['learned']:,} learned, {test['samples']:,} tested"],
        ["targets compared", f"{test['targets']:,}{left}"],
        ["validation", "none: regression holds no part out"],
        ["loss of the last epoch, as a fraction of the variance", f"{outcome['loss']:.4f}"],
        ["trained parameters", f"{outcome['trained_parameters']:,}"],
        ["training time", f"{outcome['training_seconds']:.1f} s"],
    ]
    terminal.show_table("Result", ["", ""], rows)
    typer.echo(f"Report: {outcome['report']}")
    typer.echo(f"Evaluate again: eventsim evaluate {outcome['folder']}")
