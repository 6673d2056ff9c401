"""Readout whose synapses are few or have delays of their own: one synapse after the other.

The gains are those of :mod:`eventsim.engine.cpu.readout`, found for every arrival.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import formula, kernel, lean
from eventsim.engine.cpu.gains import fill, polynomial, window_of
from eventsim.engine.cpu.lanes import LANES
from eventsim.engine.cpu.scalar import decay
from eventsim.engine.gain_windows import GAIN, GAIN_BY_MEM, GAIN_BY_SYN, GAIN_LATER, N_GAIN


class FanOut(NamedTuple):
    """Synapses by source: those of row r are ``start[r] : start[r + 1]``; delays in ms."""

    start: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.floating]
    delay: NDArray[np.float64]


@formula
def _find(time, left, output, gains):
    """First coefficient of an arrival's gain in the flat table, its place, and exp(-rate t)."""
    window, place = window_of(left, gains.per_ms)
    _, n_windows, _, terms, _ = gains.table.shape
    first = (output // LANES * n_windows + window) * (N_GAIN * terms * LANES) + output % LANES
    real = type(gains.table[0, 0, 0, 0, 0])
    return first, real(place), decay(real(gains.rate * time))


@lean
def _add_gains(time, low, high, fan, t_end, gains, flat, sums):
    """Add weight times gain of one spike at its synapses."""
    for synapse in range(low, high):
        arrival, k = time + fan.delay[synapse], fan.target[synapse]
        if arrival < t_end:
            first, u, fade = _find(arrival, t_end - arrival, k, gains)
            sums[k] += fan.weight[synapse] * fade * polynomial(flat, first, u)


@kernel
def forward(spikes, gains, fan, duration, integral):
    """As :func:`eventsim.engine.cpu.readout.forward`."""
    fill(gains.par, gains.rate, gains.per_ms, gains.table)
    flat = gains.table.ravel()
    for s in prange(duration.size):
        integral[s] = 0.0
        for source in range(spikes.first.shape[0]):
            for i in range(spikes.first[source, s], spikes.first[source, s + 1]):
                row = spikes.row_start[source] + spikes.neuron[i]
                _add_gains(
                    spikes.time[i], fan.start[row], fan.start[row + 1], fan, duration[s], gains,
                    flat, integral[s],
                )  # fmt: skip


@lean
def _add_slopes(time, low, high, fan, t_end, gains, flat, seed, by_weight, by_delay, sums):
    """As :func:`_add_gains`, with all derivatives; returns the spike's dL/dt."""
    terms, effect = gains.table.shape[3] * LANES, 0.0
    for synapse in range(low, high):
        arrival, k = time + fan.delay[synapse], fan.target[synapse]
        if arrival < t_end:
            first, u, fade = _find(arrival, t_end - arrival, k, gains)
            w, unit = np.float64(fan.weight[synapse]), seed[k]
            gain = fade * polynomial(flat, first + GAIN * terms, u)
            by_mem = fade * polynomial(flat, first + GAIN_BY_MEM * terms, u)
            by_syn = fade * polynomial(flat, first + GAIN_BY_SYN * terms, u)
            later = unit * w * (fade * polynomial(flat, first + GAIN_LATER * terms, u))
            by_weight[synapse] += unit * gain
            by_delay[synapse] += later
            effect += later
            sums[0, k] += unit * w * gain
            sums[1, k] += unit * w * by_mem
            sums[2, k] += unit * w * by_syn
    return effect


@kernel
def backward(bounds, spikes, gains, fan, duration, seeds, by_weight, by_delay, effects, sums):
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own.

    ``seeds`` are dL/d(integral), [samples, outputs]; ``sums`` as in the other module, [chunks,
    N_SUMS, outputs].
    """
    fill(gains.par, gains.rate, gains.per_ms, gains.table)
    flat = gains.table.ravel()
    for chunk in prange(bounds.size - 1):
        for s in range(bounds[chunk], bounds[chunk + 1]):
            for source in range(spikes.first.shape[0]):
                for i in range(spikes.first[source, s], spikes.first[source, s + 1]):
                    row = spikes.row_start[source] + spikes.neuron[i]
                    effects[i] = _add_slopes(
                        spikes.time[i], fan.start[row], fan.start[row + 1], fan, duration[s],
                        gains, flat, seeds[s], by_weight[chunk], by_delay[chunk], sums[chunk],
                    )  # fmt: skip
