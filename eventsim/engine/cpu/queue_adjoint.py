"""Neurons joined in loops, backward: all arrivals of a sample from the last to the first.

An arrival takes its neuron back to its time, over the neuron's own later spikes. All that those
spikes caused came later still, and has added its part to their dL/dt before. Of a spike and an
arrival at the same neuron at exactly the same time, the arrival came first, unless it was caused
without a delay by that neuron or one of a higher number, which fire after it.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.adaptive import back_of
from eventsim.engine.cpu.compile import kernel, scalar
from eventsim.engine.cpu.walk import end_at_start, walk_back
from eventsim.engine.cpu.weights import base_of, weight_at, width_of
from eventsim.engine.table import (
    ALPHA,
    BETA,
    BETA_MEM,
    BETA_SYN,
    BY_DRIVE,
    BY_MEM,
    BY_SELF,
    BY_SELF_DELAY,
    BY_SYN,
    N_ADJOINT,
    RATE_MEM,
    RATE_SYN,
)


class Totals(NamedTuple):
    """What the samples of one chunk add to; ``effects`` is by spike, and common to all chunks.

    ``delay`` has no entries where no synapse has a delay of its own.
    """

    weight: NDArray[np.floating]
    delay: NDArray[np.float64]
    effects: NDArray[np.floating]
    sums: NDArray[np.float64]
    own: NDArray[np.float64]


@scalar
def _run_sample_back(met, lo, hi, loop, par, refractory, t_end, last, tape, way_back, s, totals,
                     adapt):  # fmt: skip
    """Sample s; returns the number of grazes."""
    size, begin = par.shape[1], way_back.begin[s]
    adjoint, t = np.zeros((N_ADJOINT, size), par.dtype), np.full(size, t_end)
    if way_back.adjoint.size > 0:
        adjoint[:] = way_back.adjoint[s]
    current, released, grazes = last.copy(), np.ones(size, np.bool_), 0
    for n in range(size):
        released[n] = current[n] < 0 or np.isnan(tape.restart[current[n]])
    for e in range(hi - 1, lo - 1, -1):
        own = met.first[e] >= OWN
        low = np.int64(0) if own else met.first[e]
        base, width = base_of(loop.weight, low), width_of(loop.weight)
        for k in range((np.int64(1) if own else met.last[e]) - 1, low - 1, -1):
            n = met.first[e] - OWN if own else np.int64(loop.target[k])
            time, cause = met.time[e], met.cause[e]
            if cause >= 0 and tape.time[cause] == time and tape.neuron[cause] >= n:
                # Without a delay it came after a spike of n at the same time: stop short of that.
                time = np.nextafter(time, np.inf)
            grazes += walk_back(
                n, adjoint, t[n], time, par, refractory, tape, current, released,
                totals.sums, totals.own, adapt,
            )  # fmt: skip
            t[n] = time
            beta = adjoint[BETA, n]
            w = loop.own_weight[n] if own else weight_at(base, width, k, beta)
            later = w * (par[RATE_SYN, n] * beta - par[RATE_MEM, n] * adjoint[ALPHA, n])
            totals.sums[BY_DRIVE, n] += w * beta
            totals.sums[BY_MEM, n] += w * adjoint[BETA_MEM, n]
            totals.sums[BY_SYN, n] += w * adjoint[BETA_SYN, n]
            if own:
                totals.own[BY_SELF, n] += beta
                totals.own[BY_SELF_DELAY, n] += later
            else:
                totals.weight[k] += beta
                if totals.delay.size > 0:
                    totals.delay[k] += later
                totals.effects[met.spike[e]] += later
            if cause >= 0:
                tape.by_time[cause] += later
    for n in range(size):
        grazes += walk_back(
            n, adjoint, t[n], begin, par, refractory, tape, current, released, totals.sums,
            totals.own, adapt,
        )  # fmt: skip
        if way_back.starts:
            end_at_start(n, adjoint, par, totals.sums, totals.own)
    if way_back.adjoint.size > 0:
        way_back.adjoint[s] = adjoint
    return grazes


@kernel
def backward(bounds, met, loop, par, refractory, duration, last, tape, way_back, weight, delay,
             effects, sums, own, grazes, adapt):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own."""
    for c in prange(bounds.size - 1):
        totals = Totals(weight[c], delay[c], effects, sums[c], own[c])
        for s in range(bounds[c], bounds[c + 1]):
            grazes[c] += _run_sample_back(
                met, met.offsets[s], met.offsets[s + 1], loop, par, refractory, duration[s],
                last[s], tape, way_back, s, totals, back_of(adapt, c, 0, par.shape[1]),
            )  # fmt: skip
