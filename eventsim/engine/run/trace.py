r"""Voltage and current of any population at any times, in closed form from the tape.

A run keeps spikes, not states. Between two marks they follow from each other and from what arrives:
:mod:`eventsim.engine.run.states`. A spike sets :math:`V` to :math:`V_r` and holds it there for the
refractory time.

**Marks.** A row is one neuron in one sample. Its marks are the asked times, and the ends of its
refractory times (the spikes themselves where there is none), in order of time. Arrivals and marks
come in blocks, so that the memory in passing is bounded.

Values are right-continuous: at the time of an arrival the current holds its weight, at the time of
a spike the voltage is the reset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Bools, Floats, Ints
from eventsim.checks import every, real_array, whole_array
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import neuron_of
from eventsim.engine.run.arrivals import find_arrivals
from eventsim.engine.run.linear_trace import linear_states
from eventsim.engine.run.run import make_job
from eventsim.engine.run.standing import Standing, standing
from eventsim.engine.run.states import Begin, Met, Rates, Released, States
from eventsim.errors import NetworkError, ShapeError
from eventsim.events import SpikeTape
from eventsim.events.source import SourceSpikes, source_of
from eventsim.network import Network, Population
from eventsim.plan import make_plan

# Arrivals, and marks, of one block: about 0.1 GB in passing.
MOST_AT_ONCE = 1 << 20

NOT_IN_FILES = (
    "A file does not hold what came before: ask the tape that eventsim.simulate_chunk gave, or "
    "simulate the whole stream at once."
)


class _State(NamedTuple):
    """Voltage and current at the asked times; of several receptors theirs in a last axis."""

    voltage: Floats
    current: Floats

    @classmethod
    def of(cls, found: Floats) -> _State:
        """From both, one after the other."""
        voltage, *currents = found
        return cls(voltage, currents[0] if len(currents) == 1 else np.stack(currents, axis=-1))


def voltage(
    net: Network,
    tape: SpikeTape,
    population: str | Population,
    times: ArrayLike,
    *,
    neurons: ArrayLike | None = None,
    samples: ArrayLike | None = None,
) -> Floats:
    """Membrane voltage of any population at any times, exact to rounding.

    Nothing has to be recorded during the run: the voltage follows from the spikes on the tape.

    Parameters
    ----------
    net, tape
        The network and its run, of any backend and precision; of a chunk with the values that the
        network had in it, where values are exact to the rounding of the state that it began with.
        Files of tapes of later chunks do not hold that state.
    population
        Name of a spiking population or a readout, or the population itself.
    times
        ms from the start of the recording: one time, or an array of one dimension in any order; of
        a chunk from its begin to its end. The value at a spike is the reset potential; it holds to
        the end of the refractory time.
    neurons
        Numbers of neurons, in any order; None for all.
    samples
        Numbers of samples, in any order; None for all.

    Returns
    -------
    float64 [samples, times, neurons]
        In the unit of the threshold. NaN at times outside a sample that is shorter than others, or
        begins later. New array.

    Raises
    ------
    NetworkError
        There is no such population, it is the input, or the tape is that of another network.
    ParameterError
        A time is not finite, or lies outside all samples; a number is that of no neuron or sample;
        the tape is that of a later chunk, and was read from a file.
    ShapeError
        Times or numbers are no list.

    See Also
    --------
    current : The synaptic current.
    readout_integral : Weighted integral of a readout's voltage.

    Examples
    --------
    >>> import eventsim as es
    >>> net = es.Network()
    >>> net.add_input("input", 1)
    Population('input', 1 channel)
    >>> net.add_population("hidden", 1, tau_mem=20.0, tau_syn=5.0, v_reset=-0.5)
    Population('hidden', 1 spiking neuron)
    >>> net.connect("input", "hidden", [[8.0]])
    Projection('input->hidden', dense, 1 synapse)
    >>> stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=30.0)
    >>> tape = es.simulate(net, stream, backend="reference")
    >>> spike = tape["hidden"].times[0]
    >>> es.voltage(net, tape, "hidden", [0.0, spike - 1e-9, spike])[0, :, 0].round(6)
    array([ 0. ,  1. , -0.5])
    """
    return _state(_Call("voltage", net, tape, population), times, neurons, samples).voltage


def current(
    net: Network,
    tape: SpikeTape,
    population: str | Population,
    times: ArrayLike,
    *,
    neurons: ArrayLike | None = None,
    samples: ArrayLike | None = None,
) -> Floats:
    """Synaptic current of any population at any times, exact to rounding.

    Parameters
    ----------
    net, tape, population, times, neurons, samples
        As :func:`voltage`. The value at the time of an arrival holds its weight; spikes of the
        neuron itself change the current through its self-connection only.

    Returns
    -------
    float64 [samples, times, neurons]
        In the unit of the weights: the sum of the weights that have arrived, each decayed. Of
        linear neurons it is the state that arrivals raise; of those with several receptors
        [samples, times, neurons, receptors], in the order of ``neuron.receptors``. NaN as in
        :func:`voltage`. New array.

    Raises
    ------
    NetworkError, ParameterError, ShapeError
        As :func:`voltage`.

    Examples
    --------
    >>> import eventsim as es
    >>> net = es.scsr(1, (1,), 2)
    >>> stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=30.0)
    >>> tape = es.simulate(net, stream, backend="reference")
    >>> es.current(net, tape, "output", [0.5, 1.0, 10.0]).shape
    (1, 3, 2)
    """
    return _state(_Call("current", net, tape, population), times, neurons, samples).current


class _Call(NamedTuple):
    """A request for traces, with the name of the function."""

    where: str
    net: Network
    tape: SpikeTape
    population: str | Population


def _state(
    call: _Call, times: ArrayLike, neurons: ArrayLike | None, samples: ArrayLike | None
) -> _State:
    population = call.net.population(call.population)
    if population.is_input:
        raise NetworkError(
            call.where,
            f"population {population.name!r} is the input, whose channels have no state",
            f"one of {list(call.net.neurons)}",
        )
    net, tape = call.net.to_host(), call.tape.to_host()
    plan = make_plan(net, tape.memo)
    plan.check_tape(tape, f"{call.where} of {population.name!r}")
    if tape.before is None:
        tape.require_whole(call.where, NOT_IN_FILES)
    stage = next(s for s in plan.stages if population.name in [m.name for m in s.members])
    whole = tape.with_before()
    job = replace(make_job(plan, stage, whole), precision="double")
    stands = standing(job, tape)
    rows = _numbers(samples, f"{call.where}: samples", "samples of the tape", job.n_samples)
    columns = _numbers(neurons, f"{call.where}: neurons", repr(population.name), population.size)
    asked = _asked(times, call.where, stands.begin[rows], job.duration[rows])
    rows, row = np.unique(rows, return_inverse=True)
    chosen, column = np.unique(columns, return_inverse=True)
    ascending, place = np.unique(asked, return_inverse=True)
    raised = _raised(population) if stage.is_linear else [1]
    found = np.full((1 + len(raised), rows.size, ascending.size, chosen.size), np.nan)
    wanted = slice(None), row[:, None, None], place[:, None], column
    if not found.size:
        return _State.of(found[wanted])
    in_stage = chosen + stage.start_of(population.name)
    for block in _blocks(ascending.size + _events_by_sample(job)[rows]):
        some = rows[block]
        part = job.of_samples(some)
        own = _Sent.of(tape, whole, population, some) if population.is_spiking else None
        for few in _blocks(some.size * ascending.size + _arrivals_by_neuron(part, in_stage)):
            mine = None if own is None else own.of_neurons(chosen[few])
            at = stands.of(some, in_stage[few])
            if stage.is_linear and mine is not None:
                states = linear_states(part, in_stage[few], mine.acting, ascending, at)
                found[0, block, :, few] = states[..., 0] + population.v_leak[chosen[few]]
                found[1:, block, :, few] = np.moveaxis(states[..., raised], -1, 0)
            else:
                found[:, block, :, few] = _Block(part, in_stage[few], mine, at).states(ascending)
    outside = ascending > job.duration[rows][:, None]
    found[:, outside | (ascending < stands.begin[rows][:, None])] = np.nan
    return _State.of(found[wanted])


def _raised(population: Population) -> list[int]:
    """The states that the receptors of linear neurons raise."""
    neuron = neuron_of(population)
    return [neuron.state_of(receptor) for receptor in neuron.receptors]


def _numbers(given: ArrayLike | None, where: str, of_what: str, n: int) -> Ints:
    if given is None:
        return np.arange(n)
    numbers = np.atleast_1d(whole_array(given, where))
    if numbers.ndim != 1:
        raise ShapeError(where, f"have shape {numbers.shape}", "one number or one dimension")
    expected = f"numbers in 0 .. {n - 1}: {of_what} has {n}"
    every(where, "one", numbers, (numbers >= 0) & (numbers < n), expected)
    return numbers


def _asked(times: ArrayLike, where: str, begin: Floats, duration: Floats) -> Floats:
    asked = np.atleast_1d(real_array(times, f"{where}: times"))
    if asked.ndim != 1:
        raise ShapeError(where, f"times have shape {asked.shape}", "one number or one dimension")
    low, end = begin.min() if begin.size else 0.0, duration.max(initial=0.0)
    expected = "where the longest sample ends"
    remedy = "Simulate with a tail to see what comes after."
    if begin.any():
        expected, remedy = "the span of the chunk", "Ask the tape of the chunk that has the time."
    every(
        where, "the time", asked, (asked >= low) & (asked <= end),
        f"a value in [{low:g}, {end:g}], {expected}", of="time", unit="ms", remedy=remedy,
    )  # fmt: skip
    return asked


def _events_by_sample(job: Job) -> Ints:
    """Spikes of all sources, [samples]."""
    counts = np.zeros(job.n_samples, np.int64)
    for source in job.sources:
        counts += np.diff(source.offsets)
    return counts


def _arrivals_by_neuron(job: Job, neurons: Ints) -> Ints:
    """Arrivals at neurons of the stage in all samples, those after the end included."""
    wiring = job.stage.wiring
    sent = [np.bincount(source.neurons, minlength=source.size) for source in job.sources]
    met = np.concatenate([np.zeros(0, np.int64), *sent])[wiring.row]
    before = np.concatenate([[0], np.cumsum(met)])[wiring.in_start]
    found: Ints = np.diff(before)[neurons]
    return found


def _blocks(costs: Ints) -> Iterator[slice]:
    """Neighbours that cost MOST_AT_ONCE together, or one that costs more alone."""
    low, total = 0, 0
    for number, cost in enumerate(costs.tolist()):
        if number > low and total + cost > MOST_AT_ONCE:
            yield slice(low, number)
            low, total = number, 0
        total += cost
    if costs.size:
        yield slice(low, costs.size)


class _Sent(NamedTuple):
    """Spikes of a population ``since`` it stands as it does, and those ``acting`` in the tape."""

    since: SourceSpikes
    acting: SourceSpikes

    @classmethod
    def of(cls, tape: SpikeTape, whole: SpikeTape, population: Population, some: Ints) -> _Sent:
        """Those of some samples."""
        name = population.name
        new = source_of(tape[name]).of_samples(some)
        again = None if tape.before is None else tape.before.again.get(name)
        since = new if again is None else source_of(again).of_samples(some).followed_by(new)
        return cls(since, source_of(whole[name]).of_samples(some))

    def of_neurons(self, numbers: Ints) -> _Sent:
        """Those of some neurons, numbered from 0."""
        return _Sent(*(spikes.of_neurons(numbers) for spikes in self))


class _Own(NamedTuple):
    """Spikes of the neurons themselves, sorted by (row, time), and when V is let go, ms."""

    row: Ints
    time: Floats
    release: Floats

    def followed_by(self, later: _Own) -> _Own:
        """These, and in every row the later ones behind them. New arrays."""
        row = np.concatenate([self.row, later.row])
        time = np.concatenate([self.time, later.time])
        release = np.concatenate([self.release, later.release])
        order = np.argsort(row, kind="stable")
        return _Own(row[order], time[order], release[order])


class _Block:
    """Some neurons of a stage in all samples of a job, one row each: ``sample * size + neuron``.

    ``job``: of the samples. ``neurons``: numbers in the stage. ``own``: spikes of the neurons,
    numbered as ``neurons`` are; None for a readout. ``at``: where the neurons stand.
    """

    def __init__(self, job: Job, neurons: Ints, own: _Sent | None, at: Standing) -> None:
        p, self.n_samples, self.size = job.stage.population, job.n_samples, neurons.size
        self.job, self.neurons, self.n_rows = job, neurons, job.n_samples * neurons.size
        self.a, self.b = self._by_row(1.0 / p.tau_mem), self._by_row(1.0 / p.tau_syn)
        self.resistance, self.rest = self._by_row(p.resistance), self._by_row(p.v_leak)
        time, v, j, until = (values.ravel() for values in at.stop[:4])
        self.at, self.begin, self.reset = at, Begin(time, v, j), np.zeros(self.n_rows)
        self.own = self.since = self.acting = _Own(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        if own is not None:
            self.reset = self._by_row(p.v_reset - p.v_leak)
            held = np.flatnonzero(until > time)
            self.own = _Own(held, time[held], until[held])  # of spikes that the stop has met
            self.since, self.acting = self._sorted(own.since), self._sorted(own.acting)

    def _sorted(self, spikes: SourceSpikes) -> _Own:
        row = spikes.sample * self.size + spikes.neurons
        order = np.argsort(row, kind="stable")
        row, time = row[order], spikes.times[order]
        return _Own(row, time, time + self._by_row(self.job.stage.population.refractory)[row])

    def _by_row(self, of_stage: Floats) -> Floats:
        return np.tile(of_stage[self.neurons], self.n_samples)

    def states(self, asked: Floats) -> Floats:
        """V and I at ``asked`` (ms, ascending, no two equal), [2, samples, asked, neurons]."""
        marks = _Marks(asked, self.own.followed_by(self.since), self.n_rows)
        row, time, weight = self._arrivals(asked[-1])
        found = States(
            np.maximum(marks.time, self.begin.time),  # before it nobody asks
            Rates(self.a, self.b),
            Met(row, marks.first_from(row, time), time, self.resistance[row] * weight),
            begin=self.begin,
            release=Released(marks.is_release, self.reset),
        )
        v, j = (np.take_along_axis(each, marks.of_asked, axis=0) for each in (found.v, found.j))
        v = self.rest + np.where(marks.held, self.reset, v)
        shape = asked.size, self.n_samples, self.size
        return np.stack([v, j / self.resistance]).reshape(2, *shape).swapaxes(1, 2)

    def _arrivals(self, last: float) -> tuple[Ints, Floats, Floats]:
        """Row, ms and weight of all arrivals up to ``last``, those of self-connections included."""
        found, reached = find_arrivals(self.job, self.neurons), self.at.reached
        begin, end = (np.repeat(t, self.size) for t in (self.at.begin, self.job.duration))
        new = found.time >= begin[found.row]
        parts = [
            (found.row[new], found.time[new], found.weight[new]),
            self._returns(self.acting, begin, end),
            self._returns(self.since, self.begin.time, begin),
            (reached.sample * self.size + reached.neuron, reached.time, reached.weight),
        ]
        row, time, weight = map(np.concatenate, zip(*parts, strict=True))
        met = time <= last
        return row[met], time[met], weight[met]

    def _returns(self, own: _Own, low: Floats, high: Floats) -> tuple[Ints, Floats, Floats]:
        """Own spikes that return from ``low`` to before ``high``, ms by row."""
        back = own.time + self._by_row(self.job.self_delays())[own.row]
        met = (back >= low[own.row]) & (back < high[own.row])
        row = own.row[met]
        return row, back[met], self._by_row(self.job.self_weights())[row]


class _Marks:
    """Marks of every row, see the module; all arrays [marks, rows] or [asked, rows].

    Rows of fewer marks than others repeat their last one. Of equal times, a release comes first.

    Attributes
    ----------
    time
        ms, ascending, [marks, rows].
    is_release
        Whether V is let go there.
    of_asked
        Number of the mark of every asked time, [asked, rows].
    held
        Whether V is held at the asked time.
    """

    def __init__(self, asked: Floats, own: _Own, n_rows: int) -> None:
        kept = own.release <= asked[-1]
        self._asked, self._row, self._release = asked, own.row[kept], own.release[kept]
        self._first = np.searchsorted(self._row, np.arange(n_rows + 1))
        after = np.searchsorted(asked, self._release)
        released = _running_counts(after, self._row, (asked.size, n_rows))
        spikes = own.time <= asked[-1]
        fired = _running_counts(
            np.searchsorted(asked, own.time[spikes]), own.row[spikes], released.shape
        )
        self.held: Bools = fired > released
        self.of_asked: Ints = np.arange(asked.size)[:, None] + released
        shape = asked.size + int(released[-1].max(initial=0)), n_rows
        self.time, self.is_release = np.zeros(shape), np.zeros(shape, np.bool_)
        place = np.arange(self._row.size) - self._first[self._row] + after, self._row
        self.time[place], self.is_release[place] = self._release, True
        np.put_along_axis(self.time, self.of_asked, asked[:, None], axis=0)
        np.maximum.accumulate(self.time, axis=0, out=self.time)

    def first_from(self, row: Ints, time: Floats) -> Ints:
        """Number of the first mark of ``row`` at or after ``time``."""
        # Releases of a row before a time, by whole numbers: ranks among the releases of all rows.
        ranks = np.unique(self._release)
        n = ranks.size + 1
        keys = self._row * n + np.searchsorted(ranks, self._release)
        released = np.searchsorted(keys, row * n + np.searchsorted(ranks, time)) - self._first[row]
        found: Ints = released + np.searchsorted(self._asked, time)
        return found


def _running_counts(number: Ints, row: Ints, shape: tuple[int, ...]) -> Ints:
    """Counts of a row's entries with that number or a lower one, [numbers, rows]."""
    counts = np.bincount(number * shape[1] + row, minlength=shape[0] * shape[1])
    found: Ints = np.cumsum(counts.reshape(shape), axis=0)
    return found
