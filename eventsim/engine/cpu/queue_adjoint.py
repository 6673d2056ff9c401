"""Neurons joined in loops, backward: all arrivals of a sample from the last to the first.

For loops whose neurons do not all meet the same events; the others go back as a layer does, in
``eventsim/kernels/cpu/dense``.

A neuron goes back over its own spikes and releases when an arrival before them is met. Between two
of them its adjoint is linear in that at the later one, so arrivals only ask what it is at their
time: MOST of them side by side in vectors, of one neuron or of many. Whatever waits is settled
before a neuron goes back over a spike: all that the spike caused came later, and has added its part
to the spike's dL/dt by then. Of a spike and an arrival at the same neuron at exactly the same time,
the arrival came first, unless it was caused without a delay by that neuron or one of a higher
number, which fire after it.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.adjoint_series import MOST
from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.adaptive import back_of, hand_on, take_back
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar
from eventsim.engine.cpu.scalar import far_adjoint, pull_back
from eventsim.engine.cpu.walk import end_at_start, next_stop, walk_back
from eventsim.engine.cpu.weights import base_of, weight_at, width_of
from eventsim.engine.table import (
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    BY_DRIVE,
    BY_MEM,
    BY_SELF,
    BY_SELF_DELAY,
    BY_SYN,
    GAP,
    N_ADJOINT,
    RATE_MEM,
    RATE_SYN,
    SLOW,
)

# Where what is known of arrivals that wait lies in one array, MOST of each: how many ms they are
# before the adjoint they look at, their neuron's rates and that adjoint, and their weights. What is
# found takes the places of the adjoint. Places that are known let the compiler see that nothing
# overlaps.
N_KNOWN = 11
(
    SINCE,
    AT_SLOW,
    AT_GAP,
    AT_RATE_MEM,
    AT_RATE_SYN,
    AT_ALPHA,
    AT_BETA,
    AT_ALPHA_MEM,
    AT_BETA_MEM,
    AT_BETA_SYN,
    WEIGHT,
) = range(0, N_KNOWN * MOST, MOST)
SENT, MET, MET_MEM, MET_SYN = AT_ALPHA, AT_BETA, AT_BETA_MEM, AT_BETA_SYN


class Totals(NamedTuple):
    """What the samples of one chunk add to; ``effects`` is by spike, and common to all chunks.

    ``delay`` has no entries where no synapse has a delay of its own.
    """

    weight: NDArray[np.floating]
    delay: NDArray[np.float64]
    effects: NDArray[np.floating]
    sums: NDArray[np.float64]
    own: NDArray[np.float64]


class Unsettled(NamedTuple):
    """Arrivals that wait: what is known, neuron, synapse (-1: a return), spike and cause."""

    known: NDArray[np.floating]
    neuron: NDArray[np.int64]
    synapse: NDArray[np.int64]
    spike: NDArray[np.int64]
    cause: NDArray[np.int64]


@lean_inlined
def _look(known):
    """What the adjoint is at all MOST arrivals, and what they add to dL/dt."""
    for i in range(MOST):
        h = known[SINCE + i]
        maps = far_adjoint(h, known[AT_SLOW + i], known[AT_GAP + i], known[AT_RATE_MEM + i])
        alpha, beta, _, beta_mem, beta_syn = pull_back(
            h, maps, known[AT_ALPHA + i], known[AT_BETA + i], known[AT_ALPHA_MEM + i],
            known[AT_BETA_MEM + i], known[AT_BETA_SYN + i],
        )  # fmt: skip
        later = known[AT_RATE_SYN + i] * beta - known[AT_RATE_MEM + i] * alpha
        known[SENT + i] = known[WEIGHT + i] * later
        known[MET + i], known[MET_MEM + i], known[MET_SYN + i] = beta, beta_mem, beta_syn


@lean_inlined
def _add_effect(effect, spike, cause, tape, totals):
    """What a spike causes, to that of all sources (-1: a return), and to that of the loop."""
    if spike >= 0:
        totals.effects[spike] += effect
    if cause >= 0:
        tape.through[cause] += effect


@lean
def _settle(n_waiting, waiting, tape, totals):
    """Add what the arrivals that wait add to the gradients."""
    known = waiting.known
    _look(known)
    effect, spike, cause = type(known[0])(0.0), waiting.spike[0], waiting.cause[0]
    for i in range(n_waiting):
        n, k, w, later = waiting.neuron[i], waiting.synapse[i], known[WEIGHT + i], known[SENT + i]
        totals.sums[BY_DRIVE, n] += w * known[MET + i]
        totals.sums[BY_MEM, n] += w * known[MET_MEM + i]
        totals.sums[BY_SYN, n] += w * known[MET_SYN + i]
        if waiting.spike[i] != spike or waiting.cause[i] != cause:
            _add_effect(effect, spike, cause, tape, totals)
            effect, spike, cause = type(effect)(0.0), waiting.spike[i], waiting.cause[i]
        effect += later
        if k < 0:
            totals.own[BY_SELF, n] += known[MET + i]
            totals.own[BY_SELF_DELAY, n] += later
        else:
            totals.weight[k] += known[MET + i]
            if totals.delay.size > 0:
                totals.delay[k] += later
    if n_waiting > 0:
        _add_effect(effect, spike, cause, tape, totals)


@lean_inlined
def _wait(i, h, n, w, adjoint, par, known):
    """Neuron n is asked what its adjoint is h ms earlier, as the i-th that waits."""
    known[SINCE + i], known[WEIGHT + i] = h, w
    known[AT_SLOW + i], known[AT_GAP + i] = par[SLOW, n], par[GAP, n]
    known[AT_RATE_MEM + i], known[AT_RATE_SYN + i] = par[RATE_MEM, n], par[RATE_SYN, n]
    known[AT_ALPHA + i], known[AT_BETA + i] = adjoint[ALPHA, n], adjoint[BETA, n]
    known[AT_ALPHA_MEM + i] = adjoint[ALPHA_MEM, n]
    known[AT_BETA_MEM + i], known[AT_BETA_SYN + i] = adjoint[BETA_MEM, n], adjoint[BETA_SYN, n]


@lean
def _meet_all(met, lo, hi, loop, par, refractory, tape, current, released, stop, t, adjoint,
              waiting, totals, adapt):  # fmt: skip
    """The arrivals ``lo : hi`` from the last on; returns the number of grazes.

    ``adjoint`` is that of every neuron at its time ``t``, and ``stop`` what it comes to next.
    """
    n_waiting, grazes, real = 0, 0, type(par[0, 0])
    for e in range(hi - 1, lo - 1, -1):
        own, time, cause = met.first[e] >= OWN, met.time[e], met.cause[e]
        low = np.int64(0) if own else met.first[e]
        base, width = base_of(loop.weight, low), width_of(loop.weight)
        sender, after = np.int64(-1), time
        if cause >= 0 and tape.time[cause] == time:
            # Without a delay it came after a spike at the same time: stop short of that.
            sender, after = np.int64(tape.neuron[cause]), np.nextafter(time, np.inf)
        for k in range((np.int64(1) if own else met.last[e]) - 1, low - 1, -1):
            n = met.first[e] - OWN if own else np.int64(loop.target[k])
            at = after if sender >= n else time
            if stop[n] >= at:
                _settle(n_waiting, waiting, tape, totals)
                n_waiting = 0
                grazes += walk_back(
                    n, adjoint, t[n], at, par, refractory, tape, current, released, totals.sums,
                    totals.own, adapt,
                )  # fmt: skip
                t[n], stop[n] = at, next_stop(n, tape, refractory, current, released)
            w = loop.own_weight[n] if own else weight_at(base, width, k, par[0, 0])
            _wait(n_waiting, real(t[n] - at), n, w, adjoint, par, waiting.known)
            waiting.neuron[n_waiting], waiting.synapse[n_waiting] = n, np.int64(-1) if own else k
            waiting.spike[n_waiting], waiting.cause[n_waiting] = met.spike[e], cause
            n_waiting += 1
            if n_waiting == MOST:
                _settle(n_waiting, waiting, tape, totals)
                n_waiting = 0
    _settle(n_waiting, waiting, tape, totals)
    return grazes


@scalar
def _run_sample_back(met, lo, hi, loop, par, refractory, t_end, last, tape, way_back, s, waiting,
                     totals, adapt):  # fmt: skip
    """Sample s; returns the number of grazes."""
    size, begin = par.shape[1], way_back.begin[s]
    adjoint, t, stop = np.zeros((N_ADJOINT, size), par.dtype), np.full(size, t_end), np.empty(size)
    if way_back.adjoint.size > 0:
        adjoint[:] = way_back.adjoint[s]
    current, released = last.copy(), np.ones(size, np.bool_)
    for n in range(size):
        released[n] = current[n] < 0 or np.isnan(tape.restart[current[n]])
        stop[n] = next_stop(n, tape, refractory, current, released)
        take_back(adapt, s, n)
    grazes = _meet_all(
        met, lo, hi, loop, par, refractory, tape, current, released, stop, t, adjoint, waiting,
        totals, adapt,
    )  # fmt: skip
    for n in range(size):
        grazes += walk_back(
            n, adjoint, t[n], begin, par, refractory, tape, current, released, totals.sums,
            totals.own, adapt,
        )  # fmt: skip
        if way_back.starts:
            end_at_start(n, adjoint, par, totals.sums, totals.own)
        hand_on(adapt, s, n)
    if way_back.adjoint.size > 0:
        way_back.adjoint[s] = adjoint
    return grazes


@kernel
def backward(bounds, met, loop, par, refractory, duration, last, tape, way_back, weight, delay,
             effects, sums, own, grazes, adapt):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own."""
    for c in prange(bounds.size - 1):
        totals = Totals(weight[c], delay[c], effects, sums[c], own[c])
        number = np.empty((4, MOST), np.int64)
        waiting = Unsettled(
            np.zeros(N_KNOWN * MOST, par.dtype), number[0], number[1], number[2], number[3]
        )
        for s in range(bounds[c], bounds[c + 1]):
            grazes[c] += _run_sample_back(
                met, met.offsets[s], met.offsets[s + 1], loop, par, refractory, duration[s],
                last[s], tape, way_back, s, waiting, totals, back_of(adapt, c, 0, par.shape[1]),
            )  # fmt: skip
