r"""Gradients of a stage by its given start.

The adjoint state at time zero says how the loss changes with the state there. V counts from
v_leak: with :math:`v_0 = V_0 - E` given, :math:`\partial L/\partial E` loses
:math:`\alpha = \partial L/\partial v_0`. The way from :math:`v_0` and the drive :math:`R I_0` to
later events depends on the rates and on R as that of an arrival at time zero does; of linear
neurons the way back has it already. A neuron whose voltage is not given, and which rests at or
above its threshold, starts at its reset.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from eventsim.arrays import Array, Floats, beside, to_host
from eventsim.engine.contract import table as T
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import (
    ByMatrices,
    LinearPiece,
    by_names,
    linear_cells,
    linear_piece,
    start_linear,
)
from eventsim.engine.contract.piece import Piece, last_piece
from eventsim.engine.contract.state import start_adapted, start_of_neurons


def piece_from_start(job: Job) -> Piece | LinearPiece:
    """Whole samples as a piece, which leaves the adjoint state at time zero."""
    begin = np.zeros(job.n_samples)
    if job.stage.is_linear:
        return linear_piece(job, begin, starts=False, stand=start_linear(job).stop)
    return last_piece(job, begin, starts=False, adapted=start_adapted(job))


def with_start(job: Job, found: StageGradients, adjoint: Array) -> StageGradients:
    """The gradients, with what the given start adds.

    ``adjoint`` is that at time zero, as a piece leaves it that does not start there.
    """
    added = _of_linear(job, adjoint) if job.stage.is_linear else _of_lif(job, adjoint)
    parameters: dict[str, Any] = dict(found.parameters)
    for name, values in added.items():
        parameters[name] = parameters[name] + beside(values, parameters[name])
    return replace(found, parameters=parameters)


def _of_lif(job: Job, adjoint: Array) -> dict[str, Floats]:
    assert job.start is not None
    rows = adjoint.astype(np.float64).swapaxes(0, 1)
    v, drive = (values.astype(np.float64) for values in start_of_neurons(job))
    rates = (v * rows[T.ALPHA_MEM] + drive * rows[T.BETA_MEM], drive * rows[T.BETA_SYN])
    taus = T.by_rates(job, *(beside(rate.sum(axis=0), _like(job)) for rate in rates))
    level = to_host(T.levels(job)[0])
    by_v, at_reset = rows[T.ALPHA].sum(axis=0), ~job.start.given & (level <= 0.0)
    return {
        **{name: to_host(values) for name, values in taus.items()},
        "resistance": (job.start.state[..., 1] * rows[T.BETA]).sum(axis=0),
        "v_reset": np.where(at_reset, by_v, 0.0),
        "v_leak": -np.where(at_reset | job.start.given, by_v, 0.0),
    }


def _like(job: Job) -> Array:
    return job.stage.population.tau_mem


def _of_linear(job: Job, adjoint: Array) -> dict[str, Floats]:
    assert job.start is not None
    by_v, cells = adjoint[..., 0].sum(axis=0, dtype=np.float64), linear_cells(job)
    at_reset = np.where(job.start.given | ~cells.rests_above, 0.0, by_v)
    m, by = cells.matrices, ByMatrices(*map(np.zeros_like, cells.matrices))
    by.jump[:, 0], by.keep[:, 0, 0], by.level[:] = (
        at_reset,
        at_reset * m.level,
        at_reset * m.keep[:, 0, 0],
    )
    found = by_names(job, by)
    found["v_leak"] = found["v_leak"] - np.where(job.start.given, by_v, 0.0)
    return found
