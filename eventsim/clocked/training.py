"""Training on the grid, in the frame of exact training.

Order of batches, validation part, augmentation, optimiser, rate band, silent lift and schedule are
those of :func:`eventsim.train.train`, drawn from the same seeds: two runs of the same settings see
the same augmented events in the same batches, once in exact time and once in steps. Weights are
trained in the units of the grid, as published.

With a folder, a run writes ``config.json``, ``metrics.jsonl``, ``checkpoint.npz`` after every epoch
and ``last.npz``, the network of exact time, at its end.
"""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from eventsim.clocked.backward import backward
from eventsim.clocked.config import ClockedConfig
from eventsim.clocked.evaluation import evaluate_clocked, spike_counts
from eventsim.clocked.forward import ClockedRun, run
from eventsim.clocked.network import ClockedNetwork, from_network
from eventsim.errors import StorageError
from eventsim.events.storage import write_atomically
from eventsim.network import Network
from eventsim.train import (
    AdamW,
    LabelledEvents,
    RateBand,
    TrainEvent,
    augment,
    lift_silent,
    save_network,
    schedule,
    select,
    stratified_split,
)
from eventsim.train.checkpoint import (
    Metrics,
    Origin,
    RunState,
    digest,
    digest_of_data,
    load_checkpoint,
    save_checkpoint,
)
from eventsim.train.data import AnyEvents
from eventsim.train.loop import Callback, Draw
from eventsim.train.regularise import MS_PER_S

MB = 1e6


@dataclass(frozen=True, eq=False)
class ClockedResult:
    """Outcome of a run.

    Attributes
    ----------
    net
        After the last epoch, on the grid; ``net.to_network()`` is for exact time.
    last
        Metrics of the last epoch.
    history
        Metrics of all epochs.
    """

    net: ClockedNetwork
    last: Metrics
    history: list[Metrics]


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same during a run."""

    config: ClockedConfig
    training: AnyEvents
    validation: AnyEvents
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
    data: AnyEvents,
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
    config.check_fit(net, data)
    start = from_network(net, config.dt)
    fraction = config.train.validation_fraction
    seed = int(np.random.default_rng([config.train.seed, Draw.SPLIT]).integers(2**32))
    kept, held_out = stratified_split(data.labels, fraction=fraction, seed=seed)
    origin = Origin(config.to_dict(), digest(net.to_arrays()), digest_of_data(data))
    parts = data.subset(kept), data.subset(held_out)
    home = None if folder is None else Path(folder)
    this = _Run(config, *parts, home, origin, callback)
    state = _begin(this, start, resume=resume)
    clocked = ClockedNetwork(state.net, config.dt)
    while state.epoch < config.train.epochs:
        _train_epoch(this, clocked, state)
    if home is not None:
        save_network(home / "last.npz", clocked.to_network())
    return ClockedResult(clocked, state.history[-1], state.history)


def _begin(this: _Run, start: ClockedNetwork, *, resume: bool) -> RunState:
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
        _write(this.folder / "config.json", json.dumps(this.config.to_dict(), indent=2) + "\n")
        save_checkpoint(path, state, this.origin)
    return state


def _train_epoch(this: _Run, clocked: ClockedNetwork, state: RunState) -> None:
    train = this.config.train
    order = this.rng(Draw.ORDER, state.epoch).permutation(len(this.training))
    for index in this.training.stream.batches(train.batch_size, order=order):
        factor = schedule(
            state.epoch * this.n_batches + state.batch,
            total=train.epochs * this.n_batches,
            ease_in=round(train.ease_in * this.n_batches),
        )
        rng = this.rng(Draw.AUGMENT, state.epoch, state.batch)
        _train_batch(this.config, clocked, state, this.training[index], rng=rng, factor=factor)
        this.tell("batch", state, _means(state.sums))
    began = time.perf_counter()
    line: Metrics = {"epoch": state.epoch + 1, **_means(state.sums)}
    seconds = state.sums["seconds_of_input"]
    line["rates"] = {
        name: state.sums[f"spikes.{name}"] / (p.size * seconds)
        for name, p in state.net.populations.items()
        if p.kind == "spiking"
    }
    if len(this.validation):
        checked = evaluate_clocked(clocked, this.validation, this.config)
        line |= {"validation_loss": checked.loss, "validation_accuracy": checked.accuracy}
    line["seconds"] = state.sums["wall_seconds"] + time.perf_counter() - began
    state.history.append(line)
    state.epoch, state.batch, state.sums = state.epoch + 1, 0, {}
    if this.folder is not None:
        save_checkpoint(this.folder / "checkpoint.npz", state, this.origin)
        lines = "".join(json.dumps(line) + "\n" for line in state.history)
        _write(this.folder / "metrics.jsonl", lines)
    this.tell("epoch", state, line)


def _train_batch(
    config: ClockedConfig,
    clocked: ClockedNetwork,
    state: RunState,
    batch: LabelledEvents,
    *,
    rng: np.random.Generator,
    factor: float,
) -> None:
    """Take one step, and add to the sums of the epoch."""
    train, grid, began = config.train, clocked.grid, time.perf_counter()
    stream = augment(batch.stream, train.augmentation, rng=rng)
    seconds = float(stream.duration.sum()) / MS_PER_S
    done = run(clocked, stream, precision=train.precision, clip=config.clip, keep=True)
    outcome = config.loss(grid)(done, batch.labels)
    counts = spike_counts(done)
    hidden = {name: count for name, count in counts.items() if name != train.output}
    band = RateBand(train.rate_low, train.rate_high, strength=train.rate_strength)
    penalty, slopes = band.slopes(grid, hidden, seconds=seconds) if train.rate_strength else (0, {})
    gradients = backward(done, outcome.seeds, per_spike=slopes)

    _follow_rule(config, clocked, done, list(hidden))
    report = state.optimiser.step(gradients, factor=factor)
    lifted = lift_silent(grid, hidden, amount=train.silent_lift)
    if lifted:
        state.optimiser.restore_signs()
    sums = {
        "samples": len(batch),
        "batches": 1,
        "loss": outcome.value * len(batch),
        "correct": int((outcome.logits.argmax(axis=1) == batch.labels).sum()),
        "penalty": penalty * len(batch),
        "gradient_norm": 0.0 if report.skipped else report.norm,
        "clipped": int(report.clipped),
        "skipped": int(report.skipped),
        "lifted": lifted,
        "synaptic_events": sum(done.synaptic_events.values()),
        "neuron_updates": done.neuron_updates,
        "shared_bins": done.events.shared,
        "seconds_of_input": seconds,
        "wall_seconds": time.perf_counter() - began,
    }
    sums |= {f"spikes.{name}": int(count.sum()) for name, count in counts.items()}
    most = max(state.sums.get("stored_bytes", 0), done.stored_bytes + done.error_bytes)
    state.sums = {key: state.sums.get(key, 0) + value for key, value in sums.items()}
    state.sums["stored_bytes"] = most
    state.batch += 1


def _follow_rule(
    config: ClockedConfig, clocked: ClockedNetwork, done: ClockedRun, names: list[str]
) -> None:
    """One step of SpiKL-IP, whose derivation holds the weights of exact time."""
    rule, grid = config.train.spikl, clocked.grid
    if not rule.tuned:
        return
    before = {name: grid.populations[name].tau_mem.copy() for name in names}
    rule(grid, done.tape, names)
    for projection in grid.projections.values():
        if projection.target in before:
            target = projection.target
            factor = before[target] / grid.populations[target].tau_mem
            sparse = projection.kind == "sparse"
            projection.values[...] *= factor[projection.weights.indices] if sparse else factor


def _means(sums: dict[str, float]) -> Metrics:
    """Metrics of the batches so far."""
    samples, batches = sums["samples"], sums["batches"]
    return {
        "loss": sums["loss"] / samples,
        "accuracy": sums["correct"] / samples,
        "penalty": sums["penalty"] / samples,
        "gradient_norm": sums["gradient_norm"] / max(batches - sums["skipped"], 1),
        "clipped_steps": sums["clipped"],
        "skipped_steps": sums["skipped"],
        "lifted_neurons": sums["lifted"],
        "synaptic_events_per_sample": sums["synaptic_events"] / samples,
        "neuron_updates_per_sample": sums["neuron_updates"] / samples,
        "shared_bins_per_sample": sums["shared_bins"] / samples,
        "stored_mb": sums["stored_bytes"] / MB,
    }


def _write(path: Path, text: str) -> None:
    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    write_atomically(path, write)
