"""One batch of training: forward over the shards, spike counts, backward, one step.

Where several processes share the batch, they meet twice: after the forward pass, for what concerns
the batch as a whole, and after the backward pass, for the gradients; with SpiKL-IP a third time,
for its rates. In between and afterwards each computes the same from the same numbers; see
:mod:`eventsim.train.parallel`.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.adjoint import backward, merge_seeds
from eventsim.arrays import Floats, Ints, to_host
from eventsim.errors import ParameterError
from eventsim.events import Dataset, EventStream, SpikeTape
from eventsim.network import Network
from eventsim.train.augment import augment, mix_pairs
from eventsim.train.checkpoint import RunState
from eventsim.train.choice import make_loss, n_logits
from eventsim.train.config import TrainConfig
from eventsim.train.evaluation import run_resident, spiking_names
from eventsim.train.layout import Layout
from eventsim.train.near_miss import NearMiss
from eventsim.train.optimiser import Pace, StepReport
from eventsim.train.parallel import ProcessGroup, add_in_order, cut
from eventsim.train.regularise import MS_PER_S, RateBand, lift_silent, spike_seeds
from eventsim.train.softmax import Classified, smoothed


@dataclass(frozen=True, eq=False)
class _Shard:
    """Forward pass of some consecutive samples of a batch."""

    tape: SpikeTape
    outcome: Classified
    labels: Ints

    def facts(self, names: Sequence[str]) -> Floats:
        """Sums over the samples: loss, correct, synaptic events, spikes of neurons of ``names``.

        All but the first are whole numbers, which float64 adds exactly.
        """
        correct = (self.outcome.predicted == self.labels).sum()
        events = sum(self.tape.synaptic_events.values())
        counts = (to_host(self.tape[name].total_counts()) for name in names)
        return np.concatenate(
            [[self.outcome.value * self.labels.size, correct, events], *counts]
        ).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Facts:
    """What the forward pass of a whole batch showed."""

    loss: float
    correct: int
    synaptic_events: int
    counts: dict[str, Ints]


def train_batch(
    config: TrainConfig,
    state: RunState,
    batch: Dataset,
    group: ProcessGroup,
    *,
    rng: np.random.Generator,
    pace: Pace,
) -> None:
    """Take one step, and add to the sums of the epoch.

    Parameters
    ----------
    config
        Of the run.
    state
        Changed in place, after the last meeting with other processes.
    batch
        The whole batch, in every process.
    group
        Processes that share the shards of the batch.
    rng
        Of the augmentation and of dropout. The whole batch is augmented before it is cut, in every
        process, so that the numbers drawn do not depend on the shards.
    pace
        How far the step goes, and whether it counts in the mean.
    """
    net, began = state.net, time.perf_counter()
    stream, targets = _prepared(config, net, batch, rng)
    keep = _kept(config, net, len(batch), rng)
    seconds = float(stream.duration.sum()) / MS_PER_S
    pieces = cut(len(batch), config.shards)
    shards = [
        _forward(net, _part(stream, pieces[i]), batch, targets, keep, pieces[i], config)
        for i in group.share(len(pieces))
    ]
    names = spiking_names(net)
    facts = _add_up(net, group.gather([shard.facts(names) for shard in shards], len(pieces)))
    if not math.isfinite(facts.loss):
        raise ParameterError(
            f"Training, epoch {state.epoch}, batch {state.batch}: the loss is "
            f"{facts.loss / len(batch)}, expected a finite number. Lower the learning rate or the "
            "gain, or look at the network's values."
        )
    hidden = {name: count for name, count in facts.counts.items() if name != config.output}
    penalty, slopes = _rate_band(config, net, hidden, seconds)

    layout = state.optimiser.layout
    wish = _Wish(
        slopes, NearMiss(config.near_miss_strength, margin=config.near_miss_margin), hidden
    )
    rows = [_backward(net, shard, len(batch), wish, layout) for shard in shards]
    total = add_in_order(group.gather(rows, len(pieces), xp=layout.xp))

    pull = _plasticity(config, net, group, shards, list(hidden), len(pieces))

    state.busy = True
    config.spikl.apply(net, list(hidden), pull, len(batch))
    report = state.optimiser.step_joined(total[:-2], factor=pace.factor)
    lifted = lift_silent(net, hidden, amount=config.silent_lift)
    if lifted:
        state.optimiser.restore_signs()
    sums = _sums_of_step(report, total) | {
        "samples": len(batch),
        "batches": 1,
        "loss": facts.loss,
        "correct": facts.correct,
        "penalty": (penalty + float(total[-2])) * len(batch),
        "lifted": lifted,
        "synaptic_events": facts.synaptic_events,
        "seconds_of_input": seconds,
        "wall_seconds": time.perf_counter() - began,
    }
    sums |= {f"spikes.{name}": int(count.sum()) for name, count in facts.counts.items()}
    state.sums = {key: state.sums.get(key, 0) + value for key, value in sums.items()}
    if pace.counts:
        state.optimiser.average()
    state.batch += 1
    state.busy = False


def _sums_of_step(report: StepReport, total: Any) -> dict[str, float]:
    """What the optimiser says of its step, and the grazes of all shards."""
    return {
        "gradient_norm": 0.0 if report.skipped else report.norm,
        "clipped": int(report.clipped),
        "skipped": int(report.skipped),
        "grazes": int(total[-1]),
    }


def _part(stream: EventStream, samples: slice) -> EventStream:
    whole = samples == slice(0, stream.n_samples)
    return stream if whole else stream[samples]


def _prepared(
    config: TrainConfig, net: Network, batch: Dataset, rng: np.random.Generator
) -> tuple[EventStream, Ints | Floats]:
    """Augmented events, and labels as the loss takes them: classes, or shares of classes."""
    stream = augment(batch.stream, config.augmentation, rng=rng)
    if not (config.label_smoothing or config.augmentation.mix):
        return stream, batch.labels
    n_classes = len(batch.class_names)
    shares = np.zeros((len(batch), n_logits(config, net)))
    shares[:, :n_classes] = smoothed(batch.labels, n_classes, smoothing=config.label_smoothing)
    if config.augmentation.mix:
        stream, shares = mix_pairs(stream, shares, config.augmentation.mix, rng=rng)
    return stream, shares


def _kept(
    config: TrainConfig, net: Network, n_samples: int, rng: np.random.Generator
) -> Floats | None:
    """What dropout leaves of the readout for the decision, [samples, neurons]; None for all."""
    share = getattr(config.loss, "dropout", 0.0)
    if not share or net.decision is None:
        return None
    kept = rng.random((n_samples, net.populations[config.output].size)) >= share
    return kept / (1.0 - share)


def _forward(
    net: Network,
    stream: EventStream,
    batch: Dataset,
    targets: Ints | Floats,
    keep: Floats | None,
    samples: slice,
    config: TrainConfig,
) -> _Shard:
    tape, targets = run_resident(net, stream, config), targets[samples]
    kept = None if keep is None else keep[samples]
    loss = make_loss(config, targets, batch.class_names, keep=kept)
    # Where two recordings are mixed the answer that counts is that of the larger share.
    labels = targets.argmax(axis=1) if config.augmentation.mix else batch.labels[samples]
    return _Shard(tape, loss.classify(net, tape), labels)


def _add_up(net: Network, rows: Sequence[Floats]) -> _Facts:
    total = add_in_order(rows)
    names = spiking_names(net)
    sizes = [3, *(net.populations[name].size for name in names)]
    head, *counts = np.split(total, np.cumsum(sizes)[:-1])
    by_name = zip(names, counts, strict=True)
    return _Facts(
        loss=float(head[0]),
        correct=int(head[1]),
        synaptic_events=int(head[2]),
        counts={name: count.astype(np.int64) for name, count in by_name},
    )


def _rate_band(
    config: TrainConfig, net: Network, hidden: dict[str, Ints], seconds: float
) -> tuple[float, dict[str, Floats]]:
    """Penalty of the rate band on hidden populations, and its slopes; see :class:`RateBand`."""
    if config.rate_strength == 0.0:
        return 0.0, {}
    band = RateBand(config.rate_low, config.rate_high, strength=config.rate_strength)
    return band.slopes(net, hidden, seconds=seconds)


def _plasticity(
    config: TrainConfig,
    net: Network,
    group: ProcessGroup,
    shards: Sequence[_Shard],
    names: Sequence[str],
    n_shards: int,
) -> Floats:
    """What the local rule makes of the whole batch; see :mod:`eventsim.train.intrinsic`."""
    if not config.spikl.tuned:
        return np.zeros(0)
    rows = [config.spikl.pull(net, shard.tape, names) for shard in shards]
    pull: Floats = add_in_order(group.gather(rows, n_shards))
    return pull


@dataclass(frozen=True, eq=False)
class _Wish:
    """What the whole batch asks of every shard's hidden neurons."""

    slopes: dict[str, Floats]
    near_miss: NearMiss
    hidden: dict[str, Ints]


def _backward(net: Network, shard: _Shard, n_samples: int, wish: _Wish, layout: Layout) -> Any:
    """What the shard adds to the batch's gradient, a vector of the layout.

    Last, what its near misses add to the penalty, and its grazes.
    """
    share = shard.labels.size / n_samples
    seeds = merge_seeds({}, shard.outcome.seeds, weight=share)
    # The slopes are those of the whole batch: no share of samples here.
    seeds = merge_seeds(seeds, spike_seeds(wish.slopes, shard.tape))
    missed, by_miss = wish.near_miss.of_silent(net, shard.tape, wish.hidden, n_samples=n_samples)
    seeds = merge_seeds(seeds, by_miss)
    gradients = backward(net, shard.tape, seeds)
    return layout.join(gradients.values, layout.xp.asarray([missed, float(gradients.grazes)]))
