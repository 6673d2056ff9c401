"""Readout integral and its gradients; twin of :mod:`eventsim.engine.reference.readout`.

Spikes are grouped by source, so that the kernel of one (output, synapse) pair is evaluated over a
contiguous array of times; the compiler vectorises that loop.
"""

import numpy as np
from numba import prange

from eventsim.engine.cpu.compile import formula, kernel, scalar
from eventsim.engine.cpu.scalar import decay, far_terms
from eventsim.engine.table import READOUT_MEM, READOUT_RESISTANCE, READOUT_SYN

# Rows of the gain table: gain, its derivatives by both rates, the gain's loss by a later arrival.
GAIN, BY_MEM, BY_SYN, LATER = range(4)
N_GAIN = 4
# Rows of the sums: dL/d(membrane rate), dL/d(synaptic rate), dL/d(resistance).
N_SUMS = 3


@formula
def _arrival(time, t_end, rate, a, b):
    """Gain of one arrival, its derivatives by both rates, and what a later arrival loses."""
    real = type(a)
    zero = real(0.0)
    p, q = a + rate, b + rate
    membrane_slow = p <= q
    slow, gap = p if membrane_slow else q, abs(q - p)
    span = real(t_end - time)
    arrives = span > zero
    span = span if arrives else zero
    fade = decay(rate * real(time))
    fade = fade if arrives else zero
    psi_p, phi_p, _ = far_terms(p * span)
    _, _, s = far_terms(slow * span)
    psi_z, phi_z, _ = far_terms(gap * span)
    unit = span * s
    difference = unit * phi_z
    by_slow, by_fast = span * (unit * psi_z), -span * (unit * (psi_z + phi_z))
    by_p = by_slow if membrane_slow else by_fast
    by_q = by_fast if membrane_slow else by_slow
    inner = (span * phi_p - difference) / q
    area_by_p = -span * (span * (psi_p + phi_p))
    gain = fade * (a * inner)
    return (
        gain,
        fade * (inner + a * ((area_by_p - by_p) / q)),
        fade * (a * ((-by_q - inner) / q)),
        -(rate * gain + fade * (a * difference)),
    )


@scalar
def _gains(times, shift, t_end, rate, a, b, table):
    """Gains of arrivals at ``times + shift``; zero for those that come too late."""
    for i in range(times.size):
        gain, _, _, _ = _arrival(times[i] + shift, t_end, rate, a, b)
        table[GAIN, i] = gain


@scalar
def _slopes(times, shift, t_end, rate, a, b, table):
    """As :func:`_gains`, with all that the backward pass needs."""
    for i in range(times.size):
        gain, by_mem, by_syn, later = _arrival(times[i] + shift, t_end, rate, a, b)
        table[GAIN, i], table[BY_MEM, i] = gain, by_mem
        table[BY_SYN, i], table[LATER, i] = by_syn, later


@scalar
def _largest_group(first, s):
    size = 0
    for row in range(first.shape[1] - 1):
        size = max(size, first[s, row + 1] - first[s, row])
    return size


@kernel
def forward(fan, par, rate, duration, integral):
    """``integral[s, k]`` = R times the sum of weight times gain over all arrivals."""
    for s in prange(duration.size):
        table = np.zeros((N_GAIN, _largest_group(fan.first, s)), par.dtype)
        for k in range(par.shape[1]):
            total = 0.0
            for entry in range(fan.in_start[k], fan.in_start[k + 1]):
                row, synapse = fan.row[entry], fan.synapse[entry]
                lo, hi = fan.first[s, row], fan.first[s, row + 1]
                _gains(
                    fan.time[lo:hi], fan.delay[synapse], duration[s], rate,
                    par[READOUT_MEM, k], par[READOUT_SYN, k], table,
                )  # fmt: skip
                gain = 0.0
                for i in range(hi - lo):
                    gain += table[GAIN, i]
                total += fan.weight[synapse] * gain
            integral[s, k] = par[READOUT_RESISTANCE, k] * total


@kernel
def backward(bounds, fan, par, rate, duration, by_integral, by_weight, by_delay, effects, sums):
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own."""
    for chunk in prange(bounds.size - 1):
        for s in range(bounds[chunk], bounds[chunk + 1]):
            table = np.zeros((N_GAIN, _largest_group(fan.first, s)), par.dtype)
            for k in range(par.shape[1]):
                for entry in range(fan.in_start[k], fan.in_start[k + 1]):
                    row, synapse = fan.row[entry], fan.synapse[entry]
                    lo, hi = fan.first[s, row], fan.first[s, row + 1]
                    _slopes(
                        fan.time[lo:hi], fan.delay[synapse], duration[s], rate,
                        par[READOUT_MEM, k], par[READOUT_SYN, k], table,
                    )  # fmt: skip
                    w, scale = np.float64(fan.weight[synapse]), by_integral[s, k]
                    unit = scale * par[READOUT_RESISTANCE, k]
                    gain, by_mem, by_syn, later = 0.0, 0.0, 0.0, 0.0
                    for i in range(hi - lo):
                        gain += table[GAIN, i]
                        by_mem += table[BY_MEM, i]
                        by_syn += table[BY_SYN, i]
                        later += table[LATER, i]
                        effects[fan.spike[lo + i]] += unit * w * table[LATER, i]
                    by_weight[chunk, synapse] += unit * gain
                    by_delay[chunk, synapse] += unit * w * later
                    sums[chunk, 0, k] += unit * w * by_mem
                    sums[chunk, 1, k] += unit * w * by_syn
                    sums[chunk, 2, k] += scale * w * gain
