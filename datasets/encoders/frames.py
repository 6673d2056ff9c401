"""Frames, from filter banks to spike coders: one value per channel and frame.

An encoder is a filter bank followed by a spike coder:

.. code-block:: text

    audio [samples] --bank.frames()--> Frames [channels, frames] --coder.spikes()--> events

Column ``k`` of the frames is what the bank knows of the time from ``k * step`` to
``(k + 1) * step`` ms: a coder may use it from the end of that time on, and so stays causal.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats
from eventsim.errors import DataError

Events = tuple[Floats, NDArray[np.int32]]


@dataclass(frozen=True, eq=False)
class Frames:
    """Output of a filter bank.

    Parameters
    ----------
    values
        Floats [channels, frames], channel 0 has the highest frequency.
    step
        Length of a frame in ms.
    duration
        Length of the audio in ms; the frames cover all of it but less than one frame at its
        end.
    """

    values: Floats
    step: float
    duration: float


class FilterBank(Protocol):
    """Audio to frames."""

    def frames(self, audio: ArrayLike, sample_rate: float) -> Frames:
        """Frames of one mono clip."""


class SpikeCoder(Protocol):
    """Frames to events."""

    def spikes(self, frames: Frames) -> Events:
        """Times in ms and channels, sorted by (time, channel)."""

    def n_outputs(self, n_channels: int) -> int:
        """Number of event channels for so many channels of the bank."""


class LiveBank(Protocol):
    """A filter bank that needs no later audio."""

    @property
    def decimation(self) -> int:
        """Audio samples per frame."""

    def start(self, sample_rate: float) -> Callable[[Floats], Floats]:
        """A function from the next samples, as floats, to their frames, [channels, frames]."""


class LiveCoder(Protocol):
    """A spike coder that needs no later frames: all but BSA."""

    def start(self, n_channels: int, step: float) -> Callable[[Floats], Events]:
        """A function from the next frames, of ``step`` ms each, to their events."""


def encode_live(
    sample_rate: float, *, bank: LiveBank, coder: LiveCoder
) -> Callable[[ArrayLike], Events]:
    """As :func:`encode`, for audio that comes in pieces.

    What bank and coder carry from piece to piece is said by their ``start``.

    Parameters
    ----------
    sample_rate, bank, coder
        As :func:`encode`.

    Returns
    -------
    callable
        Takes the next piece of the audio, and gives the events in it: times in ms since the first
        piece. All of them are, to the bit, those of the whole clip.
    """
    hear, fire = bank.start(sample_rate), None

    def push(audio: ArrayLike) -> Events:
        nonlocal fire
        if not np.size(audio):
            return np.zeros(0), np.zeros(0, np.int32)
        values = hear(checked_clip(audio, sample_rate, who="encode_live"))
        fire = fire or coder.start(values.shape[0], 1e3 * bank.decimation / sample_rate)
        return fire(values)

    return push


def encode(audio: ArrayLike, sample_rate: float, *, bank: FilterBank, coder: SpikeCoder) -> Events:
    """Events of one mono clip.

    Parameters
    ----------
    audio
        Shape [audio samples]. Floats with full scale 1, or signed integers.
    sample_rate
        Hz.
    bank, coder
        The two halves of the encoder.

    Returns
    -------
    times, channels
        float64 ms and int32, both [events], sorted by (time, channel): a sample of
        :meth:`eventsim.events.EventStream.from_samples`. New arrays.

    Raises
    ------
    DataError
        The clip is not one-dimensional, empty, not finite, or its rate is unusable.
    """
    return coder.spikes(bank.frames(audio, sample_rate))


def in_order(times: Floats, channels: NDArray[np.int32]) -> Events:
    """Times and channels sorted by (time, channel). New arrays."""
    order = np.lexsort((channels, times))
    return times[order], channels[order]


def checked_clip(
    audio: ArrayLike, sample_rate: float, *, who: str, least_rate: float = 1e3
) -> Floats:
    """Audio as floats with full scale 1, or a DataError that names the encoder ``who``."""
    clip = np.asarray(audio)
    if clip.ndim != 1 or clip.size == 0 or clip.dtype.kind not in "if":
        raise DataError(
            who,
            f"audio has shape {clip.shape} and type {clip.dtype}",
            "a one-dimensional array of at least one float or signed integer",
            "Mix stereo down first.",
        )
    if not least_rate <= sample_rate < math.inf:
        raise DataError(who, f"sample rate is {sample_rate} Hz", f"{least_rate:.0f} Hz or more")
    scale = float(-np.iinfo(clip.dtype).min) if np.issubdtype(clip.dtype, np.integer) else 1.0
    values = np.asarray(clip, dtype=np.float64) / scale
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(who, f"audio sample {bad} is {values[bad]}", "finite numbers")
    return values
