r"""A run of regression: a network that is fitted to values, in its folder.

The values are those of a file of targets (:mod:`eventsim.events.targets`); the answer is the
voltage of the readout at their times (:mod:`eventsim.train.regression`).

**Scale.** Targets have any unit. Training fits :math:`(y_c - \bar y_c) / s_c`, with mean and
standard deviation of every output c over the training part. Afterwards the readout gets the
resistance :math:`s_c R` and the resting potential :math:`s_c E + \bar y_c`, so that its voltage is
in the unit of the targets. The loss of an epoch is thus a fraction of the variance; errors and R2
of the result are in the unit of the targets.

The folder has ``run.json`` (its key ``task`` is ``regression``), ``metrics.jsonl``,
``initial.npz``, ``last.npz`` and ``result.json``, as that of another run
(:mod:`eventsim.train.folder`). There is no validation part and no checkpoint: a run cannot be
resumed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import eventsim
from eventsim.arrays import Floats
from eventsim.engine import describe_backend
from eventsim.entries import Settings, read_object
from eventsim.errors import DataError, NetworkError, StorageError
from eventsim.events import AnyDataset, StoredStream
from eventsim.events.storage import write_json
from eventsim.events.targets import Targets, targets_of
from eventsim.network import Network
from eventsim.runs.data import DataSettings
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.run import Run, Which, on_backend, read_history, stored_network
from eventsim.runs.settings import RunSettings
from eventsim.train.calibration import Calibration, calibrate
from eventsim.train.counting import distinct_values
from eventsim.train.folder import (
    FORMAT,
    RESULT,
    SETTINGS,
    TASK,
    VERSION,
    RunFolder,
    read_about,
)
from eventsim.train.groups import select
from eventsim.train.regression import (
    MeanSquaredError,
    RegressionConfig,
    RegressionEvaluation,
    evaluate_regression,
    regress,
)

LOSS = "mean_squared_error"  # its name, as that of a loss of classification


@dataclass(frozen=True, kw_only=True)
class RegressionSettings(Settings):
    """Data, network and training of a run of regression.

    Attributes
    ----------
    data
        The recordings, with ``targets``.
    network
        How the initial network is built; None where it was given.
    train
        Of the training.
    command
        What was typed; may be empty.
    """

    data: DataSettings
    network: NetworkSettings | None = None
    train: RegressionConfig = field(default_factory=RegressionConfig)
    command: str = ""


@dataclass(frozen=True, eq=False)
class RegressionRun:
    """A run of regression in its folder; made by :func:`load_any`.

    Attributes
    ----------
    folder
        Where it is.
    settings
        What it is.
    """

    folder: Path
    settings: RegressionSettings

    @property
    def data_settings(self) -> DataSettings:
        """What its recordings are."""
        return self.settings.data

    def on(self, backend: str | None) -> "RegressionRun":
        """As :meth:`Run.on`."""
        train = on_backend(self.settings.train, backend)
        return RegressionRun(self.folder, replace(self.settings, train=train))

    def data(self, split: str = "test", *, download: bool = False) -> AnyDataset:
        """Recordings of its own file: ``train`` or ``test`` as the run had them."""
        return self.settings.data.labelled(split, download=download)

    def network(self, which: Which = "last") -> Network:
        """The network after the last epoch, or the initial one."""
        if which == "selected":
            raise StorageError(f"{self.folder}: regression selects no network. Ask for last.")
        return stored_network(self.folder, which)

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """``epoch``, ``loss`` and ``seconds`` of all epochs."""
        return read_history(self.folder, ("epoch", "loss", "seconds"))

    @cached_property
    def result(self) -> dict[str, Any]:
        """What was measured on test data."""
        return read_object(self.folder / RESULT)

    def predict(self, stream: Any, times: Floats, *, which: Which = "last") -> Floats:
        """The answers at times, ms [samples, times]; [samples, times, outputs]. New array."""
        net, config = self.network(which), self.settings.train
        wanted = np.zeros((*times.shape, net.population(only_readout(net)).size))
        loss = MeanSquaredError(wanted, times, only_readout(net))
        found = evaluate_regression(
            net, stream, loss, backend=config.backend, precision=config.precision
        )
        return found.predicted


@dataclass(frozen=True, eq=False)
class RegressionOutcome:
    """A run of regression that was executed, and how well it fits the targets of its test part."""

    run: RegressionRun
    found: RegressionEvaluation
    targets: Targets


def load_any(folder: Path) -> Run | RegressionRun:
    """The run in a folder, of classification or regression; errors as :func:`load_run`."""
    values, path = read_about(folder), folder / SETTINGS
    if values.get("task") != TASK:
        return Run(folder, RunSettings.load(folder, values))
    try:
        network = values["network"]
        return RegressionRun(
            folder,
            RegressionSettings(
                data=DataSettings(**values["data"]),
                network=None if network is None else NetworkSettings(**network),
                train=RegressionConfig.from_dict(values["train"]),
                command=values["command"],
            ),
        )
    except (KeyError, TypeError) as error:
        raise StorageError(f"{path}: is not whole ({type(error).__name__}: {error}).") from error


def only_readout(net: Network) -> str:
    """The name of the readout that answers; NetworkError unless there is one."""
    if len(net.readouts) != 1:
        raise NetworkError(
            f"Regression: the network has the readouts {', '.join(net.readouts) or 'none'}, "
            "expected one. In Python es.train.MeanSquaredError takes the name of one."
        )
    return str(next(iter(net.readouts)))


def execute_regression(
    settings: RegressionSettings,
    folder: Path,
    *,
    net: Network | None = None,
    overwrite: bool = False,
    callback: Callable[[Mapping[str, Any]], None] | None = None,
) -> RegressionOutcome:
    """Train and test; the test data is read only after training has ended.

    Parameters
    ----------
    settings
        Of the run.
    folder
        Of the run; StorageError if it holds one and ``overwrite`` is False.
    net
        Where training starts, in the unit of the targets; None for the network of the settings,
        whose weights are calibrated first (:func:`eventsim.calibrate`).
    callback
        Called with ``epoch``, ``loss`` and ``seconds`` after every epoch.

    Raises
    ------
    EventSimError
        Data, network and settings do not fit each other.
    """
    home = RunFolder(folder)
    if not overwrite:
        home.check_free()
    training = settings.data.labelled("train")
    targets, stream = _targets(training), training.stream[:]
    mean, size = _scale(targets, settings.data.title)
    calibrated: list[Calibration] = []
    if net is None:
        assert settings.network is not None
        config = settings.train
        net = settings.network.build(stream.n_channels, len(targets.names), seed=config.seed)
        net = calibrate(net, stream, backend=config.backend, callback=calibrated.append)
        initial = in_units(net, mean, size)
    else:
        net, initial = in_units(net, -mean / size, 1.0 / size), net.copy()
    home.clear()
    about = _about(settings, targets, calibrated, mean, size)
    write_json(folder / SETTINGS, about)
    initial.save(folder / "initial.npz")
    run, lines, began = RegressionRun(folder, settings), list[dict[str, Any]](), perf_counter()

    def told(metrics: Mapping[str, Any]) -> None:
        spent = perf_counter() - began - sum(line["seconds"] for line in lines)
        lines.append({**metrics, "seconds": spent})
        home.save_history(lines)
        if callback is not None:
            callback(lines[-1])

    scaled = MeanSquaredError((targets.values - mean) / size, targets.times, only_readout(net))
    fitted = regress(net, stream, scaled, settings.train, callback=told).net
    fitted = in_units(fitted, mean, size)
    fitted.save(folder / "last.npz")
    found, wanted = evaluate_run(fitted, run.data("test"), settings.train)
    outcome = RegressionOutcome(run, found, wanted)
    result = _result(outcome, fitted, lines, n_learned=len(training), guess=mean)
    write_json(folder / RESULT, result, indent=None)
    vars(run).update(history=lines, result=result)
    return outcome


def in_units(net: Network, mean: Floats, size: Floats) -> Network:
    """The network whose readout gives ``size * V + mean`` for its voltage V. A copy."""
    found = net.copy()
    readout = found.population(only_readout(found))
    readout.resistance[...] *= size
    readout.v_leak[...] = readout.v_leak * size + mean
    return found


def _targets(data: AnyDataset) -> Targets:
    assert isinstance(data.stream, StoredStream)  # DataSettings with targets leave it in the file
    return targets_of(data.stream)


def _scale(targets: Targets, title: str) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every output; 1 where all its targets are equal."""
    there = ~np.isnan(targets.values)
    if not there.any(axis=(0, 1)).all():
        lacks = targets.names[int(np.flatnonzero(~there.any(axis=(0, 1)))[0])]
        raise DataError(f"{title}: the training part has no target of the output {lacks!r}.")
    mean = np.nanmean(targets.values, axis=(0, 1))
    size = np.nanstd(targets.values, axis=(0, 1))
    return mean, np.where(size > 0, size, 1.0)


def _about(
    settings: RegressionSettings,
    targets: Targets,
    calibrated: list[Calibration],
    mean: Floats,
    size: Floats,
) -> dict[str, Any]:
    """The content of run.json."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "eventsim": eventsim.__version__,
        "task": TASK,
        "command": settings.command,
        "data": asdict(settings.data),
        "network": None if settings.network is None else asdict(settings.network),
        "train": settings.train.to_dict(),
        "outputs": list(targets.names),
        "scale": {"mean": mean.tolist(), "standard_deviation": size.tolist()},
        "calibrated": [asdict(one) for one in calibrated],
    }


def evaluate_run(
    net: Network, data: AnyDataset, config: RegressionConfig
) -> tuple[RegressionEvaluation, Targets]:
    """How well a network fits the targets of recordings in a file."""
    targets = _targets(data)
    loss = MeanSquaredError(targets.values, targets.times, only_readout(net))
    found = evaluate_regression(
        net, data.stream, loss, backend=config.backend, precision=config.precision
    )
    return found, targets


def described_fit(found: RegressionEvaluation, names: tuple[str, ...]) -> dict[str, Any]:
    """An evaluation as plain values; R2 is None of an output whose targets are all equal."""
    return {
        "mean_squared_error": found.mean_squared_error,
        "r2": [float(one) if np.isfinite(one) else None for one in found.r2],
        "outputs": list(names),
        "targets": found.n_targets,
        "targets_left_out": found.left_out,
    }


def _result(
    outcome: RegressionOutcome,
    net: Network,
    lines: Sequence[Mapping[str, Any]],
    *,
    n_learned: int,
    guess: Floats,
) -> dict[str, Any]:
    """The content of result.json; ``guess`` is the mean of what was learned, [outputs]."""
    settings, targets = outcome.run.settings, outcome.targets
    config, backend = settings.train, describe_backend(settings.train.backend)
    sizes = distinct_values(net)
    return {
        "task": TASK,
        "seed": config.seed,
        "division": settings.data.info.splits,
        "learned": n_learned,
        "epochs": len(lines),
        "test": {
            "samples": len(targets.values),
            **described_fit(outcome.found, targets.names),
        },
        "guess_mean_squared_error": float(np.nanmean((targets.values - guess) ** 2)),
        "loss": lines[-1]["loss"],
        "trained_parameters": sum(sizes[key] for key in select(net, ("weights", *config.bip))),
        "training_seconds": sum(line["seconds"] for line in lines),
        "backend": backend.name,
        "device": backend.device,
        "version": eventsim.__version__,
    }
