"""Blocks of neighbouring neurons: what each of them hears of the events of its stage.

A block walks only the events of the rows that one of its neurons hears, see
:attr:`eventsim.plan.Stage.heard`. Arrays of values by row and neuron are kept block by block,
[blocks, rows, neurons], the last block's behind the end being zero, so that what a block reads at
one event lies together.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import scalar
from eventsim.engine.cpu.lanes import LANES
from eventsim.engine.job import Job
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


@scalar
def bounds_of(block, n_blocks, size):
    """First neuron of a block, and the one behind its last."""
    return (0, size) if n_blocks == 1 else (block * BLOCK, min((block + 1) * BLOCK, size))


@scalar
def events_of(heard, block, lo, hi, times, rows, nothing):
    """Times and rows of the events ``lo : hi`` that a block hears, and their numbers from ``lo``.

    ``nothing`` in place of the numbers where it hears them all.
    """
    if heard.shape[0] == 1:
        return times[lo:hi], rows[lo:hi], nothing
    n, mine = 0, heard[block]
    my_times, my_rows = np.empty(hi - lo), np.empty(hi - lo, np.int32)
    number = np.empty(hi - lo, np.int64)
    for i in range(lo, hi):
        my_times[n], my_rows[n], number[n] = times[i], rows[i], i - lo
        n += mine[rows[i]]
    return my_times[:n], my_rows[:n], number[:n]


@scalar
def columns(values, low, high, width):
    """The columns ``low : high``, and zeros behind them."""
    wide = np.zeros((values.shape[0], width), values.dtype)
    wide[:, : high - low] = values[:, low:high]
    return wide


@scalar
def tree_sum(values):
    """Sum by halves, in place: the same order for every run and every machine."""
    size = values.size
    while size > 1:
        half = (size + 1) // 2
        for n in range(size - half):
            values[n] += values[n + half]
        size = half
    return values[0]
