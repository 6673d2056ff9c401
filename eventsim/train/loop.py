"""The training loop: batches, validation, metrics, checkpoints.

A run lives in one folder, see :mod:`eventsim.train.folder`; or in memory, and then it cannot be
resumed.

A run that was stopped and resumed ends with the same bits as one that was not: random
numbers depend on (seed, purpose, epoch, batch) alone, not on where a run stopped.

Several processes may share a run, see :mod:`eventsim.train.parallel`. All of them hold the whole
state; process 0 alone writes files and calls the callback. The number of processes is not part of
a run: it may be another when the run is resumed.

A run that is resumed with more epochs is extended, finished or not. The learning rate follows a
cosine over all epochs, and the finished epochs have followed the cosine of the former number of
epochs. So the result differs from a run with all epochs from the start, unless ``ease_in`` covers
all of them.

If recordings begin late, a warning is logged and kept in ``run.json``:
:mod:`eventsim.network.late`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from eventsim.arrays import Floats
from eventsim.checks import instance
from eventsim.engine.contract.backend import features_of as backend_features
from eventsim.engine.contract.compiling import Watch, compile_seconds
from eventsim.engine.contract.registry import get_backend
from eventsim.errors import DataError, ParameterError, ShapeError
from eventsim.events import AnyDataset
from eventsim.folders import locked
from eventsim.matrix import matrix, require
from eventsim.network import Network
from eventsim.network.connectivity import with_synapses
from eventsim.network.features import delays_of, neurons_at
from eventsim.network.late import LateBegin, heard_share, late_begin, log_late, one_warning
from eventsim.summary import MOST_ROWS, html_card, html_table, number, short_repr
from eventsim.train.calibration import calm, wake
from eventsim.train.checkpoint import (
    Metrics,
    Origin,
    TrainState,
    digest,
    load_checkpoint,
    save_checkpoint,
)
from eventsim.train.choice import answer_of
from eventsim.train.config import TrainConfig
from eventsim.train.draws import Draw, rng
from eventsim.train.evaluation import check_fit, measure
from eventsim.train.folder import RunFolder, Told
from eventsim.train.groups import select
from eventsim.train.interrupt import deferred_interrupt
from eventsim.train.method import AbstractMethod, Exact
from eventsim.train.optimiser import AdamW
from eventsim.train.parallel import ProcessGroup, check_shards
from eventsim.train.parts import validation_split
from eventsim.train.regularise import MS_PER_S
from eventsim.train.silence import silent_populations
from eventsim.train.sparse import connection_sparsity
from eventsim.train.step import train_batch

# Metrics that a notebook shows, where an epoch has them.
SHOWN_METRICS = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "seconds")

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainEvent:
    """Argument of a callback: progress, metrics and network.

    Attributes
    ----------
    kind
        ``batch`` after every batch, ``epoch`` after every epoch (its checkpoint is written).
    epoch, batch
        Finished ones, counted from 1; ``batch`` within the epoch.
    n_epochs, n_batches
        Of the run, of an epoch.
    metrics
        Means of the epoch so far, or the epoch's line of metrics.jsonl. Its key ``silent`` has the
        names of silent populations, if there are any.
    net
        The live network, on the device that trains it: its next values are written over these.
        Copy what is to be kept (``event.net.to_host().copy()``), and change nothing. With
        ``config.quantise`` its values are those before rounding.
    """

    kind: Literal["batch", "epoch"]
    epoch: int
    batch: int
    n_epochs: int
    n_batches: int
    metrics: Metrics
    net: Network | None = None

    __repr__ = short_repr

    @property
    def ends_epoch(self) -> bool:
        """Whether it tells of an epoch, not of a batch."""
        return self.kind == "epoch"

    @property
    def step(self) -> int:
        """Number of batches since the start of the run, also of a resumed run."""
        return (self.epoch - 1) * self.n_batches + self.batch


Callback = Callable[[TrainEvent], None]
"""What watches a run: see :mod:`eventsim.train.loggers`."""


@dataclass(frozen=True, eq=False)
class TrainResult:
    """Outcome of a run.

    Attributes
    ----------
    net, last
        Network and metrics after the last epoch. The network knows how it answers: ``net.answer``.
    selected_net, selected
        Network and metrics of the epoch with the best validation accuracy (of equal ones, the
        lowest validation loss, then the earliest); those of the last epoch without validation. With
        pruning, only epochs with the final number of synapses are compared; with quantisation,
        only quantised epochs.
    history
        Metrics of all epochs.
    folder
        Where the files are; None of a run in memory.
    """

    net: Network
    last: Metrics
    selected_net: Network
    selected: Metrics
    history: list[Metrics]
    folder: Path | None

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        columns = [name for name in SHOWN_METRICS if name in self.last]
        every = -(-len(self.history) // (MOST_ROWS - 1)) or 1
        lines = self.history[::every]
        lines = lines + ([] if lines and lines[-1] is self.last else [self.last])
        rows = ([number(line.get(name, np.nan)) for name in columns] for line in lines)
        about = f"{len(self.history)} epochs, {self.folder or 'in memory'}"
        return html_card("TrainResult", about, html_table(columns, rows))


@dataclass(frozen=True, eq=False)
class _Run:
    """Constants of a run; ``given`` are its settings, ``config`` those that training follows."""

    given: TrainConfig
    config: TrainConfig
    training: AnyDataset
    validation: AnyDataset
    folder: RunFolder | None
    origin: Origin
    callback: Callback | None
    group: ProcessGroup
    method: AbstractMethod
    late: LateBegin | None = None
    n_batches: int = field(init=False)
    heard: float = field(init=False)

    def __post_init__(self) -> None:
        n_batches = -(-len(self.training) // self.config.batch_size)
        object.__setattr__(self, "n_batches", n_batches)
        object.__setattr__(self, "heard", heard_share(self.training.stream, tail=self.config.tail))

    @property
    def files(self) -> RunFolder | None:
        """The folder, in the process that writes."""
        return self.folder if self.group.leads else None

    def set_numbers(self, state: TrainState, step: int) -> None:
        """Choose the numbers of a step."""
        begun = any(line.get("quantised") for line in state.history)
        total = self.config.epochs * self.n_batches
        state.numbers = self.config.quantise.numbers_at(step, total, begun=begun)

    def save(self, state: TrainState) -> None:
        if self.files is not None:
            save_checkpoint(self.files.checkpoint, state, self.origin)

    def tell(self, kind: Literal["batch", "epoch"], state: TrainState, metrics: Metrics) -> None:
        if self.callback is not None and self.group.leads:
            epoch = state.epoch + (kind == "batch")
            batch = state.batch if kind == "batch" else self.n_batches
            epochs, batches = self.config.epochs, self.n_batches
            self.callback(TrainEvent(kind, epoch, batch, epochs, batches, metrics, state.net))

    def watched(self) -> AbstractContextManager[object]:
        """The callback while training goes on, if it is a context manager."""
        watcher: object = self.callback if self.group.leads else None
        return watcher if isinstance(watcher, AbstractContextManager) else nullcontext()


def train(
    net: Network,
    data: AnyDataset,
    config: TrainConfig,
    folder: str | Path | RunFolder | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callback: Callback | None = None,
    group: ProcessGroup | None = None,
    method: AbstractMethod | None = None,
) -> TrainResult:
    """Train a network to classify recordings; all arguments are checked before anything is written.

    Parameters
    ----------
    net
        Where training starts. It is not changed.
    data
        Training data, in memory or in a file; ``config.validation_fraction`` of it is held out
        for validation: whole groups, or single recordings, as ``config.validate`` says.
    config
        Settings.
    folder
        Of the run, made if need be, see :mod:`eventsim.train.folder`. None: write nothing.
    resume
        Continue the run that ``folder`` holds, with the same net, data and config, unless
        ``config.patience`` has stopped it. ``config.epochs`` may be larger, see the module.
    overwrite
        Replace the run that ``folder`` holds, if it holds one. Other files there stay.
    callback
        Called after every batch and epoch, in process 0, such as
        :class:`eventsim.train.loggers.Progress`. If it raises an error, the run stops and can be
        resumed. If it is a context manager, training is done inside it.
    group
        Processes that share the run, see :func:`eventsim.train.connect`; None for this one alone.
        Each calls ``train`` with the same arguments and gets the same result, inside the group's
        ``with`` block. ``folder`` must be the same place for all of them if they resume.
    method
        :class:`Exact` event time if None, or :class:`eventsim.clocked.Grid` for TSSL-BP in fixed
        steps, whose networks are given for exact event time too.

    Raises
    ------
    DataError, NetworkError, ShapeError
        If data, network and settings do not fit each other.
    ParameterError
        If there are more processes than ``config.shards``, or ``resume`` beside ``overwrite``.
    PeerError
        If another process of the group failed, or was started with other arguments.
    StorageError
        If ``folder`` holds a run and neither ``resume`` nor ``overwrite`` is True, or ``resume``
        is True and it holds none, a damaged one, or one of another net, data or config. If another
        process works in ``folder``.
    KeyboardInterrupt
        After the first interrupt, once the running batch is done and the checkpoint written. A
        second interrupt stops at once; the checkpoint is then an older one.
    """
    compiled = compile_seconds()
    group, method = group or ProcessGroup(), method or Exact()
    _check_given(net, data, config, method)
    check_shards(group, config, config.shards)
    home = _home(folder, resume=resume, overwrite=overwrite)
    run = _prepared(net, data, config, home, callback, group, method)
    with one_warning(), nullcontext() if run.files is None else locked(run.files.path):
        log_late(run.late if group.leads else None)
        state = _resumed(run) if resume else _started(run, net, overwrite=overwrite)
        state.note_compiled(compile_seconds() - compiled)
        return _trained(run, state)


def _prepared(
    net: Network,
    data: AnyDataset,
    config: TrainConfig,
    home: RunFolder | None,
    callback: Callback | None,
    group: ProcessGroup,
    method: AbstractMethod,
) -> _Run:
    """Constants of the run; raises PeerError if another process was given other ones."""
    parts = _parts(data, config)
    origin = Origin.of(net, data, config, method)
    for what, its_digest in origin.digests().items():
        group.check_same(what, its_digest)
    fitted = _fitted(config, net, group)
    late = late_begin(net, data.stream, answer_of(config, data.class_names))
    return _Run(config, fitted, *parts, home, origin, callback, group, method, late)


def _trained(run: _Run, state: TrainState) -> TrainResult:
    """The result of the run, after all epochs that are left."""
    if run.files is not None:
        run.files.save_history(state.history)
    with run.watched(), deferred_interrupt(run.group):
        _train_on(run, state)
    return _finished(run, state)


def _train_on(run: _Run, state: TrainState) -> None:
    """Train the epochs that are left."""
    try:
        while state.epoch < run.config.epochs and not run.config.stops_after(state.history):
            _train_epoch(run, state)
    except KeyboardInterrupt:
        if not state.busy:
            run.save(state)
        raise


def _asked(net: Network, config: TrainConfig, method: AbstractMethod) -> dict[str, str]:
    """Features of the settings, and of what in the network they meet."""
    found = {**config.features(), **net.features(matrix().capabilities["train"].features)}
    found |= neurons_at(net, config.output)
    if config.quantise.only_weights:
        found.pop("chip_numbers", None)
    found |= method.meets(net, config)
    if method.feature == "exact":
        found |= backend_features(get_backend(config.backend))
        if config.sparse.on:  # what is left out keeps its delays
            found.pop("delay_by_synapse", None)
            for projection in config.sparse.chosen(net):
                found |= delays_of(projection)
    return found


def _check_given(
    net: Network, data: AnyDataset, config: TrainConfig, method: AbstractMethod
) -> None:
    """Raise if an argument is of another type, or they cannot work together."""
    for what, value, expected in (("net", net, Network), ("config", config, TrainConfig)):
        instance("train", what, value, expected)
    if not all(hasattr(data, name) for name in ("stream", "labels", "class_names", "subset")):
        raise DataError(
            "train",
            f"data is a {type(data).__name__}",
            "recordings with labels, such as Dataset(stream, labels, class_names)",
        )
    require("train", data, method.feature, config.precision, _asked(net, config, method))
    check_fit(net, data, config)
    if data.targets is None and len(data.class_names) < 2:
        raise DataError(
            "train",
            f"the recordings are all of one class ({', '.join(data.class_names)})",
            "two classes at least",
            "Any network is right about them, and nothing is learned.",
        )
    config.activity.check(net)
    config.quantise.check(net, config.quantise.fitted(net, config.sparse), config.bip)
    name, size = net.input.name, net.input.size
    if data.stream.n_channels != size:
        raise ShapeError(
            "train",
            f"the recordings have {data.stream.n_channels} channels, input population {name!r} "
            f"has size {size}",
            remedy="Give recordings and a network of the same size.",
        )
    method.check(config)


def _parts(data: AnyDataset, config: TrainConfig) -> tuple[AnyDataset, AnyDataset]:
    """For training and validation; DataError where one has targets but no value: a loss of 0."""
    training, validation = (data.subset(rows) for rows in validation_split(data, config))
    for what, part in (("training", training), ("validation", validation)):
        if len(part) and not part.target.given:
            raise DataError(
                "train",
                f"all targets of the {what} part are empty ({len(part):,} recordings)",
                "some",
                "Leave out recordings without targets, or choose another validation_fraction or "
                "seed.",
            )
    return training, validation


def _home(
    folder: str | Path | RunFolder | None, *, resume: bool, overwrite: bool
) -> RunFolder | None:
    if resume and overwrite:
        raise ParameterError("train", "resume and overwrite contradict each other", "one")
    if folder is None:
        if resume:
            raise ParameterError(
                "train", "resume is True and there is no folder", "that of the run"
            )
        return None
    return folder if isinstance(folder, RunFolder) else RunFolder(Path(folder))


def _fitted(config: TrainConfig, net: Network, group: ProcessGroup) -> TrainConfig:
    """The settings with the fan-in that the chip allows."""
    sparse = config.quantise.fitted(net, config.sparse)
    if sparse != config.sparse and group.leads:
        _LOGGER.warning(
            "quantise: neurons receive more synapses than the %d that chip %r allows, and are "
            "pruned to these in training (TrainConfig.sparse says when)",
            sparse.fan_in,
            config.quantise.chip,
        )
    return replace(config, sparse=sparse)


def _started(run: _Run, net: Network, *, overwrite: bool) -> TrainState:
    if run.files is not None and not overwrite:
        run.files.check_free()
    config, given = run.config, net.copy()
    given.set_answer(answer_of(config, run.training.class_names))
    begun = given.copy()
    if config.sparse.prunes_first:
        begun = with_synapses(begun, config.sparse.pruned(begun, 1.0))
    calibrated = wake(begun, run.training.stream, config, log=run.group.leads)
    calmed = calm(begun, run.training, config, log=run.group.leads)
    net = run.method.begin(begun, config)
    optimiser = AdamW(net, select(net, config.trained()), config.adam_settings())
    state = TrainState(net, optimiser)
    if run.files is not None:
        if overwrite and run.files.holds_run:
            run.files.clear()
        told = Told(calibrated, calmed, run.late)
        run.files.describe(run.given, run.method, told)
        run.files.save_network("initial", given)
        run.save(state)
    return state


def _resumed(run: _Run) -> TrainState:
    assert run.folder is not None  # _home sees to it
    run.folder.check_run()
    state = load_checkpoint(run.folder.checkpoint, run.origin, run.config, run.method)
    state.set_answer(answer_of(run.config, run.training.class_names))
    run.set_numbers(state, state.epoch * run.n_batches + state.batch - 1)
    run.group.check_same(f"state of the run in {run.folder.path}", state.digest())
    if run.files is not None:
        run.files.describe(run.given, run.method)
    return state


def _train_epoch(run: _Run, state: TrainState) -> None:
    config = run.config
    order = rng(config, Draw.ORDER, state.epoch).permutation(len(run.training))
    batches = list(run.training.stream.batches(config.batch_size, order=order))
    while state.batch < run.n_batches:
        pace = state.pace(config, run.n_batches)
        run.set_numbers(state, pace.number)
        drawn = rng(config, Draw.AUGMENT, state.epoch, state.batch)
        batch = run.training[batches[state.batch]]
        train_batch(config, state, batch, run.group, method=run.method, rng=drawn, pace=pace)
        due = config.checkpoint_every and state.batch % config.checkpoint_every == 0
        if due and state.batch < run.n_batches:
            run.save(state)
        run.tell("batch", state, state.sums.metrics())
        if run.group.stopping:
            raise KeyboardInterrupt
    _end_epoch(run, state)
    if run.group.stopping:
        raise KeyboardInterrupt


def _end_epoch(run: _Run, state: TrainState) -> None:
    watch, compiled = Watch(), compile_seconds()
    sizes = {name: p.size for name, p in state.net.spiking.items()}
    config = run.config
    line: Metrics = {"epoch": state.epoch + 1, **state.sums.metrics()}
    seconds = state.sums.seconds_of_input + state.sums.samples * config.tail / MS_PER_S
    line["rates"] = {
        name: state.sums.spikes[name] / (size * seconds) for name, size in sizes.items()
    }
    if config.sparse.on:
        line["synapses"] = sum(p.values.size for p in state.net.projections.values())
        with state.optimiser.averaged(), state.rounded():
            line["connection_sparsity"] = connection_sparsity(state.net)
    if config.quantise.on:
        line["quantised"] = state.numbers is not None
    if len(run.validation):
        with state.optimiser.averaged(), state.rounded():
            checked = measure(state.net, run.validation, config, run.group, run.method)
        line["validation_loss"] = checked.loss
        if config.loss.rule is not None:
            line["validation_accuracy"] = checked.accuracy
    if line["skipped_steps"] and run.group.leads:
        _LOGGER.warning("%s", skipped_text(line, run.n_batches))
    _look_for_silence(run, state, line, checked.rates if len(run.validation) else line["rates"])
    # Each process takes its steps by itself: see that they have not drifted apart.
    run.group.check_same("network after an epoch", digest(state.net.to_arrays()))
    state.note_compiled(compile_seconds() - compiled)
    line["seconds"] = state.sums.wall_seconds + watch.seconds()
    line["compile_seconds"] = state.sums.compile_seconds

    state.busy = True
    state.end_epoch(line)
    state.busy = False
    run.save(state)
    if run.files is not None:
        run.files.save_history(state.history)
    run.tell("epoch", state, line)


def early_text(config: TrainConfig, epochs: int) -> str:
    """Why a run has ended before all its epochs."""
    return (
        f"stopped early, after epoch {epochs} of {config.epochs}: the validation "
        f"{config.patience_by} has not improved for {config.patience} epochs"
    )


def skipped_text(line: Metrics, n_batches: int) -> str:
    """Warning of the steps that an epoch has skipped, and what to do."""
    return (
        f"epoch {line['epoch']}: {line['skipped_steps']} of {n_batches} steps were skipped, since "
        "their gradients are not finite: nothing was learned of these batches. Lower the learning "
        "rate, or look at the network's values."
    )


def _look_for_silence(
    run: _Run, state: TrainState, line: Metrics, rates: Mapping[str, Floats | float]
) -> None:
    """Note silent populations in the line of the epoch; log them where others were before."""
    silent = silent_populations(rates, heard=run.heard)
    if silent:
        line["silent"] = [one.population for one in silent]
    before = state.history[-1].get("silent", []) if state.history else []
    if run.group.leads:
        for one in silent:
            if one.population not in before:
                _LOGGER.warning("epoch %d: %s", line["epoch"], one)


def _finished(run: _Run, state: TrainState) -> TrainResult:
    last, outcome = state.history[-1], state.outcome()
    chosen, selected = state.selection(outcome)
    net = run.method.finish(outcome)
    selected_net = net if chosen is outcome else run.method.finish(chosen)
    if run.files is not None:
        run.files.save_network("last", net)
        run.files.save_network("selected", selected_net)
    if run.group.leads and last["epoch"] < run.config.epochs:
        _LOGGER.info("%s", early_text(run.config, last["epoch"]))
    run.group.wait()
    folder = None if run.folder is None else run.folder.path
    return TrainResult(net, last, selected_net, selected, state.history, folder)
