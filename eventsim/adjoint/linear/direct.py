"""What acts on the neurons of a stage directly, by source and by the keys of the network."""

from collections.abc import Callable, Iterator

import numpy as np

from eventsim.adjoint.linear.neurons import Neurons
from eventsim.arrays import Array, beside, namespace
from eventsim.engine.job import DirectGradients
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection

# As eventsim.engine.backend.Backend.sum_by.
SumBy = Callable[[Array, Array, int], Array]


def by_source(neurons: Neurons, found: DirectGradients) -> Iterator[tuple[str, Array]]:
    """dL/dt of the spikes of every source, by the source's name; one name may come twice."""
    start, job = 0, neurons.job
    for projection, source in zip(job.stage.projections, job.sources, strict=True):
        yield projection.source, found.spikes[start : start + source.times.size]
        start += source.times.size


def by_key(neurons: Neurons, found: DirectGradients) -> Iterator[tuple[str, Array]]:
    """Gradients under the keys, and in the shapes, of ``Network.parameters()``."""
    stage, sources = neurons.job.stage, neurons.job.sources
    bounds = [int(number) for number in stage.wiring.synapse_start]
    of_sources = [values for _, values in by_source(neurons, found)]
    for k, projection in enumerate(stage.projections):
        mine = slice(bounds[k], bounds[k + 1])
        yield f"{projection.name}.weights", found.synapses[mine].reshape(projection.values.shape)
        if projection.delay_per_synapse:
            assert found.delays is not None
            delays = found.delays[mine].reshape(projection.delays.shape)
        else:
            delays = shared_delays(neurons.sum_by, projection, sources[k], of_sources[k])
        yield f"{projection.name}.delays", delays
    starts = [int(number) for number in stage.member_start]
    for member, lo, hi in zip(stage.members, starts[:-1], starts[1:], strict=True):
        own = np.flatnonzero((neurons.chosen >= lo) & (neurons.chosen < hi))
        for key, values in found.parameters.items():
            xp = namespace(values)
            added = xp.zeros(hi - lo)
            added[xp.asarray(neurons.chosen[own] - lo)] = values[xp.asarray(own)]
            yield f"{member.name}.{key}", added


def shared_delays(
    sum_by: SumBy, projection: Projection, source: SourceSpikes, by_time: Array
) -> Array:
    """A delay that all targets share moves the arrivals as the source's own times would."""
    if projection.delays.ndim == 0:
        total = namespace(by_time).asarray(by_time.sum())
    else:
        total = sum_by(by_time, source.neurons, source.size)
    return beside(total, projection.delays)
