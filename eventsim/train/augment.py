"""Augmentation of training batches: which transforms of events are applied, and how far.

What each one does to a batch, and which events it loses: :mod:`eventsim.events.transforms`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from eventsim.entries import Bounds, Count, Settings, Share
from eventsim.events import EventStream
from eventsim.events.transforms import (
    channel_jitter,
    channel_scale,
    channel_shift,
    drop,
    jitter,
    mix,
    pixel_shift,
    pixel_warp,
    random_crop,
    superpose,
    time_scale,
    time_shift,
)

MS_PER_S = 1000.0
MOST = 10**9  # ms, channels, Hz ..: random numbers of a wider range overflow
Reach = Annotated[float, Bounds(ge=0, le=MOST)]
Steps = Annotated[int, Bounds(ge=0, le=MOST)]


@dataclass(frozen=True, kw_only=True)
class Augmentation(Settings):
    """Largest extent of each augmentation; 0 switches it off.

    Attributes
    ----------
    time_scale
        Factors are log-uniform in ``[1 / (1 + x), 1 + x]``, one per sample.
    time_shift
        ms; uniform in ``[-x, x]``, one per sample.
    channel_shift
        Channels; a uniform integer in ``-x .. x``, one per sample.
    pixel_shift
        Pixels; two uniform integers in ``-x .. x``, one along either side of the sensor, per
        sample.
    pixel_turn
        Degrees; an angle that is uniform in ``[-x, x]``, one per sample: pictures are turned about
        their middle.
    pixel_scale
        Factors are log-uniform in ``[1 / (1 + x), 1 + x]``, one per sample: pictures are stretched
        about their middle.
    pixel_shear
        Uniform in ``[-x, x]``, one per sample: pictures are sheared to either side, as in
        handwriting.
    sensor_size
        (width, height, polarities) of the camera, for what moves pixels.
    channel_scale
        Factors are log-uniform in ``[1 / (1 + x), 1 + x]``, one per sample: channels are stretched
        about their middle, as by a longer or shorter vocal tract.
    drop
        Probability in [0, 1) with which each event is deleted.
    jitter
        ms; standard deviation of every event's own shift.
    channel_jitter
        Channels; standard deviation of every event's own shift.
    noise
        Hz; Poisson noise: every channel gets events at random times, at this rate.
    crop
        ms; a window of this length at a random place, of samples that are longer.
    mix
        Mixup: another sample of the batch is mixed in, events and labels alike. The share that a
        sample keeps has the distribution Beta(x, x): see
        :func:`eventsim.events.transforms.mix`.
    """

    time_scale: Reach = 0.0
    time_shift: Reach = 0.0
    channel_shift: Steps = 0
    pixel_shift: Steps = 0
    pixel_turn: Reach = 0.0
    pixel_scale: Reach = 0.0
    pixel_shear: Reach = 0.0
    sensor_size: tuple[Count, ...] = ()
    channel_scale: Reach = 0.0
    drop: Share = 0.0
    jitter: Reach = 0.0
    channel_jitter: Reach = 0.0
    noise: Reach = 0.0
    crop: Reach = 0.0
    mix: Reach = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.sensor_size
        whole = len(size) == 3 or not (self.pixel_shift or self.warps_pixels or size)
        expected = (
            "three whole numbers >= 1, (width, height, polarities), where pixels are to be moved"
        )
        self.require("sensor_size", size, whole, expected)

    @property
    def warps_pixels(self) -> bool:
        """Whether pictures are turned, stretched or sheared."""
        return bool(self.pixel_turn or self.pixel_scale or self.pixel_shear)


def augment(
    stream: EventStream, augmentation: Augmentation, *, rng: np.random.Generator
) -> EventStream:
    """Apply every augmentation that is switched on, in the order of the fields. New stream.

    All but ``mix``, which changes labels too: see :func:`mix_pairs`.
    """
    size, warp = augmentation.sensor_size, ("turn", "scale", "shear")
    moves: dict[str, Callable[..., EventStream]] = {
        "time_scale": time_scale,
        "time_shift": time_shift,
        "channel_shift": channel_shift,
        "pixel_shift": lambda given, most, rng: pixel_shift(given, most, size, rng=rng),
        "warps_pixels": lambda given, _, rng: pixel_warp(
            given, size, **{way: getattr(augmentation, f"pixel_{way}") for way in warp}, rng=rng
        ),
        "channel_scale": channel_scale,
        "drop": drop,
        "jitter": jitter,
        "channel_jitter": channel_jitter,
        "noise": lambda given, rate, rng: superpose(given, poisson_events(given, rate, rng=rng)),
        "crop": random_crop,
    }
    for name, move in moves.items():
        if reach := getattr(augmentation, name):
            stream = move(stream, reach, rng=rng)
    return stream


def poisson_events(stream: EventStream, rate: float, *, rng: np.random.Generator) -> EventStream:
    """Events at random times on every channel, ``rate`` in Hz; samples as those of ``stream``."""
    counts = rng.poisson(rate / MS_PER_S * stream.n_channels * stream.duration)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    sample = np.repeat(np.arange(stream.n_samples), counts)
    return EventStream.from_unsorted(
        rng.random(sample.size) * stream.duration[sample],
        rng.integers(0, stream.n_channels, sample.size),
        offsets,
        n_channels=stream.n_channels,
        duration=stream.duration,
    )


def mix_pairs(
    stream: EventStream, shares: NDArray[np.float64], alpha: float, *, rng: np.random.Generator
) -> tuple[EventStream, NDArray[np.float64]]:
    """Mix every sample of a batch with another one, drawn without repetition.

    ``shares`` are those of the classes in every sample, [samples, classes]; the events come back
    with the shares of the classes in what was mixed. New.
    """
    partner = rng.permutation(stream.n_samples)
    mixed, kept = mix(stream, stream[partner], alpha, rng=rng)
    return mixed, kept[:, None] * shares + (1.0 - kept)[:, None] * shares[partner]
