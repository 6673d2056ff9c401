"""simulate: run a network on a stream, at once or piece after piece.

The events of Poisson sources (:func:`eventsim.poisson`) follow from a seed and from time. Those of
a long run would take more memory than the network. So a run with more than ``MOST`` of them goes on
by chunks (:mod:`eventsim.engine.run.chunks`), and its tape is that of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Ints, Precision, owners
from eventsim.engine.contract.backend import Backend, features_of
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.run import watch
from eventsim.engine.run.chunks import Kept, RunState, run_chunk
from eventsim.engine.run.place import on_host
from eventsim.engine.run.run import begin_course, check_network, extended, run_by
from eventsim.engine.run.starts import Start
from eventsim.engine.run.ties import Ties, tell_ties, ties_of
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.events.recorded import Record, chosen_neurons
from eventsim.matrix import can
from eventsim.memo import Memo
from eventsim.network import Network
from eventsim.network.late import warn_late
from eventsim.plan import make_plan

MOST = 1 << 20  # events that are made at a time, on average


def simulate(
    net: Network,
    stream: EventStream,
    *,
    tail: float | None = None,
    backend: str = "auto",
    precision: Precision = "double",
    resident: bool = False,
    start: Start | None = None,
    record: Record | None = None,
) -> SpikeTape:
    """Run ``net`` on every sample of ``stream``.

    A network that was trained with a tail also runs for its tail after every recording: see
    ``tail``.

    Parameters
    ----------
    net
        Any network; populations that form a loop run by a queue of events or by windows, the
        others layer by layer. Which it is follows from the network alone
        (:mod:`eventsim.engine.algorithm`), so that a sample has the same bits in any batch.
    stream
        Its channels are the neurons of the network's input population. Events of
        :func:`eventsim.poisson` are made as time goes on where there are more than about a million,
        and none is kept: the spikes are the same (of a dense layer of linear neurons to rounding).
        Not for a resident tape, nor where the network does not run by chunks.
    tail
        ms of silence after every sample, during which the network runs on. None: as the network's
        answer says (``net.answer.tail``), 0 where it has none. The stream of the tape is the
        extended one: to run it again, pass ``tail=0.0``.
    backend
        ``auto`` (``cuda`` where a device can be used, else ``cpu``), ``cuda``, ``cpu``,
        ``reference``, or the name of a registered one.
    precision
        Type of the state: ``double`` or ``single``. Times are float64 in both.
    resident
        Leave the spikes on the device on which they were computed: losses and
        :func:`eventsim.backward` then run there and return arrays that are there.
        No effect with a backend on the processor.
    start
        Voltages and currents at time zero, given or drawn. None: at rest.
    record
        Populations, or numbers of neurons by population (``{"L5E": range(100)}``), whose spikes are
        kept; the network runs as it does without. A run that makes Poisson events as time goes on
        holds no others for long, any other run holds all spikes (28 bytes each) until its end.
        None: all, which gradients, voltages, costs and maps need.

    Returns
    -------
    SpikeTape
        Spikes of all spiking populations, or of those of ``record`` as
        :meth:`eventsim.SpikeTape.only` gives them, exact to rounding. New arrays.

    Raises
    ------
    NetworkError, ShapeError, ParameterError, BackendError, RunawayError

    Notes
    -----
    A warning is logged if recordings begin late for the answer of the network
    (:mod:`eventsim.network.late`), and if rounding decides which neurons of a loop fire
    (``eventsim.engine.run.ties``; not where the tape stays on a device).
    """
    sizes = {name: population.size for name, population in net.spiking.items()}
    chosen = None if record is None else chosen_neurons(record, sizes, "simulate")
    if not resident and isinstance(stream, EventStream) and stream.sources is not None:
        whole, engine = extended(net, stream, tail), get_backend(backend)
        if _goes_by_pieces(net, whole, engine, precision):
            return _by_pieces(_Whole(net, whole, engine, precision, start, chosen))
    course = begin_course(net, stream, tail=tail, backend=backend, precision=precision, begin=start)
    warn_late(net, stream)
    tape = course.finish()
    if not resident:
        tape = replace(tape.to_host(), synaptic_events=dict(tape.synaptic_events))
        tell_ties(ties_of(course.plan, tape))
    return tape if chosen is None else tape.only(chosen)


class _Whole(NamedTuple):
    """A run that goes by pieces: what :func:`simulate` takes."""

    net: Network
    stream: EventStream  # the tail included
    engine: Backend
    precision: Precision
    start: Start | None
    chosen: Mapping[str, Ints] | None  # neurons that are recorded, by population


def _goes_by_pieces(
    net: Network, stream: EventStream, engine: Backend, precision: Precision
) -> bool:
    """Whether there are more events than are to be held, and the network can run by chunks."""
    if stream.sources is None or stream.mean_events <= MOST or not on_host(net):
        return False
    return bool(can(net, features_of(engine), precision)["chunks"])


def _by_pieces(run: _Whole) -> SpikeTape:
    """The run of the whole stream; errors as :func:`eventsim.simulate`."""
    kept, sources = Kept(make_plan(run.net, Memo(pieces=True))), run.stream.sources
    assert sources is not None
    check_network(run.net, kept.plan, run.engine, run.precision, "chunks")
    state: RunState | Start | None = run.start
    tapes, ties = list[SpikeTape](), list[Ties]()
    most = max(MOST, sources.least * run.stream.n_samples)
    chunks = run.stream.chunks(run.stream.duration.max() * most / run.stream.mean_events)
    with watch.shown(watch.n_stages(kept.plan) * float(run.stream.duration.sum())):
        for chunk in chunks:
            tape, state = run_chunk(run.net, chunk, state, kept, run.engine, run.precision)
            ties += ties_of(kept.plan, tape)
            tapes.append(tape if run.chosen is None else tape.only(run.chosen))
    tell_ties(ties)
    first = tapes[0]
    trains = {name: _joined([tape.trains[name] for tape in tapes]) for name in first.names}
    events = {name: sum(tape.synaptic_events[name] for tape in tapes)
              for name in first.synaptic_events}  # fmt: skip
    recorded = {name: one._replace(spikes=sum(tape.recorded[name].spikes for tape in tapes))
                for name, one in first.recorded.items()}  # fmt: skip
    return replace(
        first, stream=run.stream, trains=trains, synaptic_events=events, recorded=recorded,
        begin=None, before=None, algorithms=run_by(kept.plan, run.engine),
    )  # fmt: skip


def _joined(parts: Sequence[SpikeTrains]) -> SpikeTrains:
    """Spikes of pieces that follow each other, by sample. New arrays."""
    offsets = np.sum([part.offsets for part in parts], axis=0)
    sample = np.concatenate([owners(part.offsets, len(part)) for part in parts])
    order = slice(None) if len(offsets) == 2 else np.argsort(sample, kind="stable")
    fields = {
        name: np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("times", "neurons", "current", "restart_current")
    }
    return SpikeTrains(offsets=offsets, size=parts[0].size, **fields)
