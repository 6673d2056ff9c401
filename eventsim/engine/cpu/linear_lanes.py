r"""Tables of linear neurons side by side, for stretches that are a piece each.

Neurons of a block share their piece. An arrival at u pieces before the end of a stretch changes the
state there by w times

.. math:: e^{A u \Delta} B = \sum_q d_q u^q,

the Taylor series of MOST terms, whose powers from ``terms`` on are written as the polynomial of
lower degree that is nearest to them on [0, 1] (Chebyshev economisation). With
:math:`\Delta \lVert A \rVert \le 1/2` the error is below 1e-15 of the weight, in single precision,
with fewer terms, below 2e-8. So are the integrals of the way back, :math:`\beta(u \Delta)`.

Arrays are [blocks, rows, neurons of a block], zero behind the last neuron, whose alert level is
infinite.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from eventsim.arrays import Array, Floats
from eventsim.compiled.roles import WeightsRole
from eventsim.compiled.roles_linear import LinearLanesBackRole, LinearLanesRole
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import LinearCells, block_of, receptors_of, states_of
from eventsim.engine.contract.table import of_synapses
from eventsim.engine.cpu import blocks as B
from eventsim.engine.cpu.arrays import MergedEvents
from eventsim.engine.cpu.blocks import LANES

# As in kernels/cpu/linear: stretches.hpp, and layer_back.hpp.
MOST, FAR = 22, 256


def terms_of(real: DTypeLike) -> int:
    """Number of terms that an arrival adds to the state."""
    return 6 if np.dtype(real) == np.float32 else 10


def width_of(size: int) -> int:
    """Neurons of a block, in whole vectors."""
    return B.in_lanes(min(block_of(size), size))


def in_blocks(values: Floats, fill: float = 0.0) -> Floats:
    """Values [size, ..] as [blocks, rows, neurons of a block]; ``fill`` behind the last neuron."""
    rows = values.reshape(len(values), math.prod(values.shape[1:]))
    return B.in_blocks(rows.T, width_of(len(rows)), fill)


def lanes_of(job: Job, cells: LinearCells) -> LinearLanesRole:
    """Tables of a layer whose neurons go side by side."""
    t, size, stage, real = cells.tables, cells.size, job.stage, cells.real
    flow, piece = cells.matrices.flow, t.piece[:size]
    states = sorted(set(states_of(stage)))
    receptor = np.repeat(receptors_of(stage), np.diff(stage.wiring.row_start))
    width = width_of(size)
    return LinearLanesRole(
        in_blocks(t.powers[:size]),
        in_blocks(meets_of(flow, piece, states, terms_of(real)).astype(real)),
        in_blocks(t.bounds[:size]),
        in_blocks(flow[:, 0, states].astype(real)),
        in_blocks(cells.alert, np.inf),
        np.ascontiguousarray(piece[::width]),
        receptor.astype(np.int32),
        np.array(states, np.int32),
        -(-size // width),
        len(states),
        t.powers.shape[1],
    )


def lanes_back_of(cells: LinearCells, beta: Array) -> LinearLanesBackRole:
    """Further tables of the way back; ``beta`` is that of :class:`BackTables`."""
    t, size, real = cells.tables, cells.size, cells.real
    series = beta[:size] * t.piece[:size, None, None] ** np.arange(beta.shape[2])
    return LinearLanesBackRole(
        in_blocks(t.flow[:size]),
        in_blocks(shortened(series, terms_of(real)).astype(real)),
        in_blocks(series.sum(axis=2).astype(real)),
        by_pair_of(beta),
    )


def by_pair_of(beta: Array) -> Array:
    """Coefficients of all pairs side by side, from those of each, with zeros behind."""
    n, pairs, terms = beta.shape
    wide = -(-pairs // 8) * 8
    found = np.zeros(n * terms * wide + LANES, beta.dtype)
    found[:-LANES].reshape(n, terms, wide)[:, :, :pairs] = beta.transpose(0, 2, 1)
    return found


def goes_far(merged: MergedEvents, duration: Floats, cells: LinearCells) -> bool:
    """Whether somewhere nothing arrives for so long that the way back goes over it at once."""
    times, some = merged.times, np.diff(merged.offsets) > 0
    before, last = np.zeros(len(times)), np.zeros(len(some))
    before[1:] = times[:-1]
    before[merged.offsets[:-1][some]] = 0.0
    last[some] = times[merged.offsets[1:][some] - 1]
    longest = max((times - before).max(initial=0.0), (duration - last).max(initial=0.0))
    return bool(longest >= FAR * cells.tables.piece.min())


def weights_of(job: Job, real: type[np.floating[Any]]) -> WeightsRole:
    """Weights of a layer in blocks, [blocks, rows, width]."""
    stage, size = job.stage, job.stage.population.size
    rows = np.zeros((int(stage.wiring.row_start[-1]), size), real)
    if stage.places is None:
        rows.reshape(-1)[:] = job.weights()
    else:
        rows.reshape(-1)[stage.places] = job.weights()
    return WeightsRole.of(in_blocks(rows.T))


def of_blocks(job: Job, blocks: Floats) -> Floats:
    """Undo :func:`weights_of`: values of the synapses from [blocks, rows, width]."""
    rows = B.of_blocks(blocks, job.stage.population.size)
    found: Floats = of_synapses(job, np.ascontiguousarray(rows))
    return found


def meets_of(flow: Floats, piece: Floats, states: list[int], terms: int) -> Floats:
    """Coefficients of what an arrival adds, [size, receptors, n, terms]."""
    a = flow * piece[:, None, None]
    found = np.zeros((len(flow), len(states), flow.shape[1], MOST))
    for k, state in enumerate(states):
        term = np.zeros(flow.shape[:2])
        term[:, state] = 1.0
        for m in range(MOST):
            found[:, k, :, m] = term
            term = np.einsum("nij,nj->ni", a, term) / (m + 1)
    return shortened(found, terms)


def shortened(series: Floats, terms: int) -> Floats:
    """Power series on [0, 1], of up to MOST terms, with so many."""
    found: Floats = series @ _shorter(terms)[: series.shape[-1]]
    return found


@cache
def _shorter(terms: int) -> Floats:
    """The powers as polynomials of so many terms, [MOST, terms]."""
    by = np.eye(MOST, terms)
    for m in range(terms, MOST):
        power = np.polynomial.Polynomial([0.0] * m + [1.0])
        near = power.convert(kind=np.polynomial.Chebyshev, domain=[0.0, 1.0], window=[-1.0, 1.0])
        by[m] = near.truncate(terms).convert(kind=np.polynomial.Polynomial).coef
    return by
