"""One batch of training: forward over the shards, spike counts, backward, one step.

Where several processes share the batch, they meet twice: after the forward pass, for what concerns
the batch as a whole, and after the backward pass, for the gradients; with SpiKL-IP a third time,
for its rates. In between and afterwards each computes the same from the same numbers; see
:mod:`eventsim.train.parallel`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats, Ints, fetch
from eventsim.engine.contract.compiling import Watch, compile_seconds
from eventsim.errors import ParameterError
from eventsim.events import Dataset, EventStream, Values
from eventsim.memo import Memo
from eventsim.network import Network
from eventsim.train.activity import BatchActivity
from eventsim.train.augment import augment, mix_pairs
from eventsim.train.checkpoint import TrainState
from eventsim.train.choice import n_logits
from eventsim.train.config import TrainConfig
from eventsim.train.layout import Layout, kind_of
from eventsim.train.method import AbstractMethod, Backward, Forward, Terms
from eventsim.train.near_miss import NearMiss
from eventsim.train.optimiser import Pace, StepReport
from eventsim.train.parallel import ProcessGroup, add_in_order, cut
from eventsim.train.reconnect import change_synapses
from eventsim.train.regularise import MS_PER_S, RateBand, lift_silent
from eventsim.train.softmax import smoothed
from eventsim.train.sums import BatchSums

BEHIND = 3  # numbers of a backward pass that travel behind the gradient; see _joined


@dataclass(frozen=True, eq=False)
class _Batch:
    """A batch as it is learned: augmented, with its targets; what cuts it, and who shares it.

    ``labels`` are the answers that count as right, ``kept`` what dropout leaves of the readout.
    """

    config: TrainConfig
    method: AbstractMethod
    group: ProcessGroup
    stream: EventStream
    targets: Ints | Floats
    labels: Ints
    kept: Floats | None
    class_names: Sequence[str]
    pieces: list[slice]
    values: Values | None

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.stream.n_samples

    @property
    def seconds(self) -> float:
        """Duration of the recordings in all, s."""
        return float(self.stream.duration.sum()) / MS_PER_S

    def share(self) -> Iterable[int]:
        """Numbers of the pieces that this process does."""
        return self.group.share(len(self.pieces))

    def forward(self, net: Network, number: int, memo: Memo) -> Forward:
        """Forward pass of one shard; the network's values must stay while ``memo`` is used."""
        piece = self.pieces[number]
        kept = None if self.kept is None else self.kept[piece]
        values = None if self.values is None else self.values.of(piece)
        target = self.config.target(self.targets[piece], self.class_names, keep=kept, values=values)
        return self.method.forward(net, _part(self.stream, piece), target, self.config, memo)


@dataclass(frozen=True, eq=False)
class _Facts:
    """Results of the forward pass of a whole batch."""

    loss: float
    correct: int
    costs: list[int]
    activity: BatchActivity
    counts: dict[str, Ints]


@dataclass(frozen=True, eq=False)
class _Gradient:
    """Gradient of a whole batch: the vector, values gathered behind it, and its backward passes.

    ``hidden`` are the spikes of hidden populations, ``penalty`` the cost of rates and activity,
    ``pull`` the sums of the local rule over the batch.
    """

    vector: Floats
    behind: Floats
    passes: list[Backward]
    hidden: dict[str, Ints]
    penalty: float
    pull: Floats


@dataclass(frozen=True, eq=False)
class _Taken:
    """A step that was taken: its report, neurons lifted, and what fetching brought along."""

    report: StepReport
    lifted: int
    missed: float
    cost: float
    memo: Memo | None


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

    Every process has the whole batch and augments it before it is cut into the shards of ``group``,
    so that the numbers that ``rng`` draws do not depend on these. The state is changed in place
    after the last meeting with other processes; where synapses are rewired, they meet once more.
    """
    watch, compiled = Watch(), compile_seconds()
    mine = _prepared(config, state.net, batch, rng, method=method, group=group)
    # What the last step saw were values before rounding.
    memo = (state.memo if state.numbers is None else None) or Memo(back=True)
    with state.rounded():
        shards, facts = _forward_batch(mine, state.net, memo)
        if not math.isfinite(facts.loss):
            raise ParameterError(
                f"Training, epoch {state.epoch}, batch {state.batch}",
                f"the loss is {facts.loss / len(batch)}",
                "a finite number",
                "Lower the learning rate or the gain, or look at the network's values.",
            )
        gradient = _backward_batch(mine, state, shards, facts, pace)
    memo.end()
    state.busy = True
    taken = _take_step(mine, state, gradient, pace)
    seconds = watch.seconds()
    state.sums += _sums_of(mine, facts, gradient, taken)
    if pace.counts:
        state.optimiser.average()
    state.batch += 1
    state.memo = taken.memo
    if config.sparse.on:
        watch = Watch()

        def gradients(full: Network) -> Mapping[str, Floats]:
            if state.numbers is not None:
                state.numbers.round(full)
            return _by_weights(mine, full)

        change_synapses(config, state, method, gradients, n_done=pace.number + 1, total=pace.total)
        seconds += watch.seconds()
    state.sums += BatchSums(wall_seconds=seconds, compile_seconds=compile_seconds() - compiled)
    state.busy = False


def _prepared(
    config: TrainConfig,
    net: Network,
    batch: Dataset,
    rng: np.random.Generator,
    *,
    method: AbstractMethod,
    group: ProcessGroup,
) -> _Batch:
    """Augmented events, and labels as the loss takes them: classes, or shares of classes."""
    stream = augment(batch.stream, config.augmentation, rng=rng)
    targets: Ints | Floats = batch.labels
    if config.label_smoothing or config.augmentation.mix:
        n_classes = len(batch.class_names)
        shares = np.zeros((len(batch), n_logits(config, net)))
        shares[:, :n_classes] = smoothed(batch.labels, n_classes, smoothing=config.label_smoothing)
        if config.augmentation.mix:
            stream, shares = mix_pairs(stream, shares, config.augmentation.mix, rng=rng)
        targets = shares
    # Where two recordings are mixed the answer that counts is that of the larger share.
    labels = targets.argmax(axis=1) if config.augmentation.mix else batch.labels
    kept, pieces = _kept(config, net, len(batch), rng), cut(len(batch), config.shards)
    about = (batch.class_names, pieces, batch.targets)
    return _Batch(config, method, group, stream, targets, labels, kept, *about)


def _forward_batch(batch: _Batch, net: Network, memo: Memo) -> tuple[list[Forward], _Facts]:
    """Forward passes of this process's pieces, and what those of all showed."""
    shards, rows = [], []
    for i in batch.share():
        shards.append(batch.forward(net, i, memo))
        rows.append(_facts_of(batch.config, net, shards[-1], batch.labels[batch.pieces[i]]))
    gathered = batch.group.gather(rows, len(batch.pieces))
    return shards, _add_up(net, gathered, len(batch.method.forward_costs))


def _backward_batch(
    batch: _Batch, state: TrainState, shards: Sequence[Forward], facts: _Facts, pace: Pace
) -> _Gradient:
    """Gradient of the loss, and of what rates, activity and near misses add to it."""
    config, net, layout = batch.config, state.net, state.optimiser.layout
    hidden = {name: count for name, count in facts.counts.items() if name != config.output}
    band = RateBand(config.rate_low, config.rate_high, strength=config.rate_strength)
    penalty, slopes = band.slopes(net, hidden, seconds=batch.seconds)
    first = state.history[0].get("activity_per_sample") if state.history else None
    target = config.activity.target_at(pace.number / pace.total, first)
    extra, by_cost = config.activity.slopes(net, facts.activity, target, n_samples=batch.size)
    for name, slope in by_cost.items():
        slopes[name] = slopes[name] + slope if name in slopes else slope
    near_miss = NearMiss(config.near_miss_strength, margin=config.near_miss_margin)
    terms = Terms(slopes, near_miss, hidden, batch.size, layout.keys)
    rows, passes = [], []
    for done in shards:
        passes.append(batch.method.backward(net, done, terms))
        rows.append(_joined(layout, passes[-1]))
    n_pieces = len(batch.pieces)
    total = add_in_order(batch.group.gather(rows, n_pieces, xp=layout.xp))
    vector, behind = total[:-BEHIND], total[-BEHIND:]
    if layout.xp is not np:
        # The host has not asked yet whether all was finite: where it was not, no step is taken.
        vector += layout.xp.where(behind[-1:] == n_pieces, 0.0, np.nan)
    pull: Floats = np.zeros(0)
    if config.spikl.tuned:  # by the local rule, of the whole batch
        rows = [config.spikl.pull(net, shard.tape(), list(hidden)) for shard in shards]
        pull = add_in_order(batch.group.gather(rows, n_pieces))
    return _Gradient(vector, behind, passes, hidden, penalty + extra, pull)


def _take_step(batch: _Batch, state: TrainState, gradient: _Gradient, pace: Pace) -> _Taken:
    """Take a step of the optimiser, then apply bounds, lift silent neurons, begin the next look."""
    net, method, optimiser = state.net, batch.method, state.optimiser
    method.follow(net, batch.config.spikl, list(gradient.hidden), gradient.pull, batch.size)
    begun = optimiser.begin_step(gradient.vector, factor=pace.factor)
    lifted = lift_silent(net, gradient.hidden, amount=batch.config.silent_lift)
    if lifted:
        optimiser.restore_signs()
    method.bound(net)
    look = method.look(net) if state.numbers is None else None
    # The host waits for the device once: for this step, and for what the next one asks first.
    square, (missed, cost, good), extents = fetch(
        begun.found, gradient.behind, np.zeros(0) if look is None else look.found
    )
    report = begun.finish(square)
    if good != len(batch.pieces):
        for one in gradient.passes:
            one.check()
    memo = None
    if look is not None:
        memo = Memo(back=True)
        look.finish(extents, memo)
    return _Taken(report, lifted, float(missed), float(cost), memo)


def _sums_of(batch: _Batch, facts: _Facts, gradient: _Gradient, taken: _Taken) -> BatchSums:
    """Summands of a batch for the sums of its epoch, but for the time."""
    config, method, n, activity = batch.config, batch.method, batch.size, facts.activity
    asked = config.activity.target is not None
    costs = {method.backward_cost: int(taken.cost)}
    # Values come in one piece.
    given = None if batch.values is None else batch.values.given
    return BatchSums(
        samples=n,
        batches=1,
        loss=facts.loss if given is None else facts.loss / n * given,
        targets=given,
        correct=None if config.fits_values else facts.correct,
        gradient_norm=0.0 if taken.report.skipped else taken.report.norm,
        clipped=int(taken.report.clipped),
        skipped=int(taken.report.skipped),
        penalty=(gradient.penalty + taken.missed) * n,
        lifted=taken.lifted,
        synaptic_events=sum(activity.operations.values()),
        seconds_of_input=batch.seconds,
        activity=config.activity.cost(activity, n_samples=n) * n if asked else None,
        energy_pj=activity.energy_pj if config.activity.chip else None,
        costs=costs | dict(zip(method.forward_costs, facts.costs, strict=True)),
        spikes={name: int(count.sum()) for name, count in facts.counts.items()},
    )


def _facts_of(config: TrainConfig, net: Network, done: Forward, labels: Ints) -> Floats:
    """Sums over the samples, as :class:`_Facts` has them.

    All but loss and energy are whole numbers, which float64 adds exactly.
    """
    activity = config.activity.measure(net, done.tape, done.synaptic_events)
    head = [done.value * labels.size, activity.energy_pj, (done.predicted == labels).sum()]
    events = [activity.operations[name] for name in net.projections]
    met = [by.get(name, 0) for by in (activity.updates, activity.arrivals) for name in net.neurons]
    counts = (done.counts[name] for name in net.spiking)
    return np.concatenate([head, done.costs, events, met, *counts]).astype(np.float64)


def _joined(layout: Layout, one: Backward) -> Floats:
    """Gradient of a part of a batch as a vector; its penalty, cost, and 1 for finite behind it."""
    numbers = (one.penalty, one.cost, one.good)
    return layout.join(one.values, *(layout.xp.asarray(v, np.float64).reshape(1) for v in numbers))


def _part(stream: EventStream, samples: slice) -> EventStream:
    whole = samples == slice(0, stream.n_samples)
    return stream if whole else stream[samples]


def _kept(
    config: TrainConfig, net: Network, n_samples: int, rng: np.random.Generator
) -> Floats | None:
    """Dropout factors of the readout for the decision, [samples, neurons]; None without dropout."""
    share = getattr(config.loss, "dropout", 0.0)
    if not share or net.decision is None:
        return None
    kept = rng.random((n_samples, net.populations[config.output].size)) >= share
    return kept / (1.0 - share)


def _add_up(net: Network, rows: Sequence[Floats], n_costs: int) -> _Facts:
    sizes = {name: p.size for name, p in net.spiking.items()}
    n = len(net.neurons)
    parts = np.cumsum((3, n_costs, len(net.projections), n, n, *sizes.values()))[:-1]
    head, costs, events, updates, met, *counts = np.split(add_in_order(rows), parts)
    return _Facts(
        loss=float(head[0]),
        correct=int(head[2]),
        costs=[int(cost) for cost in costs],
        activity=BatchActivity(
            operations=dict(zip(net.projections, map(int, events), strict=True)),
            energy_pj=float(head[1]),
            updates=dict(zip(net.neurons, map(int, updates), strict=True)),
            arrivals=dict(zip(net.neurons, map(int, met), strict=True)),
        ),
        counts={name: n.astype(np.int64) for name, n in zip(sizes, counts, strict=True)},
    )


def _by_weights(batch: _Batch, net: Network) -> dict[str, Floats]:
    """Gradients of the loss of a batch alone by all weights of a network, by key."""
    layout = Layout({k: v for k, v in net.parameters().items() if kind_of(k) == "weights"})
    alone = Terms({}, NearMiss(0.0), {}, batch.size, layout.keys)
    memo = Memo(back=True)
    shards = [batch.forward(net, i, memo) for i in batch.share()]
    rows = [layout.join(batch.method.backward(net, done, alone).values) for done in shards]
    total = add_in_order(batch.group.gather(rows, len(batch.pieces), xp=layout.xp))
    return {key: layout.view(total, key) for key in layout.keys}
