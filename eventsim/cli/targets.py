"""``eventsim evaluate --targets``: how well a network follows signals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from eventsim.cli.events import find_for
from eventsim.cli.measured import MeasuredPart, say_measured
from eventsim.cli.options import with_precision
from eventsim.cli.reading import Reading
from eventsim.cli.terminal import say_backend, show_table
from eventsim.errors import DataError
from eventsim.events import npz
from eventsim.network import Network
from eventsim.runs.regression import described_fit, only_readout
from eventsim.train import MeanSquaredError, evaluate_regression


def follow(
    net: Network, place: Path, data: str | None, reading: Reading, targets: Path, *, backend: str
) -> dict[str, Any]:
    """Mean squared error and R2 of a network, which was read from ``place``; plain values."""
    named = find_for(place, data, reading)
    loss = _loss(targets, net)
    measured = say_measured(place, named, named.stream)
    on = say_backend(backend)
    found = evaluate_regression(net, named.stream, loss, **with_precision({"backend": on.name}))
    return {
        "run": str(place),
        "data": named.name,
        "split": named.part,
        "measured": measured.to_dict(),
        "samples": named.stream.n_samples,
        "readout": loss.readout,
        **described_fit(found, tuple(f"output {k}" for k in range(found.r2.size))),
        "backend": on.name,
        "device": on.device,
    }


def _loss(path: Path, net: Network) -> MeanSquaredError:
    """The wanted voltages of a file, of the only readout of the network."""
    readout = only_readout(net)
    expected = "an npz file with arrays 'targets' [samples, times, outputs] and 'times' [times], ms"
    with npz.opened(path, expected=expected, error=DataError) as archive:
        missing = {"targets", "times"} - set(archive.claims)
        if missing:
            raise DataError(
                f"{path}: has no array {', '.join(sorted(missing))}, expected {expected}."
            )
        return MeanSquaredError(archive.read("targets"), archive.read("times"), readout)


def show_followed(found: Mapping[str, Any]) -> None:
    """How well the network follows, as a table."""
    of = found["targets"]
    left = found["targets_left_out"]
    rows = [
        ["mean squared error", f"{found['mean_squared_error']:.6g}"],
        *(
            [
                f"R2 of {name}",
                "none: its targets are all equal" if one is None else f"{one:.4f}",
            ]
            for name, one in zip(found["outputs"], found["r2"], strict=True)
        ),
        ["recordings", f"{found['samples']:,}"],
        ["targets", f"{of:,}" + (f"; {left:,} left out (NaN)" if left else "")],
    ]
    show_table(f"{found['run']} on {found['data']}, {found['split']}", ["", ""], rows)
    typer.echo(f"Measured: {MeasuredPart(**found['measured'])}")
