"""Weights of a stage's synapses, read where they are.

The weights of every projection are an array of its own, and a large network has no room for all of
them a second time, one behind the other. So a kernel of a loop takes addresses: of each part of the
synapses, where the weight of synapse 0 would be if it were one of that part. Where weights have to
be multiplied by resistances, or are few and wider than the state, there is one part: a copy in the
type of the state. A loop's own synapses with delays of their own may be left out: kernels that read
them in tiles (:mod:`eventsim.engine.cpu.flights`) find their weights there.

The addresses are one int64 array [3, parts + 1]:

===  =======================================================================
row  numbers
===  =======================================================================
0    first synapse of every part, and their total
1    address of every part, and the width of a weight in bytes, 4 or 8
2    1 for a part of which it is known that all weights are the same number, else 0; the last is 0
===  =======================================================================

The weight of synapse k lies at its part's address + k * width.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints, slices
from eventsim.engine.algorithm import NOMINAL_RATE
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import real_type

Addresses = NDArray[np.int64]

# Synapses from which weights in double precision are read where they are in single precision, too.
# Fewer are copied: they are read more often than once, and half as wide.
IN_PLACE_FROM = 1 << 23

# Whether all weights of a part are the same is looked at from so many spikes of every source on, at
# the nominal rate: one look takes as long as it spares in two events of a synapse. First a few are.
LOOKED_FROM, FEW = 2.0, 64


def synapse_weights(
    job: Job, *, flights: bool = True
) -> tuple[Addresses, tuple[NDArray[Any], ...]]:
    """Weights times the target's resistance, in the order of the wiring: addresses, and arrays.

    The arrays must outlive the addresses, and are not to be changed: they may be the network's own.
    ``flights``: whether those of a loop's own synapses with delays of their own will be read, too.
    """
    key, kept = (synapse_weights, job.precision, flights), job.stage.memo.pieces
    return job.stage.once(key, lambda: _synapse_weights(job, flights), kept=kept)


def _synapse_weights(job: Job, flights: bool) -> tuple[Addresses, tuple[NDArray[Any], ...]]:
    stage, real, starts = job.stage, real_type(job), job.stage.wiring.synapse_start
    n_afferents, resistance = len(stage.afferents), stage.population.resistance
    own = [
        values if flights or k < n_afferents or not stage.projections[k].delay_per_synapse
        else values[:0]
        for k, values in enumerate(_own_weights(job))
    ]  # fmt: skip
    size = sum(values.size for values in own)
    few = size < IN_PLACE_FROM and any(a.itemsize > np.dtype(real).itemsize for a in own)
    plain = bool((resistance == 1.0).all())
    spikes = NOMINAL_RATE * float(job.duration.sum())
    look = stage.memo.pieces or spikes >= LOOKED_FROM
    if own and not few and plain:
        return addresses_of(*own, first=starts, look=look), tuple(own)
    scaled, ends = np.empty(size, real), np.cumsum([values.size for values in own])
    each = np.split(scaled, ends[:-1])
    for k, (values, mine) in enumerate(zip(own, each, strict=True)):
        if values.size and plain:
            mine[:] = values
        elif values.size:
            targets, low = stage.wiring.targets_of(k)
            for part in slices(values.size):
                mine[part] = values[part] * resistance[low:][targets[part]]
    return addresses_of(*each, first=starts, look=look), (scaled,)


def _own_weights(job: Job) -> tuple[NDArray[Any], ...]:
    """The network's own of every projection, flat, of one type."""
    parts = [projection.values.reshape(-1) for projection in job.stage.projections]
    kind = np.result_type(np.float32, *(values.dtype for values in parts))
    return tuple(np.ascontiguousarray(values, kind) for values in parts)


def layer_weights(job: Job) -> tuple[Addresses, Floats | None, tuple[NDArray[Any], ...]]:
    """As :func:`synapse_weights`, or, where that would copy many, the network's own.

    These are still to be multiplied by the resistance of the target, which is the second value.
    """
    stage = job.stage
    if stage.wiring.n_synapses < IN_PLACE_FROM or (stage.population.resistance == 1.0).all():
        addresses, arrays = synapse_weights(job)
        return addresses, None, arrays
    return own_weights(job)


def own_weights(job: Job) -> tuple[Addresses, Floats, tuple[NDArray[Any], ...]]:
    """The network's own: addresses, the resistances of targets, by which to multiply, arrays."""
    own = _own_weights(job)
    return addresses_of(*own), job.stage.population.resistance, own


def addresses_of(*parts: NDArray[Any], first: Ints | None = None, look: bool = False) -> Addresses:
    """Addresses of weights in arrays of one type, part after part.

    Parts that lie one behind the other are one, but for those whose weights are all the same, if
    that is to be looked at. ``first`` are the first synapse of every part and their total, where
    some arrays are empty because their synapses are not read; None: as the arrays say.
    """
    width = parts[0].itemsize
    first = np.cumsum([0, *(values.size for values in parts)]) if first is None else first
    starts = [a.ctypes.data - width * int(k) for a, k in zip(parts, first, strict=False)]
    same = [look and _all_same(values) for values in parts]
    table = np.array([first, [*starts, width], [*same, False]], np.int64)
    begins = np.ones(len(parts) + 1, np.bool_)
    begins[1:-1] = (np.diff(table[1, :-1]) != 0) | ((table[2, 1:-1] | table[2, :-2]) == 1)
    return table.compress(begins, axis=1)


def _all_same(values: NDArray[Any]) -> bool:
    """Whether there are values, and all are the same; mostly the first few tell."""
    if not values.size or (values[:FEW] != values[0]).any():
        return False
    return all(bool((values[part] == values[0]).all()) for part in slices(values.size))
