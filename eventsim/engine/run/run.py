"""A run of a network on a stream, stage after stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

import numpy as np

from eventsim.arrays import Floats, Precision, beside, to_host
from eventsim.checks import every, one_of, real_array, shaped
from eventsim.engine.algorithm import algorithms_of
from eventsim.engine.contract.backend import Backend, features_of
from eventsim.engine.contract.counting import SynapticEvents
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.run import readout_piece, watch
from eventsim.engine.run.look import check_values
from eventsim.engine.run.members import split_members
from eventsim.engine.run.place import check_place, place_stream, place_tape
from eventsim.engine.run.starts import Start, stage_start
from eventsim.errors import BackendError, ParameterError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.events.source import SourceSpikes, source_of
from eventsim.events.tape import StartState
from eventsim.events.transforms import extend
from eventsim.matrix import require
from eventsim.memo import Memo
from eventsim.network import Network
from eventsim.plan import Plan, Stage, make_plan

LATEST = 10.0  # time constants between a spike and the begin of an integral, at most


@dataclass(frozen=True, eq=False)
class Course:
    """A simulation between its stages; made by :func:`begin_course`."""

    # plan, engine, precision: What runs, and by what
    plan: Plan
    engine: Backend
    precision: Precision
    # The input, the tail included; placed is the same on the device, if there is one
    stream: EventStream
    placed: SpikeTrains | None
    # sent, trains: What the input and the populations have sent so far, by name; changed in place
    sent: dict[str, SourceSpikes]
    trains: dict[str, SpikeTrains]
    start: Mapping[str, StartState] | None = None  # voltages and currents at time zero

    def finish(self) -> SpikeTape:
        """Run all stages; the tape of it, on the device on which it was computed."""
        span = float(self.stream.duration.sum())
        with watch.shown(watch.n_stages(self.plan) * span):
            for stage in self.plan.stages:
                if not stage.is_readout:
                    with watch.stage(span):
                        self.send(self.run(stage))
        return SpikeTape(
            self.stream,
            self.trains,
            self.synaptic_events(),
            self.engine.name,
            self.precision,
            self.placed,
            structure=self.plan.structure,
            start=self.start,
            algorithms=run_by(self.plan, self.engine),
        )

    def run(self, stage: Stage) -> dict[str, SpikeTrains]:
        """Spikes of the members of a stage whose sources have sent; nothing is kept of them."""
        afferents = tuple(self.sent[p.source] for p in stage.afferents)
        start = stage_start(stage, self.start)
        job = Job(stage, afferents, self.stream.duration, self.precision, start=start)
        engine = self.engine
        forward = engine.queue_forward if stage.lateral else engine.layer_forward
        if stage.is_linear:
            forward = engine.linear_forward
        return split_members(stage, forward(job))

    def synaptic_events(self) -> SynapticEvents:
        """Exact number of spike arrivals at synapses, by projection, once all stages have run."""
        pairs = [
            (projection, self.sent[projection.source])
            for stage in self.plan.stages
            for projection in (*stage.projections, *filter(None, stage.recurrences))
        ]
        counts = self.engine.count_arrivals(pairs, self.stream.duration)
        return SynapticEvents([projection.name for projection, _ in pairs], counts)

    def send(self, spikes: Mapping[str, SpikeTrains]) -> None:
        """Take spikes of a stage as those that later stages receive."""
        self.trains.update(spikes)
        self.sent.update({name: source_of(trains) for name, trains in spikes.items()})


def begin_course(
    net: Network,
    stream: EventStream,
    *,
    tail: float | None,
    backend: str,
    precision: Precision,
    memo: Memo | None = None,
    begin: Start | None = None,
) -> Course:
    """Check and prepare a simulation; parameters and errors as :func:`eventsim.simulate`.

    ``begin`` is its start, ``memo`` that of its caller, who says for how long the values stay; None
    for one of its own.
    """
    if not isinstance(stream, EventStream):
        raise ParameterError(
            "simulate",
            f"the stream is {type(stream).__name__}",
            "an EventStream: of arrays EventStream(times, channels, offsets, ...), of a file "
            "EventStream.load(path)",
        )
    stream = extended(net, stream, tail)
    plan, engine = make_plan(net, memo), get_backend(backend)
    check_place(net, engine)
    check_network(net, plan, engine, precision, "simulate" if begin is None else "start")
    plan.check_channels(stream.n_channels, "simulate")
    placed = place_stream(stream, engine)
    sent = {plan.input.name: source_of(stream if placed is None else placed)}
    states = None if begin is None else begin.states(net, stream.n_samples, precision)
    return Course(plan, engine, precision, stream, placed, sent, {}, states)


def extended(net: Network, stream: EventStream, tail: float | None) -> EventStream:
    """The stream with the tail that is given, or that of the network's answer."""
    if tail is None:
        tail = 0.0 if net.answer is None else net.answer.tail
    return extend(stream, tail)


def sources(net: Network, tape: SpikeTape) -> dict[str, SourceSpikes]:
    """Spikes that populations send, by name: of all but the readouts. Views."""
    tape.require_all("SpikeTape")
    return {
        name: source_of(tape.stream if population is net.input else tape[name])
        for name, population in net.populations.items()
        if name not in net.readouts
    }


def make_job(plan: Plan, stage: Stage, tape: SpikeTape) -> Job:
    """A stage together with the spikes of its sources; of a loop's own only if they are known."""
    tape.require_all(f"Population {stage.name!r}")
    sent = [
        _source(plan, tape, p.source)
        for p in stage.projections
        if p in stage.afferents or p.source in tape.trains
    ]
    precision: Precision = "single" if tape.precision == "single" else "double"
    start = stage_start(stage, tape.start)
    return Job(stage, tuple(sent), tape.stream.duration, precision, start=start)


def _source(plan: Plan, tape: SpikeTape, name: str) -> SourceSpikes:
    if name != plan.input.name:
        return source_of(tape.trains[name])
    return source_of(tape.stream if tape.placed_input is None else tape.placed_input)


def readout_integral(
    net: Network,
    tape: SpikeTape,
    name: str,
    *,
    time_constant: float = np.inf,
    begin: Floats | None = None,
) -> Floats:
    """Weighted integral of a readout's voltage over every sample, in closed form.

    Of the tape of a chunk, over the chunk; times count from the start of the recording.

    Parameters
    ----------
    net, tape
        The network and its run.
    name
        A readout population.
    time_constant
        ms, > 0: V is weighted by ``exp(-t / time_constant)``; infinity weights evenly.
    begin
        ms, [samples], in 0 .. the sample's duration: where the integral begins, and from where the
        t of its weight counts; None for the start. Spikes before it cost accuracy: their part is
        the difference of two integrals, whose rounding counts as much more as the weight falls
        from the first spike of the sample to ``begin``. Not of the tape of a chunk.

    Returns
    -------
    float64 [samples, size], in ms times the unit of V; on the device for a resident tape.

    Raises
    ------
    ParameterError, ShapeError
        ``time_constant`` or ``begin`` is out of its domain, or lies more than 10 time constants
        behind a spike of its sample, and rounding would decide.
    """
    if not time_constant > 0.0:
        raise ParameterError(
            "readout_integral", f"time_constant is {time_constant} ms", "a value > 0"
        )
    if tape.begin is not None and tape.before is not None:
        if begin is not None:
            raise ParameterError(
                "readout_integral",
                "begin needs a whole run, the tape is that of a chunk",
                remedy="Leave it out, or simulate the whole stream at once.",
            )
        job = readout_job(net, tape.with_before(), name)
        before = tape.before.readouts[name]
        return readout_piece.integral(job, before, tape.begin, 1.0 / time_constant)
    engine = get_backend(tape.backend)
    placed = place_tape(tape, engine)
    job = readout_job(net, placed, name)
    rate = 1.0 / time_constant
    if begin is None:
        integral = engine.readout_forward(job, rate)
    else:
        late = begin_late(job, begin, time_constant, "readout_integral")
        integral = engine.readout_forward(late.whole, rate)
        if late.before is not None:
            integral = integral - engine.readout_forward(late.before, rate)
        integral = integral * beside(late.factor, integral)
    return integral if placed is tape else to_host(integral)


class LateJob(NamedTuple):
    """A job whose readout is integrated from a later time on; made by :func:`begin_late`.

    Attributes
    ----------
    whole
        The job, in times of its own.
    before
        The same up to the begin, to be taken off; None where nothing is to be taken off.
    factor
        Of the difference, [samples, 1]: its weight counts from the begin.
    """

    whole: Job
    before: Job | None
    factor: Floats


def begin_late(job: Job, begin: Floats, time_constant: float, where: str) -> LateJob:
    """The job of a readout whose integral begins at ``begin``, ms [samples].

    Where the weight would fade until then, times count from the begin of each sample, or from its
    first spike if that is earlier: a readout rests until then.

    Raises ParameterError, ShapeError (for ``where``: a time lies outside its sample, or too long
    after its first spike, or there is not one for every sample).
    """
    begin = real_array(begin, f"{where}: begin")
    shaped(where, "begin", begin, (job.n_samples,), expected=f"({job.n_samples},), one per sample")
    every(
        where, "begin", begin, (begin >= 0.0) & (begin <= job.duration),
        lambda k: f"0 .. {job.duration[k]}, a time of the sample", of="sample", unit="ms",
    )  # fmt: skip
    since = begin
    if (begin > LATEST * time_constant).any():
        origin = np.minimum(begin, _first_spikes(job))
        job, since = job.since(origin), begin - origin
    late = np.flatnonzero(since > LATEST * time_constant)
    if late.size:
        raise ParameterError(
            f"{where}, sample {late[0]}",
            f"begins at {begin[late[0]]:g} ms, {since[late[0]]:g} ms after its first spike",
            f"at most {LATEST:g} time constants of {time_constant:g} ms, or rounding decides",
            "Use a longer time constant, or cut off what comes before.",
        )
    before = replace(job, duration=since) if since.any() else None
    return LateJob(job, before, np.exp(since / time_constant)[:, None])


def _first_spikes(job: Job) -> Floats:
    """Time of the first spike of any source in every sample, ms [samples]; infinite without one."""
    found = np.full(job.n_samples, np.inf)
    for source in job.sources:
        if source.times.size:
            offsets = to_host(source.offsets)
            there = np.flatnonzero(np.diff(offsets))
            first = to_host(source.times[beside(offsets[there], source.times)])
            found[there] = np.minimum(found[there], first)
    return found


def readout_job(net: Network, tape: SpikeTape, name: str) -> Job:
    """The job of a readout population; raises NetworkError if ``name`` is none."""
    net.readout(name, "Readout")
    plan = make_plan(net, tape.memo)
    plan.check_tape(tape, f"Readout {name!r}")
    tape.require_whole(f"Readout {name!r}")
    stage = next(stage for stage in plan.stages if stage.name == name)
    return make_job(plan, stage, tape)


def check_network(
    net: Network, plan: Plan, engine: Backend, precision: Precision, capability: str = "simulate"
) -> None:
    """Raise BackendError, NetworkError or ParameterError unless ``net`` can run."""
    check_precision(precision, "simulate")
    require(capability, net, features_of(engine), precision)
    check_values(net, engine, plan.memo)


def run_by(plan: Plan, engine: Backend) -> dict[str, str]:
    """Algorithm of every stage, or the name of a backend that has its own way."""
    own_way = None if getattr(engine, "by_algorithm", False) else engine.name
    return algorithms_of(plan, definition=own_way)


def check_precision(precision: Precision, where: str) -> None:
    """Raise BackendError unless it is one of the two."""
    one_of(where, "precision", precision, get_args(Precision), error=BackendError)
