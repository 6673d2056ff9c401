"""The way back from voltages at asked times of readout neurons that share their events.

From the last asked time to the first, and then to the start, what the loss says of a voltage is
added to the adjoint state; the way between two asked times is that of a layer whose neurons do not
fire (:mod:`eventsim.engine.cpu.shared_adjoint`), whose stretches end at the asked times as well.
"""

import numpy as np
from numba import prange

from eventsim.engine.cpu.adjoint_series import series_table
from eventsim.engine.cpu.aside import Found, Way, aside_of, passage_of
from eventsim.engine.cpu.blocks import bounds_of, events_of
from eventsim.engine.cpu.compile import kernel, scalar
from eventsim.engine.cpu.lanes import LANES
from eventsim.engine.cpu.shared_adjoint import add_by_drive, add_part, block_of, go_back
from eventsim.engine.cpu.walk import Tape
from eventsim.engine.table import ALPHA, N_ADJOINT, N_OWN, N_SUMS


@scalar
def _silent(width):
    """The way of neurons that do not fire."""
    none, number = np.zeros(0), np.zeros(0, np.int64)
    tape = Tape(none, np.zeros(0, np.int32), none, none, none, none, number, none)
    current, released = np.full(width, -1), np.ones(width, np.bool_)
    return Way(tape, current, released, none, np.zeros(0, np.int32))


@scalar
def _sample_back(at, by_voltage, times, rows, number, block, fastest, way, passage, aside, room,
                 found, asked, effects):  # fmt: skip
    """A block of neurons in one sample, ``by_voltage`` [asked, neurons] being dL/dV of its own."""
    now, event, real = 0, times.size, type(block.par[0, 0])
    nothing = np.zeros(0, np.int64)
    for q in range(at.size - 1, -1, -1):
        if at[q] <= 0.0:
            break  # at the start V rests, whatever comes
        for n in range(by_voltage.shape[1]):
            room[now, ALPHA, n] += real(by_voltage[q, n])
        begin = at[q - 1] if q > 0 else 0.0
        if begin < at[q]:
            while event > 0 and times[event - 1] >= at[q]:
                event -= 1
            first = event
            while first > 0 and times[first - 1] >= begin:
                first -= 1
            mine = effects if number.size > 0 else effects[first:event]
            now, _ = go_back(
                times[first:event], rows[first:event], number[first:event], nothing, block, at[q],
                begin, fastest, way, passage, aside, room, now, found, asked, mine, None,
            )  # fmt: skip
            event = first


@kernel
def backward(bounds, heard, offsets, times, rows, weights, par, at, by_voltage, fastest, middle,
             length, by_weight, effects, sums):  # fmt: skip
    """From dL/dV at the ascending times ``at`` of every sample, [samples, asked, size].

    Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own.
    """
    n_blocks, nothing, wide = heard.shape[0], np.zeros(0, np.int64), weights.shape[2]
    table, asked = series_table(par, middle, length), np.ones(weights.shape[1], np.bool_)
    refractory = np.zeros(par.shape[1])
    for chunk in prange(bounds.size - 1):
        for b in range(n_blocks):
            low, high = bounds_of(b, n_blocks, par.shape[1])
            block = block_of(weights[b], par, refractory, low, high, table, middle, length)
            part, own = np.zeros((N_SUMS, wide), par.dtype), np.zeros((N_OWN, high - low))
            found = Found(by_weight[chunk, b], part, own)
            passage, aside, way = passage_of(par), aside_of(block), _silent(wide)
            room = np.empty((2, N_ADJOINT, wide + LANES), par.dtype)
            for s in range(bounds[chunk], bounds[chunk + 1]):
                part[:], room[:] = 0.0, 0.0
                lo, hi = offsets[s], offsets[s + 1]
                my_times, my_rows, number = events_of(heard, b, lo, hi, times, rows, nothing)
                _sample_back(
                    at[s], by_voltage[s, :, low:high], my_times, my_rows, number, block, fastest,
                    way, passage, aside, room, found, asked, effects[lo:hi],
                )  # fmt: skip
                add_part(part, low, high, sums[chunk])
            add_by_drive(found, weights[b], low, high, sums[chunk])
