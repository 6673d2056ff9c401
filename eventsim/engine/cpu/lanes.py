"""Values in lanes: blocks of as many numbers as a line of the cache has in single precision."""

from typing import Any

from numpy.typing import NDArray

from eventsim.arrays import aligned

LANES = 16


def to_lanes(matrix: NDArray[Any]) -> NDArray[Any]:
    """Values [rows, size] as [blocks, rows, LANES], zero behind the last; aligned, new."""
    rows, size = matrix.shape
    blocks = aligned((-(-size // LANES), rows, LANES), matrix.dtype)
    for k, block in enumerate(blocks):
        mine = matrix[:, k * LANES : (k + 1) * LANES]
        block[:, : mine.shape[1]] = mine
    return blocks


def of_lanes(blocks: NDArray[Any], size: int) -> NDArray[Any]:
    """Undo :func:`to_lanes`."""
    rows = blocks.shape[1]
    return blocks.transpose(1, 0, 2).reshape(rows, -1)[:, :size]
