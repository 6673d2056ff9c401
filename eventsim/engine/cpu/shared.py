"""Neurons that meet the same events, side by side over a stretch: for loops and voltages.

All neurons go over a stretch of a few arrivals at once, in vectors
(:mod:`eventsim.engine.cpu.lanes`), which finds those that may fire within it:
:mod:`eventsim.engine.cpu.stretch`. These, and neurons that are let go of within it, then walk the
stretch one by one, arrival by arrival, from the state before it. In most networks events come every
few tenths of a ms, so that the products of rate and stretch are below SMALL_Z and exponentials are
short polynomials ("near" loops).

Layers do the same in ``eventsim/kernels/cpu/dense``, which is compiled ahead of time.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.cpu.adaptive import lift_alerts
from eventsim.engine.cpu.compile import lean_inlined, scalar
from eventsim.engine.cpu.scalar import SMALL_Z, flush
from eventsim.engine.cpu.stretch import (
    Stretch,
    far_maps,
    far_propagators,
    far_step,
    near_maps,
    near_step,
    new_stretch,
    polynomials,
    weight_at,
)
from eventsim.engine.cpu.walk import Held, SinceArrival, sort_tail, walk
from eventsim.engine.series import ITEMS
from eventsim.engine.table import ALERT, RESET


class Room(NamedTuple):
    """What one task works in: values of every neuron of its block, and of the columns behind.

    ``alert`` is infinite where V is held, and behind the last neuron; ``far`` and ``maps`` hold
    propagators, of all neurons over a stretch and of one from item to item.
    """

    before: NDArray[np.floating[Any]]
    after: NDArray[np.floating[Any]]
    alert: NDArray[np.floating[Any]]
    table: NDArray[np.floating[Any]]
    far: NDArray[np.floating[Any]]
    maps: NDArray[np.floating[Any]]
    held: Held
    holding: NDArray[np.int64]
    walking: NDArray[np.int64]
    fired: SinceArrival
    stretch: Stretch


@scalar
def new_room(par, longest):
    """Room for a block of neurons."""
    width = par.shape[1]
    alert = np.full(width, np.inf).astype(par.dtype)
    return Room(
        np.zeros((2, width), par.dtype), np.zeros((2, width), par.dtype), alert,
        polynomials(par, longest).reshape((-1, width)), np.zeros((3, width), par.dtype),
        np.zeros((3, ITEMS), par.dtype), Held(np.full(width, -1), np.zeros(width)),
        np.zeros(width, np.int64), np.zeros(width, np.int64),
        SinceArrival(np.zeros(width, np.int64), np.zeros(width, np.int64)), new_stretch(par),
    )  # fmt: skip


@lean_inlined
def look_who_is_held(room, par, n_neurons):
    """Set alerts and who is held by ``room.held``; returns how many are."""
    alert, holding, held, n_holding = room.alert, room.holding, room.held, 0
    for n in range(n_neurons):
        alert[n] = par[ALERT, n]
        if held.spike[n] >= 0:
            alert[n], holding[n_holding] = np.inf, n
            n_holding += 1
    return n_holding


@lean_inlined
def _let_go(holding, n_holding, walking, n_walking, held, until, par, after):
    """Those held that are let go of before ``until`` walk. Returns how many are held, and walk."""
    size = 0
    for i in range(n_holding):
        n = holding[i]
        if held.until[n] < until:
            walking[n_walking] = n
            n_walking += 1
        else:
            after[0, n], holding[size] = par[RESET, n], n
            size += 1
    return size, n_walking


@lean_inlined
def meet_stretch(room, before, after, t, size, empty, n_holding, weights, par, refractory, fastest,
                 spikes, start, limit, count, arrival, since, adapt, recent):  # fmt: skip
    """All neurons go from ``before``, at t, over the stretch in ``room`` to ``after``.

    ``arrival`` and ``since`` are the number and the time of the last arrival before it; ``adapt``
    and ``recent`` as :func:`eventsim.engine.cpu.walk.walk`. Returns the number of spikes, that of
    neurons held, and the first neuron to run away, or -1, with its time.
    """
    stretch, held, alert, holding = room.stretch, room.held, room.alert, room.holding
    walking, maps, fired, item = room.walking, room.maps, room.fired, stretch.time
    until, first, failed, failed_at = item[ITEMS - 1], count, -1, item[ITEMS - 1]
    real = type(par[0, 0])
    h = real(until - t)
    near = fastest * h <= real(SMALL_Z)
    if adapt is not None:
        lift_alerts(adapt, par, alert, until)
    if near:
        n_walking = near_step(
            par, alert, room.table, before, after, weights, stretch, h, room.far, walking
        )
    else:
        far_propagators(h, par, room.far, 0, par.shape[1])
        n_walking = far_step(
            par, alert, room.table, before, after, weights, stretch, h, room.far, walking
        )
    n_holding, n_walking = _let_go(holding, n_holding, walking, n_walking, held, until, par, after)
    for i in range(n_walking):
        n = walking[i]
        if near:
            near_maps(par, n, stretch, maps)
        else:
            far_maps(par, n, stretch, maps)
        v, j, at, met, seen = before[0, n], before[1, n], t, arrival, since
        n_fired = fired.times[n] if fired.arrival[n] == arrival else 0
        for k in range(size):
            v, j, reached, total = walk(
                n, v, j, at, item[k], maps[0, k], maps[1, k], maps[2, k], par, refractory, held,
                spikes, start, limit, count, seen, n_fired, False, adapt, recent,
            )  # fmt: skip
            if total < 0:
                if failed < 0 or reached < failed_at:
                    failed, failed_at = n, reached
                break
            n_fired, count, at = n_fired + total - count, total, item[k]
            j = flush(j + weight_at(stretch, k, weights, n))
            if k < size - empty:
                met, seen, n_fired = met + 1, at, 0
        fired.arrival[n], fired.times[n] = met, n_fired
        after[0, n], after[1, n], alert[n] = v, j, par[ALERT, n]
        if held.spike[n] >= 0:
            alert[n], holding[n_holding] = np.inf, n
            n_holding += 1
    if count > first + 1:
        sort_tail(spikes, held, start + first, start + min(count, limit), start)
    return count, n_holding, failed, failed_at
