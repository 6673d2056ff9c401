"""Regression by ``eventsim evaluate``: how well a network fits wanted values."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from eventsim.cli.events import Events
from eventsim.cli.measured import MeasuredPart, say_measured
from eventsim.cli.terminal import say_backend, show_table
from eventsim.errors import DataError
from eventsim.events import StoredStream, npz
from eventsim.events.labelled import described
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.report.numbers import r2_rows
from eventsim.runs.run import Run, on_backend
from eventsim.train import MeanSquaredError, TrainConfig, evaluate_regression
from eventsim.train.choice import config_of
from eventsim.train.loss_settings import features_of
from eventsim.train.regression import numbered, readout_of

Wanted = tuple[MeanSquaredError, tuple[str, ...]]  # and the names of the outputs
ASSUMED = "taken in the order of the file, since nothing says the network's"  # several outputs


def measured_fit(
    place: Path, named: Events, net: Network, wanted: Wanted, config: TrainConfig, run: Run | None
) -> dict[str, Any]:
    """Errors and R2 of a network, read from ``place``, against wanted values; plain values.

    ``run`` says the order of its outputs, if it is a run of values.
    """
    loss, names = wanted
    if not np.isfinite(loss.targets).any():
        raise DataError(f"{named.name}, {named.part}", "all targets are empty", "some")
    measured = say_measured(place, named, named.stream)
    assumed = names not in (numbered(len(names)), run and run.outputs) and len(names) > 1
    on = say_backend(config.backend)
    config = on_backend(config, on.name)
    found = evaluate_regression(
        net, named.stream, loss, backend=config.backend, precision=config.precision
    )
    return {
        "run": str(place),
        "data": named.name,
        "split": named.part,
        "measured": measured.to_dict(),
        "readout": loss.readout,
        **replace(found, outputs=names).described(),
        "outputs_assumed": assumed,
        "backend": on.name,
        "device": on.device,
    }


def check_tells_values(net: Network, run: Run | None) -> None:
    """Raise DataError for a network that tells classes, by its run or by its own answer."""
    told = None if run is None else run.config
    if told is None and net.answer is not None and net.answer.class_names:
        told = config_of(net, "evaluate")
    if told is not None:
        require("train", features_of(told.loss), "values", where="evaluate")


def stored_wanted(named: Events, net: Network, run: Run | None) -> Wanted:
    """The targets of a file of recordings, in the order of the run; DataError where it has none."""
    if not isinstance(named.stream, StoredStream):
        raise DataError(named.name, "has no targets", "a file of eventsim data import --targets")
    found = described(named.stream, targets=True).targets
    assert found is not None
    names = None if run is None else run.outputs
    found = found if names is None else found.ordered(names, named.name)
    readout = readout_of(net, None if run is None else run.config)
    return MeanSquaredError(found.values, found.times, readout), found.names


def read_wanted(path: Path, net: Network, run: Run | None) -> Wanted:
    """The targets of an npz file of one's own, whose outputs have numbers as names."""
    readout = readout_of(net, None if run is None else run.config)
    expected = "an npz file with arrays 'targets' [samples, times, outputs] and 'times' [times], ms"
    with npz.opened(path, expected=expected, error=DataError) as archive:
        missing = {"targets", "times"} - set(archive.claims)
        if missing:
            raise DataError(path, f"has no array {', '.join(sorted(missing))}", expected)
        loss = MeanSquaredError(archive.read("targets"), archive.read("times"), readout)
    return loss, numbered(loss.targets.shape[2])


def show_fit(found: Mapping[str, Any]) -> None:
    """Errors and R2 of a network as a table."""
    of = found["targets"]
    left = found["targets_left_out"]
    rows = [
        ["mean squared error", f"{found['mean_squared_error']:.6g}"],
        *r2_rows(found),
        ["recordings", f"{found['samples']:,}"],
        ["targets", f"{of:,}" + (f"; {left:,} left out (NaN)" if left else "")],
    ]
    rows += [["outputs", ASSUMED]] if found["outputs_assumed"] else []
    show_table(f"{found['run']} on {found['data']}, {found['split']}", ["", ""], rows)
    typer.echo(f"Measured: {MeasuredPart(**found['measured'])}")
