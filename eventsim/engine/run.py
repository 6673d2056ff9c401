"""simulate: run a network on a stream, stage after stage."""

from collections.abc import Mapping
from typing import get_args

import numpy as np

from eventsim.engine.job import Floats, Job, Precision, Source, source_of, synapse_delays
from eventsim.engine.registry import get_backend
from eventsim.errors import BackendError, NetworkError, ParameterError, ShapeError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.network import Network, Projection
from eventsim.plan import Plan, Stage, make_plan


def simulate(
    net: Network, stream: EventStream, *, backend: str = "auto", precision: Precision = "double"
) -> SpikeTape:
    """Run ``net`` on every sample of ``stream``.

    Parameters
    ----------
    net
        Feedforward apart from self-recurrent connections.
    stream
        Its channels are the neurons of the network's input population.
    backend
        ``auto``, ``cpu`` or ``reference``.
    precision
        Type of the state: ``double`` or ``single``. Times are float64 in both.

    Returns
    -------
    SpikeTape
        Spikes of all spiking populations, exact to rounding. New arrays.

    Raises
    ------
    NetworkError, ShapeError, ParameterError, BackendError, RunawayError
    """
    plan, engine = make_plan(net), get_backend(backend)
    check_run(net, plan, stream, precision)
    trains: dict[str, SpikeTrains] = {}
    events: dict[str, int] = {}
    for stage in plan.stages:
        job = make_job(plan, stage, stream, trains, precision)
        if stage.population.kind == "spiking":
            trains[stage.name] = engine.layer_forward(job)
        for projection, source in zip(stage.afferents, job.sources, strict=True):
            events[projection.name] = count_arrivals(projection, source, stream.duration)
        if stage.recurrence is not None:
            own = source_of(trains[stage.name])
            events[stage.recurrence.name] = count_arrivals(stage.recurrence, own, stream.duration)
    return SpikeTape(stream, trains, events, engine.name, precision)


def make_job(
    plan: Plan,
    stage: Stage,
    stream: EventStream,
    trains: Mapping[str, SpikeTrains],
    precision: Precision,
) -> Job:
    """A stage together with the spikes of its sources."""
    sources = [stream if p.source == plan.input.name else trains[p.source] for p in stage.afferents]
    return Job(stage, tuple(source_of(s) for s in sources), stream.duration, precision)


def readout_integral(
    net: Network, tape: SpikeTape, name: str, *, time_constant: float = np.inf
) -> Floats:
    """Weighted integral of a readout's voltage over every sample, in closed form.

    Parameters
    ----------
    net, tape
        The network and its run.
    name
        A readout population.
    time_constant
        ms, > 0: V is weighted by ``exp(-t / time_constant)``; infinity weights evenly.

    Returns
    -------
    float64 [samples, size], in ms times the unit of V.
    """
    if not time_constant > 0.0:
        raise ParameterError(
            f"readout_integral: time_constant is {time_constant} ms, expected a value > 0."
        )
    job = readout_job(net, tape, name)
    return get_backend(tape.backend).readout_forward(job, 1.0 / time_constant)


def readout_job(net: Network, tape: SpikeTape, name: str) -> Job:
    """The job of a readout population; raises NetworkError if ``name`` is none."""
    if net.population(name).kind != "readout":
        raise NetworkError(
            f"Population {name!r} is of kind {net.population(name).kind!r}, expected a readout."
        )
    plan = make_plan(net)
    stage = next(stage for stage in plan.stages if stage.name == name)
    precision: Precision = "single" if tape.precision == "single" else "double"
    return make_job(plan, stage, tape.stream, tape.trains, precision)


def check_run(net: Network, plan: Plan, stream: EventStream, precision: Precision) -> None:
    """Raise BackendError, ParameterError or ShapeError unless ``net`` can run on ``stream``."""
    if precision not in get_args(Precision):
        raise BackendError(f"simulate: precision is {precision!r}, expected 'double' or 'single'.")
    net.check()
    if stream.n_channels != plan.input.size:
        raise ShapeError(
            f"simulate: the stream has {stream.n_channels} channels, input population "
            f"{plan.input.name!r} has {plan.input.size} neurons. They must be equal."
        )


def count_arrivals(projection: Projection, source: Source, duration: Floats) -> int:
    """Exact number of spikes that reach a synapse before the end of their sample."""
    end = np.repeat(duration, np.diff(source.offsets))
    if projection.kind == "self":
        delay = np.broadcast_to(projection.delays, (source.size,))
        return int((source.times + delay[source.channel] < end).sum())
    if projection.kind == "dense":
        fan_out = np.full(source.size, projection.weights.shape[1])
    else:
        fan_out = np.diff(projection.weights.indptr)
    if not projection.delay_per_synapse:
        delay = np.broadcast_to(projection.delays, (source.size,))
        return int(fan_out[source.channel[source.times + delay[source.channel] < end]].sum())
    first = np.concatenate([[0], np.cumsum(fan_out)])
    delays = synapse_delays(projection)
    return sum(
        int((time + delays[first[i] : first[i + 1]] < limit).sum())
        for time, i, limit in zip(source.times, source.channel, end, strict=True)
    )
