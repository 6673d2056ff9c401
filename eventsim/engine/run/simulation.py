"""simulate: run a network on a stream, at once or piece after piece.

The events of Poisson sources (:func:`eventsim.poisson`) follow from a seed and from time. Those of
a long run would take more memory than the network. So a run with more than ``MOST`` of them goes on
by chunks (:mod:`eventsim.engine.run.chunks`), and its tape is that of the whole.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eventsim.arrays import Precision, owners
from eventsim.engine.contract.backend import Backend, features_of
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.run.chunks import Kept, RunState, run_chunk
from eventsim.engine.run.place import on_host
from eventsim.engine.run.run import begin_course, check_network, extended, run_by
from eventsim.engine.run.starts import Start
from eventsim.engine.run.ties import tell_ties
from eventsim.events import EventStream, SpikeTape, SpikeTrains
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

    Returns
    -------
    SpikeTape
        Spikes of all spiking populations, exact to rounding. New arrays.

    Raises
    ------
    NetworkError, ShapeError, ParameterError, BackendError, RunawayError

    Notes
    -----
    A warning is logged if recordings begin late for the answer of the network
    (:mod:`eventsim.network.late`), and if rounding decides which neurons of a loop fire
    (``eventsim.engine.run.ties``; not where the tape stays on a device).
    """
    if not resident and isinstance(stream, EventStream) and stream.sources is not None:
        whole, engine = extended(net, stream, tail), get_backend(backend)
        if _goes_by_pieces(net, whole, engine, precision):
            return _by_pieces(net, whole, engine, precision, start)
    course = begin_course(net, stream, tail=tail, backend=backend, precision=precision, begin=start)
    warn_late(net, stream)
    tape = course.finish()
    if resident:
        return tape
    tape = replace(tape.to_host(), synaptic_events=dict(tape.synaptic_events))
    tell_ties(course.plan, tape)
    return tape


def _goes_by_pieces(
    net: Network, stream: EventStream, engine: Backend, precision: Precision
) -> bool:
    """Whether there are more events than are to be held, and the network can run by chunks."""
    if stream.sources is None or stream.mean_events <= MOST or not on_host(net):
        return False
    return bool(can(net, features_of(engine), precision)["chunks"])


def _by_pieces(
    net: Network, stream: EventStream, engine: Backend, precision: Precision, start: Start | None
) -> SpikeTape:
    """The run of the whole stream; errors as :func:`eventsim.simulate`."""
    kept, sources = Kept(make_plan(net, Memo(pieces=True))), stream.sources
    assert sources is not None
    check_network(net, kept.plan, engine, precision, "chunks")
    state: RunState | Start | None = start
    tapes = []
    most = max(MOST, sources.least * stream.n_samples)
    for chunk in stream.chunks(stream.duration.max() * most / stream.mean_events):
        tape, state = run_chunk(net, chunk, state, kept, engine, precision)
        tapes.append(tape)
    trains = {name: _joined([tape.trains[name] for tape in tapes]) for name in tapes[0].names}
    events = {name: sum(tape.synaptic_events[name] for tape in tapes)
              for name in tapes[0].synaptic_events}  # fmt: skip
    tape = SpikeTape(
        stream, trains, events, engine.name, precision,
        structure=kept.plan.structure, start=tapes[0].start, algorithms=run_by(kept.plan, engine),
    )  # fmt: skip
    tell_ties(kept.plan, tape)
    return tape


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
