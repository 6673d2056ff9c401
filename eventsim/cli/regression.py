"""Regression by ``train``, ``evaluate``, ``predict`` and ``report``: values, not classes."""

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from eventsim.arrays import Floats
from eventsim.cli import options as opt
from eventsim.cli import terminal
from eventsim.cli.begin import how_read, words_of
from eventsim.cli.damaged import Damaged
from eventsim.cli.events import Events, find_for, find_network, find_settings
from eventsim.cli.measured import say_measured
from eventsim.cli.reading import Reading
from eventsim.cli.train_settings import TypedTraining, assign
from eventsim.datasets.formats import format_of
from eventsim.errors import DataError, ParameterError
from eventsim.events import Dataset, StoredStream, concatenate
from eventsim.events.labelled import TARGETS, described
from eventsim.network import Network
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.regression import (
    LOSS,
    RegressionRun,
    RegressionSettings,
    described_fit,
    evaluate_run,
    execute_regression,
    is_regression,
    load_regression,
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
    values: dict[str, Any] = RegressionConfig().to_dict()
    values |= opt.with_precision(asked.tables["train"])
    net, network = None, None
    if asked.init is None:
        network = NetworkSettings.from_options(asked.network, called=opt.option_name)
        values["bip"] += ["adaptation", "tau_adaptation"] if network.adaptation > 0 else []
        values["bip"] += ["neuron"] if network.neuron != "lif" else []
    else:
        net = find_network(asked.init)
        if asked.network:
            name = opt.option_name(next(iter(asked.network)))
            raise ParameterError(
                f"--init and {name} contradict each other: the network has its shape."
            )
    if asked.bip is False:
        values["bip"] = []
    if asked.lr is not None:
        values["rates"] = {**values["rates"], "weights": asked.lr}
    for text in asked.assigned or ():
        assign(values, text)
    data = find_settings(
        asked.data, asked.file, test_data=asked.test_data, more=asked.chosen, targets=True
    )
    config = RegressionConfig.from_dict(values)
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
        run = execute_regression(settings, folder, net=net, overwrite=overwrite, callback=told)
    except KeyboardInterrupt:
        terminal.say("Stopped. Nothing of it is kept: regression cannot be resumed.")
        raise typer.Exit(terminal.INTERRUPTED) from None
    page = _write_page(run, folder / "index.html", forms)
    found = run.result | {"folder": str(folder), "report": str(page)}
    terminal.present(found, _show_run, as_json=as_json)


def _write_page(run: RegressionRun, path: Path, forms: Sequence[str]) -> Path:
    from eventsim.report.regression import FitPage, write_fit  # loads Matplotlib

    data = run.data("test")
    found, targets = evaluate_run(run.network(), data, run.settings.train)
    fit = FitPage(
        title=f"{run.settings.data.title}: regression",
        command=run.settings.command,
        result=run.result,
        history=run.history,
        targets=targets,
        predicted=found.predicted,
    )
    return write_fit(path, fit, forms=forms)


def report_values(run: Path, out: Path | None, forms: Sequence[str], *, as_json: bool) -> None:
    """Write the page of a run again."""
    found = load_regression(run)
    page = _write_page(found, out or run / "index.html", forms)
    terminal.present(
        found.result | {"folder": str(run), "report": str(page)}, _show_run, as_json=as_json
    )


def evaluate_values(
    place: Path, data: str | None, reading: Reading, *, which: Which, backend: str | None
) -> dict[str, Any]:
    """How well a network fits the values of recordings; plain values."""
    run = load_regression(place) if place.is_dir() and is_regression(place) else None
    config = RegressionConfig() if run is None else run.settings.train
    if backend is not None:
        config = replace(config, **opt.with_precision({"backend": backend}))
    named = find_for(place, data, reading)
    valued = _with_values(named)
    measured = say_measured(place, named, named.stream)
    on = terminal.say_backend(config.backend)
    found, targets = evaluate_run(find_network(place, which=which), valued, config)
    return {
        "run": str(place),
        "data": named.name,
        "split": named.part,
        "measured": measured.to_dict(),
        "samples": named.stream.n_samples,
        **described_fit(found, targets.names),
        "backend": on.name,
        "device": on.device,
    }


def _with_values(found: Events) -> Dataset[StoredStream]:
    """Recordings with targets; DataError if they have none."""
    if not isinstance(found.stream, StoredStream):
        raise DataError(
            f"{found.name}: has no targets, expected a file of eventsim data import --targets."
        )
    return described(found.stream, targets=True)


def predict_values(
    place: Path,
    found: Mapping[str, Events],
    bad: Sequence[Damaged],
    *,
    every: float | None,
    which: Which,
    backend: str | None,
) -> dict[str, Any]:
    """The answers of a run to recordings: at their end, or every so many ms; plain values."""
    run = load_regression(place)
    if backend is not None:
        train = replace(run.settings.train, **opt.with_precision({"backend": backend}))
        run = RegressionRun(run.folder, replace(run.settings, train=train))
    on = terminal.say_backend(run.settings.train.backend)
    streams = [part.stream for part in found.values()]
    stream = streams[0] if len(streams) == 1 else concatenate([one[:] for one in streams])
    times = _times(np.asarray(stream.duration), every)
    predicted = run.predict(stream, times, which=which)
    names, rows, sample = run.result["test"]["outputs"], list[dict[str, Any]](), 0
    for file, part in found.items():
        read = words_of(how_read(part))
        keys = part.keys
        for inner in range(part.stream.n_samples):
            key = None if keys is None else str(keys[inner]) or None
            # Times behind the end of a recording repeat its end.
            for k in np.flatnonzero(np.diff(times[sample], prepend=-1.0) > 0):
                values = dict(zip(names, map(float, predicted[sample, k]), strict=True))
                row = {"file": file, "sample": inner, "key": key}
                row |= {"time_ms": float(times[sample, k]), "values": values, "read": read}
                rows.append(row)
            sample += 1
    return {
        "run": str(place),
        "samples": sample,
        "outputs": names,
        "answers": rows,
        "damaged": [asdict(one) for one in bad],
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


def _flat(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table: answers, and files that could not be read."""
    rows = [{**row, **row["values"], "note": ""} for row in found["answers"]]
    return [*rows, *({"file": one["file"], "note": one["reason"]} for one in found["damaged"])]


def _columns(found: Mapping[str, Any]) -> list[str]:
    return ["file", "sample", "key", "time_ms", *found["outputs"], "note"]


def write_values_csv(found: Mapping[str, Any]) -> None:
    """Answers as CSV on stdout."""
    columns = _columns(found)
    writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_flat(found))


def show_values(found: Mapping[str, Any]) -> None:
    """Answers as a table."""
    rows = _flat(found)
    empty = {name for name in ("sample", "key", "note") if not any(row.get(name) for row in rows)}
    columns = [name for name in _columns(found) if name not in empty]
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    lost = len(found["damaged"])
    left = f"; {lost:,} files left out, missing or damaged" if lost else ""
    title = f"{found['run']}: {found['samples']:,} recordings{left}"
    terminal.show_table(title, [name.replace("_ms", " (ms)") for name in columns], cells)
    for words in dict.fromkeys(words for row in found["answers"] for words in row["read"]):
        terminal.stdout().print(f"events: {words}", markup=False, soft_wrap=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _show_run(outcome: Mapping[str, Any]) -> None:
    """The end of a run as a table."""
    test = outcome["test"]
    rows = [
        [
            f"R2 of {name}, test part",
            "none: its targets are all equal" if r2 is None else f"{r2:.4f}",
        ]
        for name, r2 in zip(test["outputs"], test["r2"], strict=True)
    ]
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
