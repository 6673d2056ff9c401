r"""Answers of a network during a recording, and to a stream without an end.

A run is computed chunk by chunk (:func:`eventsim.simulate_chunk`). A rule of
:mod:`eventsim.network.answer` needs a few numbers per class of the chunks so far, which this
module keeps: its memory does not depend on the length of the stream.

**Of a recording** the scores are those of :func:`eventsim.predict`, for the recording that ends
where the last chunk does; they differ by rounding, since sums are made chunk by chunk. The distance
of ``van_rossum`` to regular firing at :math:`t_k = (k + \frac12)/r` is kept as if the firing had no
end. With the trace :math:`f_c(T)` of the spikes so far, the part after the end :math:`T` is
subtracted:

.. math::
    z_c = \sum_i \sum_{k=0}^{\infty} e^{-|t_i - t_k|/\tau}
          - f_c(T) \sum_{t_k \ge T} e^{-(t_k - T)/\tau}
          - \tfrac12 \sum_{t_k, t_l < T} e^{-|t_k - t_l|/\tau} .

**Of a stream without an end** the answer is sliding: the past is forgotten with a time constant,
the memory :math:`m` in ms. From the end of one chunk to the end of the next, :math:`h` ms later,
sums are multiplied by :math:`e^{-h/m}`:

===============  ==================================================================================
rule             sliding score of class :math:`c`
===============  ==================================================================================
``integral``     gain times the mean of :math:`V_c`, of every chunk its exact mean, chunks weighted
                 by :math:`e^{-\text{age}/m}` (a leaky readout)
``last``         gain times :math:`V_c` now, or the linear decision
``maximum``      of the largest :math:`V_c` in the chunks of the last m ms
``spike_count``  gain times :math:`\tau/m` times :math:`\sum_i e^{-(t - t_i)/m}`
``van_rossum``   :math:`2 f_c \bar f - \bar f^2` with the trace :math:`f_c`, and that of regular
                 firing :math:`\bar f = r\tau`, both of the rule's :math:`\tau`
``first_spike``  :math:`(t_0 - \min(t_c, t))/\tau`: a first spike, at :math:`t_0`, opens a race of m
                 ms; before and after it all scores are 0 (a refractory decision)
``ctc``          logits of the last frame; the blank is no answer
===============  ==================================================================================

Frames of ``ctc`` stand at multiples of its interval in both cases.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from eventsim.adjoint.linear.maximum import Nodes, best_inside
from eventsim.adjoint.linear.voltage import weighted_time
from eventsim.arrays import Floats
from eventsim.engine.contract.job import Job
from eventsim.engine.run.readout_piece import integral_since, states_at
from eventsim.engine.run.run import readout_job
from eventsim.engine.run.voltage_kernel import kernel
from eventsim.events import SpikeTape
from eventsim.events.tape import ReadoutState
from eventsim.network import Answer, Network
from eventsim.network.answer import FIRST_EVENT, Rule, count_frames
from eventsim.train.readouts import logits_of

MS_PER_S: Final = 1000.0


@dataclass(frozen=True, eq=False)
class Heard:
    """A chunk of a run, as the answer needs it."""

    net: Network
    tape: SpikeTape  # of the piece, of a single sample
    output: str  # population that answers

    @property
    def begin(self) -> float:
        """Begin of the chunk, ms since the start of the recording."""
        assert self.tape.begin is not None
        return float(self.tape.begin[0])

    @property
    def end(self) -> float:
        """End of the chunk, ms since the start of the recording."""
        return float(self.tape.stream.duration[0])

    @property
    def length(self) -> float:
        """Length of the chunk, ms."""
        return self.end - self.begin

    @cached_property
    def job(self) -> Job:
        """The readout with all that reaches it."""
        return readout_job(self.net, self.tape.with_before(), self.output)

    @property
    def before(self) -> ReadoutState:
        """The readout where the piece begins."""
        assert self.tape.before is not None
        return self.tape.before.readouts[self.output]

    def voltages(self, times: Floats) -> Floats:
        """Voltages of the readout at ascending times in the piece, [times, neurons]."""
        begin, p = np.array([self.begin]), self.job.stage.population
        found = states_at(self.job, self.before, begin, times)
        voltages: Floats = p.resistance * found.v + p.v_leak
        return voltages

    def integral(self, time_constant: float) -> Floats:
        """Integral of exp(-t / time_constant) V with t from the begin of the piece, [neurons]."""
        begin = np.array([self.begin])
        found: Floats = integral_since(self.job, self.before, begin, 1.0 / time_constant)[0]
        return found

    def largest(self) -> Floats:
        """Largest voltage of every neuron of the readout in the piece, [neurons]."""
        found = states_at(self.job, self.before, np.array([self.begin]))
        start, (a, b), p = found.begin, found.rates, self.job.stage.population
        assert start is not None
        times, v, drive = (
            np.concatenate([first[None], later])
            for first, later in zip(start, (found.times, found.v, found.j), strict=True)
        )
        faded = np.concatenate([drive[:1], kernel(np.diff(times, axis=0), a, b).y * drive[:-1]])
        highest: Floats = v.max(axis=0)
        _, inside, _ = best_inside(Nodes(times, v, faded, drive), np.maximum(highest, 0.0), a, b)
        largest: Floats = p.resistance * np.maximum(highest, inside) + p.v_leak
        return largest

    def spikes(self) -> tuple[Floats, NDArray[np.int32]]:
        """Times of the output's spikes in the piece, ms, and their neurons."""
        trains = self.tape[self.output]
        return trains.times, trains.neurons


@dataclass
class AbstractRunning(ABC):
    """Scores of a recording, or of a stream without an end, as its pieces come; see the module.

    ``memory`` in ms, None of a recording.
    """

    net: Network
    answer: Answer
    memory: float | None

    @property
    def size(self) -> int:
        """Neurons of the population that answers."""
        return self.net.population(self.answer.population).size

    def value(self, name: Literal["time_constant", "gain", "rate", "interval"]) -> float:
        """A value of the rule, which has it."""
        given: float = getattr(self.answer, name)
        return given

    @abstractmethod
    def hear(self, heard: Heard) -> None:
        """Go on by a piece."""

    @abstractmethod
    def scores(self) -> Floats:
        """Scores of every class, at the end of the last chunk. New array."""


@dataclass
class _MeanVoltage(AbstractRunning):
    total: Any = 0.0
    weight: float = 0.0
    onset: float | None = None  # of the recording, once it is known

    def hear(self, heard: Heard) -> None:
        if self.memory is not None:
            keep = math.exp(-heard.length / self.memory)
            mean = heard.integral(math.inf) / heard.length
            self.total = keep * self.total + (1.0 - keep) * mean
            self.weight = keep * self.weight + 1.0 - keep
            return
        self._begin(heard)
        onset, constant = self.onset or 0.0, self.value("time_constant")
        if heard.begin >= onset:
            passed = math.exp(-(heard.begin - onset) / constant)
            self.total = self.total + passed * heard.integral(constant)
            self.weight = float(weighted_time(np.array(heard.end - onset), constant))

    def _begin(self, heard: Heard) -> None:
        """Set the onset once it is known, and drop the sums of earlier chunks."""
        if self.onset is None:
            first = self.answer.onset == FIRST_EVENT
            events = heard.tape.stream.times
            begins = bool(events.size) and events[0] == heard.begin
            wanted = heard.begin if first and begins else None if first else self.answer.onset
            if wanted is not None:
                assert not isinstance(wanted, str)
                self.onset, self.total, self.weight = wanted, 0.0, 0.0

    def scores(self) -> Floats:
        scale = self.value("gain") / self.weight if self.weight else 0.0
        scores: Floats = scale * self.total + np.zeros(self.size)
        return scores


@dataclass
class _OneVoltage(AbstractRunning):
    """The last voltage, or the largest: of all pieces, or of those within the memory."""

    kept: deque[tuple[float, Floats]] = field(default_factory=deque)

    def hear(self, heard: Heard) -> None:
        if self.answer.rule == "last":
            now = heard.voltages(np.array([heard.end]))[0]
            self.kept = deque([(heard.end, now)])
            return
        self.kept.append((heard.end, heard.largest()))
        if self.memory is None:
            self.kept = deque([(heard.end, self._largest())])
        else:
            while self.kept[0][0] <= heard.end - self.memory:
                self.kept.popleft()

    def _largest(self) -> Floats:
        largest: Floats = np.max([one for _, one in self.kept], axis=0)
        return largest

    def scores(self) -> Floats:
        gain, readout = self.value("gain"), self.answer.population
        rest = self.net.population(readout).v_leak
        return logits_of(self.net, readout, self._largest() if self.kept else rest, gain=gain)


@dataclass
class _Count(AbstractRunning):
    total: Any = 0.0
    end: float = 0.0

    def hear(self, heard: Heard) -> None:
        (times, neurons), weight = heard.spikes(), None
        if self.memory is not None:
            self.total = self.total * math.exp(-heard.length / self.memory)
            weight = np.exp((times - heard.end) / self.memory)
        self.total = self.total + np.bincount(neurons, weight, minlength=self.size)
        self.end = heard.end

    def scores(self) -> Floats:
        gain, tau = self.value("gain"), self.value("time_constant")
        over = self.end if self.memory is None else self.memory
        scores: Floats = self.total * (gain * tau / over if over else 0.0) + np.zeros(self.size)
        return scores


@dataclass
class _FirstSpike(AbstractRunning):
    opened: float | None = None
    end: float = 0.0
    first: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.first = np.full(self.size, math.inf)

    def hear(self, heard: Heard) -> None:
        for time, neuron in zip(*heard.spikes(), strict=True):
            if self.memory is not None and (self._is_over(time) or self.opened is None):
                self.first[:], self.opened = math.inf, float(time)
            self.first[neuron] = min(self.first[neuron], time)
        self.end = heard.end

    def _is_over(self, now: float) -> bool:
        assert self.memory is not None
        return self.opened is not None and now >= self.opened + self.memory

    def scores(self) -> Floats:
        tau = self.value("time_constant")
        if self.memory is not None and (self.opened is None or self._is_over(self.end)):
            return np.zeros(self.first.size)
        scores: Floats = ((self.opened or 0.0) - np.minimum(self.first, self.end)) / tau
        return scores


@dataclass
class _SpikeTrain(AbstractRunning):
    nearness: Any = 0.0  # to regular firing without an end
    trace: Any = 0.0
    end: float = 0.0

    def hear(self, heard: Heard) -> None:
        (times, neurons), (tau, interval) = heard.spikes(), self._values()
        faded = np.exp((times - heard.end) / tau)
        self.trace = self.trace * math.exp(-heard.length / tau)
        self.trace = self.trace + np.bincount(neurons, faded, minlength=self.size)
        near = _nearness(times, tau, interval)
        self.nearness = self.nearness + np.bincount(neurons, near, minlength=self.size)
        self.end = heard.end

    def _values(self) -> tuple[float, float]:
        return self.value("time_constant"), MS_PER_S / self.value("rate")

    def scores(self) -> Floats:
        tau, interval = self._values()
        zeros = np.zeros(self.size)
        if self.memory is not None:
            mean = tau / interval
            steady: Floats = 2.0 * mean * self.trace - mean**2 + zeros
            return steady
        keep = math.exp(-interval / tau)
        n = max(math.ceil(self.end / interval - 0.5), 0)
        behind = math.exp((self.end - (n + 0.5) * interval) / tau) / (1.0 - keep)
        pairs = keep * (n - 1 - n * keep + keep**n) / (1.0 - keep) ** 2 if n else 0.0
        scores: Floats = self.nearness - behind * self.trace - (0.5 * n + pairs) + zeros
        return scores


def _nearness(times: Floats, tau: float, interval: float) -> Floats:
    """Sum of ``exp(-|t - t_k| / tau)`` over ``t_k = (k + 1/2) interval``, without an end."""
    keep, earlier = math.exp(-interval / tau), np.floor(times / interval + 0.5)
    since = times - (earlier - 0.5) * interval
    before = np.where(earlier > 0, np.exp(-since / tau), 0.0) * (1.0 - keep**earlier)
    near: Floats = (before + np.exp((since - interval) / tau)) / (1.0 - keep)
    return near


@dataclass
class Words(AbstractRunning):
    """The likeliest path so far: its string, in a recording, and the last frame."""

    frames: int = 0
    last: Floats | None = None
    before: int = -1  # label of the last frame
    said: list[int] = field(default_factory=list)  # of a recording

    def hear(self, heard: Heard) -> None:
        """Go on by a piece."""
        interval, gain = self.value("interval"), self.value("gain")
        until = int(count_frames(np.array([heard.end]), interval)[0])
        if until == self.frames:
            return
        times = np.minimum(np.arange(self.frames + 1, until + 1) * interval, heard.end)
        logits = logits_of(self.net, heard.output, heard.voltages(times), gain=gain)
        self.frames, self.last = until, logits[-1]
        if self.memory is None:
            for label in logits.argmax(axis=1).tolist():
                if label not in (self.before, logits.shape[1] - 1):
                    self.said.append(label)
                self.before = label

    def scores(self) -> Floats:
        """Logits of the last frame; 0 before the first."""
        if self.last is not None:
            return self.last
        return np.zeros(self.size if self.net.decision is None else self.net.decision.n_classes)


RUNNING: Final[dict[Rule, Callable[[Network, Answer, float | None], AbstractRunning]]] = {
    "integral": _MeanVoltage,
    "maximum": _OneVoltage,
    "last": _OneVoltage,
    "first_spike": _FirstSpike,
    "spike_count": _Count,
    "van_rossum": _SpikeTrain,
    "ctc": Words,
}
