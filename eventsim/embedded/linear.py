"""Tables of stages with neurons that are linear between events, for ``c/linear_stages.c``.

All numbers are those of backend ``cpu`` in single precision: :mod:`eventsim.neuron.linear_tables`
and :mod:`eventsim.engine.cpu.linear_lanes`. Equal neurons share a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.embedded.polynomials import Singles
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import (
    LinearCells,
    block_of,
    side_by_side,
    states_of,
    typed_cells,
)
from eventsim.engine.cpu.linear_lanes import meets_of, terms_of
from eventsim.errors import NetworkError

TERMS = terms_of(np.float32)


@dataclass(frozen=True, eq=False)
class LinearTables:
    """The neurons of a stage, or of a block; see ``net_linear`` in ``c/tables.h``.

    ``table`` is [kinds, stride], ``times`` [kinds, 3]; ``which`` is the kind of each neuron,
    [size].
    """

    n: int
    bits: int
    receptors: int
    holds: bool
    loops: bool
    table: Singles
    times: Floats
    which: NDArray[np.uint16]
    own_weight: Singles

    @property
    def piece(self) -> float:
        """The longest piece of a neuron, ms."""
        return float(self.times[:, 0].max())

    @property
    def flops(self) -> int:
        """Operations of all neurons over a stretch with four arrivals, about."""
        per_receptor = 4 * (3 * TERMS + 8) + 2 * TERMS * self.n
        return self.which.size * (2 * self.n**2 + 4 * self.n + self.receptors * per_receptor)


def kind_of(job: Job) -> str:
    """The way in which the stage runs, by its name in ``c/tables.h``."""
    return "PIECES" if side_by_side(job) else "LINEAR_EVENTS"


def linear_tables(job: Job) -> list[tuple[slice, LinearTables]]:
    """Tables of the stage; of its blocks, with their neurons, if it is a layer side by side.

    Raises NetworkError where ``cpu`` computes in double precision also in a run of single
    precision.
    """
    cells = typed_cells(job)
    if cells.real is not np.float32:
        raise NetworkError(
            "export_c",
            "the C text has no neurons so quick that they need double precision, as "
            f"{job.stage.name!r}: some time constant is below 1/16 ms, about",
            remedy="Run the network by eventsim.",
        )
    states = sorted(set(states_of(job.stage))) if kind_of(job) == "PIECES" else []
    rows, times = _rows(cells, states)
    lateral, size = bool(job.stage.lateral), cells.size
    loops = lateral or bool((job.self_delays() > 0.0).any())
    width = block_of(size) if states and not lateral else size
    own = job.self_weights().astype(np.float32)
    return [
        (mine, _tables(cells, (rows[mine], times[mine], own[mine]), len(states), loops=loops))
        for mine in (slice(low, min(low + width, size)) for low in range(0, size, width))
    ]


def _rows(cells: LinearCells, states: Sequence[int]) -> tuple[Singles, Floats]:
    """The table of each neuron, [size, stride], and its times."""
    t, m, size = cells.tables, cells.matrices, cells.size
    free, held = slice(0, size), slice(size, 2 * size)
    parts = [
        t.flow[free], t.alpha[free], t.powers[free], t.bounds[free], m.keep, m.jump, cells.start,
        m.level, cells.alert,
    ]  # fmt: skip
    if (m.hold > 0.0).any():
        parts += [t.alpha[held], t.powers[held]]
    if states:
        parts.append(meets_of(m.flow, t.piece[free], list(states), TERMS))
    rows = np.concatenate([part.reshape(size, -1) for part in parts], axis=1).astype(np.float32)
    return rows, np.stack([t.piece[free], m.hold, cells.own_state.astype(np.float64)], axis=1)


def _tables(
    cells: LinearCells, of: tuple[Singles, Floats, Singles], receptors: int, *, loops: bool
) -> LinearTables:
    rows, times, own = of
    both = np.concatenate([rows, times], axis=1)
    _, first, which = np.unique(both, axis=0, return_index=True, return_inverse=True)
    return LinearTables(
        n=cells.n,
        bits=int(cells.tables.powers.shape[1]),
        receptors=receptors,
        holds=bool((cells.matrices.hold > 0.0).any()),
        loops=loops,
        table=rows[first],
        times=times[first],
        which=which.reshape(-1).astype(np.uint16),
        own_weight=own if own.any() else np.zeros(0, np.float32),
    )
