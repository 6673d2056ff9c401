"""Values of neurons in blocks of neighbours, [blocks, rows, neurons of a block].

What a block reads at one row lies together. Behind the last neuron is zero, so that a block has
whole vectors. A block of a layer walks only the events of the rows that one of its neurons hears:
:attr:`eventsim.plan.Stage.heard`. Where all hear all, and there are fewer samples than threads, the
neurons are cut into blocks for these. No bit depends on the blocks.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import aligned
from eventsim.compiled.library import library
from eventsim.engine.contract.job import Job
from eventsim.engine.cpu.arrays import events_of_samples
from eventsim.plan import BLOCK
from eventsim.processors import n_threads

# Numbers of a line of the cache in single precision: a block has a multiple of them.
LANES = 16

# Neuron-events of a block into which neurons are cut for a thread of its own.
BLOCK_WORK = 150_000


def heard_by(job: Job, n_tasks: int) -> NDArray[np.bool_]:
    """Rows that each block receives, [blocks, rows], where every block makes so many tasks."""
    heard, size = job.stage.heard, job.stage.population.size
    if len(heard) > 1 or n_tasks >= n_threads() or library().is_alone():
        return heard
    work = size * int(events_of_samples(job).sum())
    wanted = min(n_threads() // max(n_tasks, 1), work // BLOCK_WORK, size // LANES)
    width = in_lanes(size, max(wanted, 1))
    return np.repeat(heard, -(-size // width), axis=0)


def in_lanes(size: int, n_blocks: int = 1) -> int:
    """Neurons of each of so many blocks, and those that are missing in their last vectors."""
    return -(-size // (n_blocks * LANES)) * LANES


def in_blocks(matrix: NDArray[Any], width: int, fill: float = 0.0) -> NDArray[Any]:
    """Values [rows, size] as [blocks, rows, width], ``fill`` behind the last; aligned, new."""
    rows, size = matrix.shape
    blocks = aligned((-(-size // width), rows, width), matrix.dtype)
    for k, block in enumerate(blocks):
        mine = matrix[:, k * width : (k + 1) * width]
        block[:, : mine.shape[1]] = mine
        block[:, mine.shape[1] :] = fill
    return blocks


def of_blocks(blocks: NDArray[Any], size: int) -> NDArray[Any]:
    """Undo :func:`in_blocks`."""
    n, rows, width = blocks.shape
    return blocks.transpose(1, 0, 2).reshape(rows, n * width)[:, :size]


def by_block(job: Job, matrix: NDArray[Any], n_blocks: int) -> NDArray[Any]:
    """Values [rows, size] by the blocks of a layer; the matrix itself where it is one as it is."""
    size = matrix.shape[1]
    width = BLOCK if len(job.stage.heard) > 1 else in_lanes(size, n_blocks)
    return matrix[None] if size == width else in_blocks(matrix, width)
