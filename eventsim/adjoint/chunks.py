"""Gradients of a stream that runs in chunks, from the last chunk to the first.

A chunk passes an :class:`AdjointState` to the chunk before it: the adjoint state of every neuron at
its beginning, and dL/dt of earlier spikes by their effects in it. So the gradients of all
chunks add up to those of one run over the whole stream, to rounding, while the memory is that of
one chunk.

The state of the forward run at every border is needed as well: :func:`backward_chunks` keeps a few
of them and runs the chunks between again (checkpointing).

References
----------
Griewank and Walther (2000), Algorithm 799: revolve, ACM Trans. Math. Softw. 26, 19-45.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.adjoint.backward import (
    SortedSeeds,
    evaluated,
    of_shape,
    require_start,
    stage_gradients,
    walk_back,
    with_memo,
)
from eventsim.adjoint.gradients import Gradients
from eventsim.adjoint.seeds import (
    DecisionSeed,
    Loss,
    ReadoutSeed,
    Seed,
    Seeds,
    SpikeSeed,
    seeds_of,
)
from eventsim.adjoint.start import piece_from_start
from eventsim.arrays import Floats, Ints, Precision, fetch, owners, to_host
from eventsim.engine import get_backend, make_job, simulate_chunk
from eventsim.engine.contract.backend import Backend, features_of, sum_by
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import LinearPiece, linear_piece
from eventsim.engine.contract.piece import Piece, last_piece
from eventsim.engine.run import readout_piece
from eventsim.engine.run.arrivals import find_arrivals
from eventsim.engine.run.chunks import RunState, still_acting
from eventsim.engine.run.members import member_order
from eventsim.errors import ParameterError, ShapeError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.events.tape import Adapted, events_as_trains
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.plan import Plan, Stage, make_plan
from eventsim.summary import short_repr, span


@dataclass(frozen=True, eq=False)
class AdjointState:
    """Adjoint state that a chunk passes to the chunk before it in the backward pass.

    Attributes
    ----------
    begin
        Where the chunk begins, ms, [samples].
    neurons
        Adjoint state of every spiking stage at ``begin``, by name, [samples, 5, neurons]: by V and
        by the drive, and their derivatives by the rates of membrane (2) and synapse (1). Of linear
        neurons [samples, neurons, states], each at its last event before ``begin``.
    readouts
        dL/dV and dL/dI of every readout at ``begin``, by name, [2, samples, size].
    spikes
        dL/dt of the spikes of before that act in the chunk (``tape.before.spikes``), by population.
    thresholds
        Of every stage with adaptive thresholds, by name, [samples, 3, neurons]: what is known of
        its next spikes, see :class:`eventsim.engine.contract.piece.AdaptedPiece`.
    backend, precision
        Of the run.
    """

    begin: Floats
    neurons: Mapping[str, Floats]
    readouts: Mapping[str, Floats]
    spikes: Mapping[str, Floats]
    thresholds: Mapping[str, Floats]
    backend: str
    precision: str

    __repr__ = short_repr


def backward_chunk(
    net: Network, tape: SpikeTape, seeds: Seeds | Loss, later: AdjointState | None = None
) -> tuple[Gradients, AdjointState]:
    """Exact gradients over one chunk of a stream, with its effects on later chunks.

    Take the chunks from the last to the first, and add up the gradients.

    Parameters
    ----------
    net
        The network, with the values it had in the run.
    tape
        What :func:`eventsim.simulate_chunk` returned for the chunk.
    seeds
        As :func:`eventsim.backward`, of this chunk's spikes and integrals: a loss, or SpikeSeed
        and ReadoutSeed (and arrays of dL/dt) by population.
    later
        What the call for the following chunk returned; None for the last chunk, or to leave out
        its effects on later chunks (truncated backpropagation).

    Returns
    -------
    tuple[Gradients, AdjointState]
        The chunk's share of every gradient, and what the chunk before goes on from.
        ``input_times`` is of the chunk's own events.

    Raises
    ------
    ParameterError
        The tape is not that of a chunk, ``later`` is not that of the following chunk, or a seed is
        of a kind that needs a whole run (voltages and peaks).
    NetworkError, ShapeError, BackendError
        As :func:`eventsim.backward`; the backend ``reference`` has whole runs only.
    """
    tape = with_memo(tape)
    plan = make_plan(net, tape.memo)
    plan.check_tape(tape, "backward_chunk")
    require("chunk_gradients", net, features_of(get_backend(tape.backend)))
    require_start(net, tape)
    if tape.begin is None or tape.before is None:
        raise ParameterError(
            "backward_chunk",
            "the tape is not that of a chunk, or was read from a file, which does not hold what "
            "came before",
            remedy="Take the tape from simulate_chunk; for a whole run call eventsim.backward.",
        )
    loss = np.nan
    if callable(seeds):
        loss, seeds = evaluated(seeds, net, tape)
    return _Chunk(net, plan, tape, later).backward(seeds, loss)


class _Chunk:
    """The way back over one chunk."""

    def __init__(
        self, net: Network, plan: Plan, tape: SpikeTape, later: AdjointState | None
    ) -> None:
        assert tape.begin is not None
        assert tape.before is not None
        self.net, self.plan, self.tape, self.later = net, plan, tape, later
        self.begin, self.before = tape.begin, tape.before
        joined = tape.with_before()
        trains = dict(joined.trains)
        for stage in plan.stages:
            if not (stage.is_readout or stage.is_linear):  # which keep their state
                trains |= _let_go(make_job(plan, stage, joined), joined, self.begin)
        self.joined = replace(joined, trains=trains)
        self.input = net.input.name
        self.known = {**trains, self.input: events_as_trains(joined.stream)}
        # A first chunk of no length leaves the start to the next.
        self.starts = bool(not self.begin.any() and tape.stream.duration.any())
        self.neurons = dict[str, Floats]()
        self.readouts = dict[str, Floats]()
        self.spikes = dict[str, Floats]()
        self.thresholds = dict[str, Floats]()
        self.given = {} if later is None else self._given(later)

    def _given(self, later: AdjointState) -> dict[str, Floats]:
        """dL/dt by what spikes do later, of all spikes that this chunk knows, by population."""
        tape, end = self.tape, self.tape.stream.duration
        if not np.array_equal(later.begin, end):
            raise ParameterError(
                "backward_chunk",
                f"the chunk ends at {span(end)} ms, but the one that it is to go on from begins "
                f"at {span(later.begin)} ms",
                remedy="Take the chunks from the last to the first.",
            )
        if (later.backend, later.precision) != (tape.backend, tape.precision):
            raise ParameterError(
                "backward_chunk",
                f"this chunk ran on {tape.backend!r} in {tape.precision} precision",
                f"{later.backend!r} in {later.precision}, as the following chunk",
            )
        found = {}
        for name, trains in self.known.items():
            acting = np.flatnonzero(still_acting(self.plan, name, trains, end))
            if acting.size != later.spikes[name].size:
                raise ShapeError(
                    "backward_chunk",
                    f"{acting.size} spikes of {name!r} act in the following chunk, but it says "
                    f"what became of {later.spikes[name].size}",
                    remedy="Is the state that of another stream, or of other chunks?",
                )
            found[name] = np.zeros(len(trains))
            found[name][acting] = later.spikes[name]
        return found

    def _early(self, name: str) -> NDArray[np.bool_]:
        """Mask of the population's spikes from before the chunk."""
        trains = self.known[name]
        early: NDArray[np.bool_] = trains.times < self.begin[owners(trains.offsets, len(trains))]
        return early

    def backward(self, seeds: Seeds, loss: float) -> tuple[Gradients, AdjointState]:
        """The gradients, and what the chunk before goes on from."""
        begun = walk_back(self.net, self.joined, self._widened(seeds), loss=loss, run=self._run)
        good, grazes = fetch(begun.good, begun.grazes)
        if not good:
            begun.check()
        by_input, early = begun.input_times, self._early(self.input)
        if self.given:
            by_input = by_input + self.given[self.input]
        self.spikes[self.input] = by_input[early]
        found = Gradients(begun.values, by_input[~early], loss, int(grazes))
        return found, AdjointState(
            self.begin, self.neurons, self.readouts, self.spikes, self.thresholds,
            self.tape.backend, self.tape.precision,
        )  # fmt: skip

    def _widened(self, seeds: Seeds) -> dict[str, tuple[Seed, ...]]:
        """The seeds, those of spikes with zeros for the spikes of before; and what is given."""
        wide: dict[str, tuple[Seed, ...]] = {}
        for name, some in seeds.items():
            wide[name] = tuple(self._wide(name, seed) for seed in seeds_of(some))
        for name, values in self.given.items():
            if name != self.input:
                wide[name] = (*wide.get(name, ()), SpikeSeed(values))
        return wide

    def _wide(self, name: str, seed: Seed) -> Seed:
        if isinstance(seed, ReadoutSeed) and seed.begin is not None:
            raise ParameterError(
                "backward_chunk",
                f"{name!r} got a ReadoutSeed that begins within the recording, which needs a "
                "whole run",
                remedy="Simulate the whole stream at once, or leave out begin.",
            )
        if isinstance(seed, ReadoutSeed | DecisionSeed):
            return seed
        if not isinstance(seed, SpikeSeed):
            raise ParameterError(
                "backward_chunk",
                f"{name!r} got a {type(seed).__name__}, which needs a whole run",
                remedy="Give spikes a SpikeSeed and readouts a ReadoutSeed, or simulate the "
                "whole stream at once.",
            )
        if not self.net.population(name).is_spiking:
            return seed
        early = self._early(name)

        def widened(what: str, values: Floats | None) -> Floats | None:
            if values is None:
                return None
            wide, own = np.zeros(early.size), (len(self.tape[name]),)
            wide[~early] = to_host(of_shape(f"dL/d{what} of {name!r}", values, own))
            return wide

        return SpikeSeed(widened("t", seed.time), widened("V", seed.voltage))

    def _run(
        self, engine: Backend, job: Job, tape: SpikeTape, seeded: SortedSeeds
    ) -> StageGradients:
        stage, name = job.stage, job.stage.name
        if stage.is_readout:
            return self._run_readout(engine, stage, seeded)
        piece = self._last_piece(job, stage)
        if self.later is not None:
            piece.adjoint[:] = self.later.neurons[name]
            if piece.adapted is not None:
                piece.adapted.behind[:] = self.later.thresholds[name]
        found = stage_gradients(engine, job, tape, seeded, piece)
        self.neurons[name] = piece.adjoint
        if piece.adapted is not None:
            self.thresholds[name] = piece.adapted.behind
        own = to_host(found.own_times)
        if stage.lateral:
            in_members = np.empty_like(own)
            in_members[to_host(member_order(stage, tape.trains))] = own
            own = in_members
        first = 0
        for member in stage.members:
            early = self._early(member.name)
            self.spikes[member.name] = own[first : first + early.size][early]
            first += early.size
        return found

    def _last_piece(self, job: Job, stage: Stage) -> Piece | LinearPiece:
        if job.start is not None:
            return piece_from_start(job)
        if stage.is_linear:
            stand = self.before.linear.get(stage.name)
            return linear_piece(job, self.begin, starts=self.starts, stand=stand)
        return last_piece(job, self.begin, starts=self.starts, adapted=self._adapted(stage))

    def _adapted(self, stage: Stage) -> Adapted | None:
        """The adaptation of a stage where the chunk begins."""
        if not stage.population.is_adaptive:
            return None
        known = self.before.adapted
        parts = [
            known.get(p.name) or Adapted(*np.zeros((2, self.begin.size, p.size)))
            for p in stage.members
        ]
        return Adapted(*(np.concatenate(values, axis=1) for values in zip(*parts, strict=True)))

    def _run_readout(self, engine: Backend, stage: Stage, seeded: SortedSeeds) -> StageGradients:
        name, seed = stage.name, seeded.readouts.get(stage.name)
        job = make_job(self.plan, stage, self.joined)
        shape = (2, job.n_samples, stage.population.size)
        later = np.zeros(shape) if self.later is None else self.later.readouts[name].copy()
        before = self.before.readouts[name]
        if seed is None:
            found = readout_piece.backward(job, before, self.begin, later)
        else:
            rate, given = 1.0 / seed.time_constant, to_host(seed.integral)
            found = readout_piece.backward(job, before, self.begin, later, rate, given)
        self.readouts[name] = later
        times = tuple(engine.asarray(values) for values in found.source_times)
        return replace(found, source_times=times)


def _let_go(job: Job, tape: SpikeTape, begin: Floats) -> dict[str, SpikeTrains]:
    """Members of a stage; spikes of before that are let go in the chunk with their current then.

    The run does not record it: the spike is on the tape of an earlier chunk.
    """
    stage, found = job.stage, {}
    for member in stage.members:
        trains, refractory = tape[member.name], member.refractory
        sample = owners(trains.offsets, len(trains))
        until = trains.times + refractory[trains.neurons]
        held = trains.times < begin[sample]
        held &= (until >= begin[sample]) & (until < tape.stream.duration[sample])
        held &= refractory[trains.neurons] > 0.0
        number = np.flatnonzero(held)
        if number.size:
            restart = trains.restart_current.copy()
            restart[number] = _current_at(job, member.name, trains, number, until[number])
            trains = replace(trains, restart_current=restart)
        found[member.name] = trains
    return found


def _current_at(
    job: Job, name: str, trains: SpikeTrains, number: NDArray[np.int64], until: Floats
) -> Floats:
    """The current of the neurons of some spikes at ``until``, from that just before the spikes.

    A neuron has one such spike in a sample at most: until then it is held.
    """
    stage, low = job.stage, job.stage.start_of(name)
    neuron = trains.neurons[number].astype(np.int64) + low
    sample, time = owners(trains.offsets, len(trains))[number], trains.times[number]
    tau = stage.population.tau_syn[neuron]
    self_weight, self_delay = job.self_weights(), job.self_delays()
    current = trains.current[number] + np.where(self_delay[neuron] > 0.0, 0.0, self_weight[neuron])
    current = current * np.exp(-(until - time) / tau)

    def added(row: Ints, when: Floats, weight: Floats, of: Ints, sender: Ints) -> Floats:
        """Current that arrivals at ``row`` (neuron and sample) add; ``of`` the rows of the spikes.

        Of the time of the spike itself they come after it if a neuron of the loop that does not
        fire before this one sent them without a delay; ``sender`` is its number, or -1.
        """
        place = np.full(int(max(row.max(initial=-1), of.max())) + 1, -1)
        place[of] = np.arange(of.size)
        which = place[row]
        after = (when > time[which]) | ((when == time[which]) & (sender >= neuron[which]))
        met = (which >= 0) & after & (when <= until[which])
        which, lasts = which[met], (until[which] - when)[met]
        return sum_by(weight[met] * np.exp(-lasts / tau[which]), which, of.size)

    chosen, column = np.unique(neuron, return_inverse=True)
    arrivals = find_arrivals(job, chosen)
    of, sender = sample * chosen.size + column, _senders(job)[arrivals.spike]
    current = current + added(arrivals.row, arrivals.time, arrivals.weight, of, sender)
    mine = trains.neurons.astype(np.int64) + low
    returns = np.flatnonzero(self_delay[mine] > 0.0)
    row = owners(trains.offsets, len(trains))[returns] * self_delay.size + mine[returns]
    when = trains.times[returns] + self_delay[mine[returns]]
    of, sender = sample * self_delay.size + neuron, np.full(returns.size, -1)
    return current + added(row, when, self_weight[mine[returns]], of, sender)


def _senders(job: Job) -> Ints:
    """The neuron of the stage that sent each of the spikes of all sources; -1 if none did."""
    stage, found = job.stage, list[Ints]()
    for k, source in enumerate(job.sources):
        inside = k >= len(stage.afferents)
        low = stage.start_of(stage.projections[k].source) if inside else 0
        number = source.neurons.astype(np.int64) + low
        found.append(number if inside else np.full_like(number, -1))
    return np.concatenate([np.zeros(0, np.int64), *found])


class _Stream(NamedTuple):
    """Chunks of a stream, with the network and settings of their runs."""

    net: Network
    chunks: Sequence[EventStream]
    backend: str
    precision: Precision
    loss: Loss

    def forward(self, k: int, state: RunState | None) -> tuple[SpikeTape, RunState]:
        """Run chunk ``k``; the backward pass over its tape shares the run's memo."""
        tape, end = simulate_chunk(
            self.net, self.chunks[k], state, backend=self.backend, precision=self.precision
        )
        return replace(tape, memo=end.kept.plan.memo), end


def backward_chunks(
    net: Network,
    chunks: Sequence[EventStream],
    loss: Loss,
    *,
    keep: int = 16,
    truncate: bool = False,
    backend: str = "auto",
    precision: Precision = "double",
) -> Gradients:
    """Gradients of a loss that is summed over the chunks of a stream.

    Memory does not grow with the length of the stream, but for the chunks themselves: ``chunks``
    may be any sequence that reads or makes them when they are asked for.

    Parameters
    ----------
    net
        As :func:`eventsim.simulate_chunk`.
    chunks
        The stream in chunks, as :meth:`eventsim.EventStream.chunks`, by number.
    loss
        Gives the loss of one chunk's tape and its seeds, as for :func:`eventsim.backward_chunk`;
        called from the last chunk to the first, with ``truncate`` from the first to the last.
    keep
        States of the run, of at least 2, that are kept on each level of checkpoints: with K
        chunks every chunk runs about log(K) / log(keep) times more.
    truncate
        Leave out the effects of a chunk on later ones: one run, no checkpoints.
    backend, precision
        As :func:`eventsim.simulate`.

    Returns
    -------
    Gradients
        Sums over the chunks; ``input_times`` is empty, :func:`eventsim.backward_chunk` has them.

    Raises
    ------
    ParameterError, ShapeError, NetworkError, BackendError, RunawayError
        As :func:`eventsim.simulate_chunk` and :func:`eventsim.backward_chunk`.
    """
    if not isinstance(chunks, Sequence) or not len(chunks):
        raise ParameterError(
            "backward_chunks",
            f"chunks is {type(chunks).__name__}",
            "a sequence of at least one EventStream, which is gone through more than once: "
            "list(stream.chunks(100.0)), or an object with __len__ and __getitem__ that reads "
            "them",
        )
    if keep < 2:
        raise ParameterError("backward_chunks", f"keep is {keep}", "at least 2")
    require("chunk_gradients", net, features_of(get_backend(backend)), where="backward_chunks")
    run, total = _Stream(net, chunks, backend, precision, loss), _Total()
    if truncate:
        state = None
        for k in range(len(chunks)):
            tape, state = run.forward(k, state)
            total.add(backward_chunk(net, tape, loss)[0])
    else:
        _walk(run, 0, len(chunks), None, None, keep, total)
    return total.gradients()


def _walk(
    run: _Stream,
    low: int,
    high: int,
    state: RunState | None,
    later: AdjointState | None,
    keep: int,
    total: _Total,
) -> AdjointState | None:
    """Back over the chunks ``low : high``, of which the first goes on from ``state``."""
    if high - low == 1:
        tape, _ = run.forward(low, state)
        found, later = backward_chunk(run.net, tape, run.loss, later)
        total.add(found)
        return later
    parts = min(keep, high - low)
    bounds = [low + (high - low) * i // parts for i in range(parts + 1)]
    states = [state]
    for k in range(low, bounds[-2]):
        _, state = run.forward(k, state)
        if k + 1 in bounds:
            states.append(state)
    while states:
        first, last = bounds[-2:]
        later = _walk(run, first, last, states.pop(), later, keep, total)
        bounds.pop()
    return later


class _Total:
    """Sums of gradients."""

    def __init__(self) -> None:
        self._values, self._loss, self._grazes = dict[str, Floats](), 0.0, 0

    def add(self, found: Gradients) -> None:
        """Add the gradients of one more chunk; sums are float64."""
        for key, values in found.values.items():
            known = self._values.get(key)
            added = values.astype(np.float64, copy=False) if known is None else known + values
            self._values[key] = added
        self._loss, self._grazes = self._loss + found.loss, self._grazes + found.grazes

    def gradients(self) -> Gradients:
        """The sums."""
        return Gradients(self._values, np.zeros(0), self._loss, self._grazes)
