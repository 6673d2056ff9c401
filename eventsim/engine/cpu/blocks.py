"""Blocks of neighbouring neurons: what each of them hears of the events of its stage.

A block walks only the events of the rows that one of its neurons hears, see
:attr:`eventsim.plan.Stage.heard`. Arrays of values by row and neuron are kept block by block,
[blocks, rows, neurons], the last block's behind the end being zero, so that what a block reads at
one event lies together.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.contract.job import Job
from eventsim.engine.cpu.lanes import LANES
from eventsim.plan import BLOCK

Real = TypeVar("Real", bound=np.floating[Any])


def by_block(job: Job, matrix: NDArray[Real]) -> NDArray[Real]:
    """Values [rows, size] as [blocks, rows, neurons of a block], zero behind the last neuron.

    Rows are made a multiple of LANES long.
    """
    n_blocks, (rows, size) = job.stage.heard.shape[0], matrix.shape
    block = BLOCK if n_blocks > 1 else -(-size // LANES) * LANES
    if size == block:
        return matrix[np.newaxis]
    wide = np.zeros((rows, n_blocks * block), matrix.dtype)
    wide[:, :size] = matrix
    return np.ascontiguousarray(wide.reshape(rows, n_blocks, block).transpose(1, 0, 2))


def by_row(job: Job, blocks: NDArray[Real]) -> NDArray[Real]:
    """Undo :func:`by_block`."""
    size, n_rows = job.stage.population.size, blocks.shape[1]
    return blocks.transpose(1, 0, 2).reshape(n_rows, -1)[:, :size]
