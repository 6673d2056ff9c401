r"""Recordings that begin late: when a warning is due, and what it says.

Let the first event of the median recording be at :math:`t_1` and the end at :math:`T`. A network
answers by a mean of its readout's voltage that is weighted by :math:`e^{-(t - t_0)/T_w}` from the
onset :math:`t_0` on (:mod:`eventsim.network.answer`): at the first event a share
:math:`e^{-(t_1 - t_0)/T_w}` of the weight is left. Below one half a warning is due.

Whatever the answer, the network is at rest until the first event. With its longest time constant
:math:`\tau` and its longest delay d, a share :math:`e^{-(t_1 - d)/\tau}` of a state at time 0 is
left at the first event. Where this is less than 1 %, and more than half of the recording has passed
by then, the network has no memory of the time before. Rates, leakage and targets that
are counted over the whole recording are then too low, whatever the onset. A warning is due in this
case too.

A cut out of a session and the clock of a sensor are the usual reasons.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eventsim.arrays import Floats, fetch
from eventsim.events import EventStream, StoredStream
from eventsim.events.begin import edges
from eventsim.network.answer import FIRST_EVENT, Answer
from eventsim.network.network import Network

LEAST_WEIGHT = 0.5  # of the weight at the first event
LEAST_STATE = 0.01  # of a state at time 0, at the first event
MOST_SILENCE = 0.5  # of the recording, before the first event
REACH = 5.0  # longest time constants after which a state is forgotten: exp(-5) < 0.01
LOOKED_AT = 64  # recordings of a file, evenly spaced

_LOGGER = logging.getLogger(__name__)
# Of each look in this block: whether there was something to tell.
_told: ContextVar[list[bool] | None] = ContextVar("told", default=None)


@dataclass(frozen=True)
class LateBegin:
    """Recordings that begin late for a network; its text is the warning."""

    # Of the median recording, of those that have events
    first_event_ms: float
    duration_ms: float
    # So many were looked at, of so many
    recordings: int
    recordings_in_all: int
    # Of the answer's weight, and the share of it that is left at the first event, in [0, 1]; None
    # where the answer has no such weight
    loss_time_constant_ms: float | None
    loss_weight_left: float | None
    # Of the network, and the share of a state at time 0 that is left at the first event
    longest_time_constant_ms: float
    longest_delay_ms: float
    state_left: float

    def __str__(self) -> str:
        text = (
            f"The recordings begin late: the first event of the median recording is at "
            f"{self.first_event_ms:,.6g} ms of {self.duration_ms:,.6g} ms{self._looked_at}."
        )
        move = (
            "Move them to their first event: eventsim data import --begin first-event, in Python "
            "eventsim.events.begin.from_first_event(stream)"
        )
        if self._loses_weight:
            assert self.loss_weight_left is not None
            return (
                f"{text} The loss weighs by exp(-t / {self.loss_time_constant_ms:g} ms), of which "
                f"{_share(self.loss_weight_left)} is left there, so the answers say little of the "
                f"events, and rates count the silence before. {move}; or let the loss begin "
                "there: loss.onset=first_event."
            )
        return (
            f"{text} Of a state at time 0 {_share(self.state_left)} is left there (longest time "
            f"constant {self.longest_time_constant_ms:g} ms, longest delay "
            f"{self.longest_delay_ms:g} ms), so what is counted over the whole recording, such as "
            f"rates, counts silence. {move}."
        )

    @property
    def _looked_at(self) -> str:
        n, of = self.recordings, self.recordings_in_all
        return f" ({n} of {of:,} recordings were looked at)" if n < of else ""

    @property
    def _loses_weight(self) -> bool:
        return self.loss_weight_left is not None and self.loss_weight_left < LEAST_WEIGHT

    def to_dict(self) -> dict[str, Any]:
        """The fields and the text, as plain values that JSON can hold."""
        return {**asdict(self), "text": str(self)}


def late_begin(
    net: Network, stream: EventStream | StoredStream, answer: Answer | None = None
) -> LateBegin | None:
    """A warning of recordings that begin late; None where they do not.

    Of a file, 64 recordings are looked at. The network answers by ``answer``, by default its own.
    """
    if isinstance(stream, EventStream) and stream.sources is not None:
        return None  # a Poisson source has no begin, and none of its events is made here
    answer = net.answer if answer is None else answer
    times, durations = _first_events(stream)
    there = np.isfinite(times)
    if not there.any():
        return None
    first, lasts = _median(times[there]), _median(durations[there])
    weight = _weight_left(answer, first)
    silent = first > MOST_SILENCE * lasts
    if not silent and (weight is None or weight >= LEAST_WEIGHT):
        return None
    tau, delay = memory(net)
    state = math.exp(-max(first - delay, 0.0) / tau) if tau else 0.0
    if (weight is None or weight >= LEAST_WEIGHT) and state >= LEAST_STATE:
        return None
    constant = None if weight is None or answer is None else answer.time_constant
    n, of = times.size, stream.n_samples
    return LateBegin(first, lasts, n, of, constant, weight, tau, delay, state)


def memory(net: Network) -> tuple[float, float]:
    """Longest time constant and longest delay of a network, ms; 0 where there is none."""
    taus = [p for name, p in net.parameters().items() if ".tau_" in name]
    delays = [projection.delays for projection in net.projections.values()]
    found = fetch(*taus, *delays)
    longest = [float(values.max()) if values.size else 0.0 for values in found]
    return max(longest[: len(taus)], default=0.0), max(longest[len(taus) :], default=0.0)


def heard_share(stream: EventStream | StoredStream, *, tail: float = 0.0) -> float:
    """Share of the simulated time that is not before the first events, in (0, 1].

    ``tail`` is the silence, ms, that every recording is continued by. 1 where there are no events;
    of a file, of 64 recordings.
    """
    first, durations = _first_events(stream)
    whole = float((durations + tail).sum())
    heard = whole - float(np.minimum(np.nan_to_num(first), durations).sum())
    return heard / whole if heard > 0.0 else 1.0


@contextmanager
def one_warning() -> Iterator[None]:
    """Inside, at most one warning of recordings that begin late is logged.

    The first recordings that are looked at are the whole, and later ones are taken for parts of it:
    nothing is said of them. A block inside of it has a whole of its own, of which a warning is
    logged unless there was one.
    """
    outer = _told.get()
    inner = [True] if outer and any(outer) else []
    token = _told.set(inner)
    try:
        yield
    finally:
        _told.reset(token)
        if outer is not None:
            outer.extend(inner)


def warn_late(
    net: Network, stream: EventStream | StoredStream, answer: Answer | None = None
) -> LateBegin | None:
    """As :func:`late_begin`, logged at level WARNING; None of parts, see :func:`one_warning`."""
    told = _told.get()
    if told:
        return None
    found = late_begin(net, stream, answer)
    log_late(found)
    return found


def log_late(found: LateBegin | None) -> None:
    """Log what was found, unless :func:`one_warning` holds it back."""
    told = _told.get()
    if found is not None and not told:
        _LOGGER.warning("%s", found)
    if told is not None:
        told.append(found is not None)


def _first_events(stream: EventStream | StoredStream) -> tuple[Floats, Floats]:
    """First events and durations of the recordings, ms; of a file some, read one by one."""
    if isinstance(stream, EventStream):
        return edges(stream).first, stream.duration
    n = min(LOOKED_AT, stream.n_samples)
    some = np.arange(n) * stream.n_samples // max(n, 1)
    first = [edges(stream[some[k : k + 1]]).first for k in range(n)]
    return np.concatenate([np.zeros(0), *first]), stream.duration[some]


def _median(values: Floats) -> float:
    """Median of values, without the import of ``numpy.ma`` that NumPy's makes."""
    ordered = np.sort(values)
    return float(0.5 * (ordered[(values.size - 1) // 2] + ordered[values.size // 2]))


def _weight_left(answer: Answer | None, first: float) -> float | None:
    """Share of the answer's weight at the first event; None where it has none."""
    if answer is None or answer.rule != "integral":
        return None
    assert answer.time_constant is not None
    if answer.onset == FIRST_EVENT:
        return 1.0
    assert answer.onset is not None
    return math.exp(-max(first - float(answer.onset), 0.0) / answer.time_constant)


def _share(left: float) -> str:
    return f"{100.0 * left:.2g} %" if left >= 1e-4 else "less than 0.01 %"
