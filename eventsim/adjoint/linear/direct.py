"""Direct gradients of the neurons of a stage, by source and by the keys of the network."""

from collections.abc import Callable, Container, Iterator, Sequence

import numpy as np

from eventsim.adjoint.linear.neurons import Neurons
from eventsim.arrays import Array, beside, namespace
from eventsim.engine.contract.job import DirectGradients, Job
from eventsim.network import Projection

# As eventsim.engine.backend.Backend.sum_source.
SumSource = Callable[[Job, int, Array], Array]


def by_source(neurons: Neurons, found: DirectGradients) -> Iterator[tuple[str, Array]]:
    """dL/dt of the spikes of every source, by the source's name; one name may come twice."""
    start, job = 0, neurons.job
    for projection, source in zip(job.stage.projections, job.sources, strict=True):
        yield projection.source, found.spikes[start : start + source.times.size]
        start += source.times.size


def by_key(neurons: Neurons, found: DirectGradients) -> Iterator[tuple[str, Array]]:
    """Gradients under the keys, and in the shapes, of ``Network.parameters()``."""
    stage, of_sources = neurons.job.stage, [values for _, values in by_source(neurons, found)]
    add, delays = neurons.sum_source, found.delays
    yield from by_projection(add, neurons.job, found.synapses, delays, of_sources)
    starts = [int(number) for number in stage.member_start]
    for member, lo, hi in zip(stage.members, starts[:-1], starts[1:], strict=True):
        mine = np.flatnonzero((neurons.chosen >= lo) & (neurons.chosen < hi))
        for key, values in found.parameters.items():
            xp = namespace(values)
            added = xp.zeros(hi - lo)
            added[xp.asarray(neurons.chosen[mine] - lo)] = values[xp.asarray(mine)]
            yield f"{member.name}.{key}", added


def by_projection(
    sum_source: SumSource,
    job: Job,
    synapses: Array,
    delays: Array | None,
    of_sources: Sequence[Array],
    keys: Container[str] | None = None,
) -> Iterator[tuple[str, Array]]:
    """Gradients of weights and delays under their keys.

    From those by the synapses of the stage, delays None where none has one of its own, and dL/dt of
    the spikes of every source. Of delays that targets share and that are not among ``keys``, zeros.
    """
    bounds = [int(number) for number in job.stage.wiring.synapse_start]
    for k, projection in enumerate(job.stage.projections):
        mine = slice(bounds[k], bounds[k + 1])
        yield f"{projection.name}.weights", synapses[mine].reshape(projection.values.shape)
        if projection.delay_per_synapse:
            assert delays is not None
            by_delay = delays[mine].reshape(projection.delays.shape)
        elif keys is not None and f"{projection.name}.delays" not in keys:
            by_delay = namespace(projection.delays).zeros(projection.delays.shape)
        else:
            by_delay = _shared_delays(sum_source, projection, job, k, of_sources[k])
        yield f"{projection.name}.delays", by_delay


def _shared_delays(
    sum_source: SumSource, projection: Projection, job: Job, k: int, by_time: Array
) -> Array:
    """A delay that all targets share moves the arrivals as the source's own times would."""
    if projection.delays.ndim == 0:
        total = namespace(by_time).asarray(by_time.sum())
    else:
        total = sum_source(job, k, by_time)
    return beside(total, projection.delays)
