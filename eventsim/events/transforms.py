"""Transforms in event time: pure functions from a batch of events to another.

None changes its input; each returns a new, valid stream. Random transforms draw from the given
generator. The table says which events are lost: those that leave the recording, or that the
transform deletes.

=================  =======================================================  ======================
function           what it does                                             events lost
=================  =======================================================  ======================
time_scale         stretches a sample and its duration by a common factor   none
time_shift         moves all events of a sample by a common time            shifted out of [0, T]
channel_shift      moves all events of a sample by a common channel count   shifted off the edge
pixel_shift        moves all events of a sample by a step along x and y     shifted off the edge
pixel_warp         turns, stretches and shears the picture of a sample      moved off the edge
channel_scale      stretches a sample's channels about their middle         stretched off the edge
drop               deletes each event with a probability                    the deleted ones
jitter             moves each event by its own time, reflected at 0 and T   none
channel_jitter     moves each event by its own number of channels           moved off the edge
superpose          puts two samples on top of each other                    none
mix                as superpose, each sample thinned to its share           the thinned ones
extend             lets a sample go on in silence                           none
crop               cuts a window in time                                    outside the window
random_crop        as crop, at a random place in each sample                outside the window
refractory_filter  enforces a least interval between events of a channel    the ones too early
=================  =======================================================  ======================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats
from eventsim.checks import every, in_domain, one_each, real_array, shaped
from eventsim.entries import NotNegative, Positive
from eventsim.errors import ParameterError
from eventsim.events.order import event_order, sample_of_event
from eventsim.events.stream import (
    EventStream,
    checked_durations,
    drawn_stream,
    order_ties,
    stream_of,
)


def time_scale(stream: EventStream, amount: float, *, rng: np.random.Generator) -> EventStream:
    """Stretch each sample, its duration included, by a factor in [1 / (1+amount), 1+amount].

    Factors are log-uniform, one per sample.
    """
    reach = np.log1p(amount)
    factor = np.exp(rng.uniform(-reach, reach, stream.n_samples))
    # The same product for an event at the very end and for the duration: it stays inside.
    duration = checked_durations(stream.duration * factor, stream.n_samples)
    # Two times may become one by rounding.
    times, channels = order_ties(
        stream.times * _by_event(stream, factor), stream.channels, stream.offsets
    )
    return stream_of(times, channels, stream.offsets, stream.n_channels, duration)


def time_shift(stream: EventStream, amount: float, *, rng: np.random.Generator) -> EventStream:
    """Move each sample by up to ``amount`` ms; events that leave [0, duration] are lost."""
    times = stream.times + _by_event(stream, rng.uniform(-amount, amount, stream.n_samples))
    inside = (times >= 0) & (times <= _by_event(stream, stream.duration))
    return _rebuilt(stream, times, stream.channels, inside)


def channel_shift(stream: EventStream, amount: int, *, rng: np.random.Generator) -> EventStream:
    """Move each sample by up to ``amount`` channels; events off the edge are lost."""
    shift = rng.integers(-amount, amount, stream.n_samples, endpoint=True)
    return _on_channels(stream, stream.channels + _by_event(stream, shift))


def pixel_shift(
    stream: EventStream, amount: int, sensor_size: Sequence[int], *, rng: np.random.Generator
) -> EventStream:
    """Move each sample by up to ``amount`` pixels along x and y; off the edge events are lost.

    Parameters
    ----------
    stream
        Channels are numbered (polarity, y, x), x fastest, as those of all data sets of cameras.
    amount
        Two uniform integers in ``-amount .. amount`` are drawn per sample.
    sensor_size
        (width, height, polarities).
    rng
        Of the draws.

    Raises
    ------
    ParameterError
        The sensor has not as many channels as the stream.
    """
    polarity, y, x = _pixels("pixel_shift", stream, sensor_size)
    shift = rng.integers(-amount, amount, (2, stream.n_samples), endpoint=True)
    along_x, along_y = shift[:, sample_of_event(stream.offsets)]
    return _on_pixels(stream, sensor_size, polarity, y + along_y, x + along_x)


def pixel_warp(
    stream: EventStream,
    sensor_size: Sequence[int],
    *,
    turn: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
    rng: np.random.Generator,
) -> EventStream:
    """Turn, stretch and shear the picture of each sample about its middle, at random.

    Parameters
    ----------
    stream, sensor_size, rng
        As :func:`pixel_shift`.
    turn
        Degrees; an angle in ``-turn .. turn`` is drawn per sample, uniform.
    scale
        A factor in ``1 / (1 + scale) .. 1 + scale`` is drawn per sample, log-uniform.
    shear
        A number in ``-shear .. shear`` is drawn per sample, uniform. Events move along x by this
        number times their distance in y from the middle, before they are turned.

    Returns
    -------
    EventStream
        Between two pixels an event falls on either at random, the nearer one more often, so that
        stretching leaves no gaps. Off the edge events are lost. New arrays.

    Raises
    ------
    ParameterError
        The sensor has not as many channels as the stream.
    """
    polarity, y, x = _pixels("pixel_warp", stream, sensor_size)
    width, height, _ = map(int, sensor_size)
    angle = np.radians(rng.uniform(-turn, turn, stream.n_samples))
    reach = np.log1p(scale)
    factor = np.exp(rng.uniform(-reach, reach, stream.n_samples))
    share = rng.uniform(-shear, shear, stream.n_samples)
    sample = sample_of_event(stream.offsets)
    right, down = x - (width - 1) / 2.0, y - (height - 1) / 2.0
    right = right + share[sample] * down
    cosine, sine = (factor * np.cos(angle))[sample], (factor * np.sin(angle))[sample]
    moved = cosine * right - sine * down, sine * right + cosine * down
    x, y = (
        np.floor(place + (side - 1) / 2.0 + rng.random(stream.n_events)).astype(np.int64)
        for place, side in zip(moved, (width, height), strict=True)
    )
    return _on_pixels(stream, sensor_size, polarity, y, x)


def channel_scale(stream: EventStream, amount: float, *, rng: np.random.Generator) -> EventStream:
    """Stretch the channels of each sample about their middle; off the edge events are lost.

    Factors are log-uniform in [1 / (1+amount), 1+amount], one per sample. Between two channels an
    event falls on either at random, the nearer one more often, so that stretching leaves no gaps.
    """
    reach = np.log1p(amount)
    factor = np.exp(rng.uniform(-reach, reach, stream.n_samples))
    middle = (stream.n_channels - 1) / 2.0
    place = (stream.channels - middle) * _by_event(stream, factor) + middle
    return _on_channels(stream, np.floor(place + rng.random(stream.n_events)))


def drop(stream: EventStream, probability: float, *, rng: np.random.Generator) -> EventStream:
    """Delete each event with that probability."""
    kept = rng.random(stream.n_events) >= probability
    return _rebuilt(stream, stream.times, stream.channels, kept)


def jitter(stream: EventStream, deviation: float, *, rng: np.random.Generator) -> EventStream:
    """Move each event by a normal time of that deviation in ms, reflected at 0 and duration."""
    period = _by_event(stream, 2.0 * stream.duration)
    moved = stream.times + rng.normal(0.0, deviation, stream.n_events)
    # Few are: a division of all would take longer than the rest.
    outside = np.flatnonzero(~((moved >= 0.0) & (moved < period)))
    if not np.isfinite(moved[outside]).all():
        raise ParameterError("jitter", f"deviation is {deviation} ms", "a finite value >= 0")
    moved[outside] = np.mod(moved[outside], period[outside])
    times = np.minimum(moved, period - moved)
    order = event_order(stream.offsets, times, stream.channels)
    return stream_of(
        times[order], stream.channels[order], stream.offsets, stream.n_channels, stream.duration
    )


def channel_jitter(
    stream: EventStream, deviation: float, *, rng: np.random.Generator
) -> EventStream:
    """Move each event by a normal number of that deviation in channels, rounded."""
    moved = stream.channels + np.round(rng.normal(0.0, deviation, stream.n_events))
    return _on_channels(stream, moved)


def superpose(first: EventStream, second: EventStream) -> EventStream:
    """Sample ``s`` of both streams on the same channels, as if both sounded at once.

    Parameters
    ----------
    first, second
        With equal numbers of samples and channels. To stack the channels of two sensors
        instead, see :func:`eventsim.events.merge`.

    Returns
    -------
    EventStream
        All events of both. A sample lasts as long as the longer one. New arrays.
    """
    _check_alike("superpose", first, second)
    sample = np.concatenate([sample_of_event(first.offsets), sample_of_event(second.offsets)])
    order = np.argsort(sample, kind="stable")
    return EventStream.from_unsorted(
        np.concatenate([first.times, second.times])[order],
        np.concatenate([first.channels, second.channels])[order],
        first.offsets + second.offsets,
        n_channels=first.n_channels,
        duration=np.maximum(first.duration, second.duration),
    )


def mix(
    first: EventStream, second: EventStream, alpha: float, *, rng: np.random.Generator
) -> tuple[EventStream, Floats]:
    """Mix sample ``s`` of two streams in a random proportion, for training on mixed labels.

    Parameters
    ----------
    first, second
        As :func:`superpose`.
    alpha
        Positive. The share of ``first`` is drawn from Beta(alpha, alpha), one per sample: small
        values give nearly pure samples, 1 gives every share alike.

    Returns
    -------
    stream
        Each event of ``first`` is kept with the probability ``share``, each of ``second`` with
        ``1 - share``.
    share
        Shape [samples]: weight of the label of ``first``; the other label's is ``1 - share``.
    """
    in_domain("mix", "alpha", alpha, Positive)
    _check_alike("mix", first, second)
    share = rng.beta(alpha, alpha, first.n_samples)
    parts = []
    for stream, kept_share in ((first, share), (second, 1.0 - share)):
        kept = rng.random(stream.n_events) < kept_share[sample_of_event(stream.offsets)]
        parts.append(_rebuilt(stream, stream.times, stream.channels, kept))
    return superpose(*parts), share


def extend(stream: EventStream, time: float) -> EventStream:
    """Let each sample last ``time`` ms longer. Shares the arrays of events; 0 changes nothing.

    Raises ParameterError (``time`` is no finite value >= 0).
    """
    in_domain("extend", "time", time, NotNegative)
    if time == 0:
        return stream
    duration = checked_durations(stream.duration + time, stream.n_samples)
    if stream.sources is not None:
        return drawn_stream(stream.sources, duration)
    return stream_of(stream.times, stream.channels, stream.offsets, stream.n_channels, duration)


def crop(stream: EventStream, begin: ArrayLike, end: ArrayLike | None = None) -> EventStream:
    """Cut the window ``[begin, end)`` out of each sample; its begin becomes time 0.

    Parameters
    ----------
    begin, end
        ms, one number or shape [samples]; ``end`` None is the end of each sample. A window may
        reach past the end of a sample; the result then ends with the sample. An event at the
        very end of a sample belongs to the window that reaches there, so that windows which
        meet share no event and lose none.

    Returns
    -------
    EventStream
        A sample lasts ``min(end, duration) - begin``. New arrays.

    Raises
    ------
    ParameterError
        A window is empty, begins before 0, or begins at or after the end of its sample.
    """
    b = _per_sample(begin, "begin", stream)
    e = stream.duration if end is None else _per_sample(end, "end", stream)
    e = np.minimum(e, stream.duration)
    bad = np.flatnonzero(~((b >= 0) & (b < e)))
    if bad.size:
        s = bad[0]
        raise ParameterError(
            f"crop, sample {s}",
            f"the window is [{b[s]}, {e[s]}] ms of a sample of {stream.duration[s]} ms",
            "0 <= begin < end and begin inside the sample",
        )
    sample = sample_of_event(stream.offsets)
    last = (e == stream.duration)[sample] & (stream.times == e[sample])
    inside = (stream.times >= b[sample]) & ((stream.times < e[sample]) | last)
    before = np.concatenate([[0], np.cumsum(inside)])
    return EventStream(
        stream.times[inside] - b[sample[inside]],
        stream.channels[inside],
        before[stream.offsets],
        n_channels=stream.n_channels,
        duration=e - b,
    )


def random_crop(stream: EventStream, length: float, *, rng: np.random.Generator) -> EventStream:
    """Cut ``length`` ms out of each sample, at a place uniform over all that fit.

    A sample that is no longer than ``length`` stays whole.
    """
    in_domain("random_crop", "length", length, Positive)
    begin = rng.random(stream.n_samples) * np.maximum(stream.duration - length, 0.0)
    return crop(stream, begin, begin + length)


def refractory_filter(stream: EventStream, interval: float) -> EventStream:
    """Keep an event only if ``interval`` ms have passed since the last kept one of its channel.

    The first event of every channel is kept. An interval of exactly ``interval`` is long enough;
    0 keeps everything.
    """
    in_domain("refractory_filter", "interval", interval, NotNegative)
    line = sample_of_event(stream.offsets) * stream.n_channels + stream.channels
    kept = np.zeros(stream.n_events, dtype=bool)
    last: dict[int, float] = {}
    # Whether an event stays depends on which earlier ones stayed: one pass, in order.
    for index, (key, time) in enumerate(zip(line.tolist(), stream.times.tolist(), strict=True)):
        if key not in last or time - last[key] >= interval:
            kept[index] = True
            last[key] = time
    return _rebuilt(stream, stream.times, stream.channels, kept)


def _check_alike(name: str, first: EventStream, second: EventStream) -> None:
    for what, one, other in (
        ("samples", first.n_samples, second.n_samples),
        ("channels", first.n_channels, second.n_channels),
    ):
        one_each(name, {f"{what} in the first stream": one, "in the second": other})


def _per_sample(given: ArrayLike, name: str, stream: EventStream) -> Floats:
    values = real_array(given, f"crop: {name}")
    words = f"one number or ({stream.n_samples},), one per sample"
    shaped("crop", name, values, (), (stream.n_samples,), expected=words)
    every("crop", f"a value of {name}", values, np.isfinite(values), "finite ones (ms)")
    return np.broadcast_to(values, (stream.n_samples,))


def _pixels(
    name: str, stream: EventStream, sensor_size: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Polarity, y and x of every event."""
    size = tuple(map(int, sensor_size))
    if len(size) != 3 or math.prod(size) != stream.n_channels:
        raise ParameterError(
            name,
            f"sensor_size is {size}",
            "(width, height, polarities) of as many channels as the stream has, "
            f"{stream.n_channels:,}",
        )
    rest, x = np.divmod(stream.channels.astype(np.int64), size[0])
    polarity, y = np.divmod(rest, size[1])
    return polarity, y, x


def _on_pixels(
    stream: EventStream,
    sensor_size: Sequence[int],
    polarity: NDArray[np.int64],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
) -> EventStream:
    """The same events on other pixels; those off the edge are left out."""
    width, height, _ = map(int, sensor_size)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return _rebuilt(stream, stream.times, (polarity * height + y) * width + x, inside)


def _on_channels(stream: EventStream, channels: NDArray[Any]) -> EventStream:
    """The events on other channels, whole numbers, without those off the edge."""
    inside = (channels >= 0) & (channels < stream.n_channels)
    return _rebuilt(stream, stream.times, channels, inside)


def _by_event(stream: EventStream, values: NDArray[Any]) -> NDArray[Any]:
    """Values by event: that of its sample."""
    return np.repeat(values, np.diff(stream.offsets))


def _rebuilt(
    stream: EventStream, times: Floats, channels: NDArray[Any], kept: NDArray[np.bool_]
) -> EventStream:
    """The events that are kept: valid ones, whose times ascend as those of the stream do."""
    index = np.flatnonzero(kept)
    offsets = np.searchsorted(index, stream.offsets)
    ordered = order_ties(times[index], channels[index].astype(np.int32), offsets)
    return stream_of(*ordered, offsets, stream.n_channels, stream.duration)
