"""backward: go through the stages of a run in reverse and collect the gradients."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eventsim.adjoint import finite
from eventsim.adjoint.gradients import Gradients
from eventsim.adjoint.linear.direct import by_key, by_projection, by_source
from eventsim.adjoint.linear.neurons import Neurons
from eventsim.adjoint.seeds import (
    DecisionSeed,
    DirectSeed,
    Loss,
    ReadoutSeed,
    Seed,
    Seeds,
    SpikeSeed,
    VoltageSeed,
    joined,
    seeds_of,
)
from eventsim.adjoint.start import piece_from_start, with_start
from eventsim.arrays import Array, Floats, beside, fetch, namespace, owners, to_host
from eventsim.checks import real_array, shaped
from eventsim.engine import get_backend, make_job, place_tape
from eventsim.engine.contract import table as T
from eventsim.engine.contract.backend import Backend, features_of
from eventsim.engine.contract.job import DirectGradients, Job, StageGradients
from eventsim.engine.contract.own_returns import with_own_returns
from eventsim.engine.run.look import check_values, on_device
from eventsim.engine.run.members import join_members, member_order
from eventsim.engine.run.run import begin_late
from eventsim.errors import NetworkError, ParameterError
from eventsim.events import SpikeTape, SpikeTrains
from eventsim.matrix import require
from eventsim.memo import Memo
from eventsim.network import Network, Population
from eventsim.plan import Plan, Stage, make_plan


def backward(net: Network, tape: SpikeTape, seeds: Seeds | Loss) -> Gradients:
    """Exact gradients of a loss over a recorded run.

    Parameters
    ----------
    net
        The network, with the values it had in the run.
    tape
        The run.
    seeds
        Either a loss, or its derivatives by population: for a spiking population dL/dt per spike
        in the order of the tape (an array) or a SpikeSeed; for a readout a ReadoutSeed; for either
        a VoltageSeed; or a tuple of several.

    Returns
    -------
    Gradients
        Of every weight, delay and neuron parameter, in arrays of the network's library, and of the
        input times, in arrays of the tape's. New arrays, float64; of float32 weights and delays in
        single precision float32.

    Raises
    ------
    NetworkError, ShapeError
        The tape is that of another network, or a seed names an unknown population or does not fit.
    ParameterError
        A seed or the loss is not finite.
    """
    begun = begin_backward(net, tape, seeds)
    good, grazes = fetch(begun.good, begun.grazes)
    if not good:
        begun.check()
    return Gradients(begun.values, begun.input_times, begun.loss, int(grazes))


class Begun(NamedTuple):
    """Gradients, and two facts that the host has not read yet; see :class:`Gradients`.

    ``good`` is whether all seeds on a device are finite, ``grazes`` the number of grazing spikes:
    arrays without dimensions. ``check`` raises ParameterError unless all seeds are finite.
    """

    values: Mapping[str, Array]
    input_times: Array
    loss: float
    good: Array
    grazes: Array
    check: Callable[[], None]


def begin_backward(
    net: Network, tape: SpikeTape, seeds: Seeds | Loss, *, keys: Container[str] | None = None
) -> Begun:
    """As :func:`backward`, but the host waits for nothing.

    Where arrays are NumPy's, a seed that is not finite is refused at once. ``keys`` are those of
    the gradients that are needed: others, and those of the input times, may be zeros. None: all.
    """
    tape = with_memo(tape)
    make_plan(net, tape.memo).check_tape(tape, "backward")
    tape.require_whole("backward")
    _require_currents(net, tape)
    require_start(net, tape)
    loss = np.nan
    if callable(seeds):
        loss, seeds = evaluated(seeds, net, tape)
    return walk_back(net, tape, seeds, loss=loss, keys=keys)


def _require_currents(net: Network, tape: SpikeTape) -> None:
    """Raise ParameterError for a run by pieces with a neuron that was held over their border."""
    if tape.stream.sources is None:
        return
    for name, population in net.spiking.items():
        trains = tape[name].map(to_host)
        hold = to_host(population.refractory)[trains.neurons]
        end = tape.stream.duration[owners(trains.offsets, len(trains))]
        released = (hold > 0.0) & (trains.times + hold < end)
        if population.neuron is None and np.isnan(trains.restart_current[released]).any():
            raise ParameterError(
                "backward",
                f"the run made its events piece by piece, and neurons of {name!r} were held over "
                "the border of two",
                remedy="Gradients of long runs come from es.backward_chunks(net, "
                "stream.chunks(length), loss).",
            )


def require_start(net: Network, tape: SpikeTape) -> None:
    """Raise NetworkError or BackendError where there are no gradients with the tape's start."""
    if tape.start is not None:
        require("start_gradients", net, features_of(get_backend(tape.backend)), where="backward")


def with_memo(tape: SpikeTape) -> SpikeTape:
    """The tape with a memo for the loss and the way back, if it has none of a step of training."""
    return tape if tape.memo is not None else replace(tape, memo=Memo())


def walk_back(
    net: Network,
    tape: SpikeTape,
    seeds: Seeds,
    *,
    loss: float,
    keys: Container[str] | None = None,
    run: RunStage | None = None,
) -> Begun:
    """As :func:`begin_backward`, of checked arguments: stage after stage, from the last.

    ``run`` takes a stage back; None for :func:`stage_gradients`, which takes whole samples.
    """
    plan, engine = make_plan(net, tape.memo), get_backend(tape.backend)
    if on_device(net):
        check_values(net, engine, plan.memo)
    given, tape = tape, place_tape(tape, engine)
    seeded = SortedSeeds.of(net, tape, engine.xp)
    checked = seeded.take(net, tape, seeds)
    direct = [(seed.neurons, seed.direct()) for seed in seeded.direct]
    by_input, more = seeded.take_direct(net, tape, direct)
    good = _good(engine, [*checked, *more])

    def check() -> None:
        again = SortedSeeds.of(net, tape, engine.xp)
        finite.require_finite("backward", again.take(net, tape, seeds))
        finite.require_finite("backward", again.take_direct(net, tape, direct)[1])

    total, grazes = dict[str, Array](), list[Array]()
    for stage in reversed(plan.stages):
        job = replace(make_job(plan, stage, tape), asked=_asked(plan, stage, keys))
        found = (run or stage_gradients)(engine, job, tape, seeded)
        grazes.append(found.grazes)
        asked = job.asked or (True,) * len(stage.projections)
        for projection, values, wanted in zip(
            stage.afferents, found.source_times, asked, strict=False
        ):
            if wanted:
                seeded.by_time[projection.source] += values
        for member, low, high in _members(stage):
            for name, values in found.parameters.items():
                total[f"{member.name}.{name}"] = values[low:high]
        for key, values in _projections(engine, job, found, keys):
            total[key] = values
    behind = {} if net.decision is None else net.decision.parameters
    total |= {key: namespace(v).zeros(v.shape) for key, v in behind.items()}
    added = [pair for neurons, found in direct for pair in by_key(neurons, found)]
    for key, values in (*added, *seeded.decision):
        total[key] = total[key] + beside(values, total[key])
    own = seeded.by_time[plan.input.name]
    input_times: Floats = sum(by_input, start=own if tape is given else to_host(own))
    found_by_key = {
        key: _of_type(total[key], like, tape.precision) for key, like in net.parameters().items()
    }
    return Begun(found_by_key, input_times, loss, good, _sum(grazes), check)


def _of_type(found: Array, like: Array, precision: str) -> Array:
    """float32 where the parameter and the state of the run are, else float64."""
    single = precision == "single" and like.dtype == np.float32
    return found.astype(np.float32 if single else np.float64, copy=False)


def _asked(plan: Plan, stage: Stage, keys: Container[str] | None) -> tuple[bool, ...] | None:
    """Whether dL/dt of a source's spikes leads to a gradient that is needed, by source."""
    if keys is None:
        return None
    return tuple(
        p.source != plan.input.name or f"{p.name}.delays" in keys for p in stage.projections
    )


def _sum(grazes: list[Array]) -> Array:
    """Sum of counts, some of which may be on a device; a readout has none."""
    some = [one for one in grazes if not isinstance(one, int) or one]
    return sum(some[1:], start=some[0]) if some else 0


def _good(engine: Backend, checked: list[finite.Given]) -> Array:
    """Whether all seeds are finite; raises for arrays of NumPy, of which it is known at once."""
    on_host = [one for one in checked if namespace(one.values) is np]
    finite.require_finite("backward", on_host)
    found = finite.all_finite([one for one in checked if namespace(one.values) is not np])
    return found[0] if found else engine.xp.ones((), np.bool_)


def evaluated(loss: Loss, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
    """Value and seeds of a loss; raises ParameterError for a value that is not finite."""
    value, seeds = loss(net, tape)
    finite.require_finite_loss("backward", value, loss)
    return value, seeds


class SortedSeeds(NamedTuple):
    """The seeds of a loss, sorted by what they act on; arrays are where the backend's are.

    ``by_time`` and ``by_voltage`` are dL/dt and dL/dV of spikes by population; ``by_time`` also
    gathers what later stages give to the spikes. ``readouts`` are seeds of integrals, ``direct``
    those of voltages, ``decision`` derivatives by a linear decision, by key.
    """

    by_time: dict[str, Floats]
    by_voltage: dict[str, Floats]
    readouts: dict[str, ReadoutSeed]
    direct: list[VoltageSeed | DirectSeed]
    decision: list[tuple[str, Floats]]

    @classmethod
    def of(cls, net: Network, tape: SpikeTape, xp: Any) -> SortedSeeds:
        """Zero everywhere."""
        by_time = {name: xp.zeros(len(tape[name])) for name in tape.names}
        by_time[net.input.name] = xp.zeros(tape.stream.n_events)
        return cls(by_time, {}, {}, [], [])

    def take(self, net: Network, tape: SpikeTape, seeds: Seeds) -> list[finite.Given]:
        """Add the seeds; returns what must be finite."""
        checked = list[finite.Given]()
        for name, given in seeds.items():
            population = net.population(name)
            for seed in joined(name, seeds_of(given)):
                checked += self._take(net, tape, population, seed)
        return checked

    def _take(
        self, net: Network, tape: SpikeTape, population: Population, seed: Seed
    ) -> Iterator[finite.Given]:
        name = population.name
        if isinstance(seed, SpikeSeed):
            if not population.is_spiking:
                raise NetworkError(
                    "backward",
                    f"{name!r} is of kind {population.kind!r} and has no spikes to take "
                    "derivatives by",
                    remedy="Give readouts a ReadoutSeed.",
                )
            yield from self._take_spikes(tape, name, seed)
        elif isinstance(seed, ReadoutSeed):
            if not population.is_readout:
                raise NetworkError("backward", f"{name!r} got a ReadoutSeed but is no readout")
            found = _readout_seed(name, seed, (tape.stream.n_samples, population.size))
            self.readouts[name] = found
            place = finite.of_neurons(population.size)
            yield finite.Given(f"dL/d(integral) of {name!r}", found.integral, place)
        elif isinstance(seed, DecisionSeed):
            known = net.parameters()
            for key, values in seed.values.items():
                if key not in known:
                    raise NetworkError("backward", f"{name!r} got a seed of {key!r}, which is not")
                self.decision.append((key, of_shape(f"dL/d({key})", values, known[key].shape)))
                yield finite.Given(f"dL/d({key})", values, lambda k: f"entry {k}")
        else:
            self.direct.append(seed)
            if isinstance(seed, VoltageSeed):
                what = f"dL/dV of {name!r}"
                values = of_shape(what, seed.by_voltage, seed.probe.value.shape)
                yield finite.Given(what, values, lambda k: f"entry {k}")

    def _take_spikes(self, tape: SpikeTape, name: str, seed: SpikeSeed) -> Iterator[finite.Given]:
        into = self.by_time[name]
        if seed.time is not None:
            what = f"dL/dt of {name!r}"
            into += beside(of_shape(what, seed.time, into.shape), into)
            yield finite.Given(what, into, finite.of_spikes(tape[name]))
        if seed.voltage is not None:
            what = f"dL/dV of {name!r}"
            self.by_voltage[name] = beside(of_shape(what, seed.voltage, into.shape), into)
            yield finite.Given(what, self.by_voltage[name], finite.of_spikes(tape[name]))

    def voltage(self, name: str, xp: Any) -> Array:
        """dL/dV just before every spike."""
        known = self.by_voltage.get(name)
        return xp.zeros(self.by_time[name].size) if known is None else known

    def take_direct(
        self, net: Network, tape: SpikeTape, direct: list[tuple[Neurons, DirectGradients]]
    ) -> tuple[list[Array], list[finite.Given]]:
        """Add what acts on spikes; returns what acts on the input's events, and must be finite."""
        checked, by_input = dict[str, finite.Given](), list[Array]()
        for neurons, found in direct:
            for name, values in by_source(neurons, found):
                if name == net.input.name:
                    by_input.append(values)
                    continue
                self.by_time[name] += beside(values, self.by_time[name])
                place = finite.of_spikes(tape[name])
                checked[name] = finite.Given(f"dL/dt of {name!r}", self.by_time[name], place)
        return by_input, list(checked.values())


def _readout_seed(name: str, seed: ReadoutSeed, shape: tuple[int, ...]) -> ReadoutSeed:
    if not seed.time_constant > 0.0:
        raise ParameterError(
            "backward",
            f"time_constant of the seed of {name!r} is {seed.time_constant} ms",
            "a value > 0",
        )
    integral = of_shape(f"dL/d(integral) of {name!r}", seed.integral, shape)
    return ReadoutSeed(time_constant=seed.time_constant, integral=integral, begin=seed.begin)


def of_shape(what: str, given: Floats, shape: tuple[int, ...]) -> Floats:
    """A seed as an array of that shape; on the device if it is."""
    values = given if hasattr(given, "get") else real_array(given, f"backward: {what}")
    shaped("backward", what, values, shape)
    return values


RunStage = Callable[[Backend, Job, SpikeTape, SortedSeeds], StageGradients]


def stage_gradients(
    engine: Backend, job: Job, tape: SpikeTape, seeded: SortedSeeds, piece: Any = None
) -> StageGradients:
    """Gradients of one stage, from the seeds of it and of the stages after it.

    Of a spiking stage over a ``piece``, its own spikes are in the order of :func:`member_order`.
    """
    stage = job.stage
    if stage.is_readout:
        return _readout(engine, job, seeded.readouts.get(stage.name))
    if job.start is None or "chunks_back" not in engine.runs:  # else it takes the start itself
        return _spiking(engine, job, tape, seeded, piece)
    piece = piece_from_start(job) if piece is None else piece
    return with_start(job, _spiking(engine, job, tape, seeded, piece), piece.adjoint)


def _spiking(
    engine: Backend, job: Job, tape: SpikeTape, seeded: SortedSeeds, piece: Any
) -> StageGradients:
    stage, name = job.stage, job.stage.name
    more = () if piece is None else (piece,)
    if stage.is_linear:
        return engine.linear_backward(job, *_given(engine, stage, tape, seeded), *more)
    if not stage.lateral:
        by_voltage = seeded.voltage(name, engine.xp)
        return engine.layer_backward(job, tape[name], seeded.by_time[name], by_voltage, *more)
    found = engine.queue_backward(job, *_given(engine, stage, tape, seeded), *more)
    return with_own_returns(job, found)


def _given(
    engine: Backend, stage: Stage, tape: SpikeTape, seeded: SortedSeeds
) -> tuple[SpikeTrains, Array, Array]:
    """Spikes of all members as those of one population, and what the loss says of them."""
    order = member_order(stage, tape.trains)
    names, xp = [member.name for member in stage.members], engine.xp
    return (
        join_members(stage, tape.trains, order),
        xp.concatenate([seeded.by_time[name] for name in names])[order],
        xp.concatenate([seeded.voltage(name, xp) for name in names])[order],
    )


def _readout(engine: Backend, job: Job, seed: ReadoutSeed | None) -> StageGradients:
    if seed is None:
        p, n_synapses = job.stage.population, int(job.stage.wiring.synapse_start[-1])
        xp = namespace(p.tau_mem)
        return T.stage_gradients(
            job,
            T.readout_parameters(job, xp.zeros((T.N_READOUT, p.size)), xp.zeros(p.size)),
            weights=xp.zeros(n_synapses),
            delays=xp.zeros(n_synapses),
            effects=tuple(engine.xp.zeros(source.times.size) for source in job.sources),
        )
    rate, by_integral = 1.0 / seed.time_constant, engine.asarray(seed.integral)
    if seed.begin is None:
        return engine.readout_backward(job, rate, by_integral)
    late = begin_late(job, seed.begin, seed.time_constant, "backward")
    by_integral = by_integral * engine.asarray(late.factor)
    found = engine.readout_backward(late.whole, rate, by_integral)
    if late.before is None:
        return found
    return found.plus(engine.readout_backward(late.before, rate, -by_integral))


def _members(stage: Stage) -> list[tuple[Population, int, int]]:
    """Every member with its first neuron and the one after its last."""
    starts = [int(start) for start in stage.member_start]
    return list(zip(stage.members, starts[:-1], starts[1:], strict=True))


def _projections(
    engine: Backend, job: Job, found: StageGradients, keys: Container[str] | None
) -> Iterator[tuple[str, Floats]]:
    """Gradients of weights and delays by their keys."""
    stage = job.stage
    given = found.weights, found.delays, found.source_times
    yield from by_projection(engine.sum_source, job, *given, keys)
    for recurrence, (_, low, high) in zip(stage.recurrences, _members(stage), strict=True):
        if recurrence is not None:
            by_delay: Any = found.self_delays[low:high]
            if recurrence.delays.ndim == 0:
                xp = namespace(by_delay)
                wanted = keys is None or f"{recurrence.name}.delays" in keys
                by_delay = xp.asarray(by_delay.sum()) if wanted else xp.zeros(())
            yield f"{recurrence.name}.weights", found.self_weights[low:high]
            yield f"{recurrence.name}.delays", by_delay
