"""How a method finds assignments of neurons to cores, and places of the cores on the chip.

``hypergraph`` partitions by Mt-KaHyPar into the fewest cores that the limits allow and into
somewhat more; ``refined`` begins with the baselines and with growing by overlap, and so does
``hypergraph``, too. Every start is repaired and refined by spikes between cores. Then its cores are
placed, its neurons moved by the links they save, its cores placed anew, in turns while that helps.
Which of the results is best is for the caller to say.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from eventsim.chips import Chip
from eventsim.mapping.errors import InfeasibleError
from eventsim.mapping.graph import AxonGraph
from eventsim.mapping.mesh import Cores, flows, mesh_distances
from eventsim.mapping.place import in_order, place
from eventsim.mapping.refine import refine, repair
from eventsim.mapping.starts import MANY_PINS, first_fit, grow, kahypar, population_order
from eventsim.mapping.state import CoreState
from eventsim.mapping.usage import fewest_cores, limits_of

Start = Callable[[], CoreState]
BASELINES = {"first_fit": first_fit, "population_order": population_order}
SPREAD = (1.0, 1.1, 1.3)  # cores that are tried, times the fewest
BEST = 2  # assignments of Mt-KaHyPar that are placed: those with the fewest spikes between cores
TURNS = 3  # of placing cores and moving neurons


def assignments(
    graph: AxonGraph, chip: Chip, method: str, *, optimise: bool, seed: int
) -> Iterator[tuple[Cores, Cores]]:
    """Cores of all neurons, numbered without gaps, and the place of each core on the chip.

    Parameters
    ----------
    graph, chip
        What is mapped onto what; every limit holds in what is found.
    method
        A baseline, ``refined`` or ``hypergraph``.
    optimise
        Place the cores; False puts them in the chip's order, and then no neuron is moved by links.
    seed
        Of partitioner and annealing.

    Raises
    ------
    InfeasibleError
        No start could be made to respect all limits.
    """
    if method in BASELINES:
        state = BASELINES[method](graph, chip)
        core_of, n_cores = _compact(state.core_of)
        found = flows(graph, core_of, n_cores)
        yield core_of, place(found, state.limits, seed=seed) if optimise else in_order(n_cores)
        return
    for state in _candidates(graph, chip, method, seed):
        if optimise:
            yield _placed(state, seed)
        else:
            core_of, n_cores = _compact(state.core_of)
            yield core_of, in_order(n_cores)


def _candidates(graph: AxonGraph, chip: Chip, method: str, seed: int) -> list[CoreState]:
    """Feasible assignments, from all starts that led to one."""
    cut, own = _starts(graph, chip, method, seed)
    failed: list[InfeasibleError] = []
    states = _improved(cut, chip, failed)
    # Few spikes between cores need not be few links, so that all own starts are placed as well.
    states = sorted(states, key=CoreState.cost)[:BEST] + _improved(own, chip, failed)
    if not states:
        raise failed[-1]
    return states


def _improved(
    starts: Sequence[Start], chip: Chip, failed: list[InfeasibleError]
) -> list[CoreState]:
    """Repair and refine what the starts make; errors of those that fail are appended."""
    states = []
    for start in starts:
        try:
            state = start()
            repair(state, chip=chip.name, max_cores=limits_of(chip).cores)
            refine(state)
            states.append(state)
        except InfeasibleError as error:
            failed.append(error)
    return states


def _starts(
    graph: AxonGraph, chip: Chip, method: str, seed: int
) -> tuple[list[Start], list[Start]]:
    """Those of Mt-KaHyPar, and our own."""
    own: list[Start] = [
        lambda: population_order(graph, chip),
        lambda: first_fit(graph, chip),
        lambda: grow(graph, chip),
    ]
    if method == "refined":
        return [], own
    limits = limits_of(chip)
    fewest = fewest_cores(graph, limits)
    numbers = sorted({min(limits.cores, -(-int(fewest * 100 * s) // 100)) for s in SPREAD})
    numbers = numbers[:1] if graph.synapses.nnz > MANY_PINS else numbers
    return [partial(_partitioned, graph, chip, n, seed) for n in numbers], own


def _partitioned(graph: AxonGraph, chip: Chip, n_cores: int, seed: int) -> CoreState:
    return CoreState(graph, limits_of(chip), kahypar(graph, chip, n_cores, seed=seed), n_cores)


def _compact(core_of: Cores) -> tuple[Cores, int]:
    """Cores renumbered so that none is empty, by the first neuron that they hold."""
    _, first, number = np.unique(core_of, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(first.size)
    return rank[number], int(first.size)


def _placed(state: CoreState, seed: int) -> tuple[Cores, Cores]:
    """Place the cores, then move neurons by hops instead of spikes, in turns while that helps."""
    graph, limits = state.graph, state.limits
    best, least = None, np.inf
    core_of, n_cores = _compact(state.core_of)
    places = None
    for _ in range(TURNS):
        flow = flows(graph, core_of, n_cores)
        places = place(flow, limits, seed=seed, start=places)
        moved = CoreState(graph, limits, core_of, n_cores)
        moved.measure_by(mesh_distances(places, limits))
        refine(moved)
        cost = moved.cost()
        if cost >= least:
            break
        core_of, least = moved.core_of, cost
        best = core_of, places
    assert best is not None
    return _without_empty(*best)


def _without_empty(core_of: Cores, places: Cores) -> tuple[Cores, Cores]:
    kept, number = np.unique(core_of, return_inverse=True)
    return number.astype(np.int32), places[kept]
