"""simulate_chunk: a stream that comes in chunks, or is longer than memory.

A chunk is an EventStream whose times count from the start of the recording and whose ``duration``
is the chunk's end; :meth:`eventsim.EventStream.chunks` makes them. From chunk to chunk a run keeps:

* the state of every spiking population, see :mod:`eventsim.engine.contract.state`, and of every
  loop, see :mod:`eventsim.engine.contract.loop_state`,
* spikes that still act: their delay ends after the chunk, or the refractory time of their neuron
  does,
* voltage and current of every readout at the end.

Spikes are, to the bit, those of one run over the whole stream, of loops too. The exception is a
dense layer of linear neurons of another kind than LIF: a whole run takes it side by side, a chunk
event by event, and they agree to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Precision, owners, to_host
from eventsim.checks import every, one_each
from eventsim.engine.contract.backend import Backend, features_of
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import LinearStop, start_linear
from eventsim.engine.contract.loop_state import LoopState, start_loop
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.contract.state import LayerState, start_state
from eventsim.engine.run import watch
from eventsim.engine.run.members import split_members
from eventsim.engine.run.place import check_on_host
from eventsim.engine.run.readout_piece import state_after
from eventsim.engine.run.run import check_network, run_by
from eventsim.engine.run.saved import SavedParts, SavedState, digest_of, write_state
from eventsim.engine.run.starts import Start, stage_start
from eventsim.errors import ParameterError, StorageError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.events.source import source_of
from eventsim.events.tape import Adapted, Before, ReadoutState, events_as_trains
from eventsim.matrix import require
from eventsim.memo import Memo
from eventsim.network import Network, Projection
from eventsim.network.parts import Population
from eventsim.plan import Plan, make_plan
from eventsim.summary import span

COUNTING = "Times go on counting from chunk to chunk."


class Kept(NamedTuple):
    """A plan with all that was made of the values of its network, and a copy of these.

    Without a copy its user keeps the values as they are.
    """

    plan: Plan
    # As the network has them, and as they were
    values: Mapping[str, tuple[Floats, Floats]] | None = None

    @classmethod
    def of(cls, net: Network) -> Kept:
        """Nothing but the plan yet."""
        values = {key: (now, now.copy()) for key, now in net.parameters().items()}
        return cls(make_plan(net, Memo(pieces=True)), values)

    def holds(self, net: Network) -> bool:
        """Whether it is of this network, and structure and values are as they were."""
        if self.values is None:
            return True
        now = net.parameters()
        return (
            now.keys() == self.values.keys()
            and not self.plan.outdated
            and all(
                now[key] is live and np.array_equal(live, copy)
                for key, (live, copy) in self.values.items()
            )
        )


@dataclass(frozen=True, eq=False)
class RunState:
    """State of a run at the end of a chunk.

    Attributes
    ----------
    end
        ms, [samples].
    layers, loops
        State of every spiking population, and of those that form a loop, by its stage's name.
    before
        Spikes of every population, the input included, that still act, and every readout at
        ``end``.
    kept
        The network and what was made of its values, once for all chunks in which they stay.
    backend, precision
        Of the run; the next chunk must have the same.
    """

    end: Floats
    layers: Mapping[str, LayerState]
    loops: Mapping[str, LoopState]
    before: Before
    kept: Kept
    backend: str
    precision: str

    @property
    def readouts(self) -> Mapping[str, ReadoutState]:
        """Voltage and current of every readout at ``end``, each [samples, size]."""
        return self.before.readouts

    def save(self, path: str | Path) -> None:
        """Write the state to one file, atomically: the run goes on from it in another process.

        The file has no weights: :meth:`load` takes the network.
        """
        before = self.before
        parts = SavedParts(
            self.end, self.layers, self.loops, before.spikes, before.readouts, before.adapted
        )
        write_state(path, _telling(self.kept, self.backend, self.precision), parts)

    @classmethod
    def load(cls, path: str | Path, net: Network) -> RunState:
        """Read a state that :meth:`save` wrote, to go on with the network that ran.

        Parameters
        ----------
        path
            The file.
        net
            The network, its values as they were in the last chunk.

        Returns
        -------
        RunState
            For :func:`eventsim.simulate_chunk` by the same backend in the same precision: the
            spikes are to the bit those of a run that did not stop.

        Raises
        ------
        StorageError, NetworkError, BackendError
            The file is damaged or no state; the network is not the one that ran, in its parts or
            its values; its backend is not there.
        """
        saved = SavedState(path)
        backend, precision = saved.telling["backend"], saved.telling["precision"]
        if precision not in ("double", "single"):
            raise StorageError(path, f"tells of a precision {precision!r}")
        exact: Precision = "single" if precision == "single" else "double"
        kept = _kept_of(net, get_backend(backend), exact, None)
        told = _telling(kept, backend, precision)
        saved.require(told["structure"], told["values"])
        found = saved.parts(_start_parts(net, kept.plan, saved.n_samples, exact), kept.plan.stages)
        linear = {s.name: found.loops[s.name].stand for s in kept.plan.stages if s.is_linear}
        before = Before(found.spikes, found.readouts, found.adapted, linear)
        return cls(found.end, found.layers, found.loops, before, kept, backend, precision)

    def __repr__(self) -> str:
        return f"RunState({self.end.size} samples to {span(self.end)} ms, {self.backend})"


def simulate_chunk(
    net: Network,
    chunk: EventStream,
    state: RunState | Start | None = None,
    *,
    backend: str = "auto",
    precision: Precision = "double",
) -> tuple[SpikeTape, RunState]:
    """Run ``net`` on the next chunk of a stream.

    Parameters
    ----------
    net
        As :func:`eventsim.simulate`. What is made of its values is made once, in the first chunk
        and in one before which they were changed in place, which acts from then on. Its tail has no
        effect: a last chunk without events, that ends later, is one.
    chunk
        Events from the end of the chunk before to ``chunk.duration``, in ms since the start of the
        recording; the same number of samples every time.
    state
        State that the call for the chunk before returned. For the first chunk None, or a
        :class:`eventsim.Start`: voltages and currents at time zero.
    backend, precision
        As :func:`eventsim.simulate`, the same for all chunks.

    Returns
    -------
    tuple[SpikeTape, RunState]
        The chunk's spikes, and the state for the next chunk. A spike whose refractory time
        ends in a later chunk has no ``restart_current``. Gradients of it come from
        :func:`eventsim.backward_chunk`, voltages within it from :func:`eventsim.voltage`.

    Raises
    ------
    ParameterError, ShapeError
        The chunk does not follow the one before.
    NetworkError, BackendError, RunawayError
        As :func:`eventsim.simulate`.
    """
    engine = get_backend(backend)
    known = state.kept if isinstance(state, RunState) else None
    kept = _kept_of(net, engine, precision, known)
    return run_chunk(net, chunk, state, kept, engine, precision)


def run_chunk(
    net: Network,
    chunk: EventStream,
    state: RunState | Start | None,
    kept: Kept,
    engine: Backend,
    precision: Precision,
) -> tuple[SpikeTape, RunState]:
    """As :func:`simulate_chunk`, by what is ``kept`` of the network, which was checked."""
    plan, start = kept.plan, None
    if isinstance(state, Start):
        require("start", net, features_of(engine), precision, where="simulate")
        start, state = state.states(net, chunk.n_samples, precision), None
    plan.check_channels(chunk.n_channels, "simulate")
    begin = np.zeros(chunk.n_samples) if state is None else state.end
    _check_follows(chunk, state, engine.name, precision)
    before = _nothing_before(net, chunk.n_samples) if state is None else state.before
    acting = {plan.input.name: _joined(before, plan.input.name, events_as_trains(chunk))}
    layers: dict[str, LayerState] = {}
    loops: dict[str, LoopState] = {}
    readouts: dict[str, ReadoutState] = {}
    trains: dict[str, SpikeTrains] = {}
    again: dict[str, SpikeTrains] = {}
    span = float((chunk.duration - begin).sum())
    with watch.shown(watch.n_stages(plan) * span):
        for stage in plan.stages:
            afferents = tuple(source_of(acting[p.source]) for p in stage.afferents)
            job = Job(stage, afferents, chunk.duration, precision, start=stage_start(stage, start))
            if stage.is_readout:
                readouts[stage.name] = state_after(job, before.readouts[stage.name], begin)
                continue
            with watch.stage(span):
                if stage.is_linear:
                    loop = start_linear(job) if state is None else state.loops[stage.name]
                    spikes, loops[stage.name] = engine.linear_resume(job, loop)
                elif stage.lateral:
                    loop = start_loop(job) if state is None else state.loops[stage.name]
                    spikes, loops[stage.name] = engine.queue_resume(job, loop)
                else:
                    layer = start_state(job) if state is None else state.layers[stage.name]
                    spikes, layers[stage.name] = engine.layer_resume(job, layer)
            new = spikes.times >= begin[owners(spikes.offsets, len(spikes))]
            if not new.all():  # found again
                again |= split_members(stage, spikes.where(~new))
                spikes = spikes.where(new)
            for name, part in split_members(stage, spikes).items():
                trains[name] = part
                acting[name] = _joined(before, name, part)
    pairs = [(p, source_of(acting[p.source])) for p in net.projections.values()]
    count = engine.count_arrivals
    counts = to_host(count(pairs, chunk.duration) - count(pairs, begin))
    events = {p.name: int(n) for (p, _), n in zip(pairs, counts, strict=True)}
    stands = {} if state is None else {**state.layers, **state.loops}
    tape = SpikeTape(
        chunk, trains, events, engine.name, precision, structure=plan.structure, begin=begin,
        before=replace(before, stands=stands, again=again), start=start,
        algorithms=dict(plan.memo.once(run_by, lambda: run_by(plan, engine))),
    )  # fmt: skip
    stand = {s.name: loops[s.name].stand for s in plan.stages if s.is_linear}
    end = _before_next(plan, tape, acting, readouts, before.adapted, stand)
    return tape, RunState(chunk.duration, layers, loops, end, kept, engine.name, precision)


def _telling(kept: Kept, backend: str, precision: str) -> dict[str, str]:
    """Description of the run that a state belongs to, for the file of the state."""
    assert kept.values is not None
    values = digest_of({key: copy for key, (_, copy) in kept.values.items()})
    return {
        "structure": kept.plan.structure,
        "values": values,
        "backend": backend,
        "precision": precision,
    }


def _start_parts(net: Network, plan: Plan, n_samples: int, precision: Precision) -> SavedParts:
    """The state at time zero, of so many samples."""
    end = np.zeros(n_samples)
    layers: dict[str, LayerState] = {}
    loops: dict[str, LoopState] = {}
    for stage in plan.stages:
        job = Job(stage, (), end, precision)
        if stage.is_linear:
            loops[stage.name] = start_linear(job)
        elif stage.lateral:
            loops[stage.name] = start_loop(job)
        elif not stage.is_readout:
            layers[stage.name] = start_state(job)
    rest = _nothing_before(net, n_samples)
    return SavedParts(end, layers, loops, rest.spikes, rest.readouts, rest.adapted)


def _kept_of(net: Network, engine: Backend, precision: Precision, kept: Kept | None) -> Kept:
    """Kept values of the chunk before if they still hold; else of a network checked again."""
    if kept is not None and kept.holds(net):
        net.check_patterns()
        return kept
    check_on_host(net, "simulate_chunk")
    kept = Kept.of(net)
    check_network(net, kept.plan, engine, precision, "chunks")
    return kept


def simulate_chunks(
    net: Network,
    chunks: Iterable[EventStream],
    *,
    state: RunState | Start | None = None,
    backend: str = "auto",
    precision: Precision = "double",
) -> Iterator[SpikeTape]:
    """Run ``net`` on chunks as they come, and give each one's tape; as :func:`simulate_chunk`.

    ``tape.only(record)`` keeps the spikes of chosen populations or neurons of a chunk.
    """
    for chunk in chunks:
        tape, state = simulate_chunk(net, chunk, state, backend=backend, precision=precision)
        yield tape


def _before_next(
    plan: Plan,
    tape: SpikeTape,
    acting: Mapping[str, SpikeTrains],
    readouts: Mapping[str, ReadoutState],
    adapted: Mapping[str, Adapted],
    linear: Mapping[str, LinearStop],
) -> Before:
    """State that the next chunk needs of all chunks until the end of this one."""
    end = tape.stream.duration
    left = {name: one.where(still_acting(plan, name, one, end)) for name, one in acting.items()}
    population = {p.name: p for p in plan.populations}
    after = {
        name: _adapted_after(population[name], tape.trains[name], one)
        for name, one in adapted.items()
    }
    return Before(left, readouts, after, linear)


def _nothing_before(net: Network, n_samples: int) -> Before:
    """No spikes, and readouts at rest."""
    nothing, neurons, offsets = (
        np.zeros(0),
        np.zeros(0, np.int32),
        np.zeros(n_samples + 1, np.int64),
    )
    none = {
        name: SpikeTrains(nothing, neurons, offsets, population.size, nothing, nothing)
        for name, population in net.populations.items()
        if not population.is_readout
    }
    rest = {
        name: ReadoutState(*(np.zeros((n_samples, p.size)) + level for level in (p.v_leak, 0.0)))
        for name, p in net.readouts.items()
    }
    still = {
        name: Adapted(np.zeros((n_samples, p.size)), np.zeros((n_samples, p.size)))
        for name, p in net.spiking.items()
        if p.is_adaptive
    }
    return Before(none, rest, still)


def _adapted_after(population: Population, spikes: SpikeTrains, before: Adapted) -> Adapted:
    """The adaptation after the spikes of a chunk."""
    number, rate = spikes.train_numbers(), 1.0 / population.tau_adaptation
    since = before.since.ravel().copy()
    np.maximum.at(since, number, spikes.times)
    rates = np.broadcast_to(rate, before.a.shape).ravel()
    a = before.a.ravel() * np.exp(-rates * (since - before.since.ravel()))
    np.add.at(a, number, np.exp(-rates[number] * (since[number] - spikes.times)))
    return Adapted(a.reshape(before.a.shape), since.reshape(before.a.shape))


def _joined(before: Before, name: str, new: SpikeTrains) -> SpikeTrains:
    """Spikes of before, and new ones, which are all later."""
    earlier = before.spikes[name]
    return earlier.followed_by(new) if len(earlier) else new


def _check_follows(
    chunk: EventStream, state: RunState | None, backend: str, precision: str
) -> None:
    if state is None:
        return
    if (backend, precision) != (state.backend, state.precision):
        raise ParameterError(
            "simulate_chunk",
            f"the chunk is to run on {backend!r} in {precision} precision",
            f"{state.backend!r} in {state.precision}, as the chunk before. Keep to one",
        )
    counts = {"samples": chunk.n_samples, "of the chunk before": state.end.size}
    one_each("simulate_chunk", counts)
    every(
        "simulate_chunk", "the end", chunk.duration, chunk.duration >= state.end,
        lambda k: f"{state.end[k]} ms, the end of the chunk before, or later", of="sample",
        unit="ms", remedy=COUNTING,
    )  # fmt: skip
    begin = np.repeat(state.end, np.diff(chunk.offsets))
    every(
        "simulate_chunk", "the time", chunk.times, chunk.times >= begin,
        lambda k: f"{begin[k]} ms, the end of the chunk before, or later", of="event", unit="ms",
        remedy=COUNTING,
    )  # fmt: skip


def still_acting(plan: Plan, name: str, spikes: SpikeTrains, end: Floats) -> NDArray[np.bool_]:
    """A mask of a population's spikes that act on anything at or after ``end``, ms by sample.

    They are on their way to a target, or hold their neuron; and those shortly before, on which the
    current of a neuron that is let go depends.
    """
    longest, margin = plan.memo.once((_lasting, name), lambda: _lasting(plan, name))
    # Without a delay a spike was met in its own chunk, and no spike lies at the chunk's end.
    until = spikes.times + longest[spikes.neurons] + margin
    acting: NDArray[np.bool_] = until >= end[owners(spikes.offsets, len(spikes))]
    return acting


def _lasting(plan: Plan, name: str) -> tuple[Floats, float]:
    """Times for which spikes of a population's neurons act, ms [size], and the margin."""
    spiking = [p for p in plan.populations if p.is_spiking]
    size = next(p.size for p in plan.populations if p.name == name)
    longest = np.zeros(size)
    for projection in plan.projections:
        if projection.source == name:
            np.maximum(longest, _longest_delay(projection, size), out=longest)
    for population in spiking:
        if population.name == name:
            np.maximum(longest, population.refractory, out=longest)
    return longest, max((float(p.refractory.max()) for p in spiking), default=0.0)


def _longest_delay(projection: Projection, size: int) -> Floats:
    """Largest delay of every source neuron's synapses, ms."""
    delays = np.asarray(projection.delays)
    if not projection.delay_per_synapse:
        return np.broadcast_to(delays, (size,))
    longest = np.zeros(size)
    np.maximum.at(longest, projection.sources(), delays.ravel())
    return longest
