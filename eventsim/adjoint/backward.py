"""backward: walk the stages of a run in reverse and collect the gradients."""

from collections.abc import Callable

import numpy as np

from eventsim.adjoint.gradients import Gradients, PopulationGradients, ProjectionGradients
from eventsim.adjoint.seeds import Floats, Loss, ReadoutSeed, Seeds, SpikeSeed
from eventsim.engine import Precision, get_backend, make_job
from eventsim.engine.job import Backend, Job, Source, StageGradients
from eventsim.errors import NetworkError, ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Network, Projection
from eventsim.plan import make_plan


def backward(net: Network, tape: SpikeTape, seeds: Seeds | Loss) -> Gradients:
    """Exact gradients of a loss over a recorded run.

    Parameters
    ----------
    net
        The network, with the values it had in the run.
    tape
        The run.
    seeds
        Either a loss, or derivatives by population: for a spiking population dL/dt per spike
        in the order of the tape (an array) or a SpikeSeed; for a readout a ReadoutSeed.

    Returns
    -------
    Gradients
        Of every weight, delay and neuron parameter, and of the input times. New arrays.

    Raises
    ------
    NetworkError, ShapeError
        A seed names an unknown population or does not fit it.
    """
    loss = np.nan
    if callable(seeds):
        loss, seeds = seeds(net, tape)
    plan, engine = make_plan(net), get_backend(tape.backend)
    by_time = {name: np.zeros(len(tape[name])) for name in tape.names}
    by_voltage = {name: np.zeros(len(tape[name])) for name in tape.names}
    readouts = _sort_seeds(net, tape, seeds, by_time, by_voltage)
    by_time[plan.input.name] = np.zeros(tape.stream.n_events)

    populations: dict[str, PopulationGradients] = {}
    projections: dict[str, ProjectionGradients] = {}
    grazes = 0
    precision: Precision = "single" if tape.precision == "single" else "double"
    for stage in reversed(plan.stages):
        job = make_job(plan, stage, tape.stream, tape.trains, precision)
        if stage.population.kind == "readout":
            found = _readout(engine, job, readouts.get(stage.name))
        else:
            name = stage.name
            found = engine.layer_backward(job, tape[name], by_time[name], by_voltage[name])
            grazes += found.grazes
        for projection, by_source in zip(stage.afferents, found.source_times, strict=True):
            by_time[projection.source] += by_source
        populations[stage.name] = PopulationGradients(found.parameters)
        projections |= _projections(job, found)
    return Gradients(populations, projections, by_time[plan.input.name], loss, grazes)


def _sort_seeds(
    net: Network,
    tape: SpikeTape,
    seeds: Seeds,
    by_time: dict[str, Floats],
    by_voltage: dict[str, Floats],
) -> dict[str, ReadoutSeed]:
    readouts = {}
    for name, seed in seeds.items():
        population = net.population(name)
        if isinstance(seed, ReadoutSeed):
            if population.kind != "readout":
                raise NetworkError(f"backward: {name!r} got a ReadoutSeed but is no readout.")
            shape = (tape.stream.n_samples, population.size)
            _check_shape(name, "dL/d(integral)", seed.integral, shape)
            readouts[name] = seed
            continue
        if population.kind != "spiking":
            raise NetworkError(
                f"backward: {name!r} is of kind {population.kind!r} and has no spikes to take "
                "derivatives by. Give readouts a ReadoutSeed."
            )
        seed = seed if isinstance(seed, SpikeSeed) else SpikeSeed(time=np.asarray(seed))
        for kind, given, into in (
            ("dL/dt", seed.time, by_time),
            ("dL/dV", seed.voltage, by_voltage),
        ):
            if given is not None:
                _check_shape(name, kind, given, into[name].shape)
                into[name] += given
    return readouts


def _check_shape(name: str, kind: str, given: Floats, shape: tuple[int, ...]) -> None:
    if np.shape(given) != shape:
        raise ShapeError(
            f"backward: {kind} of {name!r} has shape {np.shape(given)}, expected {shape}."
        )


def _readout(engine: Backend, job: Job, seed: ReadoutSeed | None) -> StageGradients:
    if seed is None:
        seed = ReadoutSeed(np.inf, np.zeros((job.n_samples, job.stage.population.size)))
    return engine.readout_backward(job, 1.0 / seed.time_constant, seed.integral)


def _projections(job: Job, found: StageGradients) -> dict[str, ProjectionGradients]:
    stage, start = job.stage, job.stage.wiring.synapse_start
    result = {}
    for k, projection in enumerate(stage.afferents):
        mine = slice(start[k], start[k + 1])
        weights = found.weights[mine].reshape(projection.values.shape)
        if projection.delay_per_synapse:
            assert found.delays is not None
            delays = found.delays[mine].reshape(projection.delays.shape)
        else:
            delays = _shared_delays(projection, job.sources[k], found.source_times[k])
        result[projection.name] = ProjectionGradients(weights, delays)
    if stage.recurrence is not None:
        by_delay = found.self_delays
        total: Callable[[Floats], Floats] = (
            np.sum if stage.recurrence.delays.ndim == 0 else np.array
        )
        result[stage.recurrence.name] = ProjectionGradients(
            found.self_weights, np.asarray(total(by_delay))
        )
    return result


def _shared_delays(projection: Projection, source: Source, by_time: Floats) -> Floats:
    """A delay that all targets share moves the arrivals as the source's own times would."""
    if projection.delays.ndim == 0:
        return np.asarray(by_time.sum())
    total = np.zeros(source.size)
    np.add.at(total, source.channel, by_time)
    return total
