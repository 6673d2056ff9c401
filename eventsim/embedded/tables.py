"""What the C text of a network is made of: its stages as tables, in the numbers of the engine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.embedded.polynomials import Singles, answers
from eventsim.engine.algorithm import Algorithm, algorithm_of
from eventsim.engine.contract.job import Job
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
    row_weights,
)
from eventsim.errors import NetworkError
from eventsim.events import SpikeTape
from eventsim.network import Network
from eventsim.network.answer import Answer
from eventsim.plan import Plan, Stage, make_plan

PARAMETERS = (SLOW, GAP, RATE_MEM, LEVEL, ALERT, PEAK, RESET, SELF)  # of net_par
RULES = ("integral", "last", "spike_count", "first_spike")
SPARE, LEAST_ROOM = 2.0, 64  # of a queue: times what waited in the recordings, and beside


@dataclass(frozen=True, eq=False)
class Route:
    """A population's spikes become arrivals of a stage; ``delays`` [neurons], ms."""

    source: int
    row: int
    delays: Floats

    @property
    def least(self) -> float:
        """The least delay, ms."""
        return float(self.delays.min())

    @property
    def is_even(self) -> bool:
        """Whether all have the least delay."""
        return bool((self.delays == self.delays[0]).all())


@dataclass(frozen=True, eq=False)
class StageTables:
    """A stage: numbers as ``c/tables.h`` takes them."""

    name: str
    kind: str
    population: int
    size: int
    routes: tuple[Route, ...]
    weights: Singles  # [rows, neurons]
    par: Singles  # [neurons, parameters]
    answers: Singles
    longest: float
    refractory: Floats
    start: Singles
    outputs: Singles  # [neurons, 6] of the readout
    room: int


@dataclass(frozen=True, eq=False)
class Tables:
    """A network; ``populations`` are those that send events, the input first."""

    populations: tuple[str, ...]
    sizes: tuple[int, ...]
    stages: tuple[StageTables, ...]
    answer: Answer


def refuse(net: Network, plan: Plan) -> Answer:
    """Raise NetworkError for what the C text cannot do, by name; returns the answer."""
    answer = net.answer
    if answer is None:
        raise NetworkError(
            "export to C: the network has no answer. Say how it answers by net.set_answer(..)."
        )
    reasons = []
    if answer.rule not in RULES:
        reasons.append(f"the rule {answer.rule!r} (can be {', '.join(RULES)})")
    if net.decision is not None:
        reasons.append("a linear decision behind the readout")
    if answer.onset not in (None, 0.0):
        reasons.append(f"an onset of {answer.onset} (can be 0)")
    for stage in plan.stages:
        reasons += _reasons(stage, answer)
    if reasons:
        raise NetworkError(
            f"export to C: not supported: {'; '.join(reasons)}. Simulate such a network by "
            "eventsim itself."
        )
    return answer


def _reasons(stage: Stage, answer: Answer) -> list[str]:
    name, found = stage.name, list[str]()
    if stage.is_readout:
        if name != answer.population:
            found.append(f"readout {name!r}, which does not answer")
        if not stage.shares_events:
            found.append(f"readout {name!r} with sparse synapses or delays of synapses")
        return found
    algorithm = algorithm_of(stage)
    if algorithm is not Algorithm.STRETCHES:
        what = {
            Algorithm.FAN_IN: "sparse synapses, or delays of synapses or self-connections",
        }.get(algorithm, "connections in a loop")
        found.append(f"population {name!r} with {what} (algorithm {algorithm.value!r})")
    elif len(stage.heard) > 1:
        found.append(f"population {name!r}, whose blocks hear different sources, as a convolution")
    if stage.population.is_adaptive:
        found.append(f"population {name!r} with adaptive thresholds")
    return found


def tables_of(net: Network, tape: SpikeTape) -> Tables:
    """Tables of a network; ``tape`` says how many events wait in its queues."""
    net = net.to_host()
    plan = make_plan(net)
    answer = refuse(net, plan)
    senders = [stage for stage in plan.stages if not stage.is_readout]
    names = (plan.input.name, *(stage.name for stage in senders))
    sizes = (plan.input.size, *(stage.population.size for stage in senders))
    stages = tuple(_stage(stage, names, answer, tape) for stage in plan.stages)
    return Tables(names, sizes, stages, answer)


def _stage(stage: Stage, names: Sequence[str], answer: Answer, tape: SpikeTape) -> StageTables:
    job = Job(stage, (), np.zeros(1), "single")
    size, rows = stage.population.size, stage.wiring.row_start
    delays = job.row_delays()
    routes = tuple(
        Route(names.index(p.source), int(rows[k]), delays[rows[k] : rows[k + 1]])
        for k, p in enumerate(stage.afferents)
    )
    weights = np.asarray(row_weights(job))[:-1]
    if stage.is_readout:
        none = np.zeros((0,), np.float32)
        return StageTables(
            stage.name, "READOUT", 0, size, routes, weights, none, none, 0.0, np.zeros(0),
            np.zeros(size, np.float32), _outputs(stage, answer), _room(names, routes, tape, 1.0),
        )  # fmt: skip
    table = np.asarray(neuron_table(job))
    longest = np.float32(SPAN) / np.float32(fastest_rate(job))
    return StageTables(
        stage.name, "STRETCHES", names.index(stage.name), size, routes, weights,
        np.ascontiguousarray(table[list(PARAMETERS)].T),
        answers(table[RATE_MEM], table[RATE_SYN], longest), float(longest),
        stage.population.refractory, np.asarray(start_voltage(job)),
        np.zeros((0, 6), np.float32), _room(names, routes, tape, float(longest)),
    )  # fmt: skip


def fade(answer: Answer) -> float:
    """The rate by which the answer weighs a time, 1/ms."""
    if answer.rule != "integral" or answer.time_constant is None:
        return 0.0
    return 1.0 / answer.time_constant


def _outputs(stage: Stage, answer: Answer) -> Singles:
    """Of every output: rates of its weighted voltage, a, 1 / (a + mu), a / (b + mu), v_leak."""
    p, mu = stage.population, fade(answer)
    a, b = 1.0 / p.tau_mem, 1.0 / p.tau_syn
    rows = [np.minimum(a, b) + mu, b - a, a, 1.0 / (a + mu), a / (b + mu), p.v_leak]
    return np.stack(rows, axis=1).astype(np.float32)


def _room(names: Sequence[str], routes: tuple[Route, ...], tape: SpikeTape, lag: float) -> int:
    """Arrivals that a queue holds: more than ever waited in the recordings of the tape.

    One waits from when it is sent to when the stretch that it is in is known, ``lag`` ms after
    it arrives, and while a source before is behind as much.
    """
    most = 0
    for sample in range(tape.stream.n_samples):
        begins, ends = [np.zeros(0)], [np.zeros(0)]
        for route in routes:
            times, neurons = _sent(names, route.source, tape, sample)
            begins.append(times)
            ends.append(times + route.delays[neurons] + 2.0 * lag)
        most = max(most, _most_at_once(np.concatenate(begins), np.concatenate(ends)))
    return int(SPARE * most) + LEAST_ROOM


def _sent(
    names: Sequence[str], source: int, tape: SpikeTape, sample: int
) -> tuple[Floats, NDArray[np.int32]]:
    if source == 0:
        low, high = tape.stream.offsets[sample : sample + 2]
        return tape.stream.times[low:high], tape.stream.channels[low:high]
    trains = tape[names[source]]
    low, high = trains.offsets[sample : sample + 2]
    return trains.times[low:high], trains.neurons[low:high]


def _most_at_once(begins: Floats, ends: Floats) -> int:
    if not begins.size:
        return 0
    begins, ends = np.sort(begins), np.sort(ends)
    gone = np.searchsorted(ends, begins, side="left")
    return int((np.arange(1, begins.size + 1) - gone).max())
