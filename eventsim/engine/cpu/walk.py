"""One neuron between two arrivals: its own spikes forward, and backward.

Twins of :mod:`eventsim.engine.reference.layer` and :mod:`~eventsim.engine.reference.layer_adjoint`.
Both engines of this backend, events shared by all neurons and events of each neuron's own, meet
here. The caller holds the arrays: ``par``, ``sums`` and ``own`` with the rows of
:mod:`eventsim.engine.table`, and ``adjoint``, whose rows are alpha, beta, and their derivatives by
the membrane rate (2) and the synaptic rate (1).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.cpu.adaptive import crossing_within, jump, spike_back, spiked_back
from eventsim.engine.cpu.compile import lean, lean_inlined, scalar
from eventsim.engine.cpu.scalar import (
    adjoint_propagators,
    crossing,
    flush,
    fma,
    highest,
    propagators,
    pull_back,
)
from eventsim.engine.job import RUNAWAY_PER_MS
from eventsim.engine.table import (
    ALERT,
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    BY_LEVEL,
    BY_MEM,
    BY_REFRACTORY,
    BY_RESET,
    BY_SELF,
    BY_SELF_DELAY,
    GAP,
    INSTANT,
    LEVEL,
    PEAK,
    RATE_MEM,
    RATE_SYN,
    RESET,
    SELF,
    SLOW,
)


class SpikeBuffers(NamedTuple):
    """Where the spikes of a run are written; one part of the arrays per task."""

    time: NDArray[np.float64]
    neuron: NDArray[np.int32]
    current: NDArray[np.float64]
    restart: NDArray[np.float64]


class Held(NamedTuple):
    """Neurons whose V is held: the spike that holds it (or -1), and when it is let go."""

    spike: NDArray[np.int64]
    until: NDArray[np.float64]


class Recent(NamedTuple):
    """How many spikes of the ms from ``since`` on each neuron of a loop has fired."""

    since: NDArray[np.float64]
    number: NDArray[np.int64]


# Number of a spike of an earlier piece of the stream: beyond every limit.
EARLIER = 2**62


@lean
def runs_away(since, recent, n, t):
    """Count a spike of neuron n at t; whether there were too many in a ms."""
    if t - since[n] > 1.0:
        since[n], recent[n] = t, 0
    recent[n] += 1
    return recent[n] > RUNAWAY_PER_MS


@lean_inlined
def walk(n, v, j, t, t_end, x, y, gain, par, refractory, held, spikes, start, limit, count, since,
         fired, one_spike, adapt, recent):  # fmt: skip
    """Advance neuron n from t to t_end, or to its next spike if ``one_spike``.

    ``x``, ``y`` and ``gain`` are the propagators of the whole way; ``adapt`` is None for plain
    neurons, see :mod:`eventsim.engine.cpu.adaptive`. Returns v, j, the time reached,
    and the number of spikes so far, which is -1 after more than RUNAWAY_PER_MS spikes per ms from
    the last arrival on: since then the neuron has ``fired``. In a loop, where spikes make arrivals,
    ``recent`` counts them by ms, a :class:`Recent`; it is None elsewhere.
    """
    slow, gap, rate_mem, level = par[SLOW, n], par[GAP, n], par[RATE_MEM, n], par[LEVEL, n]
    real = type(v)
    n_start, h = count - fired, real(t_end - t)
    while True:
        if held.spike[n] >= 0:
            release = held.until[n]
            if release >= t_end:
                return par[RESET, n], flush(y * j), t_end, count
            _, y, _ = propagators(real(release - t), slow, gap, rate_mem)
            v, j, t = par[RESET, n], flush(y * j), release
            if held.spike[n] < limit:
                spikes.restart[start + held.spike[n]] = j
            held.spike[n] = -1
            h = real(t_end - t)
            x, y, gain = propagators(h, slow, gap, rate_mem)
        v_end, j_end, tau = fma(gain, j, x * v), y * j, real(-1.0)
        top = highest(v, j, v_end, j_end, h, rate_mem, par[PEAK, n])
        if adapt is not None:
            top = max(top, v)  # a falling threshold may meet a falling voltage
        if top >= par[ALERT, n]:
            if adapt is None:
                tau = crossing(v, j, h, slow, gap, rate_mem, level)
            else:
                tau = crossing_within(adapt, n, v, j, t, h, top, par)
        if tau < real(0.0) or t + tau >= t_end:
            return flush(v_end), flush(j_end), t_end, count
        _, y, _ = propagators(tau, slow, gap, rate_mem)
        j = flush(y * j)
        t = t + tau
        v = par[RESET, n]
        jump(adapt, n, t)
        if count < limit:
            spikes.time[start + count] = t
            spikes.neuron[start + count] = n
            spikes.current[start + count] = j
        if refractory[n] > 0.0:
            held.spike[n] = count
            held.until[n] = t + refractory[n]
        elif count < limit:
            spikes.restart[start + count] = j
        j = j + par[SELF, n]
        count += 1
        if recent is None:
            if count - n_start > RUNAWAY_PER_MS * (1.0 + (t - since)):
                return v, j, t, -1
        elif runs_away(recent.since, recent.number, n, t):
            return v, j, t, -1
        if one_spike:
            return v, j, t, count
        h = real(t_end - t)
        x, y, gain = propagators(h, slow, gap, rate_mem)


class Tape(NamedTuple):
    """Recorded spikes of a population, what the loss says of them, and what they cause.

    ``previous`` is the spike before of the same neuron in the same sample, or -1; ``through``
    gathers dL/dt that runs over the neuron's own restart and return, and in a loop over whatever
    else the spike causes there.
    """

    time: NDArray[np.float64]
    neuron: NDArray[np.int32]
    current: NDArray[np.float64]
    restart: NDArray[np.float64]
    by_time: NDArray[np.float64]
    by_voltage: NDArray[np.float64]
    previous: NDArray[np.int64]
    through: NDArray[np.float64]


class WayBack(NamedTuple):
    """How far every sample goes back, and with what: see :class:`eventsim.engine.piece.Piece`.

    ``adjoint`` [samples, N_ADJOINT, neurons] is that at the end, and is changed to that at
    ``begin`` (ms, by sample); without entries it is zero at the end. At time zero a sample
    ``starts``.
    """

    begin: NDArray[np.float64]
    adjoint: NDArray[np.floating]
    starts: bool


@lean_inlined
def end_at_start(n, adjoint, par, sums, own):
    """A neuron that rests at or above its level started at its reset."""
    if par[LEVEL, n] <= type(par[LEVEL, n])(0.0):
        own[BY_RESET, n] += adjoint[ALPHA, n]
        sums[BY_MEM, n] += par[RESET, n] * adjoint[ALPHA_MEM, n]


@scalar
def back(h, state, par, n):
    """The adjoint state of neuron n ``h`` ms earlier, no event between."""
    maps = adjoint_propagators(h, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
    return pull_back(h, maps, *state)


@lean_inlined
def next_stop(n, tape, refractory, current, released):
    """Time of neuron n's next spike or release on the way back; -1 if none is left."""
    k = current[n]
    if k < 0:
        return -1.0
    return tape.time[k] if released[n] else tape.time[k] + refractory[n]


@lean_inlined
def meet(n, state, par, refractory, tape, current, released, sums, own, adapt):
    """Take neuron n back over its next spike or release.

    ``current`` (the spike that comes next on the way back, or -1) and ``released`` (whether its
    restart was met) are changed in place. Returns alpha, its derivative, and the number of grazes.
    """
    alpha, beta, alpha_mem, beta_mem, beta_syn = state
    k, real = current[n], type(alpha)
    zero, rate_mem, self_weight = real(0.0), par[RATE_MEM, n], par[SELF, n]
    if released[n] == (refractory[n] > 0.0):
        # The self-jump is met while V is held, or right after a restart without a hold.
        later = self_weight * (par[RATE_SYN, n] * beta - rate_mem * alpha)
        tape.through[k] += later
        own[BY_SELF, n] += par[INSTANT, n] * beta
        own[BY_SELF_DELAY, n] += later
        sums[0, n] += self_weight * beta
        sums[1, n] += self_weight * beta_mem
        sums[2, n] += self_weight * beta_syn
    if not released[n]:
        drive = real(tape.restart[k])
        tape.through[k] += -alpha * (rate_mem * (drive - par[RESET, n]))
        if refractory[n] == 0.0:
            # A hold would begin to grow with the self-jump before its end.
            drive += self_weight
        own[BY_REFRACTORY, n] += -alpha * (rate_mem * (drive - par[RESET, n]))
        own[BY_RESET, n] += alpha
        sums[1, n] += par[RESET, n] * alpha_mem
        released[n] = True
        return zero, zero, 0
    slope = rate_mem * (real(tape.current[k]) - par[LEVEL, n])
    alpha, by_time = real(tape.by_voltage[k]), tape.by_time[k] + tape.through[k]
    grazes = 0
    if adapt is not None:
        by_time, steeper = spike_back(adapt, n, k, tape.time[k], by_time, np.float64(rate_mem))
        slope += real(steeper)
    if slope > zero:
        alpha = alpha - real(by_time) / slope
    else:
        grazes = 1
    own[BY_LEVEL, n] -= alpha
    if adapt is not None:
        spiked_back(adapt, n, k, tape.time[k], np.float64(alpha))
    current[n] = tape.previous[k]
    released[n] = current[n] < 0 or np.isnan(tape.restart[current[n]])
    return alpha, alpha_mem, grazes


@scalar
def walk_back(n, adjoint, t, t_low, par, refractory, tape, current, released, sums, own, adapt):
    """Take neuron n back from t to t_low over its own spikes and restarts.

    ``adjoint`` is changed in place, ``current`` and ``released`` as by :func:`meet`. Returns the
    number of grazes.
    """
    real, grazes = type(par[SLOW, n]), 0
    state = (
        adjoint[ALPHA, n],
        adjoint[BETA, n],
        adjoint[ALPHA_MEM, n],
        adjoint[BETA_MEM, n],
        adjoint[BETA_SYN, n],
    )
    while True:
        at = next_stop(n, tape, refractory, current, released)
        if current[n] < 0 or at < t_low:
            break
        state = back(real(t - at), state, par, n)
        t = at
        alpha, alpha_mem, grazed = meet(
            n, state, par, refractory, tape, current, released, sums, own, adapt
        )
        state = (alpha, state[1], alpha_mem, state[3], state[4])
        grazes += grazed
    state = back(real(t - t_low), state, par, n)
    adjoint[ALPHA, n], adjoint[BETA, n], adjoint[ALPHA_MEM, n] = state[0], state[1], state[2]
    adjoint[BETA_MEM, n], adjoint[BETA_SYN, n] = state[3], state[4]
    return grazes
