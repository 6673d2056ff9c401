r"""Repair and refinement of an assignment: every limit holds, then fewer spikes between cores.

*Repair* takes neurons off cores that are beyond a limit, those first whose move costs least, to
cores that have room for them, and opens a core when none has. *Refinement* runs in passes: the gain
of every neuron on every core is computed at once as a sparse product, neurons are taken by falling
gain, and each moves if its gain, counted anew, is still positive and every limit holds. A neuron
whose core of choice is full changes places with one of that core if both together gain. A pass
costs about synapses times cores, and none makes the cost larger.
"""

from collections.abc import Iterator

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.mapping.errors import InfeasibleError
from eventsim.mapping.state import CoreState
from eventsim.mapping.usage import ADVICE, LIMIT_OF, core_usage

PASSES = 12
ENOUGH = 1e-3  # a pass that gains less than this share of the cost is the last
BLOCK = 1 << 24  # gains that are held at once
PARTNERS = 4  # tried for a swap
PATIENCE = 200  # swaps that fail in a row before a pass gives up
CANDIDATES = 6  # cores that are tried for one neuron


def refine(state: CoreState, *, passes: int = PASSES) -> None:
    """Move and swap neurons until a pass gains little; in place."""
    cost = state.cost()
    for _ in range(passes):
        blocked = _move_pass(state)
        _swap_pass(state, blocked)
        now = state.cost()
        if cost - now <= ENOUGH * cost:
            return
        cost = now


def _move_pass(state: CoreState) -> list[int]:
    """Move all neurons that gain by it; those that found their core full."""
    blocked = []
    for neuron in _wishes(state).tolist():
        gains = state.gains(neuron)
        target = int(gains.argmax())
        if gains[target] <= 0:
            continue
        core = _first_fitting(state, neuron, gains, above=0.0)
        if core is not None:
            state.move(neuron, core)
        if core != target:
            blocked.append(neuron)
    return blocked


def _first_fitting(state: CoreState, neuron: int, gains: Floats, *, above: float) -> int | None:
    """The core of the largest gain, above a bound, that can take the neuron."""
    fits = state.room(neuron) & (gains > above)
    fits[state.core_of[neuron]] = False
    cores = np.flatnonzero(fits)
    for core in cores[np.argsort(-gains[cores], kind="stable")][:CANDIDATES].tolist():
        if state.out_fits(neuron, core):
            return int(core)
    return None


def _wishes(state: CoreState) -> NDArray[np.int64]:
    """Neurons that would gain by a move if there were room, by falling gain."""
    gains = np.concatenate([block.max(axis=1) for _, block in gain_blocks(state)])
    order = np.argsort(-gains, kind="stable")
    return order[gains[order] > 0.0]


def gain_blocks(state: CoreState) -> Iterator[tuple[int, Floats]]:
    """Gains of all neurons on all cores, float64 [some neurons, cores], block by block."""
    graph, spikes = state.graph, state.graph.spikes.astype(np.float64)
    n, here = graph.n_neurons, state.core_of
    home = np.append(here, np.full(graph.n_external, state.n_cores))
    absent = spikes[:, None] * (state.targets == 0) * state.distance[home]
    source = graph.by_target.indices
    column = np.repeat(np.arange(n), np.diff(graph.by_target.indptr))
    other = source != column
    core = here[column]
    leaves = other & (state.targets[source, core] == 1)
    freed = spikes[source] * leaves * state.distance[home[source], core]
    left = np.bincount(column, weights=freed, minlength=n)
    pattern = scipy.sparse.csr_array(
        (other.astype(np.float64), source, graph.by_target.indptr), shape=(n, graph.n_axons)
    )
    apart = state.distance[: state.n_cores]
    step = max(1, BLOCK // state.n_cores)
    for low in range(0, n, step):
        rows = np.arange(low, min(low + step, n))
        inside, at = np.arange(rows.size), here[rows]
        own = state.targets[rows]
        own[inside, at] -= state.selfed[rows]
        reach = (own > 0) @ apart
        block = left[rows, None] - pattern[low : low + step] @ absent
        block += spikes[rows, None] * (reach[inside, at][:, None] - reach)
        block[inside, at] = 0.0
        yield low, block


def _swap_pass(state: CoreState, blocked: list[int]) -> None:
    """Change the places of two neurons where both together gain and all limits hold."""
    if not blocked or state.graph.n_neurons * state.n_cores > BLOCK:
        return
    gains = np.concatenate([block for _, block in gain_blocks(state)])
    failed = 0
    for neuron in blocked:
        here, wish = int(state.core_of[neuron]), state.gains(neuron)
        core = int(wish.argmax())
        if wish[core] <= 0.0:
            continue
        members = np.flatnonzero(state.core_of == core)
        best = members[np.argsort(-gains[members, here], kind="stable")[:PARTNERS]]
        hopeful = best[gains[best, here] > -wish[core]].tolist()
        if any(_swap(state, neuron, partner) for partner in hopeful):
            failed = 0
        else:
            failed += len(hopeful)
            if failed > PATIENCE:
                return


def _swap(state: CoreState, neuron: int, partner: int) -> bool:
    """Swap two neurons, or leave all as it was if that gains nothing or breaks a limit."""
    here, there = int(state.core_of[neuron]), int(state.core_of[partner])
    before = state.excess()
    gain = float(state.gains(neuron)[there])
    state.move(neuron, there)
    gain += float(state.gains(partner)[here])
    state.move(partner, here)
    if gain > 0 and (state.excess() <= np.maximum(before, 0.0)).all():
        return True
    state.move(partner, there)
    state.move(neuron, here)
    return False


def repair(state: CoreState, *, chip: str, max_cores: int) -> None:
    """Move neurons until every limit holds; in place.

    Raises
    ------
    InfeasibleError
        With the limit that could not be met, and on which core.
    """
    while True:
        excess = state.excess()
        core = int(excess.argmax())
        if excess[core] <= 0.0:
            return
        _relieve(state, core, chip=chip, max_cores=max_cores)


def _relieve(state: CoreState, core: int, *, chip: str, max_cores: int) -> None:
    """Take neurons off one core until it is within its limits."""
    members = np.flatnonzero(state.core_of == core)
    gains = [np.delete(state.gains(n), core).max(initial=-np.inf) for n in members.tolist()]
    relief = _relief(state, core, members)
    # What a move costs for what it frees; a move that gains is best where it gains most.
    price = np.array([-g / r if g < 0 else -g for g, r in zip(gains, relief, strict=True)])
    for neuron in members[np.lexsort((-relief, price))].tolist():
        if state.excess()[core] <= 0.0:
            return
        target = _first_fitting(state, neuron, state.gains(neuron), above=-np.inf)
        if target is None and state.n_cores < max_cores:
            new = state.open_core()
            target = new if state.fits(neuron, new) else None
        if target is not None:
            state.move(neuron, target)
    if state.excess()[core] > 0.0:
        raise _infeasible(state, chip, max_cores)


def _relief(state: CoreState, core: int, members: NDArray[np.int64]) -> Floats:
    """Share of the core's overloaded limits that every member would free."""
    relief = np.full(members.size, 1e-9)
    if state.neurons[core] > state.max_neurons:
        relief += 1.0 / state.max_neurons
    if state.synapses[core] > state.max_synapses:
        relief += state.graph.fan_in[members] / state.max_synapses
    if state.axons_in[core] > state.max_in:
        freed = [(state.targets[state.graph.sources(n), core] == 1).sum() for n in members.tolist()]
        relief += np.array(freed) / state.max_in
    if state.axons_out[core] > state.max_out:
        relief += (state.targets[members] > 0).sum(axis=1) / state.max_out
    return relief


def _infeasible(state: CoreState, chip: str, max_cores: int) -> InfeasibleError:
    usage = core_usage(state.graph, state.core_of, state.n_cores, state.limits)
    found = usage.excess(state.limits)
    assert found is not None  # the caller saw an excess
    name, core, held, limit = found
    return InfeasibleError(
        chip=chip,
        limit=LIMIT_OF[name],
        needed=held,
        available=limit,
        core=core,
        advice=f"No assignment to {min(state.n_cores, max_cores):,} of {max_cores:,} cores was "
        f"found that respects it. {ADVICE[name]}",
    )
