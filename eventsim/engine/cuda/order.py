"""Events put in order on the device: by time, by group; expanded over synapses; summed.

Twin of ``kernels/cpu/order``. Sorting is the array library's own: stable, and by whole
numbers, which it sorts by radix. A time in ms is never negative, so that the bits of its float64,
read as a whole number, have the same order.
"""

from typing import Any

import numpy as np

from eventsim.arrays import Array, Precision
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.roles import RunsStruct

WAYS = 16  # runs that one round of merging makes one, as in the kernel
BLOCK = 128  # threads of a kernel without shared memory


def launch(
    dev: Device,
    precision: Precision,
    kernel: str,
    n_threads: int,
    args: list[Any],
    *,
    adaptive: bool = False,
    states: int = 0,
) -> None:
    """Run a kernel that has one thread per item and no shared memory."""
    n_blocks = -(-n_threads // BLOCK)
    dev.launch(precision, kernel, n_blocks, BLOCK, args, adaptive=adaptive, states=states)


def starts_of(dev: Device, counts: Array) -> Array:
    """First item of every group, and their total: int64 [groups + 1]."""
    starts = dev.zeros(counts.size + 1, np.int64)
    dev.xp.cumsum(counts, dtype=np.int64, out=starts[1:])
    return starts


def firsts(dev: Device, groups: Array, n_groups: int) -> Array:
    """As :func:`starts_of` from the group of every item, ascending."""
    xp = dev.xp
    if groups.size == 0:
        return dev.zeros(n_groups + 1, np.int64)
    return xp.searchsorted(groups.astype(np.int64), xp.arange(n_groups + 1)).astype(np.int64)


def owners(dev: Device, offsets: Array, n: int) -> Array:
    """Group of each of ``n`` items, from the first item of every group; int32."""
    xp = dev.xp
    if n == 0:
        return dev.zeros(0, np.int32)
    return (xp.searchsorted(offsets, xp.arange(n), side="right") - 1).astype(np.int32)


def sorting(dev: Device, key: Array) -> Array:
    """Stable order of whole numbers."""
    if key.size == 0:
        return dev.zeros(0, np.int64)
    return dev.xp.argsort(key, kind="stable")


def by_key(dev: Device, key: Array, n_keys: int) -> tuple[Array, Array]:
    """Stable order by ``key``, and the first item of every key in it."""
    order = sorting(dev, key)
    return order, firsts(dev, key[order], n_keys)


def by_time(dev: Device, times: Array, group: Array, n_groups: int) -> Array:
    """Stable order by (group, time); a group is not above ``n_groups``."""
    order = sorting(dev, times.view(np.int64))
    # Over a number of 32 bits a sort goes in half of the rounds.
    key = group[order].astype(np.int32 if n_groups < 2**31 else np.int64, copy=False)
    return order[sorting(dev, key)]


def merged_order(dev: Device, precision: Precision, n_neurons: int, spikes: RunsStruct) -> Array:
    """Order by (sample, time, neuron)."""
    order = dev.zeros(0, np.int64)
    width, n = 1, spikes.time.size
    while width == 1 or width < n_neurons:
        after = dev.empty(n, np.int64)
        launch(
            dev, precision, "merge_runs", n,
            [n, n_neurons, width, width == 1, spikes, order, after],
        )  # fmt: skip
        order, width = after, width * WAYS
    return order


def sum_rows(dev: Device, precision: Precision, values: Array) -> Array:
    """Sum over the first axis in order, float64."""
    kernel = "sum_rows_double" if values.dtype == np.float64 else "sum_rows"
    n_rows, n_columns = values.shape[0], int(np.prod(values.shape[1:]))
    out = dev.zeros(values.shape[1:], np.float64)
    launch(dev, precision, kernel, n_columns, [n_rows, n_columns, values, out])
    return out


def sum_by(dev: Device, values: Array, index: Array, size: int) -> Array:
    """Sum of float64 ``values`` by ``index``, each in the order of the values; [size]."""
    order, first = by_key(dev, index, size)
    out = dev.zeros(size, np.float64)
    launch(dev, "double", "sum_groups", size, [size, first, order, values, out])
    return out
