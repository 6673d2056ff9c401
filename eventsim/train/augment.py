"""Event-time augmentation: pure functions from a batch of events to another.

Every function draws from the generator that it is given and returns a new, valid stream. An
event is lost only where the table says so; what is lost is lost because the event left the
recording, or because losing it is the augmentation.

=============  =========================================================  ======================
function       what it does                                               events lost
=============  =========================================================  ======================
time_scale     stretches a sample and its duration by a common factor     none
time_shift     moves all events of a sample by a common time              shifted out of [0, T]
channel_shift  moves all events of a sample by a common channel count     shifted off the edge
drop           deletes each event with a probability                      the deleted ones
jitter         moves each event by its own time, reflected at 0 and T     none
=============  =========================================================  ======================
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import ParameterError
from eventsim.events import EventStream


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each augmentation may go; 0 switches it off.

    Attributes
    ----------
    time_scale
        Factors are log-uniform in ``[1 / (1 + x), 1 + x]``, one per sample.
    time_shift
        ms; uniform in ``[-x, x]``, one per sample.
    channel_shift
        Channels; a uniform integer in ``-x .. x``, one per sample.
    drop
        Probability in [0, 1) with which each event is deleted.
    jitter
        ms; standard deviation of every event's own shift.
    """

    time_scale: float = 0.0
    time_shift: float = 0.0
    channel_shift: int = 0
    drop: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (value >= 0 and np.isfinite(value)):
                raise ParameterError(
                    f"Augmentation: {item.name} is {value}, expected a finite value >= 0."
                )
        if self.drop >= 1:
            raise ParameterError(f"Augmentation: drop is {self.drop}, expected a value below 1.")
        if self.channel_shift != int(self.channel_shift):
            raise ParameterError(
                f"Augmentation: channel_shift is {self.channel_shift}, expected a whole number."
            )


def augment(
    stream: EventStream, augmentation: Augmentation, *, rng: np.random.Generator
) -> EventStream:
    """Apply every augmentation that is switched on, in the order of the table. New stream."""
    if augmentation.time_scale:
        stream = time_scale(stream, augmentation.time_scale, rng=rng)
    if augmentation.time_shift:
        stream = time_shift(stream, augmentation.time_shift, rng=rng)
    if augmentation.channel_shift:
        stream = channel_shift(stream, int(augmentation.channel_shift), rng=rng)
    if augmentation.drop:
        stream = drop(stream, augmentation.drop, rng=rng)
    if augmentation.jitter:
        stream = jitter(stream, augmentation.jitter, rng=rng)
    return stream


def time_scale(stream: EventStream, amount: float, *, rng: np.random.Generator) -> EventStream:
    """Stretch each sample, its duration included, by a factor in [1 / (1+amount), 1+amount]."""
    reach = np.log1p(amount)
    factor = np.exp(rng.uniform(-reach, reach, stream.n_samples))
    # The same product for an event at the very end and for the duration: it stays inside.
    return EventStream(
        stream.times * factor[_sample(stream)],
        stream.channels,
        stream.offsets,
        n_channels=stream.n_channels,
        duration=stream.duration * factor,
    )


def time_shift(stream: EventStream, amount: float, *, rng: np.random.Generator) -> EventStream:
    """Move each sample by up to ``amount`` ms; events that leave [0, duration] are lost."""
    times = stream.times + rng.uniform(-amount, amount, stream.n_samples)[_sample(stream)]
    inside = (times >= 0) & (times <= stream.duration[_sample(stream)])
    return _rebuilt(stream, times, stream.channels, inside)


def channel_shift(stream: EventStream, amount: int, *, rng: np.random.Generator) -> EventStream:
    """Move each sample by up to ``amount`` channels; events off the edge are lost."""
    shift = rng.integers(-amount, amount, stream.n_samples, endpoint=True)
    channels = stream.channels + shift[_sample(stream)]
    inside = (channels >= 0) & (channels < stream.n_channels)
    return _rebuilt(stream, stream.times, channels, inside)


def drop(stream: EventStream, probability: float, *, rng: np.random.Generator) -> EventStream:
    """Delete each event with that probability."""
    kept = rng.random(stream.n_events) >= probability
    return _rebuilt(stream, stream.times, stream.channels, kept)


def jitter(stream: EventStream, deviation: float, *, rng: np.random.Generator) -> EventStream:
    """Move each event by a normal time of that deviation in ms, reflected at 0 and duration."""
    end = stream.duration[_sample(stream)]
    period = np.mod(stream.times + rng.normal(0.0, deviation, stream.n_events), 2.0 * end)
    times = np.minimum(period, 2.0 * end - period)
    return _rebuilt(stream, times, stream.channels, np.ones(stream.n_events, dtype=bool))


def _rebuilt(
    stream: EventStream,
    times: NDArray[np.float64],
    channels: NDArray[np.signedinteger],
    kept: NDArray[np.bool_],
) -> EventStream:
    before = np.concatenate([[0], np.cumsum(kept)])
    return EventStream.from_unsorted(
        times[kept],
        channels[kept],
        before[stream.offsets],
        n_channels=stream.n_channels,
        duration=stream.duration,
    )


def _sample(stream: EventStream) -> NDArray[np.int64]:
    return np.repeat(np.arange(stream.n_samples), np.diff(stream.offsets))
