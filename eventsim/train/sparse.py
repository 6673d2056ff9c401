r"""Sparse connectivity that trains: pruning by magnitude on a schedule, and rewiring.

Only synapses that are stored have a weight, moments of the optimiser and a part of the gradient; a
dense projection becomes a sparse one. Sparsity is the fraction of the synapses of full matrices
that are missing. Projections of neurons onto themselves and shared weights are not changed, and do
not count.

**Pruning** (Zhu and Gupta). From the step :math:`t_0` on, every few steps until :math:`t_1`, the
weights of least magnitude are removed until the sparsity is

.. math:: s(t) = s_f \Big[1 - \Big(1 - \frac{t - t_0}{t_1 - t_0}\Big)^3\Big],

of each projection, or of all together. For all together, a projection from m onto n neurons has the
density :math:`\epsilon\,(m + n)/(m n)`, at most 1 (Erdos-Renyi, Mocanu et al.), so that a readout
keeps more of its few synapses; or its density follows from magnitudes alone (``global``).

With a limit F of the fan-in, a neuron that has :math:`F_0` possible synapses keeps its
:math:`F + (F_0 - F)\big(1 - \frac{t - t_0}{t_1 - t_0}\big)^3` largest, rounded up; synapses that
are not pruned count in F.

**Rewiring** (RigL, Evci et al.). At the same intervals the share

.. math:: f(t) = \frac{\alpha}{2} \Big(1 + \cos \frac{\pi t}{T}\Big), \qquad t \le T,

of the stored synapses, those of least magnitude, is exchanged for as many absent ones, those whose
gradient has the largest magnitude, within every projection; with a limit of the fan-in within all
that a neuron receives (as SRigL). None is grown from a neuron onto itself. New synapses begin with
the weight 0: until they are trained they change nothing.

The gradient by an absent synapse is that by a synapse of weight 0, exact as all others, from one
pass of the batch through the network with all possible synapses: this takes the memory and time of
a full matrix, at those steps alone. It is only defined where the delay of the new synapse is known:
projections with a delay per synapse are refused. It is 0 for silent sources and for targets without
a spike: such synapses are never grown, and if there are too few others, fewer are exchanged.

References
----------
Zhu and Gupta (2017), To prune, or not to prune, arXiv 1710.01878, equation 1. Evci et al. (2020),
Rigging the lottery: making all tickets winners, ICML, arXiv 1911.11134, section 3. Mocanu et al.
(2018), Scalable training of artificial neural networks with adaptive sparse connectivity inspired
by network science, Nat. Commun. 9:2383. Lasby et al. (2024), Dynamic sparse training with
structured sparsity, ICLR, arXiv 2305.02299: constant fan-in.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np

from eventsim.arrays import Floats, Ints, to_host
from eventsim.checks import known
from eventsim.entries import Bounds, Count, Settings, Share
from eventsim.entries.described import described, setting
from eventsim.errors import NetworkError
from eventsim.network import Network, Projection
from eventsim.network.connectivity import (
    all_numbers,
    is_free,
    most_of_a_pair,
    require_free,
    synapse_numbers,
    with_synapses,
    without_neurons,
)

Scope = Literal["projection", "erdos_renyi", "global"]
Part = Annotated[float, Bounds(ge=0, le=1)]
Chosen = dict[str, Ints]


class Change(NamedTuple):
    """Change of the synapses after a step: pruning and exchange.

    ``progress`` is that of the pruning in its cubic form, 0 .. 1; None for no pruning.
    ``exchanged`` is the share of synapses that is exchanged.
    """

    progress: float | None
    exchanged: float


@dataclass(frozen=True, kw_only=True)
@described
class SparseTraining(Settings):
    """Pruning and rewiring during training; see :mod:`eventsim.train.sparse`. Off by default."""

    sparsity: Share = setting(
        0.0, "Fraction of the possible synapses that are missing in the end, in [0, 1)."
    )
    begin: Part = setting(
        0.2,
        "Points of training at which pruning begins and ends, as fractions of the training "
        "steps. With ``end`` 0 the initial network is pruned before training.",
    )
    end: Part = setting(0.7, "As ``begin``.")
    interval: Count = setting(10, "Number of training steps between two changes of the synapses.")
    scope: Scope = setting(
        "erdos_renyi",
        "What the sparsity applies to: each projection (``projection``); all together, those "
        "with fewer possible synapses denser (``erdos_renyi``); or all together, by magnitude "
        "alone (``global``).",
    )
    fan_in: Count | None = setting(
        None,
        "Largest number of incoming synapses of a neuron in the end, unpruned projections "
        "included, as in ``load_chip(..).limits.fan_in_per_neuron``; None for no limit.",
    )
    projections: tuple[str, ...] = setting(
        (), "Names of the projections that are pruned; empty for all that can be pruned."
    )
    rewire: Share = setting(
        0.0,
        "RigL: fraction of the synapses that is exchanged in the first of these steps, in [0, 1).",
    )
    rewire_end: Part = setting(
        0.75, "Point of training at which rewiring ends, as a fraction of the training steps."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = (self.begin, self.end)
        good = self.end == 0.0 or self.begin <= self.end
        self.require("(begin, end)", ends, good, "begin <= end, or an end of 0")

    @property
    def prunes(self) -> bool:
        """Whether synapses are removed."""
        return self.sparsity > 0.0 or self.fan_in is not None

    @property
    def prunes_first(self) -> bool:
        """Whether the initial network is pruned, and none later."""
        return self.prunes and self.end == 0.0

    @property
    def on(self) -> bool:
        """Whether synapses change at all."""
        return self.prunes or self.rewire > 0.0

    def change(self, n_done: int, total: int) -> Change:
        """The change that is due after ``n_done`` of ``total`` steps, at least 1."""
        end, last = round(self.end * total), round(self.rewire_end * total)
        if self.end > 0.0:  # however short the run
            end = max(end, 1)
        begin = max(min(round(self.begin * total), end - 1), 0)
        regular = (n_done - begin) % self.interval == 0
        progress = None
        if self.prunes and begin < n_done <= end and (regular or n_done == end):
            progress = 1.0 - ((end - n_done) / (end - begin)) ** 3
        exchanged = 0.0
        if self.rewire and regular and n_done <= last:
            exchanged = 0.5 * self.rewire * (1.0 + math.cos(math.pi * n_done / last))
        return Change(progress, exchanged)

    def chosen(self, net: Network) -> list[Projection]:
        """The projections whose synapses change; raises NetworkError if there are none."""
        return _chosen(net, self.projections, "TrainConfig: sparse.projections")

    def pruned(self, net: Network, progress: float) -> Chosen:
        """Synapses that stay at this progress, by projection."""
        chosen, left = self.chosen(net), 1.0 - progress
        limit = None
        if self.fan_in is not None:
            most = dict.fromkeys((p.target for p in chosen), 0)
            for projection in chosen:
                most[projection.target] += projection.weights.shape[0]
            limit = {}
            for name, n in most.items():
                final = np.maximum(self.fan_in - fan_in(net, name, without=chosen), 0)
                limit[name] = np.minimum(np.ceil(final + (n - final) * left), n)
        return _pruned(chosen, progress * self.sparsity, self.scope, limit)

    def exchanged(self, net: Network, share: float, gradients: Mapping[str, Floats]) -> Chosen:
        """Synapses after an exchange.

        Parameters
        ----------
        net
            The network.
        share
            Of the synapses.
        gradients
            By projection, of the synapses :func:`eventsim.network.connectivity.all_numbers`: of
            every pair of neurons, [source * target.size + target], unless some pair has several.
        """
        chosen = self.chosen(net)
        return _exchanged(chosen, share, gradients, by_neuron=self.fan_in is not None)


def prune(
    net: Network,
    sparsity: float = 0.0,
    *,
    scope: Scope = "erdos_renyi",
    fan_in: int | None = None,
    projections: Sequence[str] = (),
) -> Network:
    """A network without its synapses of least magnitude.

    Parameters
    ----------
    net
        Not changed.
    sparsity, scope, fan_in, projections
        As in :class:`SparseTraining`.

    Returns
    -------
    Network
        Its changed projections are sparse. New arrays, on the host.

    Raises
    ------
    ParameterError, NetworkError

    Examples
    --------
    >>> import eventsim as es
    >>> from eventsim.train import prune
    >>> prune(es.scsr(10, (20,), 5), 0.75, scope="projection").projections["input->hidden1"]
    Projection('input->hidden1', sparse, 50 synapses)
    """
    settings = SparseTraining(
        sparsity=sparsity, scope=scope, fan_in=fan_in, projections=tuple(projections)
    )
    net = net.to_host()
    return with_synapses(net, settings.pruned(net, 1.0)) if settings.prunes else net.copy()


def remove_idle(net: Network, counts: Mapping[str, Ints] | None = None) -> Network:
    """A network without its idle neurons, whose answers are the same.

    Parameters
    ----------
    net
        Not changed.
    counts
        Spikes of every neuron on some recordings, [size] by population, as
        ``tape["hidden1"].total_counts()``: neurons without a spike go too, and on these recordings
        the answers are the same.

    Returns
    -------
    Network
        Without spiking neurons whose synapses onto others all are missing or zero, of hidden
        populations; one neuron stays of a population of which none is needed. New arrays, on the
        host.

    Raises
    ------
    NetworkError

    Examples
    --------
    >>> import eventsim as es
    >>> from eventsim.train import remove_idle
    >>> net = es.scsr(10, (20,), 5, skip=False)
    >>> net.projections["hidden1->output"].weights[4:] = 0.0
    >>> remove_idle(net).populations["hidden1"]
    Population('hidden1', 4 spiking neurons)
    """
    net = net.to_host()
    sending = {p.source for p in net.projections.values() if not p.one_to_one}
    hidden = [name for name in net.spiking if name in sending]
    there = {name: np.ones(p.size, bool) for name, p in net.populations.items()}
    for name in hidden:
        if counts is not None and name in counts:
            there[name] = to_host(counts[name]) > 0
    while True:
        heard = {name: np.zeros(there[name].size, bool) for name in hidden}
        for projection in net.projections.values():
            if projection.source in heard and not projection.one_to_one:
                sources, targets = projection.sources(), projection.targets()
                felt = (projection.values.ravel() != 0.0) & there[projection.target][targets]
                felt &= (sources != targets) | (projection.source != projection.target)
                heard[projection.source][sources[felt]] = True
        after = {name: there[name] & heard[name] for name in hidden}
        if all((after[name] == there[name]).all() for name in hidden):
            break
        there |= after
    kept = {name: np.flatnonzero(there[name]) for name in hidden}
    return without_neurons(
        net, {name: found if found.size else np.zeros(1, np.int64) for name, found in kept.items()}
    )


def connection_sparsity(net: Network) -> float:
    """Share of the synapses of full matrices that are missing or zero, as of :class:`.Counts`."""
    possible = sum(p.n_possible for p in net.projections.values())
    there = sum(int((to_host(p.values) != 0.0).sum()) for p in net.projections.values())
    return 1.0 - there / possible if possible else 0.0


def _chosen(net: Network, names: Sequence[str], where: str) -> list[Projection]:
    for name in names:
        known(where, "projection", name, net.projections)
        require_free(net, net.projections[name], where)
    found = [
        p for p in net.projections.values() if is_free(net, p) and (not names or p.name in names)
    ]
    if not found:
        raise NetworkError(
            where,
            "the network has no such projection",
            "some whose synapses can be chosen one by one",
        )
    return found


def fan_in(net: Network, population: str, *, without: Sequence[Projection] = ()) -> Ints:
    """Synapses that every neuron receives, those of weight 0 included. [size], new array."""
    found, names = np.zeros(net.populations[population].size, np.int64), [p.name for p in without]
    for projection in net.projections.values():
        if projection.target == population and projection.name not in names:
            found += np.bincount(projection.targets(), minlength=found.size)
    return found


def _magnitudes(projections: Sequence[Projection]) -> list[Floats]:
    return [np.abs(to_host(p.values)).ravel() for p in projections]


def _ranks(groups: Ints, keys: Floats) -> Ints:
    """Place of every entry among those of its group, 0 for the largest key; ties by position."""
    order = np.lexsort((-keys, groups))  # stable
    ordered = groups[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: order.size])
    starts = np.repeat(first, np.diff(np.concatenate([first, [order.size]])))
    ranks = np.empty(order.size, np.int64)
    ranks[order] = np.arange(order.size) - starts
    return ranks


def _pruned(
    chosen: Sequence[Projection], sparsity: float, scope: Scope, limit: Mapping[str, Floats] | None
) -> Chosen:
    """Synapses that stay: those of the largest magnitude."""
    keys = np.concatenate(_magnitudes(chosen))
    possible = np.array([math.prod(p.weights.shape) for p in chosen])
    groups = np.repeat(np.arange(len(chosen)), [p.values.size for p in chosen])
    density = np.full(len(chosen), 1.0 - sparsity)
    if scope == "global":
        possible, groups, density = np.array([possible.sum()]), np.zeros_like(groups), density[:1]
    elif scope == "erdos_renyi":
        density = _densities([p.weights.shape for p in chosen], 1.0 - sparsity)
    stay = _ranks(groups, keys) < np.rint(density * possible)[groups]
    if limit is not None:
        left, neurons = np.flatnonzero(stay), _neurons(chosen, [p.targets() for p in chosen])
        limits = np.concatenate([limit[p.target][p.targets()] for p in chosen])
        stay[left] = _ranks(neurons[left], keys[left]) < limits[left]
    found, begin = Chosen(), 0
    for projection in chosen:
        end = begin + projection.values.size
        found[projection.name] = synapse_numbers(projection)[stay[begin:end]]
        begin = end
    return found


def _densities(shapes: Sequence[tuple[int, int]], density: float) -> Floats:
    """Density of each projection, as (sources + targets) / (sources * targets), at most 1."""
    possible = np.array([math.prod(shape) for shape in shapes], np.float64)
    relative = np.array([sum(shape) for shape in shapes]) / possible
    full = np.zeros(possible.size, bool)
    while not full.all():
        left = density * possible.sum() - possible[full].sum()
        scale = left / (relative * possible)[~full].sum()
        more = ~full & (scale * relative >= 1.0)
        if not more.any():
            return np.where(full, 1.0, scale * relative)
        full |= more
    return np.ones(possible.size)


def _exchanged(
    chosen: Sequence[Projection], share: float, gradients: Mapping[str, Floats], *, by_neuron: bool
) -> Chosen:
    """Synapses after the share of least magnitude gave way to those of the largest gradient."""
    numbers = [synapse_numbers(p) for p in chosen]
    absent = [_absent(p, own) for p, own in zip(chosen, numbers, strict=True)]
    pulls = [
        abs(gradients[p.name].ravel()[np.searchsorted(all_numbers(p), n)])
        for p, n in zip(chosen, absent, strict=True)
    ]
    pull, magnitude = np.concatenate(pulls), np.concatenate(_magnitudes(chosen))
    if by_neuron:
        stored, free = (
            _neurons(chosen, [_targets(p, n) for p, n in zip(chosen, found, strict=True)])
            for found in (numbers, absent)
        )
    else:
        stored, free = (
            np.repeat(np.arange(len(chosen)), [n.size for n in found])
            for found in (numbers, absent)
        )
    n_groups = 1 + max(stored.max(initial=0), free.max(initial=0))
    wanted = np.floor(share * np.bincount(stored, minlength=n_groups))
    able = np.bincount(free[pull > 0.0], minlength=n_groups)
    n_exchanged = np.minimum(wanted, able)
    stay = _ranks(stored, -magnitude) >= n_exchanged[stored]
    grow = _ranks(free, pull) < n_exchanged[free]
    ends = np.cumsum([n.size for n in numbers])[:-1], np.cumsum([n.size for n in absent])[:-1]
    parts = zip(chosen, np.split(stay, ends[0]), np.split(grow, ends[1]), strict=True)
    return {
        p.name: np.sort(np.concatenate([numbers[k][mine], absent[k][new]]))
        for k, (p, mine, new) in enumerate(parts)
    }


def _absent(projection: Projection, there: Ints) -> Ints:
    """Synapses that may be grown: of pairs that have none, but none of a neuron onto itself."""
    n_sources, n_targets = projection.weights.shape
    pairs, most = np.arange(n_sources * n_targets), most_of_a_pair(projection)
    if projection.source == projection.target:
        pairs = pairs[pairs // n_targets != pairs % n_targets]
    return np.setdiff1d(pairs, there // most) * most


def _targets(projection: Projection, numbers: Ints) -> Ints:
    """Target neurons of synapses by their numbers."""
    return numbers // most_of_a_pair(projection) % int(projection.weights.shape[1])


def _neurons(chosen: Sequence[Projection], targets: Sequence[Ints]) -> Ints:
    """The target neuron of every synapse, numbered among the neurons of all populations."""
    first, total = dict[str, int](), 0
    for projection in chosen:
        if projection.target not in first:
            first[projection.target] = total
            total += int(projection.weights.shape[1])
    pairs = zip(chosen, targets, strict=True)
    found: Ints = np.concatenate([first[p.target] + own for p, own in pairs])
    return found
