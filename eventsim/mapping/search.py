"""Search for assignments of neurons to cores, and for places of the cores on the chip.

``hypergraph`` partitions by Mt-KaHyPar into the fewest cores that the limits allow and into
somewhat more; ``refined`` begins with the baselines and with growing by overlap, and so does
``hypergraph``, too. Every start is repaired and refined by spikes between cores. Then its cores are
placed, its neurons moved by the links they save, its cores placed anew, in turns while that helps.
Which of the results is best is for the caller to say: where routers copy spikes
(``Limits.multicast``), the one whose trees have the fewest links.

Starts, moves and places count every destination of a spike on its own, on such chips too. A tree's
links are no sum over destinations, so that what a move brings would take a look at all destinations
of every source, for every core. What is minimised is an upper bound of the trees' links.

Above :data:`MANY_PINS` synapses only the start with the fewest spikes between cores goes through
all of that.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from eventsim.chips import Chip
from eventsim.hardware.errors import InfeasibleError
from eventsim.hardware.graph import AxonGraph, renumbered
from eventsim.hardware.usage import fewest_cores, limits_of
from eventsim.mapping.effort import Effort, TimeIsUp
from eventsim.mapping.mesh import Cores, flows
from eventsim.mapping.place import in_order, place
from eventsim.mapping.refine import ENOUGH, refine, repair
from eventsim.mapping.starts import MANY_PINS, first_fit, grow, kahypar, population_order
from eventsim.mapping.state import CoreState, mesh_ground

Start = Callable[[], CoreState]
BASELINES = {"first_fit": first_fit, "population_order": population_order}
SPREAD = (1.0, 1.1, 1.3)  # cores that are tried, times the fewest
BEST = 2  # assignments of Mt-KaHyPar that are placed: those with the fewest spikes between cores
SECONDS_PER_PIN = 2e-4  # of Mt-KaHyPar, which cannot be ended: 5 min for 2 x 10^6
TURNS = 6  # of placing cores and moving neurons
PASSES_OF_TURN = 3  # before cores are placed anew; more would fit neurons to places that change
MOVING = 0.4  # of the time, for moves by spikes before cores are placed, in a start above MANY_PINS
ROUGH = 1e-2  # of the cost: what a pass gains if another follows, in a start above MANY_PINS


def assignments(
    graph: AxonGraph, chip: Chip, method: str, effort: Effort, *, optimise: bool, seed: int
) -> Iterator[tuple[Cores, Cores]]:
    """Cores of all neurons, numbered without gaps, and the place of each core on the chip.

    Every limit holds in what is found. The search ends when ``effort`` is over, once there is an
    assignment. Without ``optimise`` the cores lie in the chip's order, and no neuron is moved by
    links. Raises InfeasibleError where no start could be made to respect all limits.
    """
    if method in BASELINES:
        state = BASELINES[method](graph, chip)
        effort.has_answer()
        core_of, n_cores = _compact(state.core_of)
        found, limits = flows(graph, core_of, n_cores), state.limits
        yield core_of, place(found, limits, effort, seed=seed) if optimise else in_order(n_cores)
        return
    if graph.synapses.nnz > MANY_PINS:
        yield from _from_one_start(graph, chip, method, effort, optimise=optimise, seed=seed)
        return
    for core_of in _candidates(graph, chip, method, effort, seed):
        compact, n_cores = _compact(core_of)
        if optimise:
            placed = _Placed(graph, chip, compact, n_cores, effort, seed)
            placed.improve(effort, seed)
            yield placed.without_empty()
        else:
            yield compact, in_order(n_cores)


def _from_one_start(
    graph: AxonGraph, chip: Chip, method: str, effort: Effort, *, optimise: bool, seed: int
) -> Iterator[tuple[Cores, Cores]]:
    """As :func:`assignments`, where only the start with the fewest spikes between cores is refined.

    Neurons are renumbered by their cores meanwhile, so that those that share axons are neighbours
    in memory: a random order takes five times as long. Destinations that are bits need none.
    """
    best, by_bits, steps = _best_start(graph, chip, method, effort, seed)
    order = np.arange(best.size) if by_bits else np.argsort(best, kind="stable")
    number = np.argsort(order, kind="stable")
    near = graph if by_bits else renumbered(graph, order)
    effort.begin(steps - 2, steps, "moving neurons")
    n_cores = int(best.max()) + 1
    state = CoreState(near, limits_of(chip), best[order], n_cores, by_bits=by_bits)
    if not optimise:
        refine(state, effort)
        compact, n_cores = _compact(state.core_of[number])
        yield compact, in_order(n_cores)
        return
    refine(state, effort.part(MOVING), enough=ROUGH)
    compact, n_cores = _compact(state.core_of)
    del state  # its memory, before there is another
    effort.begin(steps - 1, steps, "placing cores")
    placed = _Placed(near, chip, compact, n_cores, effort, seed, by_bits=by_bits)
    placed.improve(effort, seed, enough=ENOUGH)
    core_of, places = placed.without_empty()
    yield core_of[number], places


def _best_start(
    graph: AxonGraph, chip: Chip, method: str, effort: Effort, seed: int
) -> tuple[Cores, bool, int]:
    """The start with the fewest spikes between cores; whether bits pay; steps of the search."""
    starts = _own_starts(graph, chip, effort)
    starts += _partitions(graph, chip, effort, seed) if method == "hypergraph" else []
    failed: list[InfeasibleError] = []
    best, least, by_bits = None, np.inf, False
    steps = len(starts) + 2
    for step, (name, start) in enumerate(starts):
        effort.begin(step, steps, name)
        state = _feasible(start, chip, effort, failed)
        if state is not None and state.cost() < least:
            best, least, by_bits = state.core_of, state.cost(), state.bits_pay()
        del state  # its memory, before there is another
    if best is None:
        raise failed[-1]
    return best, by_bits, steps


def _candidates(
    graph: AxonGraph, chip: Chip, method: str, effort: Effort, seed: int
) -> Iterator[Cores]:
    """Feasible assignments, from all starts that led to one."""
    own = _own_starts(graph, chip, effort)
    cut = _partitions(graph, chip, effort, seed) if method == "hypergraph" else []
    failed: list[InfeasibleError] = []
    steps, found = len(own) + len(cut), 0
    # Few spikes between cores need not be few links, so that all own starts are placed as well.
    for step, (name, start) in enumerate(own):
        effort.begin(step, steps, name)
        improved = _improved(start, chip, effort, failed)
        if improved is not None:
            found += 1
            yield improved[1]
    cuts: list[tuple[float, Cores]] = []
    for step, (name, start) in enumerate(cut):
        effort.begin(len(own) + step, steps, name)
        improved = _improved(start, chip, effort, failed)
        cuts += [] if improved is None else [improved]
    for _, core_of in sorted(cuts, key=lambda pair: pair[0])[:BEST]:
        found += 1
        yield core_of
    if not found:
        raise failed[-1]


def _improved(
    start: Start, chip: Chip, effort: Effort, failed: list[InfeasibleError]
) -> tuple[float, Cores] | None:
    """Repair and refine what a start makes: its cost, and it; None if it fails, or time is up."""
    state = _feasible(start, chip, effort, failed)
    if state is None:
        return None
    refine(state, effort)
    return state.cost(), state.core_of


def _feasible(
    start: Start, chip: Chip, effort: Effort, failed: list[InfeasibleError]
) -> CoreState | None:
    """Cores of a start, repaired; None if it fails, with its error, or if time is up."""
    if effort.is_over():
        return None
    try:
        state = start()
        repair(state, chip=chip.name, max_cores=limits_of(chip).cores)
    except InfeasibleError as error:
        failed.append(error)
        return None
    except TimeIsUp:
        return None
    effort.has_answer()
    return state


def _own_starts(graph: AxonGraph, chip: Chip, effort: Effort) -> list[tuple[str, Start]]:
    return [
        ("population order", lambda: population_order(graph, chip)),
        ("first fit", lambda: first_fit(graph, chip)),
        ("growing by overlap", lambda: grow(graph, chip, effort)),
    ]


def _partitions(graph: AxonGraph, chip: Chip, effort: Effort, seed: int) -> list[tuple[str, Start]]:
    """Starts by Mt-KaHyPar, with their names."""
    limits = limits_of(chip)
    fewest = fewest_cores(graph, limits)
    numbers = sorted({min(limits.cores, -(-int(fewest * 100 * s) // 100)) for s in SPREAD})
    few = graph.synapses.nnz <= MANY_PINS
    preset = "DETERMINISTIC_QUALITY" if few else "DETERMINISTIC"

    def partitioned(n_cores: int) -> CoreState:
        if effort.left() < SECONDS_PER_PIN * graph.synapses.nnz:
            raise TimeIsUp
        core_of = kahypar(graph, chip, n_cores, seed=seed, preset=preset)
        return CoreState(graph, limits, core_of, n_cores)

    return [("Mt-KaHyPar", partial(partitioned, n)) for n in (numbers if few else numbers[:1])]


def _compact(core_of: Cores) -> tuple[Cores, int]:
    """Cores renumbered so that none is empty, by the first neuron that they hold."""
    _, first, number = np.unique(core_of, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(first.size)
    return rank[number], int(first.size)


class _Placed:
    """Neurons on cores that have places: ``cost`` is the links that spikes pass."""

    def __init__(
        self,
        graph: AxonGraph,
        chip: Chip,
        core_of: Cores,
        n_cores: int,
        effort: Effort,
        seed: int,
        *,
        by_bits: bool = False,
    ):
        self.graph, self.limits, self.core_of = graph, limits_of(chip), core_of
        self.by_bits = by_bits
        self.places = place(flows(graph, core_of, n_cores), self.limits, effort, seed=seed)
        self.cost = self._state().cost()

    def _state(self) -> CoreState:
        n_cores, by_bits = self.places.size, self.by_bits
        state = CoreState(self.graph, self.limits, self.core_of, n_cores, by_bits=by_bits)
        state.ground = mesh_ground(self.places, self.limits)
        return state

    def improve(self, effort: Effort, seed: int, *, enough: float = 0.0) -> None:
        """Move neurons by hops instead of spikes, place the cores anew, in turns while it helps.

        The turn that gains no more than ``enough`` of the cost is the last.
        """
        for turn in range(TURNS):
            if turn > 0:
                flow = flows(self.graph, self.core_of, self.places.size)
                self.places = place(flow, self.limits, effort, seed=seed, start=self.places)
            state = self._state()
            refine(state, effort, passes=PASSES_OF_TURN)
            before, self.cost = self.cost, state.cost()
            self.core_of = state.core_of
            del state  # its memory, before there is another
            if before - self.cost <= enough * before or effort.is_over():
                return

    def without_empty(self) -> tuple[Cores, Cores]:
        """Cores that hold something, numbered without gaps, and their places."""
        kept, number = np.unique(self.core_of, return_inverse=True)
        return number.astype(np.int32), self.places[kept]
