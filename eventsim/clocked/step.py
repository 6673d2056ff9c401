"""One batch of training on the grid: forward, backward, one step of every rule."""

import time

import numpy as np
from numpy.typing import NDArray

from eventsim.clocked.backward import backward
from eventsim.clocked.config import ClockedConfig
from eventsim.clocked.evaluation import spike_counts
from eventsim.clocked.forward import ClockedRun, run
from eventsim.clocked.losses import ClockedOutcome
from eventsim.clocked.network import ClockedNetwork
from eventsim.events import Dataset
from eventsim.events.transforms import extend
from eventsim.network import Network
from eventsim.train import RateBand, augment, lift_silent
from eventsim.train.checkpoint import Metrics, RunState
from eventsim.train.optimiser import STABLE_FRACTION, Pace
from eventsim.train.regularise import MS_PER_S

MB = 1e6


def train_batch(
    config: ClockedConfig,
    clocked: ClockedNetwork,
    state: RunState,
    batch: Dataset,
    *,
    rng: np.random.Generator,
    pace: Pace,
) -> None:
    """Take one step, and add to the sums of the epoch.

    Parameters
    ----------
    config
        Of the run.
    clocked
        The network of ``state``.
    state
        Changed in place.
    batch
        Recordings.
    rng
        Of the augmentation.
    pace
        How far the step goes, and whether it counts in the mean.
    """
    train, grid, began = config.train, clocked.grid, time.perf_counter()
    stream = augment(batch.stream, train.augmentation, rng=rng)
    longest_first = np.argsort(-stream.duration, kind="stable")
    stream, labels = stream[longest_first], batch.labels[longest_first]
    seconds = float(stream.duration.sum()) / MS_PER_S
    asked = extend(stream, train.tail)
    done = run(clocked, asked, precision=train.precision, clip=config.clip, keep=True)
    outcome = config.loss()(done, labels)
    counts = spike_counts(done)
    hidden = {name: count for name, count in counts.items() if name != train.output}
    band = RateBand(train.rate_low, train.rate_high, strength=train.rate_strength)
    penalty, slopes = band.slopes(grid, hidden, seconds=seconds) if train.rate_strength else (0, {})
    gradients = backward(done, outcome.seeds, per_spike=slopes)

    _follow_rule(config, clocked, done, list(hidden))
    report = state.optimiser.step(gradients, factor=pace.factor)
    lifted = lift_silent(grid, hidden, amount=train.silent_lift)
    if lifted:
        state.optimiser.restore_signs()
    _keep_stable(grid)
    sums = _costs(done, outcome, labels) | {
        "penalty": penalty * labels.size,
        "gradient_norm": 0.0 if report.skipped else report.norm,
        "clipped": int(report.clipped),
        "skipped": int(report.skipped),
        "lifted": lifted,
        "seconds_of_input": seconds,
        "wall_seconds": time.perf_counter() - began,
    }
    most = max(state.sums.get("stored_bytes", 0), done.stored_bytes + done.error_bytes)
    state.sums = {key: state.sums.get(key, 0) + value for key, value in sums.items()}
    state.sums["stored_bytes"] = most
    if pace.counts:
        state.optimiser.average()
    state.batch += 1


def means(sums: dict[str, float]) -> Metrics:
    """Metrics of the batches so far; ``stored_mb`` is the most that one of them kept."""
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


def _costs(
    done: ClockedRun, outcome: ClockedOutcome, labels: NDArray[np.int64]
) -> dict[str, float]:
    """Sums over the samples that the forward pass alone decides."""
    counts = {f"spikes.{name}": int(n.sum()) for name, n in spike_counts(done).items()}
    return counts | {
        "samples": labels.size,
        "batches": 1,
        "loss": outcome.value * labels.size,
        "correct": int((outcome.logits.argmax(axis=1) == labels).sum()),
        "synaptic_events": sum(done.synaptic_events.values()),
        "neuron_updates": done.neuron_updates,
        "shared_bins": done.events.shared,
    }


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
            projection.values[...] *= projection.of_targets(factor)


def _keep_stable(grid: Network) -> None:
    """Keep self-weights where the network, moved to exact time, does not run away.

    The bound of :mod:`eventsim.train.optimiser` in the units of the grid. On the grid itself a
    neuron fires once in a step at most.
    """
    for name, projection in grid.recurrences.items():
        p = grid.populations[name]
        limit = STABLE_FRACTION * (p.threshold - p.v_reset) / p.resistance
        bounded = np.minimum(projection.weights, limit)
        projection.weights[...] = np.where(p.refractory == 0, bounded, projection.weights)
