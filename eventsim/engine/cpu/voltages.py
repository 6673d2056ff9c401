"""Voltage at asked times of readout neurons that share their events.

Neurons lie side by side and go from stretch to stretch (:mod:`eventsim.engine.cpu.stretch`), the
last before an asked time ending there. The formulas are told in
:mod:`eventsim.adjoint.linear.voltage`; voltages are from E.
"""

import numpy as np
from numba import prange

from eventsim.engine.cpu.blocks import bounds_of, columns, events_of
from eventsim.engine.cpu.compile import kernel, lean
from eventsim.engine.cpu.scalar import SMALL_Z
from eventsim.engine.cpu.shared import new_room
from eventsim.engine.cpu.stretch import far_propagators, far_step, fill, near_step
from eventsim.engine.series import ITEMS, SPAN


@lean
def _read(times, rows, weights, par, asked, fastest, longest, room, value):
    """A block of neurons in one sample at its ascending asked times, [asked, neurons]."""
    real, stretch, width = type(par[0, 0]), room.stretch, par.shape[1]
    before, after = room.before, room.after
    t, event, n_events = 0.0, 0, 0
    for q in range(asked.size):
        while n_events < times.size and times[n_events] < asked[q]:
            n_events += 1
        ends = asked[q] <= t
        while not ends:
            event, _, _, ends = fill(
                stretch, event, times, rows, n_events, t, asked[q], weights, longest
            )
            until = stretch.time[ITEMS - 1]
            h = real(until - t)
            # The alert levels are infinite: no neuron is found.
            if fastest * h <= real(SMALL_Z):
                near_step(
                    par, room.alert, room.table, before, after, weights, stretch, h, room.far,
                    room.walking,
                )  # fmt: skip
            else:
                far_propagators(h, par, room.far, 0, width)
                far_step(
                    par, room.alert, room.table, before, after, weights, stretch, h, room.far,
                    room.walking,
                )  # fmt: skip
            before, after, t = after, before, until
        for n in range(value.shape[1]):
            value[q, n] = before[0, n]


@kernel
def forward(heard, offsets, times, rows, weights, par, asked, fastest, value):
    """V of every neuron of every sample at its ascending asked times, [samples, asked, size]."""
    n_blocks, nothing = heard.shape[0], np.zeros(0, np.int64)
    longest = type(fastest)(SPAN) / fastest
    for task in prange(asked.shape[0] * n_blocks):
        s, block = task // n_blocks, task % n_blocks
        low, high = bounds_of(block, n_blocks, par.shape[1])
        lo, hi = offsets[s], offsets[s + 1]
        my_times, my_rows, _ = events_of(heard, block, lo, hi, times, rows, nothing)
        my_par = columns(par, low, high, weights.shape[2])
        _read(
            my_times, my_rows, weights[block], my_par, asked[s], fastest, longest,
            new_room(my_par, longest), value[s, :, low:high],
        )  # fmt: skip
