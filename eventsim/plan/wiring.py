"""Wiring of one stage: all its synapses as one sparse matrix, by source and by target.

The matrices of all projections are stacked: row ``row_start[k] + i`` is source neuron i of
projection k. Synapses are numbered in the order of this stacked CSR matrix, which is also the
order of the concatenated weight arrays, dense ones row by row.

=============  ===================  ====================================================
field          type                 meaning
=============  ===================  ====================================================
row_start      int64 [proj.+1]      first row of every projection
synapse_start  int64 [proj.+1]      first synapse of every projection
out_start      int64 [rows+1]       CSR, fan-out: first synapse of every row
target         int32 [synapses]     CSR: target neuron of every synapse
in_start       int64 [targets+1]    CSC, fan-in: first entry of every target
row            int32 [synapses]     CSC: row of every entry, ascending inside a target
synapse        int32 [synapses]     the permutation: synapse number of every CSC entry;
                                    int64 from 2^31 synapses on
=============  ===================  ====================================================

``target`` is made when all of it is first needed. From then on the target of a synapse is stored
once: the index array of sparse weights is a view of it as long as their pattern stays. A loop whose
synapses have delays of their own needs only the targets of its afferents, and reads its own where
the network has them. Fan-in is computed when it is first needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import csr_array
from eventsim.network import Projection
from eventsim.summary import short_repr

Index = NDArray[np.int64]


class IncomingSynapses(NamedTuple):
    """CSC: first entry of every target, row and synapse of every entry."""

    start: Index
    row: NDArray[np.int32]
    synapse: NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Wiring:
    """Arrays as in the table of :mod:`eventsim.plan.wiring`, for ``n_targets`` neurons."""

    n_targets: int
    row_start: Index
    synapse_start: Index
    out_start: Index
    _projections: tuple[Projection, ...] = field(repr=False)
    _target_starts: tuple[int, ...] = field(repr=False)
    _checksums: tuple[int, ...] = field(repr=False)

    __repr__ = short_repr

    @property
    def n_synapses(self) -> int:
        """Number of all synapses."""
        return int(self.synapse_start[-1])

    @cached_property
    def target(self) -> NDArray[np.int32]:
        """Target of every synapse."""
        return _targets(self._projections, self._target_starts, self.synapse_start)

    @cached_property
    def fan_in(self) -> IncomingSynapses:
        """The synapses by target."""
        n = self.target.size
        index = np.int32 if n <= np.iinfo(np.int32).max else np.int64
        numbered = csr_array(
            (np.arange(n, dtype=index), self.target, self.out_start.astype(index)),
            shape=(self.out_start.size - 1, self.n_targets),
        )
        by_target = numbered.tocsc()
        row = by_target.indices.astype(np.int32, copy=False)
        return IncomingSynapses(by_target.indptr.astype(np.int64), row, by_target.data)

    def targets_of(self, k: int) -> tuple[NDArray[np.int32], int]:
        """Targets of projection ``k``, and the neuron from which they count. Not to be changed.

        They are where they lie already, if the network has them as an array of that type.
        """
        pattern = self._projections[k].pattern
        if (
            "target" not in self.__dict__
            and pattern is not None
            and pattern.indices.dtype == np.int32
        ):
            return pattern.indices, self._target_starts[k]
        return self.target[self.synapse_start[k] : self.synapse_start[k + 1]], 0

    def first_targets(self, n: int) -> NDArray[np.int32]:
        """Targets of the first ``n`` projections; not to be changed."""
        if "target" in self.__dict__ or n == len(self._projections):
            return self.target[: self.synapse_start[n]]
        return _joined_targets(self._projections[:n], self._target_starts[:n], self.synapse_start)

    @property
    def in_start(self) -> Index:
        """First entry of every target, [targets + 1]."""
        return self.fan_in.start

    @property
    def row(self) -> NDArray[np.int32]:
        """Row of every entry."""
        return self.fan_in.row

    @property
    def synapse(self) -> NDArray[np.signedinteger[Any]]:
        """Synapse of every entry."""
        return self.fan_in.synapse

    def holds(self, k: int, projection: Projection) -> bool:
        """Whether projection ``k``, if it is sparse, still has the pattern that was wired."""
        if projection.pattern is None:
            return True
        rows = slice(self.row_start[k], self.row_start[k + 1] + 1)
        if not np.array_equal(
            self.out_start[rows] - self.synapse_start[k], projection.pattern.indptr
        ):
            return False
        return _checksum(projection) == self._checksums[k]


def make_wiring(
    projections: Sequence[Projection], target_starts: Sequence[int], n_targets: int
) -> Wiring:
    """Stack the projections into a stage of ``n_targets`` neurons.

    ``target_starts`` is the number of every projection's first target neuron among them.
    """
    for projection in projections:
        projection.check_pattern(*projection.weights.shape)  # scipy would crash on it
    fan_outs = [np.diff(projection.first_synapses()) for projection in projections]
    sizes, counts = [f.size for f in fan_outs], [f.sum() for f in fan_outs]
    synapse_start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Wiring(
        n_targets=n_targets,
        row_start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        synapse_start=synapse_start,
        out_start=np.concatenate([[0], *fan_outs]).cumsum().astype(np.int64),
        _projections=tuple(projections),
        _target_starts=tuple(target_starts),
        _checksums=tuple(_checksum(projection) for projection in projections),
    )


def _targets(
    projections: Sequence[Projection], target_starts: Sequence[int], synapse_start: Index
) -> NDArray[np.int32]:
    """Targets of all synapses; sparse weights with the same numbering share this memory."""
    if len(projections) == 1 and target_starts[0] == 0 and projections[0].pattern is not None:
        return projections[0].pattern.indices.astype(np.int32, copy=False)
    target = _joined_targets(projections, target_starts, synapse_start)
    for k, (projection, first) in enumerate(zip(projections, target_starts, strict=True)):
        if projection.pattern is not None and first == 0:
            projection.share_targets(target[synapse_start[k] : synapse_start[k + 1]])
    return target


def _joined_targets(
    projections: Sequence[Projection], target_starts: Sequence[int], synapse_start: Index
) -> NDArray[np.int32]:
    """Targets of the synapses of the first projections of the wiring. New array."""
    target = np.empty(int(synapse_start[len(projections)]), np.int32)
    for k, (projection, first) in enumerate(zip(projections, target_starts, strict=True)):
        mine = target[synapse_start[k] : synapse_start[k + 1]]
        if projection.pattern is None:
            n_targets = int(projection.weights.shape[-1])
            mine.reshape(-1, n_targets)[:] = np.arange(first, first + n_targets)
        else:
            np.add(projection.pattern.indices, first, out=mine, casting="same_kind")
    return target


def _checksum(projection: Projection) -> int:
    """Checksum of the targets of sparse weights, which the wiring may share; 0 for others."""
    pattern = projection.pattern
    return 0 if pattern is None else crc32(np.ascontiguousarray(pattern.indices).data)
