r"""Repair and refinement of an assignment: every limit holds, then fewer spikes between cores.

*Repair* takes neurons off cores that are beyond a limit, those first whose move costs least, to
cores that have room for them, and opens a core when none has. *Refinement* runs in passes: the best
gain of every neuron is computed, neurons are taken by falling gain, and each moves if its gain,
counted anew, is still positive and every limit holds. A neuron whose core of choice is full changes
places with one of that core if both together gain. A pass costs about synapses times the
destinations of an axon, and none makes the cost larger.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.compiled import roles_mapping
from eventsim.compiled.library import library
from eventsim.hardware.errors import InfeasibleError
from eventsim.hardware.usage import ADVICE, LIMIT_OF, core_usage
from eventsim.mapping.effort import Effort
from eventsim.mapping.state import NOWHERE, ONE_TASK, CoreState

PASSES = 12
ENOUGH = 1e-3  # of the cost: what a pass gains if another follows
SLICE = 1 << 12  # neurons that are looked at before the clock is
WISHES = 4  # cores that a neuron is offered to members of, if they are full


def refine(
    state: CoreState, effort: Effort, *, passes: int = PASSES, enough: float = ENOUGH
) -> None:
    """Move and swap neurons until a pass gains less than a share of the cost; in place.

    Or until so many passes are done, or time is up.
    """
    cost = state.cost()
    for number in range(passes):
        effort.tell(number / passes)
        _swap_pass(state, _move_pass(state, _wishing(state, effort), effort), effort)
        now = state.cost()
        if cost - now <= enough * cost or effort.is_over():
            return
        cost = now


def _wishing(state: CoreState, effort: Effort) -> NDArray[np.int64]:
    """Neurons that would gain by a move if there were room, by falling gain."""
    gains = np.zeros(state.graph.n_neurons)
    by_core = np.argsort(state.core_of, kind="stable")
    for low in range(0, gains.size, SLICE):
        if effort.is_over():
            break
        some = by_core[low : low + SLICE]
        gains[some] = state.gains(some)
    order = np.argsort(-gains, kind="stable")
    return order[gains[order] > 0.0]


def _move_pass(state: CoreState, neurons: NDArray[np.int64], effort: Effort) -> "_Wishes":
    """Move all neurons that gain by it; the wishes of those that found their core full."""
    shape = neurons.size, WISHES
    wished, gains = np.full(shape, NOWHERE, np.int32), np.zeros(shape)
    for low in range(0, neurons.size, SLICE):
        if effort.is_over():
            break
        some = slice(low, low + SLICE)
        mine = neurons[some]
        wishes = roles_mapping.WishesRole(mine, mine.size, wished[some], gains[some], WISHES)
        library().run(
            roles_mapping.MoveAll(ONE_TASK, state.wiring, state.held, state.ground, wishes)
        )
    row, rank = np.nonzero(wished != NOWHERE)
    return _Wishes(neurons[row], wished[row, rank], gains[row, rank])


class _Wishes(NamedTuple):
    """Neurons, cores on which they would rather be, and what they would gain there."""

    neurons: NDArray[np.int64]
    cores: NDArray[np.int32]
    gains: Floats


def _swap_pass(state: CoreState, wishes: _Wishes, effort: Effort) -> None:
    """Change the places of two neurons where both together gain and all limits hold."""
    order = np.lexsort((-wishes.gains, wishes.cores))
    cores, first = np.unique(wishes.cores[order], return_index=True)
    ends = np.append(first, order.size)[1:]
    for core, low, high in zip(cores.tolist(), first, ends, strict=True):
        if effort.is_over():
            return
        members = np.flatnonzero(state.core_of == core)
        mine = order[low:high]
        mine = mine[state.core_of[wishes.neurons[mine]] != core]
        if not members.size or not mine.size:
            continue
        neurons, wished = wishes.neurons[mine], wishes.gains[mine]
        homes, column = np.unique(state.core_of[neurons], return_inverse=True)
        swaps = roles_mapping.SwapsRole(
            core, neurons, wished, column, neurons.size, members, state.gains(members, homes),
            members.size, homes.size,
        )  # fmt: skip
        library().run(
            roles_mapping.SwapNeurons(ONE_TASK, state.wiring, state.held, state.ground, swaps)
        )


def repair(state: CoreState, *, chip: str, max_cores: int) -> None:
    """Move neurons until every limit holds; in place.

    Raises InfeasibleError (with the limit that could not be met, and on which core).
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
    gains = state.gains(members)
    relief = _relief(state, core, members)
    # What a move costs for what it frees; a move that gains is best where it gains most.
    price = np.where(gains < 0.0, -gains / relief, -gains)
    left = members[np.lexsort((-relief, price))]
    while left.size:
        # Until the core is within its limits, or one finds no room.
        leaving = roles_mapping.LeavingRole(left, left.size, core, np.empty(1, np.int64))
        call = roles_mapping.MoveAway(ONE_TASK, state.wiring, state.held, state.ground, leaving)
        library().run(call)
        left = left[int(leaving.found[0]) :]
        if state.excess()[core] <= 0.0:
            return
        # The next one finds no room.
        if left.size and state.n_cores < max_cores:
            neuron, new = int(left[0]), state.open_core()
            if state.ask(neuron, new)[0]:
                state.move(neuron, new)
        left = left[1:]
    if state.excess()[core] > 0.0:
        raise _infeasible(state, chip, max_cores)


def _relief(state: CoreState, core: int, members: NDArray[np.int64]) -> Floats:
    """Share of the core's overloaded limits that every member would free."""
    held, wiring = state.held, state.wiring
    relief = np.full(members.size, 1e-9)
    states, axons_in, axons_out, synapses = held.limits.tolist()
    if held.states[core] > states:
        relief += wiring.states[members] / states
    if held.synapses[core] > synapses:
        relief += wiring.fan_in[members] / synapses
    if held.axons_in[core] > axons_in:
        leaving = roles_mapping.LeavingRole(members, members.size, core, np.empty_like(members))
        library().run(roles_mapping.CountAlone(ONE_TASK, wiring, held, leaving))
        relief += leaving.found / axons_in
    if held.axons_out[core] > axons_out:
        relief += held.used[members] / axons_out
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
