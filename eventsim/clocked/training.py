"""Training on the grid, in the frame of exact training.

Order of batches, validation part, augmentation, optimiser, rate band, silent lift and schedule are
those of :func:`eventsim.train.train`, drawn from the same seeds: two runs of the same settings see
the same augmented events in the same batches, once in exact time and once in steps. Weights are
trained in the units of the grid, as published.

With a folder, a run writes ``config.json``, ``metrics.jsonl``, ``checkpoint.npz`` after every epoch
and, at its end, ``last.npz`` and ``selected.npz``: the networks, for exact time, of the last epoch
and of the best validation.
"""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from eventsim.clocked.config import ClockedConfig
from eventsim.clocked.evaluation import evaluate_clocked
from eventsim.clocked.network import ClockedNetwork, from_network
from eventsim.clocked.step import means, train_batch
from eventsim.errors import StorageError
from eventsim.events import AnyDataset
from eventsim.events.storage import write_atomically
from eventsim.network import Network
from eventsim.train import AdamW, TrainEvent, save_network, select, stratified_split
from eventsim.train.checkpoint import (
    Metrics,
    Origin,
    RunState,
    digest_of_data,
    digest_of_network,
    load_checkpoint,
    save_checkpoint,
)
from eventsim.train.choice import answer_of
from eventsim.train.evaluation import check_fit
from eventsim.train.loop import Callback, Draw


@dataclass(frozen=True, eq=False)
class ClockedResult:
    """Outcome of a run.

    Attributes
    ----------
    net
        After the last epoch, on the grid; ``net.to_network()`` is for exact time.
    last
        Metrics of the last epoch.
    selected_net, selected
        Of the epoch with the best validation accuracy, the lower loss where it is equal; those of
        the last epoch where nothing was held out.
    history
        Metrics of all epochs.
    """

    net: ClockedNetwork
    last: Metrics
    selected_net: ClockedNetwork
    selected: Metrics
    history: list[Metrics]


@dataclass(frozen=True, eq=False)
class _GridRun:
    """What stays the same during a run."""

    config: ClockedConfig
    training: AnyDataset
    validation: AnyDataset
    folder: Path | None
    origin: Origin
    callback: Callback | None

    @property
    def n_batches(self) -> int:
        return -(-len(self.training) // self.config.train.batch_size)

    def rng(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.config.train.seed, *purpose])

    def tell(self, kind: Literal["batch", "epoch"], state: RunState, metrics: Metrics) -> None:
        if self.callback is not None:
            epoch = state.epoch + (kind == "batch")
            batch = state.batch if kind == "batch" else self.n_batches
            epochs = self.config.train.epochs
            self.callback(TrainEvent(kind, epoch, batch, epochs, self.n_batches, metrics))


def train_clocked(
    net: Network,
    data: AnyDataset,
    config: ClockedConfig,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
    callback: Callback | None = None,
) -> ClockedResult:
    """Train the fixed-step counterpart of a network to classify recordings.

    Parameters
    ----------
    net
        Where training starts, for exact time. It is not changed.
    data
        Training data; ``config.train.validation_fraction`` of it is held out for validation.
    config
        Settings.
    folder
        Of the run, or None to write nothing. Files as in :mod:`eventsim.clocked.training`.
    resume
        Continue after the last whole epoch of the run that ``folder`` holds, with the same net,
        data and config: it ends with the same bits as one that was not stopped.
    callback
        Told after every batch and epoch, as by :func:`eventsim.train.train`.

    Raises
    ------
    DataError, NetworkError, ParameterError, ShapeError
        Data, network and settings do not fit each other.
    StorageError
        ``folder`` holds a run and ``resume`` is False, or none and it is True, or one of another
        net, data or config.
    """
    check_fit(net, data, config.train)
    start = from_network(net, config.dt)
    fraction = config.train.validation_fraction
    seed = int(np.random.default_rng([config.train.seed, Draw.SPLIT]).integers(2**32))
    kept, held_out = stratified_split(data.labels, fraction=fraction, seed=seed)
    origin = Origin(config.to_dict(), digest_of_network(net), digest_of_data(data))
    parts = data.subset(kept), data.subset(held_out)
    home = None if folder is None else Path(folder)
    this = _GridRun(config, *parts, home, origin, callback)
    state = _begin(this, start, resume=resume)
    state.set_answer(answer_of(config.train, data.class_names))
    clocked = ClockedNetwork(state.net, config.dt)
    while state.epoch < config.train.epochs:
        _train_epoch(this, clocked, state)
    outcome = state.outcome()
    chosen, selected = state.selection(outcome)
    last_net = ClockedNetwork(outcome, config.dt)
    selected_net = ClockedNetwork(chosen, config.dt)
    if home is not None:
        save_network(home / "last.npz", last_net.to_network())
        save_network(home / "selected.npz", selected_net.to_network())
    return ClockedResult(last_net, state.history[-1], selected_net, selected, state.history)


def _begin(this: _GridRun, start: ClockedNetwork, *, resume: bool) -> RunState:
    # The counterpart runs in NumPy whatever the machine has.
    train = replace(this.config.train, backend="reference")
    if resume and this.folder is None:
        raise StorageError("train_clocked: resume=True needs the folder of the run.")
    path = None if this.folder is None else this.folder / "checkpoint.npz"
    if resume and path is not None:
        if not path.exists():
            raise StorageError(f"{this.folder}: holds no run to resume (no {path.name}).")
        return load_checkpoint(path, this.origin, train)
    state = RunState(
        start.grid, AdamW(start.grid, select(start.grid, train.trained()), train.adam_settings())
    )
    if this.folder is not None and path is not None:
        if path.exists():
            raise StorageError(
                f"{this.folder}: holds a run already. Pass resume=True to continue it, or choose "
                "another folder."
            )
        this.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            this.folder / "config.json", json.dumps(this.config.to_dict(), indent=2) + "\n"
        )
        save_checkpoint(path, state, this.origin)
    return state


def _train_epoch(this: _GridRun, clocked: ClockedNetwork, state: RunState) -> None:
    train = this.config.train
    order = this.rng(Draw.ORDER, state.epoch).permutation(len(this.training))
    for index in this.training.stream.batches(train.batch_size, order=order):
        pace = state.pace(train, this.n_batches)
        rng = this.rng(Draw.AUGMENT, state.epoch, state.batch)
        train_batch(this.config, clocked, state, this.training[index], rng=rng, pace=pace)
        this.tell("batch", state, means(state.sums))
    _end_epoch(this, clocked, state)


def _end_epoch(this: _GridRun, clocked: ClockedNetwork, state: RunState) -> None:
    began = time.perf_counter()
    line: Metrics = {"epoch": state.epoch + 1, **means(state.sums)}
    seconds = state.sums["seconds_of_input"]
    line["rates"] = {
        name: state.sums[f"spikes.{name}"] / (p.size * seconds)
        for name, p in state.net.spiking.items()
    }
    if len(this.validation):
        with state.optimiser.averaged():
            checked = evaluate_clocked(clocked, this.validation, this.config)
        line |= {"validation_loss": checked.loss, "validation_accuracy": checked.accuracy}
    line["seconds"] = state.sums["wall_seconds"] + time.perf_counter() - began
    state.end_epoch(line)
    if this.folder is not None:
        save_checkpoint(this.folder / "checkpoint.npz", state, this.origin)
        lines = "".join(json.dumps(line) + "\n" for line in state.history)
        write_atomically(this.folder / "metrics.jsonl", lines)
    this.tell("epoch", state, line)
