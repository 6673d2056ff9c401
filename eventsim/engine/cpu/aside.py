"""Neurons that spike or are let go on a stretch go back over it by themselves, one after the other.

The arrivals between two such events of a neuron are a piece of the way, met from the state at the
piece's later end. If that lies ``s`` ms before the stretch's, then what all neurons share at an
arrival, p and u of :mod:`eventsim.engine.adjoint_series`, is divided by exp(-c s) and reduced by
s / S; the first is done with the state. Vectors are of arrivals here: the state of its piece is
written to each, and then all pieces are met at once.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.adjoint_series import (
    DECAY,
    DECAY_SYN,
    GAIN,
    GAIN_MEM,
    GAIN_SYN,
    MOST,
    TAKEN,
)
from eventsim.engine.cpu.adjoint_series import horner, numbers_of, spread_all, terms_of
from eventsim.engine.cpu.compile import lean_inlined, scalar
from eventsim.engine.cpu.lanes import (
    LINE,
    all_lanes,
    fused,
    lanes_minus,
    lanes_sum,
    line,
    line_at,
    load,
    marks,
    n_marks,
    product,
    put_line,
    where_less,
)
from eventsim.engine.cpu.scalar import decay, fma
from eventsim.engine.cpu.walk import Tape, back, meet, next_stop
from eventsim.engine.table import (
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    BY_MEM,
    BY_SYN,
    N_ADJOINT,
    RATE_SYN,
)

Reals = NDArray[np.floating[Any]]

# Rows of Passage.own, of one neuron aside by arrival: its weights and what beta is there, without
# the factor p; the numbers of the arrivals; dL/dt by all neurons aside, without the factor p; and
# the state from which the arrival is met, with where it is in u.
WEIGHT, MET, NUMBER, LATER, START = range(5)
FROM_ALPHA, FROM_BETA, FROM_ALPHA_MEM, FROM_BETA_MEM, FROM_BETA_SYN = range(5, 10)
N_BY_ARRIVAL = 10


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

    Times behind the last are before all others. ``since`` are ms before the latest, in the type of
    the state. ``powers`` are p of the terms, and u, by arrival; its last column is zero.
    ``effects`` gather dL/dt of the arrivals, without the factor p, a vector each; ``asked`` are
    the numbers of those of which it is asked for. ``own`` is of the neurons aside.
    """

    times: NDArray[np.float64]
    rows: NDArray[np.uint64]
    since: Reals
    powers: Reals
    effects: Reals
    asked: NDArray[np.int64]
    own: Reals


class Aside(NamedTuple):
    """The neurons aside, with their states, and whether a neuron is one of them."""

    neuron: NDArray[np.int64]
    state: Reals
    is_aside: NDArray[np.bool_]


@scalar
def passage_of(par):
    """Room for a passage."""
    width = LINE // par.itemsize
    powers = np.zeros((len(terms_of(par)) + 1, MOST + 1), par.dtype)
    own = np.zeros((N_BY_ARRIVAL, MOST), par.dtype)
    own[NUMBER] = np.arange(MOST)
    return Passage(
        np.full(MOST, -1.0), np.empty(MOST, np.uint64), np.zeros(MOST, par.dtype), powers,
        np.empty((MOST, width), par.dtype), np.empty(MOST, np.int64), own,
    )  # fmt: skip


@scalar
def aside_of(block):
    """Room for the neurons of a block."""
    size = block.table.shape[1]
    states = np.zeros((size, N_ADJOINT), block.table.dtype)
    return Aside(np.empty(size, np.int64), states, np.zeros(size, np.bool_))


@lean_inlined
def is_before(t, sender, special, way):
    """Whether an arrival at ``t``, caused then by neuron ``sender`` (or -1), is before a special.

    So it is on the way back met after it.
    """
    at = way.special[special]
    return at > t or (at == t and way.special_neuron[special] > sender)


@lean_inlined
def set_aside(t_low, sender, next_special, way, before, aside):
    """Neurons with an event from ``t_low`` on: their number, and that of the next special time.

    ``sender`` caused the arrival at ``t_low`` then, or is -1. Their states are moved away, so that
    they are nothing to the arrivals of the stretch.
    """
    n_aside, zero = 0, type(before[0, 0])(0.0)
    while next_special >= 0 and is_before(t_low, sender, next_special, way):
        n = way.special_neuron[next_special]
        next_special -= 1
        if aside.is_aside[n]:
            continue
        aside.neuron[n_aside], aside.is_aside[n] = n, True
        for i in range(N_ADJOINT):
            aside.state[n_aside, i], before[i, n] = before[i, n], zero
        n_aside += 1
    return n_aside, next_special


@lean_inlined
def _begin_piece(first, way_back, state, passage, block):
    """The arrivals from ``first`` on are met from a state ``way_back`` ms before the latest."""
    own, real = passage.own, type(block.par[0, 0])
    grow, low = line(real(1.0) / decay(real(block.middle) * way_back)), line(real(first))
    start = line(way_back * (real(1.0) / real(block.length)))
    alpha, beta = product(line(state[0]), grow), product(line(state[1]), grow)
    alpha_mem, beta_mem = product(line(state[2]), grow), product(line(state[3]), grow)
    beta_syn = product(line(state[4]), grow)
    for k in range(0, MOST, LINE // own.itemsize):
        number = line_at(own, NUMBER, k)
        put_line(own, START, k, where_less(number, low, line_at(own, START, k), start))
        put_line(own, FROM_ALPHA, k, where_less(number, low, line_at(own, FROM_ALPHA, k), alpha))
        put_line(own, FROM_BETA, k, where_less(number, low, line_at(own, FROM_BETA, k), beta))
        put_line(
            own, FROM_ALPHA_MEM, k,
            where_less(number, low, line_at(own, FROM_ALPHA_MEM, k), alpha_mem),
        )  # fmt: skip
        put_line(
            own, FROM_BETA_MEM, k, where_less(number, low, line_at(own, FROM_BETA_MEM, k), beta_mem)
        )
        put_line(
            own, FROM_BETA_SYN, k, where_less(number, low, line_at(own, FROM_BETA_SYN, k), beta_syn)
        )


@lean_inlined
def _arrivals(behind, n, passage, block, found):
    """Neuron n over the arrivals before ``behind``, each from the state of its piece."""
    table, own, powers, terms = block.by_neuron, passage.own, passage.powers, terms_of(block.table)
    real, n_terms = type(block.par[0, 0]), len(terms)
    decays = spread_all(numbers_of(table, n, DECAY * n_terms, terms))
    gains = spread_all(numbers_of(table, n, GAIN * n_terms, terms))
    taken = spread_all(numbers_of(table, n, TAKEN * n_terms, terms))
    gains_mem = spread_all(numbers_of(table, n, GAIN_MEM * n_terms, terms))
    gains_syn = spread_all(numbers_of(table, n, GAIN_SYN * n_terms, terms))
    decays_syn = spread_all(numbers_of(table, n, DECAY_SYN * n_terms, terms))
    zero, rate_syn, high = line(real(0.0)), line(block.par[RATE_SYN, n]), line(real(behind))
    by_mem, by_syn = zero, zero
    for k in range(0, MOST, LINE // own.itemsize):
        u = lanes_minus(line_at(powers, n_terms, k), line_at(own, START, k))
        alpha, beta = line_at(own, FROM_ALPHA, k), line_at(own, FROM_BETA, k)
        w = where_less(line_at(own, NUMBER, k), high, line_at(own, WEIGHT, k), zero)
        decayed, gained = horner(decays, u), horner(gains, u)
        met = fused(decayed, beta, product(gained, alpha))
        put_line(own, MET, k, met)
        later = fused(met, rate_syn, product(horner(taken, u), alpha))
        put_line(own, LATER, k, fused(w, later, line_at(own, LATER, k)))
        shared = product(w, line_at(powers, 0, k))
        changed = fused(
            gained, line_at(own, FROM_ALPHA_MEM, k), product(horner(gains_mem, u), alpha)
        )
        by_mem = fused(shared, fused(decayed, line_at(own, FROM_BETA_MEM, k), changed), by_mem)
        changed = fused(horner(decays_syn, u), beta, product(horner(gains_syn, u), alpha))
        by_syn = fused(shared, fused(decayed, line_at(own, FROM_BETA_SYN, k), changed), by_syn)
    found.sums[BY_MEM, n] += lanes_sum(by_mem)
    found.sums[BY_SYN, n] += lanes_sum(by_syn)


@lean_inlined
def _go_alone(n, state, m, t, t_low, passage, block, way, found, adapt):
    """Neuron n over a stretch of m arrivals from t to t_low; returns its state, and grazes."""
    own, column, real = passage.own, np.uint64(n), type(block.par[0, 0])
    for k in range(m):
        own[WEIGHT, k] = block.weights[passage.rows[k], column]
    since, behind, grazes = t, 0, 0
    while True:
        at = next_stop(n, way.tape, block.refractory, way.current, way.released)
        stops = at >= t_low
        after, until = (at, at) if stops else (-1.0, t_low)
        first = behind
        behind = MOST - n_marks(marks(all_lanes(after), load(passage.times, 0)))
        if first < behind:
            _begin_piece(first, real(t - since), state, passage, block)
        state = back(real(since - until), state, block.par, n)
        since = until
        if not stops:
            break
        # Without a hold the restart and its spike are at one time.
        while next_stop(n, way.tape, block.refractory, way.current, way.released) >= since:
            alpha, alpha_mem, grazed = meet(
                n, state, block.par, block.refractory, way.tape, way.current, way.released,
                found.sums, found.own, adapt,
            )  # fmt: skip
            state = (alpha, state[1], alpha_mem, state[3], state[4])
            grazes += grazed
    if behind > 0:
        _arrivals(behind, n, passage, block, found)
    for k in range(m):
        row = passage.rows[k]
        met = fma(passage.powers[0, k], own[MET, k], found.by_weight[row, column])
        found.by_weight[row, column] = met
    return state, grazes


@lean_inlined
def back_aside(n_aside, m, t, t_low, sender, passage, block, way, found, aside, after, adapt):
    """Take the neurons aside back from t to t_low; returns the number of grazes.

    Those up to ``sender`` stop short of what happens to them at ``t_low``.
    """
    grazes, short = 0, np.nextafter(t_low, np.inf)
    for k in range(m):
        passage.own[LATER, k] = 0.0
    for i in range(n_aside):
        n = aside.neuron[i]
        state = (
            aside.state[i, 0], aside.state[i, 1], aside.state[i, 2], aside.state[i, 3],
            aside.state[i, 4],
        )  # fmt: skip
        low = short if n <= sender else t_low
        state, grazed = _go_alone(n, state, m, t, low, passage, block, way, found, adapt)
        after[ALPHA, n], after[BETA, n], after[ALPHA_MEM, n] = state[0], state[1], state[2]
        after[BETA_MEM, n], after[BETA_SYN, n], aside.is_aside[n] = state[3], state[4], False
        grazes += grazed
    return grazes
