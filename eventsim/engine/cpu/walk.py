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

from eventsim.engine.cpu.compile import lean, lean_inlined, scalar
from eventsim.engine.cpu.scalar import (
    adjoint_propagators,
    crossing,
    decay,
    flush,
    fma,
    highest,
    propagators,
    pull_back,
)
from eventsim.engine.job import RUNAWAY_PER_MS
from eventsim.engine.table import (
    ALERT,
    BY_LEVEL,
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

ALPHA, BETA, ALPHA_MEM, BETA_MEM, BETA_SYN = range(5)
N_ADJOINT = 5


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


class Fired(NamedTuple):
    """How often each neuron has fired since the last arrival it walked from, by its number."""

    arrival: NDArray[np.int64]
    times: NDArray[np.int64]


# Number of a spike of an earlier piece of the stream: beyond every limit.
EARLIER = 2**62


@lean
def hold(held, begin, s, n, low):
    """Neuron n of those from ``low`` on is held at the start as ``begin``, a Stop, says."""
    held.until[n] = begin.until[s, low + n]
    held.spike[n] = EARLIER if held.until[n] >= 0.0 else -1


@lean
def keep(end, s, n, low, t, v, j, held):
    """Write the state of neuron n of those from ``low`` on, right after an arrival, to a Stop."""
    end.time[s, low + n], end.v[s, low + n], end.j[s, low + n] = t, v, j
    end.until[s, low + n] = held.until[n] if held.spike[n] >= 0 else -1.0


@lean_inlined
def walk(n, v, j, t, t_end, par, refractory, held, spikes, start, limit, count, since, fired,
         one_spike):  # fmt: skip
    """Advance neuron n from t to t_end, or to its next spike if ``one_spike``.

    Returns v, j, the time reached, and the number of spikes so far, which is -1 after more than
    RUNAWAY_PER_MS spikes per ms from the last arrival on: since then the neuron has ``fired``.
    """
    slow, gap, rate_mem, level = par[SLOW, n], par[GAP, n], par[RATE_MEM, n], par[LEVEL, n]
    real = type(v)
    n_start = count - fired
    while True:
        if held.spike[n] >= 0:
            release = held.until[n]
            until = t_end if release >= t_end else release
            j = flush(j * decay(real(until - t) * par[RATE_SYN, n]))
            v, t = par[RESET, n], until
            if release >= t_end:
                return v, j, t, count
            if held.spike[n] < limit:
                spikes.restart[start + held.spike[n]] = j
            held.spike[n] = -1
        h = real(t_end - t)
        x, y, gain = propagators(h, slow, gap, rate_mem)
        v_end, j_end, tau = fma(gain, j, x * v), y * j, real(-1.0)
        if highest(v, j, v_end, j_end, h, rate_mem, par[PEAK, n]) >= par[ALERT, n]:
            tau = crossing(v, j, h, slow, gap, rate_mem, level)
        if tau < real(0.0) or t + tau >= t_end:
            return flush(v_end), flush(j_end), t_end, count
        _, y, _ = propagators(tau, slow, gap, rate_mem)
        j = flush(y * j)
        t = t + tau
        v = par[RESET, n]
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
        if count - n_start > RUNAWAY_PER_MS * (1.0 + (t - since)):
            return v, j, t, -1
        if one_spike:
            return v, j, t, count


@lean
def sort_tail(spikes, held, first, end, start):
    """Sort the spikes of one interval by time; equal times stay in order of the neuron."""
    for k in range(first + 1, end):
        time, neuron = spikes.time[k], spikes.neuron[k]
        current, restart = spikes.current[k], spikes.restart[k]
        holds = held.spike[neuron] == k - start
        i = k
        while i > first and spikes.time[i - 1] > time:
            other = spikes.neuron[i - 1]
            spikes.time[i], spikes.neuron[i] = spikes.time[i - 1], other
            spikes.current[i], spikes.restart[i] = spikes.current[i - 1], spikes.restart[i - 1]
            if held.spike[other] == i - 1 - start:
                held.spike[other] = i - start
            i -= 1
        spikes.time[i], spikes.neuron[i] = time, neuron
        spikes.current[i], spikes.restart[i] = current, restart
        if holds:
            held.spike[neuron] = i - start


class Tape(NamedTuple):
    """Recorded spikes of a population, what the loss says of them, and what they cause.

    ``previous`` is the spike before of the same neuron in the same sample, or -1; ``through``
    gathers dL/dt that runs over the neuron's own restart and return.
    """

    time: NDArray[np.float64]
    neuron: NDArray[np.int32]
    current: NDArray[np.float64]
    restart: NDArray[np.float64]
    by_time: NDArray[np.float64]
    by_voltage: NDArray[np.float64]
    previous: NDArray[np.int64]
    through: NDArray[np.float64]


@scalar
def back(h, alpha, beta, alpha_mem, beta_mem, beta_syn, par, n):
    """The adjoint state of neuron n ``h`` ms earlier, no event between."""
    maps = adjoint_propagators(h, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
    return pull_back(h, maps, alpha, beta, alpha_mem, beta_mem, beta_syn)


@scalar
def walk_back(n, adjoint, t, t_low, par, refractory, tape, current, released, sums, own):
    """Take neuron n back from t to t_low over its own spikes and restarts.

    ``adjoint`` is changed in place, as are ``current`` (the spike that comes next on the way back,
    or -1) and ``released`` (whether its restart was met). Returns the number of grazes.
    """
    real = type(par[SLOW, n])
    zero = real(0.0)
    alpha, beta = adjoint[ALPHA, n], adjoint[BETA, n]
    alpha_mem, beta_mem, beta_syn = (
        adjoint[ALPHA_MEM, n],
        adjoint[BETA_MEM, n],
        adjoint[BETA_SYN, n],
    )
    rate_mem, self_weight = par[RATE_MEM, n], par[SELF, n]
    grazes = 0
    while current[n] >= 0:
        k = current[n]
        at = tape.time[k] if released[n] else tape.time[k] + refractory[n]
        if at < t_low:
            break
        alpha, beta, alpha_mem, beta_mem, beta_syn = back(
            real(t - at), alpha, beta, alpha_mem, beta_mem, beta_syn, par, n
        )
        t = at
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
            alpha, alpha_mem, released[n] = zero, zero, True
            continue
        slope = rate_mem * (real(tape.current[k]) - par[LEVEL, n])
        alpha = real(tape.by_voltage[k])
        if slope > zero:
            alpha = alpha - real(tape.by_time[k] + tape.through[k]) / slope
        else:
            grazes += 1
        own[BY_LEVEL, n] -= alpha
        current[n] = tape.previous[k]
        released[n] = current[n] < 0 or np.isnan(tape.restart[current[n]])
    alpha, beta, alpha_mem, beta_mem, beta_syn = back(
        real(t - t_low), alpha, beta, alpha_mem, beta_mem, beta_syn, par, n
    )
    adjoint[ALPHA, n], adjoint[BETA, n] = alpha, beta
    adjoint[ALPHA_MEM, n], adjoint[BETA_MEM, n], adjoint[BETA_SYN, n] = (
        alpha_mem,
        beta_mem,
        beta_syn,
    )
    return grazes
