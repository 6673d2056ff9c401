"""The stages of a network as tables for the C text, with the numbers of the engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints, to_host
from eventsim.embedded.linear import LinearTables, kind_of, linear_tables
from eventsim.embedded.polynomials import Singles, answers
from eventsim.embedded.refuse import KINDS, refuse
from eventsim.engine.algorithm import Algorithm, algorithm_of, least_delay
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import receptors_of, states_of
from eventsim.engine.contract.series import SPAN
from eventsim.engine.contract.state import start_voltage
from eventsim.engine.contract.table import (
    ALERT,
    GAP,
    LEVEL,
    PEAK,
    RATE_MEM,
    RATE_SYN,
    RESET,
    SELF,
    SLOW,
    fastest_rate,
    neuron_table,
    row_matrix,
    row_weights,
    scaled_weights,
)
from eventsim.events import SpikeTape
from eventsim.network import Decision, Network
from eventsim.network.answer import Answer
from eventsim.plan import BLOCK, Stage, make_plan

PARAMETERS = (SLOW, GAP, RATE_MEM, LEVEL, ALERT, PEAK, RESET, SELF)  # of net_par
SPARE, LEAST_ROOM = 2.0, 64  # of a queue: times what waited in the recordings, and beside


@dataclass(frozen=True, eq=False)
class Route:
    """Route of a population's spikes to arrivals of a stage, as in ``c/tables.h``.

    ``weights`` are [rows, neurons], or [synapses] where ``synapses`` are given; they are ``plain``
    ones times the ``resistance`` of the target, rounded to single precision. In linear neurons they
    raise the state ``state``, of receptor number ``receptor``. ``delays`` by neuron, or by synapse
    if these are ``apart``, ms. ``rows`` has -1 where a neuron has no row.
    """

    source: int
    plain: Floats
    resistance: Floats
    weights: Singles
    delays: Floats
    rows: NDArray[np.int64] | None = None
    synapses: Ints | None = None
    targets: Ints | None = None
    apart: bool = False
    state: int = 0
    receptor: int = 0

    @property
    def n_keys(self) -> int:
        """Rows or synapses."""
        return int(self.weights.shape[0])

    @property
    def least(self) -> float:
        """The least delay, ms."""
        return float(self.delays.min(initial=np.inf)) if self.delays.size else 0.0

    @property
    def is_even(self) -> bool:
        """Whether all have the least delay."""
        return bool((self.delays == self.least).all())

    def onto(self, mine: slice, hears: NDArray[np.bool_] | None = None) -> "Route":
        """The weights onto some neurons, of the rows that these hear; None for all rows."""
        rows, of = self.rows, slice(None) if hears is None else hears
        if hears is not None and not hears.all():
            assert rows is None
            rows = np.where(hears, np.cumsum(hears) - 1, -1)
        return replace(
            self, plain=self.plain[of, mine], weights=self.weights[of, mine],
            resistance=self.resistance[mine], rows=rows,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class StageTables:
    """A stage, or a block of one; arrays are by neuron."""

    name: str
    kind: str
    population: int
    members: int
    size: int
    routes: tuple[Route, ...]
    room: int
    # start, par, refractory, thresholds, own_weight: Of LIF neurons; thresholds: rise and rate
    start: Singles
    par: Singles = field(default_factory=lambda: np.zeros((0, len(PARAMETERS)), np.float32))
    refractory: Floats = field(default_factory=lambda: np.zeros(0))
    thresholds: Floats = field(default_factory=lambda: np.zeros(0))
    own_delay: Floats = field(default_factory=lambda: np.zeros(0))
    own_weight: Singles = field(default_factory=lambda: np.zeros(0, np.float32))
    longest: float = 0.0
    length: float = 0.0
    adapts: bool = False
    answers: Singles | None = None
    outputs: Singles | None = None  # of a readout
    linear: LinearTables | None = None


@dataclass(frozen=True, eq=False)
class Tables:
    """A network; ``populations`` are those that send events, the input first."""

    populations: tuple[str, ...]
    sizes: tuple[int, ...]
    stages: tuple[StageTables, ...]
    answer: Answer
    decision: Decision | None

    @property
    def output(self) -> int:
        """Number of the first stage that gives the answer."""
        if self.stages[-1].outputs is not None:
            return len(self.stages) - 1
        number = self.populations.index(self.answer.population)
        of = [s.population <= number < s.population + s.members for s in self.stages]
        return of.index(True)

    @property
    def has_linear(self) -> bool:
        """Whether some neurons are of another kind than LIF."""
        return any(s.linear is not None for s in self.stages)

    @property
    def n_outputs(self) -> int:
        """Number of neurons that give the answer."""
        if self.stages[-1].outputs is not None:
            return self.stages[-1].size
        return self.sizes[self.populations.index(self.answer.population)]

    @property
    def n_scores(self) -> int:
        """Number of scores of the answer."""
        return self.n_outputs if self.decision is None else self.decision.n_classes


def tables_of(net: Network, tape: SpikeTape) -> Tables:
    """Tables of a network; from ``tape`` follows how many events wait in its queues."""
    tape.require_all("footprint")
    net = net.to_host()
    plan = make_plan(net)
    answer = refuse(net)
    senders = [stage for stage in plan.stages if not stage.is_readout]
    members = [member for stage in senders for member in stage.members]
    names = (plan.input.name, *(member.name for member in members))
    sizes = (plan.input.size, *(member.size for member in members))
    waiting = _Waiting(names, tape, answer.tail)
    found = [
        unit
        for stage in senders
        for unit in (_linear_units if stage.is_linear else _units)(stage, waiting)
    ]
    found += [_readout(stage, answer, waiting) for stage in plan.stages if stage.is_readout]
    return Tables(names, sizes, tuple(found), answer, net.decision)


def _units(stage: Stage, waiting: "_Waiting") -> list[StageTables]:
    """The stage, or its blocks if these have different sources."""
    job = Job(stage, (), np.zeros(1), "single")
    algorithm, p = algorithm_of(stage), stage.population
    table = np.asarray(neuron_table(job))
    longest = np.float32(SPAN) / np.float32(fastest_rate(job))
    thresholds = np.zeros((p.size, 2))
    if p.is_adaptive:
        thresholds = np.stack([p.adaptation, 1.0 / p.tau_adaptation], axis=1)
    by_rows = algorithm in (Algorithm.STRETCHES, Algorithm.LOOP_STRETCHES)
    routes = _routes(job, waiting.names, by_rows=by_rows)
    whole = StageTables(
        name=stage.name,
        kind=KINDS[algorithm],
        population=waiting.names.index(stage.members[0].name),
        members=len(stage.members),
        size=p.size,
        routes=routes,
        room=waiting.room(routes, float(longest)),
        start=np.asarray(start_voltage(job)),
        par=np.ascontiguousarray(table[list(PARAMETERS)].T),
        refractory=p.refractory,
        thresholds=thresholds,
        own_delay=job.self_delays(),
        own_weight=(job.self_weights() * p.resistance).astype(np.float32),
        longest=float(longest),
        length=least_delay(stage) if algorithm.by_windows else 0.0,
        adapts=p.is_adaptive,
        answers=answers(table[RATE_MEM], table[RATE_SYN], longest),
    )
    if algorithm is Algorithm.STRETCHES and len(stage.heard) > 1:
        return [_block(whole, stage, k, waiting) for k in range(len(stage.heard))]
    return [whole]


def _linear_units(stage: Stage, waiting: "_Waiting") -> list[StageTables]:
    """The stage, or its blocks of neurons that share their pieces."""
    job = Job(stage, (), waiting.longest, "single")
    kind, blocks = kind_of(job), linear_tables(job)
    by_rows = kind == "PIECES"
    routes = tuple(
        replace(route, state=state, receptor=int(receptor))
        for route, state, receptor in zip(
            _routes(job, waiting.names, by_rows=by_rows),
            states_of(stage),
            receptors_of(stage),
            strict=True,
        )
    )
    found = list[StageTables]()
    for k, (mine, tables) in enumerate(blocks):
        heard = tuple(r.onto(mine) for r in routes) if by_rows else routes
        found.append(StageTables(
            name=f"{stage.name}_{k}" if len(blocks) > 1 else stage.name, kind=kind,
            population=waiting.names.index(stage.members[0].name), members=len(stage.members),
            size=tables.which.size, routes=heard, room=waiting.room(heard, tables.piece),
            start=np.zeros(tables.which.size, np.float32), own_delay=job.self_delays()[mine],
            linear=tables,
        ))  # fmt: skip
    return found


def _block(whole: StageTables, stage: Stage, k: int, waiting: "_Waiting") -> StageTables:
    """A block of neighbouring neurons, with the rows of their synapses."""
    mine, start, heard = slice(k * BLOCK, (k + 1) * BLOCK), 0, stage.heard[k]
    routes = list[Route]()
    for route in whole.routes:
        hears = heard[start : start + route.n_keys]
        start += route.n_keys
        if hears.any():
            routes.append(route.onto(mine, hears))
    by_neuron = ("start", "par", "refractory", "thresholds", "own_delay", "own_weight", "answers")
    parts = {name: getattr(whole, name)[mine] for name in by_neuron}
    room = waiting.room(tuple(routes), whole.longest)
    name, size = f"{whole.name}_{k}", parts["start"].size
    return replace(whole, name=name, size=size, routes=tuple(routes), room=room, **parts)


def _routes(job: Job, names: Sequence[str], *, by_rows: bool) -> tuple[Route, ...]:
    stage, start = job.stage, job.stage.wiring.row_start
    if not by_rows:
        return tuple(_sparse(job, names, k) for k in range(len(stage.projections)))
    delays = job.row_delays()
    plain, resistance = row_matrix(job, job.weights()), _resistance(stage)
    weights = plain.astype(np.float32) if stage.is_linear else np.asarray(row_weights(job))
    rows = [slice(int(start[k]), int(start[k + 1])) for k in range(len(stage.projections))]
    routes = (
        Route(names.index(p.source), plain[mine], resistance, weights[mine], delays[mine])
        for mine, p in zip(rows, stage.projections, strict=True)
    )
    # What a loop's events are to nobody, as eventsim.engine.contract.bundles has them.
    met = np.diff(stage.wiring.out_start) > 0 if stage.lateral else np.full(plain.shape[0], True)
    return tuple(
        route.onto(slice(None), met[mine]) for route, mine in zip(routes, rows, strict=True)
    )


def _resistance(stage: Stage) -> Floats:
    """Resistance by neuron; 1 for linear neurons, whose flow includes it."""
    if stage.is_linear:
        return np.ones(int(stage.member_start[-1]))
    found: Floats = stage.population.resistance
    return found


def _sparse(job: Job, names: Sequence[str], k: int) -> Route:
    """A projection by synapse, or by row if all are there."""
    p, wiring, size = job.stage.projections[k], job.stage.wiring, job.stage.population.size
    low, high = (int(n) for n in wiring.row_start[k : k + 2])
    first = wiring.out_start[low : high + 1]
    mine = slice(int(first[0]), int(first[-1]))
    plain = job.weights()[mine]
    weights = (plain if job.stage.is_linear else scaled_weights(job)[mine]).astype(np.float32)
    resistance = _resistance(job.stage)
    source, delays = names.index(p.source), job.row_delays()[low:high]
    every = not p.delay_per_synapse and weights.size == (high - low) * size
    if every and not p.has_multapses:
        shape = high - low, size
        return Route(source, plain.reshape(shape), resistance, weights.reshape(shape), delays)
    if p.delay_per_synapse:
        delays = job.delays()[mine]
    return Route(
        source, plain, resistance, weights, delays, synapses=first - first[0],
        targets=wiring.target[mine].astype(np.int64), apart=p.delay_per_synapse,
    )  # fmt: skip


def fade(answer: Answer) -> float:
    """The rate by which the answer weighs a time, 1/ms."""
    if answer.rule != "integral" or answer.time_constant is None:
        return 0.0
    return 1.0 / answer.time_constant


def _readout(stage: Stage, answer: Answer, waiting: "_Waiting") -> StageTables:
    job, p, mu = Job(stage, (), np.zeros(1), "single"), stage.population, fade(answer)
    a, b = 1.0 / p.tau_mem, 1.0 / p.tau_syn
    u = (b - a) / a
    log = np.where(u == 0.0, 1.0, np.log1p(u) / np.where(u == 0.0, 1.0, u))
    rows = [np.minimum(a, b) + mu, b - a, a, 1.0 / (a + mu), a / (b + mu), p.v_leak]
    routes = _routes(job, waiting.names, by_rows=stage.shares_events)
    return StageTables(
        name=stage.name, kind="READOUT", population=0, members=0, size=p.size, routes=routes,
        room=waiting.room(routes, 1.0), start=np.zeros(p.size, np.float32),
        outputs=np.stack([*rows, np.exp(-(1.0 + u) * log)], axis=1).astype(np.float32),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Waiting:
    """Number of arrivals that wait in the recordings of a tape."""

    names: tuple[str, ...]
    tape: SpikeTape
    tail: float

    @property
    def longest(self) -> Floats:
        """Duration of the longest recording with its tail, ms, [1]."""
        return np.array([float(self.tape.stream.duration.max()) + self.tail])

    def room(self, routes: tuple[Route, ...], lag: float) -> int:
        """Number of arrivals for which a queue has space: more than ever waited.

        An arrival waits from the time when it is sent until its stretch is known, some ``lag`` ms
        after it arrives.
        """
        most = max(self._most(routes, sample, lag) for sample in range(self.tape.stream.n_samples))
        return int(SPARE * most) + LEAST_ROOM

    def _most(self, routes: tuple[Route, ...], sample: int, lag: float) -> int:
        begins, ends = [np.zeros(0)], [np.zeros(0)]
        for route in routes:
            times, neurons = self._sent(route.source, sample)
            if route.apart:
                assert route.synapses is not None
                low, high = route.synapses[neurons], route.synapses[neurons + 1]
                parts = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
                synapse = np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
                sent, delays = np.repeat(times, high - low), route.delays[synapse]
            else:
                if route.rows is not None:
                    hears = route.rows[neurons] >= 0
                    times, neurons = times[hears], neurons[hears]
                sent, delays = times, route.delays[neurons]
            begins.append(sent)
            ends.append(sent + delays + 2.0 * lag)
        return _most_at_once(np.concatenate(begins), np.concatenate(ends))

    def _sent(self, source: int, sample: int) -> tuple[Floats, NDArray[Any]]:
        if source == 0:
            stream = self.tape.stream
            low, high = stream.offsets[sample : sample + 2]
            return to_host(stream.times[low:high]), to_host(stream.channels[low:high])
        trains = self.tape[self.names[source]]
        low, high = (int(n) for n in trains.offsets[sample : sample + 2])
        return to_host(trains.times[low:high]), to_host(trains.neurons[low:high])


def _most_at_once(begins: Floats, ends: Floats) -> int:
    if not begins.size:
        return 0
    begins, ends = np.sort(begins), np.sort(ends)
    gone = np.searchsorted(ends, begins, side="left")
    return int((np.arange(1, begins.size + 1) - gone).max())
