"""backward: walk the stages of a run in reverse and collect the gradients."""

from typing import Any

import numpy as np

from eventsim.adjoint.finite import (
    Given,
    of_neurons,
    of_spikes,
    require_finite,
    require_finite_loss,
)
from eventsim.adjoint.gradients import Gradients, PopulationGradients, ProjectionGradients
from eventsim.adjoint.seeds import Loss, ReadoutSeed, Seeds, SpikeSeed
from eventsim.arrays import Floats, beside, namespace, to_host
from eventsim.engine import get_backend, make_job, place_tape
from eventsim.engine.backend import Backend
from eventsim.engine.job import Job, Source, StageGradients
from eventsim.engine.members import join_members, member_order
from eventsim.engine.table import N_READOUT, readout_gradients
from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.events import SpikeTape
from eventsim.events.doors import real_array
from eventsim.network import Network, Population, Projection
from eventsim.plan import Stage, make_plan


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
        Of every weight, delay and neuron parameter, in arrays of the network's library, and of the
        input times, in arrays of the tape's. New arrays.

    Raises
    ------
    NetworkError, ShapeError
        The tape is that of another network, or a seed names an unknown population or does not fit.
    ParameterError
        A seed or the loss is not finite.
    """
    plan, engine = make_plan(net), get_backend(tape.backend)
    plan.check_tape(tape, "backward")
    loss = np.nan
    if callable(seeds):
        loss, seeds = _evaluated(seeds, net, tape)
    given, tape, xp = tape, place_tape(tape, engine), engine.xp
    by_time = {name: xp.zeros(len(tape[name])) for name in tape.names}
    by_voltage = {name: xp.zeros(len(tape[name])) for name in tape.names}
    readouts = _sort_seeds(net, tape, seeds, by_time, by_voltage)
    by_time[plan.input.name] = xp.zeros(tape.stream.n_events)

    populations: dict[str, PopulationGradients] = {}
    projections: dict[str, ProjectionGradients] = {}
    grazes = 0
    for stage in reversed(plan.stages):
        job = make_job(plan, stage, tape)
        if stage.population.kind == "readout":
            found = _readout(engine, job, readouts.get(stage.name))
        elif stage.lateral:
            found = _loop(engine, job, tape, by_time, by_voltage)
        else:
            name = stage.name
            found = engine.layer_backward(job, tape[name], by_time[name], by_voltage[name])
        grazes += found.grazes
        for projection, by_source in zip(stage.afferents, found.source_times, strict=False):
            by_time[projection.source] += by_source
        for member, low, high in _members(stage):
            mine = {name: values[low:high] for name, values in found.parameters.items()}
            populations[member.name] = PopulationGradients(mine)
        projections |= _projections(engine, job, found)
    by_input = by_time[plan.input.name]
    input_times = by_input if tape is given else to_host(by_input)
    behind = {} if net.decision is None else net.decision.parameters
    decision = {key: namespace(v).zeros(v.shape) for key, v in behind.items()}
    return Gradients(populations, projections, input_times, loss, grazes, decision)


def _evaluated(loss: Loss, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
    value, seeds = loss(net, tape)
    require_finite_loss("backward", value, loss)
    return value, seeds


def _sort_seeds(
    net: Network,
    tape: SpikeTape,
    seeds: Seeds,
    by_time: dict[str, Floats],
    by_voltage: dict[str, Floats],
) -> dict[str, ReadoutSeed]:
    readouts, checked = {}, list[Given]()
    for name, seed in seeds.items():
        population = net.population(name)
        if isinstance(seed, ReadoutSeed):
            if population.kind != "readout":
                raise NetworkError(f"backward: {name!r} got a ReadoutSeed but is no readout.")
            readouts[name] = _readout_seed(name, seed, (tape.stream.n_samples, population.size))
            place = of_neurons(population.size)
            checked.append(Given(f"dL/d(integral) of {name!r}", readouts[name].integral, place))
            continue
        if population.kind != "spiking":
            raise NetworkError(
                f"backward: {name!r} is of kind {population.kind!r} and has no spikes to take "
                "derivatives by. Give readouts a ReadoutSeed."
            )
        seed = seed if isinstance(seed, SpikeSeed) else SpikeSeed(time=seed)
        for kind, given, into in (
            ("dL/dt", seed.time, by_time),
            ("dL/dV", seed.voltage, by_voltage),
        ):
            if given is not None:
                values = _of_shape(f"{kind} of {name!r}", given, into[name].shape)
                into[name] += beside(values, into[name])
                checked.append(Given(f"{kind} of {name!r}", into[name], of_spikes(tape[name])))
    require_finite("backward", checked)
    return readouts


def _readout_seed(name: str, seed: ReadoutSeed, shape: tuple[int, ...]) -> ReadoutSeed:
    if not seed.time_constant > 0.0:
        raise ParameterError(
            f"backward: time_constant of the seed of {name!r} is {seed.time_constant} ms, expected "
            "a value > 0."
        )
    integral = _of_shape(f"dL/d(integral) of {name!r}", seed.integral, shape)
    return ReadoutSeed(time_constant=seed.time_constant, integral=integral)


def _of_shape(what: str, given: Floats, shape: tuple[int, ...]) -> Floats:
    """A seed as an array of that shape; on the device if it is."""
    values = given if hasattr(given, "get") else real_array(given, f"backward: {what}")
    if values.shape != shape:
        raise ShapeError(f"backward: {what} has shape {values.shape}, expected {shape}.")
    return values


def _readout(engine: Backend, job: Job, seed: ReadoutSeed | None) -> StageGradients:
    if seed is None:
        p, n_synapses = job.stage.population, int(job.stage.wiring.synapse_start[-1])
        xp = namespace(p.tau_mem)
        return readout_gradients(
            job,
            by_weight=xp.zeros(n_synapses),
            by_delay=xp.zeros(n_synapses),
            source_times=tuple(engine.xp.zeros(source.times.size) for source in job.sources),
            sums=xp.zeros((N_READOUT, p.size)),
            by_leak=xp.zeros(p.size),
        )
    return engine.readout_backward(job, 1.0 / seed.time_constant, engine.asarray(seed.integral))


def _loop(
    engine: Backend,
    job: Job,
    tape: SpikeTape,
    by_time: dict[str, Floats],
    by_voltage: dict[str, Floats],
) -> StageGradients:
    """A stage with a loop: its members run backward as one population."""
    order = member_order(job.stage, tape.trains)
    names, xp = [member.name for member in job.stage.members], engine.xp
    return engine.queue_backward(
        job,
        join_members(job.stage, tape.trains, order),
        xp.concatenate([by_time[name] for name in names])[order],
        xp.concatenate([by_voltage[name] for name in names])[order],
    )


def _members(stage: Stage) -> list[tuple[Population, int, int]]:
    """Every member with its first neuron and the one after its last."""
    starts = [int(start) for start in stage.member_start]
    return list(zip(stage.members, starts[:-1], starts[1:], strict=True))


def _projections(
    engine: Backend, job: Job, found: StageGradients
) -> dict[str, ProjectionGradients]:
    stage, start = job.stage, job.stage.wiring.synapse_start
    result = {}
    for k, projection in enumerate(stage.projections):
        mine = slice(start[k], start[k + 1])
        weights = found.weights[mine].reshape(projection.values.shape)
        if projection.delay_per_synapse:
            assert found.delays is not None
            delays = found.delays[mine].reshape(projection.delays.shape)
        else:
            delays = _shared_delays(engine, projection, job.sources[k], found.source_times[k])
        result[projection.name] = ProjectionGradients(weights, delays)
    for recurrence, (_, low, high) in zip(stage.recurrences, _members(stage), strict=True):
        if recurrence is not None:
            by_delay: Any = found.self_delays[low:high]
            if recurrence.delays.ndim == 0:
                by_delay = namespace(by_delay).asarray(by_delay.sum())
            result[recurrence.name] = ProjectionGradients(found.self_weights[low:high], by_delay)
    return result


def _shared_delays(
    engine: Backend, projection: Projection, source: Source, by_time: Floats
) -> Floats:
    """A delay that all targets share moves the arrivals as the source's own times would."""
    if projection.delays.ndim == 0:
        total = engine.xp.asarray(by_time.sum())
    else:
        total = engine.sum_by(by_time, source.channel, source.size)
    shared: Floats = beside(total, projection.delays)
    return shared
