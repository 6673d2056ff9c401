"""listen: a network on live events, chunk by chunk, and its answers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from eventsim.arrays import Precision
from eventsim.engine import RunState, get_backend, simulate_chunk
from eventsim.engine.contract.backend import features_of
from eventsim.entries import NotNegative, Positive, Share
from eventsim.entries.described import described, setting
from eventsim.events import EventStream, SpikeTape
from eventsim.live.answers import RUNNING, AbstractRunning, Heard, Words
from eventsim.live.gate import Counters, Gate, GateSettings, Passage, Why
from eventsim.live.latency import Latency
from eventsim.live.packets import Source, packets_of
from eventsim.live.sources import open_source
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.network.answer import FIRST_EVENT
from eventsim.summary import short_repr
from eventsim.train.choice import config_of
from eventsim.train.softmax import softmax

MEMORY: Final = 300.0  # ms, where the rule has no time constant that says it


@described
@dataclass(frozen=True, kw_only=True)
class ListenSettings(GateSettings):
    """Settings of a listener; see :mod:`eventsim.live.gate` and :mod:`eventsim.live.answers`.

    Raises
    ------
    ParameterError
        A value lies outside its domain.
    """

    recordings: bool = setting(
        False,
        "The source says where recordings end, in text by lines TIME,end. Without this, and "
        "without end_channel, gap and every, the stream has no end and decisions are sliding.",
    )
    memory: Positive | None = setting(
        None,
        "Time that a sliding decision looks back, ms. By default the time constant of a rule "
        "integral, else 300.",
    )
    margin: Share = setting(
        0.0,
        "Smallest lead of the best class, in probability, for an answer. With a smaller "
        "lead there is no answer.",
    )
    rest: NotNegative = setting(
        0.0,
        "Time after a sliding answer without another answer, ms (refractory time of decisions).",
    )

    @property
    def is_sliding(self) -> bool:
        """Whether the stream is one recording without an end."""
        return not (self.recordings or self.is_divided)


@dataclass(frozen=True, eq=False)
class Decided:
    """An answer: to a recording that has ended, or at a time of a stream."""

    time: float  # ms on the source's clock: where the recording or the piece ends
    recording: int  # number, from 0
    answer: str | None  # name of the class; None for nothing
    score: float | None  # of the best class, also where it is not answered; None of ctc's strings
    second: str | None
    margin: float | None  # between the probabilities of the best two
    shares: tuple[float, ...]  # probability of every class; empty of ctc's strings
    why: Why | None = None  # how the end of the recording was known; None of a sliding decision

    __repr__ = short_repr

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "time_ms": self.time,
            "recording": self.recording,
            "answer": self.answer,
            "score": self.score,
            "second": self.second,
            "margin": self.margin,
            "end": self.why,
        }


@dataclass(frozen=True, eq=False)
class Step:
    """A chunk with its spikes and decision."""

    piece: Passage
    tapes: tuple[SpikeTape, ...]  # its spikes; of the last piece of a recording the tail's as well
    decided: Decided | None

    __repr__ = short_repr


class Listener:
    """Runs a network on a source; iterate over it. Made by :func:`listen`.

    Attributes
    ----------
    counters
        Counts of what arrived so far, and what was done with it.
    spike_latency, decision_latency
        From the arrival of the last event before a spike to the time at which the spike is known,
        s, of all neurons. Of a sliding decision the same, if its chunk has an event. Of the answer
        to a recording, from the arrival of the event, line or silence that ended it.
    busy, began
        Seconds of computing, and when listening began, on the clock.
    """

    def __init__(
        self,
        net: Network,
        source: Source,
        settings: ListenSettings,
        *,
        backend: str = "auto",
        precision: Precision | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """As :func:`listen`."""
        require("listen", net, features_of(get_backend(backend)))
        config_of(net, "listen")
        answer = net.answer
        assert answer is not None
        answer.check(net.populations, net.decision)
        if answer.rule == "ctc" and settings.is_sliding:
            assert answer.interval is not None
            settings = replace(settings, step=answer.interval)
        self.net, self.answer, self.settings = net, answer, settings
        self._source, self._clock = source, clock
        self._backend = get_backend(backend).name
        self._precision: Precision = precision or (
            "double" if self._backend == "reference" else "single"
        )
        self._gate = Gate(settings, net.input.size)
        self.spike_latency, self.decision_latency = Latency(), Latency()
        self.busy, self.began, self.event_ms = 0.0, clock(), 0.0
        self._recording = 0
        self._begin()

    @property
    def counters(self) -> Counters:
        """Counts of what arrived so far and what was done with it."""
        return self._gate.counters

    def _begin(self) -> None:
        """The network and its answer as before anything."""
        settings, constant = self.settings, self.answer.time_constant
        memory: float | None = None
        if settings.is_sliding:
            own = constant if self.answer.rule == "integral" and constant != np.inf else None
            memory = settings.memory or own or MEMORY
        self._state: RunState | None = None
        self._running: AbstractRunning = RUNNING[self.answer.rule](self.net, self.answer, memory)
        self._rests_until = -np.inf
        self._onset = np.inf

    def __iter__(self) -> Iterator[Step]:
        """Steps as they come; at the end of the source, those of what is left."""
        self._warm_up()
        for packet in self._source:
            for piece in self._gate.feed(packet):
                yield self._step(piece)
        for piece in self._gate.finish():
            yield self._step(piece)

    def _warm_up(self) -> None:
        """Load and make what a first piece needs, so that no event waits for it."""
        none, length = np.zeros(0), self.settings.step
        empty = EventStream(none, none, [0, 0], n_channels=self.net.input.size, duration=length)
        tape, _ = simulate_chunk(self.net, empty, backend=self._backend, precision=self._precision)
        running = RUNNING[self.answer.rule](self.net, self.answer, None)
        running.hear(Heard(self.net, tape, self.answer.population))
        self.began = self._clock()

    def _step(self, piece: Passage) -> Step:
        began = self._clock()
        tapes = self._run(piece) if piece.end > piece.begin else []
        decided = self._decide(piece)
        now = self._clock()
        self.busy += now - began
        self.event_ms += piece.end - piece.begin
        self._time(piece, tapes, decided, now)
        if piece.why is not None:
            self._recording += 1
            self._begin()
        return Step(piece, tuple(tapes), decided)

    def _run(self, piece: Passage) -> list[SpikeTape]:
        """The spikes of a piece, heard by the answer; the last piece of a recording has a tail."""
        cuts = [piece.end]
        if not self.settings.is_sliding and self.answer.onset not in (None, 0.0):
            onset = self._find_onset(piece)
            cuts = [onset, *cuts] if piece.begin < onset < piece.end else cuts
        if not self.settings.is_sliding and piece.why is not None and self.answer.tail:
            cuts.append(piece.end + self.answer.tail)
        return [self._chunk(piece, cut) for cut in cuts]

    def _find_onset(self, piece: Passage) -> float:
        """Onset of the mean of the rule, ms; infinite as long as nothing has come."""
        if self.answer.onset != FIRST_EVENT:
            assert self.answer.onset is not None
            self._onset = float(self.answer.onset)
        elif self._onset == np.inf and piece.times.size:
            self._onset = float(piece.times[0])
        return self._onset

    def _chunk(self, piece: Passage, end: float) -> SpikeTape:
        """The run up to ``end``, with those events of the piece that lie before it."""
        begin = 0.0 if self._state is None else float(self._state.end[0])
        mine = (piece.times >= begin) & (piece.times < end)
        times = piece.times[mine]
        chunk = EventStream(
            times, piece.channels[mine], [0, times.size], n_channels=self.net.input.size,
            duration=end,
        )  # fmt: skip
        tape, self._state = simulate_chunk(
            self.net, chunk, self._state, backend=self._backend, precision=self._precision
        )
        self._running.hear(Heard(self.net, tape, self.answer.population))
        return tape

    def _decide(self, piece: Passage) -> Decided | None:
        """The answer at the end of a piece, where there is one."""
        time, sliding = piece.zero + piece.end, self.settings.is_sliding
        if sliding and (piece.end < self._rests_until or piece.end <= piece.begin):
            return None
        if not sliding and piece.why is None:
            return None
        why = None if sliding else piece.why
        if isinstance(self._running, Words) and not sliding:
            name = self.answer.spelled(self._running.said)
            return Decided(time, self._recording, name, None, None, None, (), why)
        scores = self._running.scores()
        best, *others = np.argsort(-scores, kind="stable").tolist()
        shares = softmax(scores[None])[0]
        margin = float(shares[best] - shares[others[0]]) if others else 1.0
        blank = self.answer.rule == "ctc" and best == scores.size - 1
        nothing = blank or margin < self.settings.margin or (sliding and margin == 0.0)
        if not nothing and self.settings.rest:
            self._rests_until = piece.end + self.settings.rest
        return Decided(
            time,
            self._recording,
            None if nothing else self._name(best),
            float(scores[best]),
            self._name(others[0]) if others else None,
            margin,
            tuple(shares.tolist()),
            why,
        )

    def _name(self, number: int) -> str:
        """Name of a class; of ctc, a word."""
        if isinstance(self._running, Words):
            return self.answer.spelled([number])
        return self.answer.name_of(number)

    def _time(
        self, piece: Passage, tapes: list[SpikeTape], decided: Decided | None, now: float
    ) -> None:
        """Count how long after their causes came spikes and decision are known."""
        if decided is not None and decided.why is not None:
            self.decision_latency.add(np.array([now - piece.told]))
        elif decided is not None:
            self.decision_latency.add(now - piece.arrived[-1:])
        if piece.times.size:
            for trains in (one for tape in tapes for one in tape.trains.values()):
                last = np.searchsorted(piece.times, trains.times, side="right") - 1
                self.spike_latency.add(now - piece.arrived[last[last >= 0]])

    def summary(self) -> dict[str, Any]:
        """Counters, latency and load, as plain values."""
        elapsed = self._clock() - self.began
        return {
            "counters": self.counters.to_dict(),
            "waiting": self._gate.waiting,
            "spike_latency": self.spike_latency.to_dict(),
            "decision_latency": self.decision_latency.to_dict(),
            "event_seconds": self.event_ms / 1e3,
            "seconds": elapsed,
            "busy_seconds": self.busy,
            "load": self.busy / elapsed if elapsed > 0.0 else None,
            "backend": self._backend,
            "precision": self._precision,
        }


def listen(
    net: Network,
    source: str | EventStream | Source,
    *,
    settings: ListenSettings | None = None,
    backend: str = "auto",
    precision: Precision | None = None,
) -> Listener:
    """Run a network on live events, and answer as they come.

    Parameters
    ----------
    net
        A trained network, or one whose answer was set by ``net.set_answer``.
    source
        Where events come from: a text as ``eventsim listen`` takes it (``-``, ``udp:3333``, the
        name of a pipe); recordings, one after the other, as fast as they can be computed; or an
        iterable of :class:`Packet`.
    settings
        How it listens; None for the defaults. For recordings, ``recordings`` is always set.
    backend
        As :func:`eventsim.simulate`.
    precision
        None for single precision, that of :func:`eventsim.predict`; on ``reference`` double.

    Returns
    -------
    Listener
        Iterate over it for a :class:`Step` per chunk; ``counters``, latencies and
        :meth:`Listener.summary` may be asked at any time. Memory does not grow with the stream.

    Raises
    ------
    NetworkError, ParameterError, BackendError
        The network has no answer or neurons that do not run in chunks; a setting is wrong.
    DataError, EventError
        The source cannot be opened, or sends only invalid data.

    Examples
    --------
    >>> import eventsim as es
    >>> net = es.scsr(4, (8,), 2, mean=4.0)
    >>> net.set_answer(es.Answer(class_names=("left", "right")))
    >>> stream = es.EventStream([5.0, 9.0], [0, 3], [0, 2], n_channels=4, duration=60.0)
    >>> steps = list(es.listen(net, stream, backend="reference"))
    >>> len(steps), steps[-1].decided.answer == es.predict(net, stream, backend="reference",
    ...     precision="double").names[0]
    (6, True)
    """
    settings = settings or ListenSettings()
    if isinstance(source, EventStream):
        settings = replace(settings, recordings=True)
        source = packets_of(source, length=settings.step)
    elif isinstance(source, str):
        source = open_source(source, n_channels=net.input.size)
    return Listener(net, source, settings, backend=backend, precision=precision)
