"""Assignments to begin with: the two baselines, growing by overlap, and Mt-KaHyPar.

``population_order`` is what PACMAN-like tools do: a population is cut into slices of consecutive
neurons, each as large as the limits of a core allow; a core holds a slice of one population; slices
go to cores in the order of the network. Next-fit: once a core is closed it stays closed.

``first_fit`` takes the neurons in the order of the network, and puts each on the first core that
has room for it under all limits; cores may hold neurons of several populations.

If either runs out of axons out, it starts again with the last population first: the destinations of
a neuron are then known when it gets its core.

``grow`` fills core after core: of the neurons that still fit, the one that brings the fewest new
axons (each counted 1 + its share of the spikes) comes next. It follows each axon once for every
core that it reaches. Where that becomes more than :data:`MOST_FOLLOWED` times all synapses, most
axons reach most cores whatever is done: it stops there if another start has an answer.

``kahypar`` is the multilevel hypergraph partitioner Mt-KaHyPar [1]_ with one hyperedge per axon,
weighted by its spikes, and the connectivity metric; deterministic presets and a seed. It balances
one weight per neuron, here its largest share of a core's neurons and synapses, so that the other
limits may need repair.

References
----------
.. [1] Gottesbueren, Heuer, Maas, Sanders, Schlag, Scalable high-quality hypergraph partitioning,
   ACM Transactions on Algorithms 20(1), 2024.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from eventsim.chips import Chip
from eventsim.compiled.library import library
from eventsim.compiled.roles_mapping import (
    AddPrices,
    FillFirstFit,
    FillingRole,
    FillInOrder,
    GrowCore,
    GrowingRole,
    NextNeuronsRole,
    PricesRole,
)
from eventsim.errors import MappingError
from eventsim.extras import load
from eventsim.hardware.errors import InfeasibleError
from eventsim.hardware.graph import AxonGraph, Group
from eventsim.hardware.usage import ADVICE, limits_of, synapse_limit
from eventsim.mapping.effort import Effort, TimeIsUp
from eventsim.mapping.state import ONE_TASK, CoreState

Cores = NDArray[np.int32]
SCALE = 10_000  # integer weight of a whole core
WEIGHT_OF_SPIKE = 64  # of a hyperedge, against 1 for being there
MANY_PINS = 1_000_000  # from here on it takes minutes
MAX_WEIGHT = 2**30  # of all hyperedges together
MOST_FOLLOWED = 24  # destinations of an axon, in the mean, from which on growing gathers little


def population_order(graph: AxonGraph, chip: Chip) -> CoreState:
    """Slices of one population each, core after core; raises InfeasibleError."""
    return _forwards_or_backwards(_slices, graph, chip)


def first_fit(graph: AxonGraph, chip: Chip) -> CoreState:
    """Every neuron on the first core with room; raises InfeasibleError."""
    return _forwards_or_backwards(_first_fit, graph, chip)


def _forwards_or_backwards(
    start: Callable[[CoreState, Sequence[Group], Chip], None], graph: AxonGraph, chip: Chip
) -> CoreState:
    """A start in the order of the network; backwards if it runs out of axons out."""
    try:
        state = CoreState(graph, limits_of(chip), None, 1)
        start(state, graph.groups, chip)
    except InfeasibleError as error:
        if error.limit != "axons_out_per_core":
            raise
        state = CoreState(graph, limits_of(chip), None, 1)
        start(state, graph.groups[::-1], chip)
    return state


def _slices(state: CoreState, groups: Sequence[Group], chip: Chip) -> None:
    core = 0
    for group in groups:
        if state.held.states[core]:
            core = _next_core(state, chip, core)
        neuron, end = group.start, group.start + group.size
        while True:
            neuron = _filled(FillInOrder, state, neuron, end, core)
            if neuron == end:
                break
            core = _next_core(state, chip, core)
            _must_fit(state, chip, neuron, core)


def _first_fit(state: CoreState, groups: Sequence[Group], chip: Chip) -> None:
    for group in groups:
        neuron, end = group.start, group.start + group.size
        while True:
            neuron = _filled(FillFirstFit, state, neuron, end, state.n_cores - 1)
            if neuron == end:
                break
            core = _next_core(state, chip, state.n_cores - 1)
            _must_fit(state, chip, neuron, core)
            state.move(neuron, core)
            neuron += 1


def _filled(
    call: type[FillInOrder] | type[FillFirstFit], state: CoreState, first: int, end: int, core: int
) -> int:
    """Put neurons from ``first`` to before ``end`` on cores; the first for which there is no room.

    ``core`` is the newest.
    """
    filling = FillingRole(first, end, core, np.empty(1, np.int64))
    library().run(call(ONE_TASK, state.wiring, state.held, filling))
    return int(filling.found[0])


def _next_core(state: CoreState, chip: Chip, core: int) -> int:
    """The core after ``core``; raises InfeasibleError if the chip has none."""
    available = limits_of(chip).cores
    if core + 1 >= available:
        left = int((state.core_of < 0).sum())
        raise InfeasibleError(
            chip=chip.name,
            limit="cores",
            needed=available + 1,
            available=available,
            advice=f"{left:,} neurons are still without a core. Methods 'refined' and 'hypergraph' "
            "pack neurons by their common inputs and may succeed; else use sparser weights, a "
            "larger chip, or a board of several (eventsim.chips.board_of; --chips).",
        )
    return state.open_core() if core + 1 == state.n_cores else core + 1


def _must_fit(state: CoreState, chip: Chip, neuron: int, core: int) -> None:
    """Raise InfeasibleError if a neuron does not fit onto an empty core: axons out elsewhere."""
    fits, change = state.ask(neuron, core)
    if fits:
        return
    after = state.held.axons_out + change
    most = int(after.argmax())
    raise InfeasibleError(
        chip=chip.name,
        limit="axons_out_per_core",
        needed=int(after[most]),
        available=int(state.held.limits[2]),
        core=most,
        neuron=state.graph.name_of(neuron),
        advice="Its neurons have no axon left for one more core. " + ADVICE["axons_out"],
    )


def grow(graph: AxonGraph, chip: Chip, effort: Effort) -> CoreState:
    """Fill core after core with neurons that share their sources.

    Raises InfeasibleError (a limit cannot be met) and TimeIsUp (before all neurons had cores, or it
    would follow too many synapses).
    """
    return _forwards_or_backwards(partial(_grow, effort), graph, chip)


def _grow(effort: Effort, state: CoreState, groups: Sequence[Group], chip: Chip) -> None:
    core, placed, followed = 0, 0, 0
    enough = MOST_FOLLOWED * state.graph.synapses.nnz / state.graph.n_neurons
    for members in _together(groups):
        (growing, following), left = _growing(state, members), members.size
        while left:
            if effort.is_over() or (effort.has_one and followed > enough * placed):
                raise TimeIsUp
            effort.tell(placed / state.graph.n_neurons)
            if state.held.states[core]:
                core = _next_core(state, chip, core)
            filling = FillingRole(0, 0, core, np.empty(1, np.int64))
            call = GrowCore(ONE_TASK, state.wiring, state.held, growing, following, filling)
            library().run(call)
            followed += int(filling.found[0])
            filled = left - int(np.count_nonzero(growing.free))
            if not filled:
                _must_fit(state, chip, int(np.flatnonzero(growing.free)[0]), core)
            placed, left = placed + filled, left - filled


def _growing(state: CoreState, members: NDArray[np.int64]) -> tuple[GrowingRole, NextNeuronsRole]:
    """Free are ``members``, for an empty core."""
    graph, wiring = state.graph, state.wiring
    n, n_axons = graph.n_neurons, graph.n_axons
    price = 1.0 + graph.spikes / max(float(graph.spikes.mean()), 1e-9)
    whole, free = np.empty(n), np.zeros(n, bool)
    library().run(AddPrices(ONE_TASK, wiring, PricesRole(price, whole)))
    free[members] = True
    ring = np.concatenate([[n], members[np.argsort(whole[members], kind="stable")]])
    before, after = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    before[ring], after[ring] = np.roll(ring, 1), np.roll(ring, -1)
    growing = GrowingRole(
        free=free,
        before=before,
        after=after,
        price=price,
        whole=whole,
        fresh=whole.copy(),
        n_fresh=graph.n_sources.astype(np.int64),
        inside=np.zeros(n_axons, bool),
        axons=np.zeros(n_axons, np.int32),
        touched=np.zeros(n, bool),
        touches=np.zeros(n, np.int32),
        refused=np.zeros(n, bool),
    )
    nobody = NextNeuronsRole(np.zeros(n, np.int64), np.zeros(n, np.int64), np.full(n, np.inf))
    return growing, nobody


def _together(groups: Sequence[Group]) -> list[NDArray[np.int64]]:
    """Neurons to grow together: all, or group by group backwards if destinations must be known."""
    parts = [np.arange(group.start, group.start + group.size) for group in groups]
    backwards = len(groups) > 1 and groups[0].start > groups[-1].start
    return parts if backwards else [np.concatenate(parts)]


def kahypar(
    graph: AxonGraph,
    chip: Chip,
    n_cores: int,
    *,
    seed: int,
    preset: str = "DETERMINISTIC_QUALITY",
    threads: int = 1,
) -> Cores:
    """Partition into ``n_cores`` by Mt-KaHyPar; int32 [neurons]. Limits may need repair.

    ``preset`` is the name of one of Mt-KaHyPar's; what the deterministic ones find does not depend
    on the number of threads.

    Raises MappingError (the package is not installed).
    """
    if n_cores == 1:
        return np.zeros(graph.n_neurons, np.int32)
    otherwise = "Method 'refined' needs nothing."
    mtkahypar = load(
        "mtkahypar", "mapping", "Method 'hypergraph'", MappingError, otherwise=otherwise
    )
    partitioner = mtkahypar.initialize(threads, False)
    mtkahypar.set_seed(seed)
    context = partitioner.context_from_preset(getattr(mtkahypar.PresetType, preset))
    weights = _node_weights(graph, chip)
    edges, spikes = _hyperedges(graph)
    if not edges:
        return (np.arange(graph.n_neurons) * n_cores // graph.n_neurons).astype(np.int32)
    context.set_partitioning_parameters(n_cores, 0.03, mtkahypar.Objective.KM1)
    largest = max(int(weights.max()), -(-int(weights.sum()) * 103 // (100 * n_cores)))
    context.set_individual_target_block_weights([max(SCALE, largest)] * n_cores)
    context.logging = False
    hypergraph = partitioner.create_hypergraph(
        context, graph.n_neurons, len(edges), edges, weights.tolist(), spikes
    )
    return np.array(hypergraph.partition(context).get_partition(), dtype=np.int32)


def _node_weights(graph: AxonGraph, chip: Chip) -> NDArray[np.int64]:
    """Largest share of a core that every neuron takes, in parts of SCALE, at least 1."""
    limits = limits_of(chip)
    shares = graph.states / (limits.states_per_core or int(graph.states.sum()))
    most = synapse_limit(limits)
    if most:
        shares = np.maximum(shares, graph.fan_in / most)
    weights: NDArray[np.int64] = np.maximum(np.floor(shares * SCALE), 1).astype(np.int64)
    return weights


def _hyperedges(graph: AxonGraph) -> tuple[list[list[int]], list[int]]:
    """Pins and weights of all axons that have at least two pins."""
    edges, weights = [], []
    start, target = graph.synapses.indptr, graph.synapses.indices
    factor = min(WEIGHT_OF_SPIKE, MAX_WEIGHT / max(int(graph.spikes.sum()), 1))
    for axon, spikes in enumerate(graph.spikes.tolist()):
        pins = target[start[axon] : start[axon + 1]]
        if axon < graph.n_neurons and not (pins == axon).any():
            pins = np.append(pins, axon)
        if pins.size > 1:
            edges.append(pins.tolist())
            # An axon without spikes still prefers fewer cores, a little.
            weights.append(1 + int(spikes * factor))
    return edges, weights
