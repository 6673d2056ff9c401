"""Events put in order: merged over sources, grouped by source, linked by neuron."""

import numpy as np
from numba import prange

from eventsim.engine.cpu.compile import kernel, scalar


@scalar
def merge_runs(time, first, second, bounds, n_runs, time2, first2, second2):
    """Merge ascending runs ``bounds[r] : bounds[r + 1]`` pairwise until one is left.

    Equal times keep the order of their runs. The arrays come in pairs, of which the second serves
    as workspace; returns True if the result stands in the second.
    """
    swapped = False
    while n_runs > 1:
        merged = 0
        for r in range(0, n_runs, 2):
            i, j_end = bounds[r], bounds[min(r + 2, n_runs)]
            i_end = bounds[r + 1]
            j = i_end
            for k in range(bounds[r], j_end):
                if i < i_end and (j >= j_end or time[i] <= time[j]):
                    time2[k], first2[k], second2[k] = time[i], first[i], second[i]
                    i += 1
                else:
                    time2[k], first2[k], second2[k] = time[j], first[j], second[j]
                    j += 1
            merged += 1
            bounds[merged] = j_end
        time, time2, first, first2 = time2, time, first2, first
        second, second2 = second2, second
        n_runs, swapped = merged, not swapped
    return swapped


@scalar
def _copy(values, start, count, out, to):
    for k in range(count):
        out[to + k] = values[start + k]


@kernel
def merge(times, rows, spikes, starts, offsets, out_time, out_row, out_spike):
    """Merge the runs of every sample.

    Runs of sample s lie at ``starts[s, r] : starts[s, r + 1]`` of the input, one behind the other;
    the result lies at ``offsets[s] : offsets[s + 1]`` of the output.
    """
    for s in prange(offsets.size - 1):
        lo, hi = offsets[s], offsets[s + 1]
        n_runs = starts.shape[1] - 1
        time, row, spike = times[lo:hi].copy(), rows[lo:hi].copy(), spikes[lo:hi].copy()
        bounds = starts[s] - lo
        if not merge_runs(
            time, row, spike, bounds, n_runs,
            out_time[lo:hi], out_row[lo:hi], out_spike[lo:hi],
        ):  # fmt: skip
            _copy(time, 0, hi - lo, out_time, lo)
            _copy(row, 0, hi - lo, out_row, lo)
            _copy(spike, 0, hi - lo, out_spike, lo)


@kernel
def group(offsets, times, index, base, row_shift, first, out_time, out_spike):
    """Sort the spikes of one source by (sample, row), keeping their order in time.

    ``first[s, row]`` is where the spikes of that row go; it is moved on past them. ``base`` is the
    number of the source's first spike among those of all sources.
    """
    for s in prange(offsets.size - 1):
        for k in range(offsets[s], offsets[s + 1]):
            row = index[k] + row_shift
            out_time[first[s, row]] = times[k]
            out_spike[first[s, row]] = base + k
            first[s, row] += 1


@kernel
def count_rows(offsets, index, row_shift, counts):
    """Spikes of every (sample, row), added to ``counts``."""
    for s in prange(offsets.size - 1):
        for k in range(offsets[s], offsets[s + 1]):
            counts[s, index[k] + row_shift] += 1


@kernel
def link(offsets, neurons, previous, last):
    """Per spike the one before of the same neuron and sample, or -1; per neuron the last."""
    for s in prange(offsets.size - 1):
        for k in range(offsets[s], offsets[s + 1]):
            previous[k] = last[s, neurons[k]]
            last[s, neurons[k]] = k


@kernel
def sort_spikes(offsets, time, neuron, current, restart):
    """Sort each sample by time in place; equal times keep their order."""
    for s in prange(offsets.size - 1):
        lo, hi = offsets[s], offsets[s + 1]
        order = np.argsort(time[lo:hi], kind="mergesort")
        time[lo:hi] = time[lo:hi][order]
        neuron[lo:hi] = neuron[lo:hi][order]
        current[lo:hi] = current[lo:hi][order]
        restart[lo:hi] = restart[lo:hi][order]


@kernel
def pack(spikes, starts, counts, to, packed):
    """Copy what every task wrote into arrays without gaps."""
    for i in prange(starts.size):
        _copy(spikes.time, starts[i], counts[i], packed.time, to[i])
        _copy(spikes.neuron, starts[i], counts[i], packed.neuron, to[i])
        _copy(spikes.current, starts[i], counts[i], packed.current, to[i])
        _copy(spikes.restart, starts[i], counts[i], packed.restart, to[i])
