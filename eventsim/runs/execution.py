"""A run executed: training, test and costs, in one folder.

The files are those of :mod:`eventsim.train.folder`.

**What is measured.** Accuracy on the test part of the network after the last epoch, and of the one
that the validation part chose: never the best on the test part. Synaptic operations are arrivals
of spikes at synapses; the multiply-adds of a linear decision are none. Neuron updates are pairs of
a neuron and a time at which something arrives (:mod:`eventsim.energy.counts`), on a grid the
neurons times the steps. Both are means per test recording, with the network after the last epoch.
Time is that of training and validation; compiling of kernels, before the first step too, is apart
(``compile_seconds``; None of a run of earlier versions, whose time includes it). Memory is the
largest resident set of the process that trained and tested, interpreter included.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import eventsim
from eventsim.engine import describe_backend
from eventsim.errors import DataError, ParameterError
from eventsim.events import AnyDataset, Values
from eventsim.events.storage import write_json
from eventsim.network import Network
from eventsim.report.record import RunRecord
from eventsim.runs.run import Run
from eventsim.runs.settings import RunSettings, Shape, check_same_run
from eventsim.train import ProcessGroup, TrainConfig, train
from eventsim.train.folder import RESULT, RunFolder
from eventsim.train.loop import Callback
from eventsim.train.loss_settings import ValuesLoss
from eventsim.train.parts import By, Parts, parts_of_run, validation_split
from eventsim.train.regression import in_units, readout_of
from eventsim.train.sparse import connection_sparsity


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Options of the execution of a run, which change no result."""

    # Go on with the run that the folder holds; its epochs may be more than before
    resume: bool = False
    overwrite: bool = False  # replace the run that the folder holds
    download: bool = False  # fetch the data set if it is missing and can be fetched
    # Whether this process was started for the run, so that its peak of memory is the run's
    own_process: bool = False
    # As in :func:`eventsim.train.train`
    callback: Callback | None = None
    group: ProcessGroup | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """A run that was executed."""

    run: Run  # its networks and its history
    record: RunRecord  # what a report is made of
    result: dict[str, Any]  # the content of result.json


def execute(
    settings: RunSettings, folder: Path, how: Execution | None = None, *, net: Network | None = None
) -> Outcome | None:
    """Train and test; the test data is read only after training has ended.

    Of values it is opened before, so that what does not fit is told; its recordings stay in the
    file. Training begins in their units, see :mod:`eventsim.train.regression`.

    Parameters
    ----------
    settings
        Of the run; ``data`` must be known.
    folder
        Of the run.
    how
        How it is executed.
    net
        Where training starts, in the unit of the targets; None for the network that the settings
        build, or of the run that is resumed.

    Returns
    -------
    Outcome
        None in processes other than 0.

    Raises
    ------
    EventSimError
        Data, network and settings do not fit each other, or the folder holds another run.
    KeyboardInterrupt
        After an interrupt; the run can go on.
    """
    how = how or Execution()
    group = how.group or ProcessGroup()
    # Process 0 goes first, so that the data is fetched or made once.
    if not group.leads:
        group.wait()
    training = Run(folder, settings).data("train", download=how.download)
    if group.leads:
        group.wait()
    test = None
    if isinstance(training.target, Values):
        test = Run(folder, settings).data("test")
        settings, net = _of_values(settings, folder, (training, test), how, net)
    run = train_run(settings, folder, training, how, net=net)
    if test is None:
        test = run.data("test", download=how.download)
    tested = run.checked(test, group)
    if not group.leads:
        return None
    parts = _parts(settings, training).tested(training, test, settings.train)
    RunFolder(folder).note(parts=parts.to_dict())
    record = run.record(test, tested, guess=training.target.guessed(test.target))
    result = _result(run, record) | {
        "peak_mb": peak_megabytes() if how.own_process else None,
        "processes": group.size,
    }
    write_json(folder / RESULT, result, indent=None)
    return Outcome(run, record, result)


def train_run(
    settings: RunSettings,
    folder: Path,
    training: AnyDataset,
    how: Execution | None = None,
    *,
    net: Network | None = None,
) -> Run:
    """Train alone; parameters and errors are those of :func:`execute`."""
    how = how or Execution()
    home = RunFolder(folder, settings.about() | {"parts": _parts(settings, training).to_dict()})
    if how.resume:
        home.check_run()
        check_same_run(folder, settings, longer=True)
        net = Run(folder, settings).initial
    elif not how.overwrite:
        home.check_free()
    if net is None:
        net = settings.build(Shape.of(training))
    result = train(
        net,
        training,
        settings.train,
        home,
        resume=how.resume,
        overwrite=how.overwrite,
        callback=how.callback,
        group=how.group,
        method=settings.method,
    )
    return Run.of(settings, home.path, net, result)


def _of_values(
    settings: RunSettings,
    folder: Path,
    parts: tuple[AnyDataset, AnyDataset],
    how: Execution,
    net: Network | None,
) -> tuple[RunSettings, Network | None]:
    """Settings with the unit of errors and the readout, and a network in the units of values.

    ``parts`` are the recordings of training and test.
    """
    assert settings.data is not None
    training, title = parts[0], settings.data.title
    wanted, test = (part.target for part in parts)
    assert isinstance(wanted, Values)
    if not test.given:
        raise DataError(title, "the test part has no target", "some")
    mean, size = wanted.scale(title)
    if how.resume:  # a run keeps its own: a program may have chosen another scale
        return settings.settled_as(RunSettings.load(folder)), net
    assert isinstance(settings.train.loss, ValuesLoss)
    chosen = settings.train.loss.scale
    if len(chosen) not in (0, len(test.names)):
        raise ParameterError(
            "loss.scale",
            f"has length {len(chosen)}",
            f"a unit of each output: {', '.join(test.names)}",
            "Empty (--set loss.scale=[]) it is their standard deviation.",
        )
    if net is None:
        net = in_units(settings.build(Shape.of(training)), mean, size)
    loss = ValuesLoss(scale=chosen or tuple(size.tolist()))
    train = replace(settings.train, loss=loss, output=readout_of(net, settings.train))
    return replace(settings, train=train), net


def _parts(settings: RunSettings, training: AnyDataset) -> Parts:
    """Recordings and groups of the training part and the validation part."""
    data = settings.data
    divided_by: By | None = None if data is None else "group" if data.by_group else "recording"
    parts = parts_of_run(training, settings.train, divided_by=divided_by)
    if data is None or not data.learns_more:
        return parts
    kept, _ = validation_split(training, settings.train)
    return replace(parts, recorded=data.recorded(kept))


def _result(run: Run, record: RunRecord) -> dict[str, Any]:
    settings, chosen = run.settings, record.selected
    on_grid = settings.grid is not None
    backend = None if on_grid else describe_backend(settings.train.backend)
    operations, updates = run.operations(record.test, record.last.evaluation)
    return {
        "condition": settings.name,
        "method": settings.method.name,
        "seed": settings.train.seed,
        "fold": settings.fold,
        "parts": None if record.parts is None else record.parts.to_dict(),
        "epochs": len(record.history),
        "stopped_early": stopped_early(record.config, len(record.history)),
        "test": record.last.described(),
        "selected_by_validation": None if chosen is None else chosen.described(),
        **(_fitted(run, record) if isinstance(record.test.target, Values) else _classified(record)),
        "trained_parameters": record.n_parameters,
        "connection_sparsity": connection_sparsity(run.net),
        "quantised": _numbers(settings.train),
        "synaptic_operations_per_inference": operations,
        "neuron_updates_per_inference": updates,
        "training_seconds": record.seconds,
        "compile_seconds": record.compile_seconds,
        "skipped_steps": sum(line.get("skipped_steps", 0) for line in record.history),
        "backend": "numpy" if backend is None else backend.name,
        "device": None if backend is None else backend.device,
        "version": eventsim.__version__,
    }


def _classified(record: RunRecord) -> dict[str, Any]:
    """What only a run of classes has."""
    final = record.history[-1]
    return {
        "guess_accuracy": record.guess,
        "train_accuracy": final["accuracy"],
        "validation_accuracy": final.get("validation_accuracy"),
        "spikes_per_neuron_and_second": record.mean_rate,
        "synaptic_events_per_sample": record.synaptic_events,
    }


def _fitted(run: Run, record: RunRecord) -> dict[str, Any]:
    """What only a run of values has."""
    final = record.history[-1]
    return {
        "task": "regression",
        "division": run.data_settings.info.splits,
        "guess_mean_squared_error": record.guess,
        "loss": final["loss"],
        "validation_loss": final.get("validation_loss"),
        "loss_scale": list(record.loss_scale),
    }


def _numbers(config: TrainConfig) -> dict[str, Any] | None:
    """The chip's numbers that the network has; None for float."""
    numbers = config.quantise.numbers
    if numbers is None:
        return None
    title, chip = config.quantise.title, config.quantise.chip or None
    return {"title": title, "chip": chip, **numbers.described()}


def stopped_early(config: TrainConfig, epochs: int) -> dict[str, Any] | None:
    """The rule that ended a run before its number of epochs; None where none did."""
    if epochs >= config.epochs:
        return None
    return {"epochs": config.epochs, "patience": config.patience, "by": config.patience_by}


def peak_megabytes() -> float | None:
    """Largest resident set of this process so far; None where the system does not tell it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(ln.split()[1]) / 1024 for ln in lines if ln.startswith("VmHWM")), None)
