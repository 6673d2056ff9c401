"""One batch of training: forward over the shards, spike counts, backward, one step.

Where several processes share the batch, they meet twice: after the forward pass, for what concerns
the batch as a whole, and after the backward pass, for the gradients; with SpiKL-IP a third time,
for its rates. In between and afterwards each computes the same from the same numbers; see
:mod:`eventsim.train.parallel`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats, Ints, fetch
from eventsim.engine.compiling import Watch, compile_seconds
from eventsim.errors import ParameterError
from eventsim.events import Dataset, EventStream
from eventsim.held import HeldValues, holding
from eventsim.network import Network
from eventsim.train.activity import BatchActivity
from eventsim.train.augment import augment, mix_pairs
from eventsim.train.checkpoint import Metrics, TrainState
from eventsim.train.choice import n_logits
from eventsim.train.config import TrainConfig
from eventsim.train.layout import Layout, kind_of
from eventsim.train.method import AbstractMethod, Backward, Forward, Terms
from eventsim.train.near_miss import NearMiss
from eventsim.train.optimiser import Pace
from eventsim.train.parallel import ProcessGroup, add_in_order, cut
from eventsim.train.reconnect import change_synapses
from eventsim.train.regularise import MS_PER_S, RateBand, lift_silent
from eventsim.train.softmax import smoothed

BEHIND = 3  # numbers of a backward pass that travel behind the gradient; see _joined
MOST = "stored_bytes"  # of these the largest counts, not the sum
BYTES_PER_MB = 1e6


def _facts_of(config: TrainConfig, net: Network, done: Forward, labels: Ints) -> Floats:
    """Sums over the samples, as :class:`_Facts` has them.

    All but loss and energy are whole numbers, which float64 adds exactly.
    """
    activity = config.activity.measure(net, done.tape, done.synaptic_events)
    head = [done.value * labels.size, activity.energy_pj, (done.predicted == labels).sum()]
    events = [activity.operations[name] for name in net.projections]
    updates = [activity.updates.get(name, 0) for name in net.neurons]
    counts = (done.counts[name] for name in net.spiking)
    return np.concatenate([head, done.costs, events, updates, *counts]).astype(np.float64)


def _joined(layout: Layout, one: Backward) -> Floats:
    """Gradient of a part of a batch as a vector; its penalty, cost, and 1 for finite behind it."""
    numbers = (one.penalty, one.cost, one.good)
    return layout.join(one.values, *(layout.xp.asarray(v, np.float64).reshape(1) for v in numbers))


@dataclass(frozen=True, eq=False)
class _Facts:
    """What the forward pass of a whole batch showed."""

    loss: float
    correct: int
    costs: list[int]
    activity: BatchActivity
    counts: dict[str, Ints]


def train_batch(
    config: TrainConfig,
    state: TrainState,
    batch: Dataset,
    group: ProcessGroup,
    *,
    method: AbstractMethod,
    rng: np.random.Generator,
    pace: Pace,
) -> None:
    """Take one step, and add to the sums of the epoch.

    Parameters
    ----------
    config
        Of the run.
    state
        Changed in place, after the last meeting with other processes; where synapses are rewired,
        they meet once more.
    batch
        The whole batch, in every process.
    group
        Processes that share the shards of the batch.
    method
        Of training.
    rng
        Of the augmentation and of dropout. The whole batch is augmented before it is cut, in every
        process, so that the numbers drawn do not depend on the shards.
    pace
        How far the step goes, and whether it counts in the mean.
    """
    net, watch, compiled = state.net, Watch(), compile_seconds()
    stream, targets = _prepared(config, net, batch, rng)
    keep = _kept(config, net, len(batch), rng)
    seconds = float(stream.duration.sum()) / MS_PER_S
    pieces = cut(len(batch), config.shards)
    # Where two recordings are mixed the answer that counts is that of the larger share.
    labels = targets.argmax(axis=1) if config.augmentation.mix else batch.labels
    shards, rows = [], []
    # What the last step saw were values before rounding.
    held = (state.held if state.numbers is None else None) or HeldValues()
    held.back = True

    def forward(net: Network, piece: slice) -> Forward:
        kept = None if keep is None else keep[piece]
        target = config.target(targets[piece], batch.class_names, keep=kept)
        return method.forward(net, _part(stream, piece), target, config, learn=True)

    with state.rounded():
        for i in group.share(len(pieces)):
            with holding(held) as held:
                done = forward(net, pieces[i])
            shards.append(done)
            rows.append(_facts_of(config, net, done, labels[pieces[i]]))
        facts = _add_up(net, group.gather(rows, len(pieces)), len(method.forward_costs))
        if not math.isfinite(facts.loss):
            raise ParameterError(
                f"Training, epoch {state.epoch}, batch {state.batch}: the loss is "
                f"{facts.loss / len(batch)}, expected a finite number. Lower the learning rate or "
                "the gain, or look at the network's values."
            )
        hidden = {name: count for name, count in facts.counts.items() if name != config.output}
        penalty, slopes = _rate_band(config, net, hidden, seconds)
        extra, by_cost = _activity_cost(config, state, facts, pace, len(batch))
        for name, slope in by_cost.items():
            slopes[name] = slopes[name] + slope if name in slopes else slope

        layout = state.optimiser.layout
        near_miss = NearMiss(config.near_miss_strength, margin=config.near_miss_margin)
        terms = Terms(slopes, near_miss, hidden, len(batch), layout.keys)
        rows, passes = [], []
        for done in shards:
            with holding(held):
                passes.append(method.backward(net, done, terms))
            rows.append(_joined(layout, passes[-1]))
        total = add_in_order(group.gather(rows, len(pieces), xp=layout.xp))
        gradient, behind = total[:-BEHIND], total[-BEHIND:]
        if layout.xp is not np:
            # The host has not asked yet whether all was finite: where it was not, no step is taken.
            gradient += layout.xp.where(behind[-1:] == len(pieces), 0.0, np.nan)

        pull = _plasticity(config, net, group, shards, list(hidden), len(pieces))

    state.busy = True
    method.follow(net, config.spikl, list(hidden), pull, len(batch))
    begun = state.optimiser.begin_step(gradient, factor=pace.factor)
    lifted = lift_silent(net, hidden, amount=config.silent_lift)
    if lifted:
        state.optimiser.restore_signs()
    method.bound(net)
    look = method.look(net) if state.numbers is None else None
    # The host waits for the device once: for this step, and for what the next one asks first.
    square, (missed, cost, good), extents = fetch(
        begun.found, behind, np.zeros(0) if look is None else look.found
    )
    report = begun.finish(square)
    if good != len(pieces):
        for one in passes:
            one.check()
    sums = {
        "samples": len(batch),
        "batches": 1,
        "loss": facts.loss,
        "correct": facts.correct,
        "gradient_norm": 0.0 if report.skipped else report.norm,
        "clipped": int(report.clipped),
        "skipped": int(report.skipped),
        method.backward_cost: int(cost),
        "penalty": (penalty + extra + float(missed)) * len(batch),
        "lifted": lifted,
        "synaptic_events": sum(facts.activity.operations.values()),
        "seconds_of_input": seconds,
        "wall_seconds": watch.seconds(),
        "compile_seconds": 0.0,
    }
    sums |= {f"spikes.{name}": int(count.sum()) for name, count in facts.counts.items()}
    if config.activity.target is not None:
        activity = config.activity.cost(facts.activity, n_samples=len(batch))
        sums["activity"] = activity * len(batch)
    if config.activity.chip:
        sums["energy_pj"] = facts.activity.energy_pj
    sums |= dict(zip(method.forward_costs, facts.costs, strict=True))
    most = max(state.sums.get(MOST, 0), sums.get(MOST, 0))
    state.sums = {key: state.sums.get(key, 0) + value for key, value in sums.items()}
    if MOST in sums:
        state.sums[MOST] = most
    if pace.counts:
        state.optimiser.average()
    state.batch += 1
    state.held = None
    if look is not None:
        state.held = HeldValues()
        look.finish(extents, state.held)
    if config.sparse.on:
        watch = Watch()

        def gradients(full: Network) -> Mapping[str, Floats]:
            if state.numbers is not None:
                state.numbers.round(full)
            return _by_weights(full, method, group, forward, pieces)

        change_synapses(config, state, method, gradients, n_done=pace.number + 1, total=pace.total)
        state.sums["wall_seconds"] += watch.seconds()
    state.sums["compile_seconds"] += compile_seconds() - compiled
    state.busy = False


def means(sums: Mapping[str, float]) -> Metrics:
    """Metrics of the batches so far; ``stored_mb`` is the most that one of them kept."""
    samples, batches = sums["samples"], sums["batches"]
    line = {
        "loss": sums["loss"] / samples,
        "accuracy": sums["correct"] / samples,
        "penalty": sums["penalty"] / samples,
        "gradient_norm": sums["gradient_norm"] / max(batches - sums["skipped"], 1),
        "clipped_steps": sums["clipped"],
        "skipped_steps": sums["skipped"],
        "lifted_neurons": sums["lifted"],
        "synaptic_events_per_sample": sums["synaptic_events"] / samples,
    }
    further = {
        "grazes": ("grazes", 1),
        "neuron_updates": ("neuron_updates_per_sample", samples),
        "shared_bins": ("shared_bins_per_sample", samples),
        "activity": ("activity_per_sample", samples),
        "energy_pj": ("energy_pj_per_sample", samples),
        MOST: ("stored_mb", BYTES_PER_MB),
    }
    return line | {name: sums[key] / of for key, (name, of) in further.items() if key in sums}


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


def _add_up(net: Network, rows: Sequence[Floats], n_costs: int) -> _Facts:
    sizes = {name: p.size for name, p in net.spiking.items()}
    parts = (3, n_costs, len(net.projections), len(net.neurons), *sizes.values())
    head, costs, events, updates, *counts = np.split(add_in_order(rows), np.cumsum(parts)[:-1])
    return _Facts(
        loss=float(head[0]),
        correct=int(head[2]),
        costs=[int(cost) for cost in costs],
        activity=BatchActivity(
            operations=dict(zip(net.projections, map(int, events), strict=True)),
            energy_pj=float(head[1]),
            updates=dict(zip(net.neurons, map(int, updates), strict=True)),
        ),
        counts={name: n.astype(np.int64) for name, n in zip(sizes, counts, strict=True)},
    )


def _rate_band(
    config: TrainConfig, net: Network, hidden: dict[str, Ints], seconds: float
) -> tuple[float, dict[str, Floats]]:
    """Penalty of the rate band on hidden populations, and its slopes; see :class:`RateBand`."""
    if config.rate_strength == 0.0:
        return 0.0, {}
    band = RateBand(config.rate_low, config.rate_high, strength=config.rate_strength)
    return band.slopes(net, hidden, seconds=seconds)


def _activity_cost(
    config: TrainConfig, state: TrainState, facts: _Facts, pace: Pace, n_samples: int
) -> tuple[float, dict[str, Floats]]:
    """Penalty of what the batch cost, and its slopes; see :class:`.ActivityCost`."""
    first = state.history[0].get("activity_per_sample") if state.history else None
    target = config.activity.target_at(pace.number / pace.total, first)
    return config.activity.slopes(state.net, facts.activity, target, n_samples=n_samples)


def _by_weights(
    net: Network,
    method: AbstractMethod,
    group: ProcessGroup,
    forward: Callable[[Network, slice], Forward],
    pieces: Sequence[slice],
) -> dict[str, Floats]:
    """Gradients of the loss of a batch alone by all weights of a network, by key."""
    layout = Layout({k: v for k, v in net.parameters().items() if kind_of(k) == "weights"})
    alone = Terms({}, NearMiss(0.0), {}, pieces[-1].stop, layout.keys)
    mine = [forward(net, pieces[i]) for i in group.share(len(pieces))]
    rows = [layout.join(method.backward(net, done, alone).values) for done in mine]
    total = add_in_order(group.gather(rows, len(pieces), xp=layout.xp))
    return {key: layout.view(total, key) for key in layout.keys}


def _plasticity(
    config: TrainConfig,
    net: Network,
    group: ProcessGroup,
    shards: Sequence[Forward],
    names: Sequence[str],
    n_shards: int,
) -> Floats:
    """What the local rule makes of the whole batch; see :mod:`eventsim.train.intrinsic`."""
    if not config.spikl.tuned:
        return np.zeros(0)
    rows = [config.spikl.pull(net, shard.tape(), names) for shard in shards]
    pull: Floats = add_in_order(group.gather(rows, n_shards))
    return pull
