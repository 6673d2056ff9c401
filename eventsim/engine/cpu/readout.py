"""Readout integral and its gradients; twin of :mod:`eventsim.engine.reference.readout`.

Spikes are taken as they come, source by source: a table (:mod:`eventsim.engine.cpu.gains`) gives
each its gain at every output, as one short polynomial. All outputs lie side by side in vectors
of LANES. Where synapses are few, or have delays of their own, they are taken one by one:
:mod:`eventsim.engine.cpu.readout_apart`.

Work per spike and vector of outputs in single precision: 10 operations forward, 40 backward, and 6
and 24 vectors of the table from the first-level cache.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import kernel, lean, scalar
from eventsim.engine.cpu.gains import fill, lanes_polynomial, window_of
from eventsim.engine.cpu.lanes import (
    LANES,
    all_lanes,
    lanes_add,
    lanes_fma,
    lanes_sum,
    lanes_times,
    load,
    store,
    widened,
)
from eventsim.engine.cpu.scalar import decay
from eventsim.engine.gain_windows import GAIN, GAIN_BY_MEM, GAIN_BY_SYN, GAIN_LATER, N_GAIN

# Rows of the sums over arrivals, each times its weight: gain, its derivatives by both rates.
N_SUMS = 3

# Spikes whose places in the table are found before their gains; of so many, gains are added up in
# the type of the state.
BATCH, GROUP = 256, 16


class ReadoutSpikes(NamedTuple):
    """Spikes of all sources, one source after the other, sample after sample.

    Those of source k in sample s are ``first[k, s] : first[k, s + 1]``; rows of the wiring begin
    at ``row_start[k]``. ``delay`` is that of each row, ms, where synapses have none of their own.
    """

    first: NDArray[np.int64]
    time: NDArray[np.float64]
    neuron: NDArray[np.int32]
    row_start: NDArray[np.int64]
    delay: NDArray[np.float64]


class Gains(NamedTuple):
    """Table of gains, and what it is made of: rates of outputs and weight, windows per ms."""

    par: NDArray[np.float64]
    rate: float
    per_ms: float
    table: NDArray[np.floating]


class Batch(NamedTuple):
    """Places of spikes in the table, and the weight exp(-rate t) at their arrivals."""

    time: NDArray[np.float64]
    row: NDArray[np.int64]
    window: NDArray[np.int64]
    place: NDArray[np.floating]
    fade: NDArray[np.floating]


@scalar
def _batch(table):
    return Batch(
        np.empty(BATCH), np.empty(BATCH, np.int64), np.empty(BATCH, np.int64),
        np.empty(BATCH, table.dtype), np.empty(BATCH, table.dtype),
    )  # fmt: skip


@lean
def _arrive(times, neurons, row_start, delay, time, row):
    for i in range(times.size):
        row[i] = np.uint32(neurons[i]) + row_start
        time[i] = times[i] + delay[row[i]]


@lean
def _find_windows(time, t_end, per_ms, window, place):
    for i in range(time.size):
        window[i], place[i] = window_of(max(t_end - time[i], 0.0), per_ms)


@lean
def _fade(time, t_end, rate, fade):
    real = type(fade[0])
    for i in range(time.size):
        weight = decay(real(rate * time[i]))
        fade[i] = weight if time[i] < t_end else real(0.0)


@lean
def _take(spikes, source, low, high, t_end, gains, batch):
    """Fill a batch with the spikes ``low : high``; in three loops, each of which is vectorised."""
    n = high - low
    times, neurons = spikes.time[low:high], spikes.neuron[low:high]
    _arrive(times, neurons, spikes.row_start[source], spikes.delay, batch.time, batch.row)
    _find_windows(batch.time[:n], t_end, gains.per_ms, batch.window, batch.place)
    _fade(batch.time[:n], t_end, gains.rate, batch.fade)


@lean
def _add_gains(batch, n, weights, table, sums):
    """Add weight times gain of a batch at one block of outputs."""
    stride, zero = N_GAIN * table.shape[2] * LANES, type(table[0, 0, 0, 0])(0.0)
    total = load(sums, 0)
    for low in range(0, n, GROUP):
        part = all_lanes(zero)
        for i in range(low, min(low + GROUP, n)):
            w = lanes_times(all_lanes(batch.fade[i]), load(weights, batch.row[i] * LANES))
            gain = lanes_polynomial(table, batch.window[i] * stride, all_lanes(batch.place[i]))
            part = lanes_fma(w, gain, part)
        total = lanes_add(total, widened(part))
    store(sums, 0, total)


@kernel
def forward(spikes, gains, weights, duration, integral):
    """``integral[s, k]`` = sum of weight times gain over all arrivals."""
    fill(gains.par, gains.rate, gains.per_ms, gains.table)
    for s in prange(duration.size):
        batch, sums = _batch(gains.table), np.zeros((weights.shape[0], LANES))
        for source in range(spikes.first.shape[0]):
            end = spikes.first[source, s + 1]
            for low in range(spikes.first[source, s], end, BATCH):
                high = min(low + BATCH, end)
                _take(spikes, source, low, high, duration[s], gains, batch)
                for block in range(weights.shape[0]):
                    _add_gains(batch, high - low, weights[block], gains.table[block], sums[block])
        integral[s] = sums.ravel()[: integral.shape[1]]


@lean
def _add_slopes(batch, n, weights, table, seed, wide_seed, sums, by_weight, effects):
    """As :func:`_add_gains`, with all derivatives; ``seed`` is dL/d(integral) of the outputs."""
    terms = table.shape[2] * LANES
    zero = type(table[0, 0, 0, 0])(0.0)
    unit, wide_unit = load(seed, 0), load(wide_seed, 0)
    gains, by_mem, by_syn = load(sums, 0), load(sums, LANES), load(sums, 2 * LANES)
    for low in range(0, n, GROUP):
        part_gain = part_mem = part_syn = all_lanes(zero)
        for i in range(low, min(low + GROUP, n)):
            at, u = batch.window[i] * N_GAIN * terms, all_lanes(batch.place[i])
            row, fade = batch.row[i] * LANES, all_lanes(batch.fade[i])
            w = lanes_times(fade, load(weights, row))
            gain = lanes_polynomial(table, at + GAIN * terms, u)
            part_gain = lanes_fma(w, gain, part_gain)
            part_mem = lanes_fma(w, lanes_polynomial(table, at + GAIN_BY_MEM * terms, u), part_mem)
            part_syn = lanes_fma(w, lanes_polynomial(table, at + GAIN_BY_SYN * terms, u), part_syn)
            later = lanes_polynomial(table, at + GAIN_LATER * terms, u)
            effects[i] += lanes_sum(lanes_times(lanes_times(w, unit), later))
            faded = widened(lanes_times(fade, gain))
            store(by_weight, row, lanes_fma(faded, wide_unit, load(by_weight, row)))
        gains = lanes_add(gains, widened(part_gain))
        by_mem, by_syn = lanes_add(by_mem, widened(part_mem)), lanes_add(by_syn, widened(part_syn))
    store(sums, 0, gains)
    store(sums, LANES, by_mem)
    store(sums, 2 * LANES, by_syn)


@kernel
def backward(bounds, spikes, gains, weights, duration, seeds, by_weight, effects, sums):
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own.

    ``seeds`` are dL/d(integral), [samples, blocks, LANES]; ``by_weight`` is [chunks, blocks, rows,
    LANES], ``sums`` [chunks, N_SUMS, blocks, LANES].
    """
    fill(gains.par, gains.rate, gains.per_ms, gains.table)
    for chunk in prange(bounds.size - 1):
        batch, part = _batch(gains.table), np.zeros((weights.shape[0], N_SUMS, LANES))
        seed = seeds[0].astype(gains.table.dtype)
        for s in range(bounds[chunk], bounds[chunk + 1]):
            part[:] = 0.0
            seed[:] = seeds[s]
            for source in range(spikes.first.shape[0]):
                end = spikes.first[source, s + 1]
                for low in range(spikes.first[source, s], end, BATCH):
                    high = min(low + BATCH, end)
                    _take(spikes, source, low, high, duration[s], gains, batch)
                    for block in range(weights.shape[0]):
                        _add_slopes(
                            batch, high - low, weights[block], gains.table[block], seed[block],
                            seeds[s, block], part[block], by_weight[chunk, block],
                            effects[low:high],
                        )  # fmt: skip
            for i in range(N_SUMS):
                sums[chunk, i] += seeds[s] * part[:, i]
