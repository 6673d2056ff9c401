"""Neurons that spike or are let go on a stretch go back over it by themselves, side by side.

The arrivals between two such events of a neuron are a piece of the way, with a series of its own,
from the state at the piece's later end. If that lies ``s`` ms before the stretch's, then what all
neurons share at an arrival, p and u of :mod:`eventsim.engine.adjoint_series`, is divided by
exp(-c s) and reduced by s / S; the first is done with the state. In every round each neuron goes
one piece back and over one event, until none is left.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.adjoint_series import MOST
from eventsim.engine.cpu.adjoint_series import (
    by_rates,
    grown,
    horner,
    opened,
    powers_of,
    spread_all,
    terms_of,
    values_of,
)
from eventsim.engine.cpu.compile import lean_inlined, scalar
from eventsim.engine.cpu.lanes import (
    LINE,
    fused,
    lanes_minus,
    line,
    line_at,
    product,
    put_line,
    where_less,
)
from eventsim.engine.cpu.scalar import decay, far_adjoint, fma, near_adjoint, pull_back
from eventsim.engine.cpu.walk import (
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    N_ADJOINT,
    Tape,
    meet,
    next_stop,
)
from eventsim.engine.table import BY_MEM, BY_SYN, GAP, N_PAR, RATE_MEM, RATE_SYN, SLOW

Reals = NDArray[np.floating[Any]]

# Rows of Aside.piece: how far the piece begins from the stretch's end in ms, as a part of the
# longest stretch, and the factor of the state; the length of the way to its end in ms; its first
# arrival and the one after its last; its sums.
FROM, START, GROW, TO, FIRST, BEHIND, OF_MEM, OF_SYN = range(8)
N_PIECE = 8


class Block(NamedTuple):
    """Neurons side by side, those behind the last with weight zero; and the layer's span.

    ``size`` columns are of neurons; what lies behind keeps rows from sharing places of the cache.
    ``by_neuron`` is the table transposed.
    """

    size: int
    weights: Reals
    par: Reals
    refractory: NDArray[np.float64]
    table: Reals
    by_neuron: Reals
    middle: float
    length: float


class Found(NamedTuple):
    """What the way back finds of a block: gradients by weight, sums, and own, by neuron."""

    by_weight: Reals
    sums: Reals
    own: NDArray[np.float64]


class Way(NamedTuple):
    """The spikes of a sample, and of every neuron of a block the one that comes next.

    ``special`` are the times at which V is reset or let go, ascending, with their neurons.
    """

    tape: Tape
    current: NDArray[np.int64]
    released: NDArray[np.bool_]
    special: NDArray[np.float64]
    special_neuron: NDArray[np.int32]


class Passage(NamedTuple):
    """Arrivals, the latest first: times in ms and rows, and what all neurons share.

    ``powers`` are p of the terms, and u, by arrival; behind the last arrival they are zero.
    ``effects`` gather dL/dt of the arrivals, without the factor p, a vector each.
    """

    times: NDArray[np.float64]
    rows: NDArray[np.uint64]
    powers: Reals
    effects: Reals


class Aside(NamedTuple):
    """Columns of the neurons aside; -1 in place of one that is through.

    ``since`` (ms) is the time of ``state``, ``stops`` whether an event ends the piece. ``weights``
    are those of the arrivals; ``betas`` what beta is there, without the factor p.
    """

    neuron: NDArray[np.int64]
    is_aside: NDArray[np.bool_]
    since: NDArray[np.float64]
    stops: NDArray[np.bool_]
    state: Reals
    moved: Reals
    par: Reals
    table: Reals
    weights: Reals
    betas: Reals
    piece: Reals


@scalar
def aside_of(block):
    """Room for the neurons of a block."""
    table, size = block.table, block.table.shape[1]
    return Aside(
        np.empty(size, np.int64),
        np.zeros(size, np.bool_),
        np.empty(size),
        np.empty(size, np.bool_),
        np.zeros((N_ADJOINT, size), table.dtype),
        np.zeros((N_ADJOINT, size), table.dtype),
        np.zeros((N_PAR, size), table.dtype),
        np.zeros(table.shape, table.dtype),
        np.zeros((MOST, size), table.dtype),
        np.zeros((MOST, size), table.dtype),
        np.zeros((N_PIECE, size), table.dtype),
    )


def _back_step(propagate):
    @lean_inlined
    def step(size, par, before, after, h):
        """Neurons back by h ms of their own, no event between."""
        for n in range(size):
            maps = propagate(h[n], par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
            state = pull_back(
                h[n], maps, before[ALPHA, n], before[BETA, n], before[ALPHA_MEM, n],
                before[BETA_MEM, n], before[BETA_SYN, n],
            )  # fmt: skip
            after[ALPHA, n], after[BETA, n] = state[0], state[1]
            after[ALPHA_MEM, n], after[BETA_MEM, n] = state[2], state[3]
            after[BETA_SYN, n] = state[4]

    return step


near_back_step, far_back_step = _back_step(near_adjoint), _back_step(far_adjoint)


@lean_inlined
def set_aside(t, t_low, next_special, way, block, before, aside):
    """Neurons with an event from ``t_low`` on: their number, and that of the next special time.

    Their states are moved away, so that they are nothing to the arrivals of the stretch.
    """
    n_aside, zero = 0, type(before[0, 0])(0.0)
    while next_special >= 0 and way.special[next_special] >= t_low:
        n = way.special_neuron[next_special]
        next_special -= 1
        if aside.is_aside[n]:
            continue
        aside.neuron[n_aside], aside.is_aside[n] = n, True
        aside.since[n_aside], aside.piece[BEHIND, n_aside] = t, zero
        for i in range(N_ADJOINT):
            aside.state[i, n_aside], before[i, n] = before[i, n], zero
        for i in (SLOW, GAP, RATE_MEM, RATE_SYN):
            aside.par[i, n_aside] = block.par[i, n]
        for i in range(block.table.shape[0]):
            aside.table[i, n_aside] = block.by_neuron[n, i]
        n_aside += 1
    return n_aside, next_special


@lean_inlined
def _weights(n_aside, m, passage, block, aside):
    """The weights of all arrivals at the neurons aside."""
    for i in range(n_aside):
        n = np.uint64(aside.neuron[i])
        for k in range(m):
            aside.weights[k, i] = block.weights[passage.rows[k], n]


@lean_inlined
def _next_pieces(n_aside, m, t, t_low, passage, block, way, aside):
    """Where the next piece of every neuron ends."""
    real, piece = type(block.par[0, 0]), aside.piece
    for i in range(n_aside):
        n = aside.neuron[i]
        if n < 0:
            continue
        at = next_stop(n, way.tape, block.refractory, way.current, way.released)
        aside.stops[i] = at >= t_low
        after, until = (at, at) if at >= t_low else (-1.0, t_low)
        behind = 0
        for k in range(m):
            behind += passage.times[k] > after
        piece[FIRST, i], piece[BEHIND, i] = piece[BEHIND, i], real(behind)
        # A piece without arrivals may begin far away, where the factor would be infinite.
        met = piece[FIRST, i] < piece[BEHIND, i]
        piece[FROM, i] = real(t - aside.since[i]) if met else real(0.0)
        piece[TO, i] = real(aside.since[i] - until)
        aside.since[i] = until
    middle, per_length = real(block.middle), real(1.0) / real(block.length)
    for i in range(n_aside):
        s = piece[FROM, i]
        piece[START, i] = s * per_length
        piece[GROW, i] = real(1.0) / decay(middle * s)


@lean_inlined
def _arrivals(n_aside, m, passage, aside):
    """The arrivals of the pieces, all neurons at once."""
    table, powers, piece, state = aside.table, passage.powers, aside.piece, aside.state
    terms, real = terms_of(table), type(table[0, 0])
    n_terms, width = len(terms), LINE // table.itemsize
    for n in range(0, n_aside, width):
        grow, start = line_at(piece, GROW, n), line_at(piece, START, n)
        alpha = product(line_at(state, ALPHA, n), grow)
        beta = product(line_at(state, BETA, n), grow)
        rate_syn = line_at(aside.par, RATE_SYN, n)
        betas, laters = opened(alpha, beta, rate_syn, table, n, terms)
        moments = spread_all(values_of(powers, 0, MOST, terms))
        first, behind, zero = line_at(piece, FIRST, n), line_at(piece, BEHIND, n), moments[0]
        for k in range(m):
            u, number = lanes_minus(line(powers[n_terms, k]), start), line(real(k))
            w = where_less(number, behind, line_at(aside.weights, k, n), zero)
            w = where_less(number, first, zero, w)
            earlier = line_at(aside.betas, k, n)
            put_line(aside.betas, k, n, where_less(number, first, earlier, horner(betas, u)))
            moments = grown(moments, w, powers_of(line(powers[0, k]), u, terms))
            side = line_at(passage.effects, k, 0)
            put_line(passage.effects, k, 0, fused(w, horner(laters, u), side))
        of_mem, of_syn = by_rates(
            moments, alpha, beta, product(line_at(state, ALPHA_MEM, n), grow),
            product(line_at(state, BETA_MEM, n), grow), product(line_at(state, BETA_SYN, n), grow),
            table, n, terms,
        )  # fmt: skip
        put_line(piece, OF_MEM, n, of_mem)
        put_line(piece, OF_SYN, n, of_syn)


@lean_inlined
def _add_up(i, n, m, passage, found, aside):
    """What the arrivals of the stretch add to the gradients by the weights of neuron n."""
    column = np.uint64(n)
    for k in range(m):
        row = passage.rows[k]
        met = fma(passage.powers[0, k], aside.betas[k, i], found.by_weight[row, column])
        found.by_weight[row, column] = met


@lean_inlined
def _over_events(n_aside, m, passage, block, way, found, aside, after):
    """Every neuron over the event that ended its piece, or to its end: its state is in ``after``.

    Returns how many are left, and the number of grazes.
    """
    left, grazes, moved, since, zero = 0, 0, aside.moved, aside.since, type(after[0, 0])(0.0)
    for i in range(n_aside):
        n = aside.neuron[i]
        if n < 0:
            continue
        found.sums[BY_MEM, n] += aside.piece[OF_MEM, i]
        found.sums[BY_SYN, n] += aside.piece[OF_SYN, i]
        if aside.stops[i]:
            # Without a hold the restart and its spike are at one time.
            while next_stop(n, way.tape, block.refractory, way.current, way.released) >= since[i]:
                state = (moved[0, i], moved[1, i], moved[2, i], moved[3, i], moved[4, i])
                moved[ALPHA, i], moved[ALPHA_MEM, i], grazed = meet(
                    n, state, block.par, block.refractory, way.tape, way.current, way.released,
                    found.sums, found.own,
                )  # fmt: skip
                grazes += grazed
            left += 1
            continue
        _add_up(i, n, m, passage, found, aside)
        for k in range(N_ADJOINT):
            after[k, n], moved[k, i] = moved[k, i], zero
        aside.neuron[i], aside.is_aside[n] = -1, False
    return left, grazes


@lean_inlined
def back_aside(n_aside, m, t, t_low, near, passage, block, way, found, aside, after):
    """Take the neurons aside back from t to t_low; returns the number of grazes."""
    left, grazes = n_aside, 0
    state, moved = aside.state, aside.moved
    _weights(n_aside, m, passage, block, aside)
    while left > 0:
        _next_pieces(n_aside, m, t, t_low, passage, block, way, aside)
        _arrivals(n_aside, m, passage, aside)
        if near:
            near_back_step(n_aside, aside.par, state, moved, aside.piece[TO])
        else:
            far_back_step(n_aside, aside.par, state, moved, aside.piece[TO])
        left, grazed = _over_events(n_aside, m, passage, block, way, found, aside, after)
        grazes += grazed
        for i in range(N_ADJOINT):
            for k in range(n_aside):
                state[i, k] = moved[i, k]
    return grazes
