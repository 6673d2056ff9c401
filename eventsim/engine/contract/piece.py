"""A stage on the way back over one piece of a stream.

A piece goes from ``begin`` to the end of its job. What the pieces after it hand over is the adjoint
state of every neuron at its end; what it hands on is that at ``begin``, and dL/dt of spikes before
``begin`` that still act in it: they are among the spikes of the job, and are not met themselves.
No state of the forward run is needed: the way back meets recorded spikes and arrivals alone, so
that the gradients of all pieces add up to those of one run, to rounding.
"""

from typing import NamedTuple

import numpy as np

from eventsim.arrays import Array, Floats
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import N_ADJOINT, N_BEHIND, real_type
from eventsim.events.tape import Adapted


class AdaptedPiece(NamedTuple):
    r"""Adaptive thresholds on the way back over a piece; arrays of NumPy, float64.

    ``begin`` is the adaptation at the begin of the piece. ``behind`` [samples, N_BEHIND, neurons]
    has of the next spike after the piece :math:`\partial L/\partial a` right before it, its product
    with the adaptation there, and its time, and is changed in place to that of the first in it.
    """

    begin: Adapted
    behind: Floats


class Piece(NamedTuple):
    """Adjoint state and bounds of a piece on the way back.

    ``begin`` in ms, [samples]. ``adjoint`` is the state at the end, [samples, N_ADJOINT, neurons]
    in the type of the state, NumPy, and is changed in place to that at ``begin``. The first piece
    of a stream ``starts`` at time zero. ``adapted`` is None where no threshold is adaptive.
    """

    begin: Floats
    adjoint: Array
    starts: bool
    adapted: AdaptedPiece | None = None


def whole(job: Job) -> Piece:
    """From the end of the samples, where the adjoint state is zero, to time zero."""
    return Piece(np.zeros(job.n_samples), np.zeros((0, N_ADJOINT, 0), real_type(job)), starts=True)


def last_piece(job: Job, begin: Floats, *, starts: bool, adapted: Adapted | None = None) -> Piece:
    """A piece after which nothing comes; ``adapted`` is the adaptation at its begin."""
    n, size = job.n_samples, job.stage.population.size
    thresholds = None
    if adapted is not None:
        thresholds = AdaptedPiece(adapted, np.zeros((n, N_BEHIND, size)))
    return Piece(begin, np.zeros((n, N_ADJOINT, size), real_type(job)), starts, thresholds)
