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
from eventsim.engine.job import Job
from eventsim.engine.table import N_ADJOINT, real_type


class Piece(NamedTuple):
    """What a stage is given on the way back over a piece.

    ``begin`` in ms, [samples]. ``adjoint`` is the state at the end, [samples, N_ADJOINT, neurons]
    in the type of the state, NumPy, and is changed in place to that at ``begin``. The first piece
    of a stream ``starts`` at time zero.
    """

    begin: Floats
    adjoint: Array
    starts: bool


def whole(job: Job) -> Piece:
    """From the end of the samples, where the adjoint state is zero, to time zero."""
    return Piece(np.zeros(job.n_samples), np.zeros((0, N_ADJOINT, 0), real_type(job)), starts=True)


def last_piece(job: Job, begin: Floats, *, starts: bool) -> Piece:
    """A piece after which nothing comes."""
    shape = (job.n_samples, N_ADJOINT, job.stage.population.size)
    return Piece(begin, np.zeros(shape, real_type(job)), starts)
