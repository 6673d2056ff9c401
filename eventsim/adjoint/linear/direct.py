"""What acts on the neurons of a stage directly, by source and by the keys of the network."""

from collections.abc import Iterator

import numpy as np

from eventsim.adjoint.linear.neurons import Neurons
from eventsim.arrays import Array, namespace, owners
from eventsim.engine.job import DirectGradients
from eventsim.network import Projection


def by_source(neurons: Neurons, found: DirectGradients) -> Iterator[tuple[str, Array]]:
    """dL/dt of the spikes of every source, by the source's name; one name may come twice."""
    start, job = 0, neurons.job
    for projection, source in zip(job.stage.projections, job.sources, strict=True):
        yield projection.source, found.spikes[start : start + source.times.size]
        start += source.times.size


def by_key(neurons: Neurons, found: DirectGradients) -> Iterator[tuple[str, Array]]:
    """Gradients under the keys, and in the shapes, of ``Network.parameters()``."""
    stage = neurons.job.stage
    bounds = [int(number) for number in stage.wiring.synapse_start]
    for projection, lo, hi in zip(stage.projections, bounds[:-1], bounds[1:], strict=True):
        yield f"{projection.name}.weights", found.synapses[lo:hi].reshape(projection.values.shape)
        yield f"{projection.name}.delays", _by_delay(neurons, projection, found.delays[lo:hi])
    starts = [int(number) for number in stage.member_start]
    for member, lo, hi in zip(stage.members, starts[:-1], starts[1:], strict=True):
        mine = np.flatnonzero((neurons.chosen >= lo) & (neurons.chosen < hi))
        for key, values in found.parameters.items():
            xp = namespace(values)
            added = xp.zeros(hi - lo)
            added[xp.asarray(neurons.chosen[mine] - lo)] = values[xp.asarray(mine)]
            yield f"{member.name}.{key}", added


def _by_delay(neurons: Neurons, projection: Projection, by_synapse: Array) -> Array:
    """From delays of synapses to those that the projection has."""
    xp = namespace(by_synapse)
    if projection.delays.ndim == 0:
        return xp.asarray(by_synapse.sum())
    if projection.delay_per_synapse:
        return by_synapse.reshape(projection.delays.shape)
    if projection.all_to_all:
        return by_synapse.reshape(projection.values.shape).sum(axis=1)
    indptr = xp.asarray(projection.weights.indptr)
    row = owners(indptr, by_synapse.size)
    return neurons.sum_by(by_synapse, row, int(projection.weights.shape[0]))
