"""Blocks of neighbouring neurons: what each of them hears of the events of its stage.

A block walks only the events of the rows that one of its neurons hears, see
:attr:`eventsim.plan.Stage.heard`. Where all hear all, and there are fewer samples than threads, the
neurons are cut into blocks for these. Arrays of values by row and neuron are kept block by block,
[blocks, rows, neurons], the last block's behind the end being zero, so that what a block reads at
one event lies together. No bit depends on the blocks.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.contract.job import Job
from eventsim.engine.cpu.arrays import events_of_samples
from eventsim.engine.cpu.lanes import LANES
from eventsim.engine.cpu.library import library
from eventsim.engine.cpu.threads import n_threads
from eventsim.plan import BLOCK

Real = TypeVar("Real", bound=np.floating[Any])

# Neuron-events of a block into which neurons are cut for a thread of its own.
BLOCK_WORK = 150_000


def heard_by(job: Job, n_tasks: int) -> NDArray[np.bool_]:
    """What each block hears, [blocks, rows], where every block makes so many tasks."""
    heard, size = job.stage.heard, job.stage.population.size
    if len(heard) > 1 or n_tasks >= n_threads() or library().is_alone():
        return heard
    work = size * int(events_of_samples(job).sum())
    wanted = min(n_threads() // max(n_tasks, 1), work // BLOCK_WORK, size // LANES)
    width = _width(size, max(wanted, 1))
    return np.repeat(heard, -(-size // width), axis=0)


def _width(size: int, n_blocks: int) -> int:
    """Neurons of each of so many blocks, a multiple of LANES."""
    return -(-size // (n_blocks * LANES)) * LANES


def by_block(job: Job, matrix: NDArray[Real], n_blocks: int) -> NDArray[Real]:
    """Values [rows, size] as [blocks, rows, neurons of a block], zero behind the last neuron.

    Rows are made a multiple of LANES long.
    """
    rows, size = matrix.shape
    block = BLOCK if len(job.stage.heard) > 1 else _width(size, n_blocks)
    if size == block:
        return matrix[np.newaxis]
    wide = np.zeros((rows, n_blocks * block), matrix.dtype)
    wide[:, :size] = matrix
    return np.ascontiguousarray(wide.reshape(rows, n_blocks, block).transpose(1, 0, 2))


def by_row(job: Job, blocks: NDArray[Real]) -> NDArray[Real]:
    """Undo :func:`by_block`."""
    size, n_rows = job.stage.population.size, blocks.shape[1]
    return blocks.transpose(1, 0, 2).reshape(n_rows, -1)[:, :size]
