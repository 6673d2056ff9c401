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
synapse        int64 [synapses]     the permutation: synapse number of every CSC entry
=============  ===================  ====================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.network import Projection
from eventsim.summary import short_repr

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Wiring:
    """Arrays as in the table of :mod:`eventsim.plan.wiring`."""

    row_start: Index
    synapse_start: Index
    out_start: Index
    target: NDArray[np.int32]
    in_start: Index
    row: NDArray[np.int32]
    synapse: Index

    __repr__ = short_repr

    def holds(self, k: int, projection: Projection, target_start: int) -> bool:
        """Whether projection ``k``, if it is sparse, still has the pattern that was wired."""
        if projection.pattern is None:
            return True
        rows = slice(self.row_start[k], self.row_start[k + 1] + 1)
        mine = slice(self.synapse_start[k], self.synapse_start[k + 1])
        target, begin = self.target[mine], self.synapse_start[k]
        return np.array_equal(
            target - np.int32(target_start) if target_start else target, projection.pattern.indices
        ) and np.array_equal(self.out_start[rows] - begin, projection.pattern.indptr)


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
    moved = [p.targets() + k for p, k in zip(projections, target_starts, strict=True)]
    out_start = np.concatenate([[0], *fan_outs]).cumsum()
    target = np.concatenate([np.zeros(0, np.int32), *moved]).astype(np.int32)
    numbered = scipy.sparse.csr_array(
        (np.arange(target.size, dtype=np.int64), target, out_start),
        shape=(sum(sizes), n_targets),
    )
    by_target = numbered.tocsc()
    return Wiring(
        row_start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        synapse_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        out_start=out_start.astype(np.int64),
        target=target,
        in_start=by_target.indptr.astype(np.int64),
        row=by_target.indices.astype(np.int32),
        synapse=by_target.data,
    )
