"""Augmentation of training batches: which transforms of events are applied, and how far.

What each one does to a batch, and which events it loses: :mod:`eventsim.events.transforms`.
"""

from dataclasses import dataclass, fields

import numpy as np

from eventsim.errors import ParameterError
from eventsim.events import EventStream
from eventsim.events.transforms import channel_shift, drop, jitter, time_scale, time_shift


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
    """Apply every augmentation that is switched on, in the order of the fields. New stream."""
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
