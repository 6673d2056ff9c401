r"""Gammatone filter bank: the cochlea as band-pass filters, evenly spaced on the ERB scale.

A gammatone filter of order :math:`n` rings at its centre :math:`f_c` under the envelope
:math:`t^{n-1} e^{-2\pi b t}`; its frequency response is

.. math::
    H_c(f) = \Big(1 + j\,\frac{f - f_c}{b}\Big)^{-n}, \qquad b = 1.019\,\mathrm{ERB}(f_c),
    \qquad \mathrm{ERB}(f) = 24.7 + 0.108\,f,

with gain 1 at the centre. The centres are equally far apart on the scale

.. math::
    E(f) = 21.4 \log_{10}(1 + 0.00437\,f),

channel 0 highest. The bank applies the same filter in discrete time, causal and sample by sample,
as :math:`n` equal complex resonators in a row,

.. math::
    y_c = 2\,\mathrm{Re}\Big(\frac{1 - |a|}{1 - a\,z^{-1}}\Big)^{n} x, \qquad
    a = e^{(-2\pi b + 2\pi j f_c)/f_s},

also with gain 1 at the centre. Each output is half-wave rectified, compressed and averaged over
the ``decimation`` samples of a frame: :math:`\langle \max(y_c, 0)^p \rangle`.

===================  ==============================  ====
symbol               name                            unit
===================  ==============================  ====
:math:`f_c`          frequency_min .. frequency_max  Hz
:math:`n`            order                           1
:math:`p`            compression                     1
===================  ==============================  ====

References
----------
Slaney (1993), An efficient implementation of the Patterson-Holdsworth auditory filter bank,
Apple technical report 35. Glasberg and Moore (1990), Derivation of auditory filter shapes
from notched-noise data, Hear. Res. 47:103. Hohmann (2002), Frequency analysis and synthesis using
a Gammatone filterbank, Acta Acust. 88:433 (the complex resonators).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats
from eventsim.datasets.encoders.frames import Frames, checked_clip
from eventsim.entries import Count, Positive, Settings


@dataclass(frozen=True)
class GammatoneBank(Settings):
    """Parameters of the bank; two equal ones give equal frames.

    Parameters
    ----------
    n_channels
        Channels, channel 0 has the highest frequency.
    frequency_min, frequency_max
        Centre frequencies of the last and the first channel, Hz. Channels above half the
        sample rate give zeros.
    order, compression
        See the table of :mod:`eventsim.datasets.encoders.gammatone`.
    decimation
        Audio samples per frame.

    Raises
    ------
    ParameterError
        A value lies outside its domain.
    """

    n_channels: Count = 64
    frequency_min: Positive = 100.0
    frequency_max: Positive = 8000.0
    order: Count = 4
    compression: Positive = 0.5
    decimation: Count = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_band(self, self.frequency_min, self.frequency_max)

    def frames(self, audio: ArrayLike, sample_rate: float) -> Frames:
        """Frames of one mono clip, as :class:`eventsim.datasets.encoders.frames.FilterBank`."""
        clip = checked_clip(audio, sample_rate, who="GammatoneBank")
        step = 1e3 * self.decimation / sample_rate
        values = self.start(sample_rate)(clip)
        return Frames(values, step=step, duration=1e3 * clip.size / sample_rate)

    def start(self, sample_rate: float) -> Callable[[Floats], Floats]:
        """As :class:`eventsim.datasets.encoders.frames.LiveBank`.

        Carried: the :class:`Resonators`, and the samples of a frame that is not whole yet.
        """
        resonators = Resonators(self, self.order, sample_rate)
        left = np.zeros(0)

        def push(clip: Floats) -> Floats:
            nonlocal left
            clip = np.concatenate([left, clip])
            n_frames = clip.size // self.decimation
            clip, left = np.split(clip, [n_frames * self.decimation])
            values = np.zeros((self.n_channels, n_frames))
            # Channel by channel: a minute of audio through all at once would fill memory.
            for channel, motion in resonators.push(clip):
                rectified = np.maximum(motion, 0.0) ** self.compression
                values[channel] = rectified.reshape(n_frames, self.decimation).mean(axis=1)
            return values

        return push


class Band(Protocol):
    """Number of channels and their range of frequencies."""

    @property
    def n_channels(self) -> int:
        """Channels."""

    @property
    def frequency_min(self) -> float:
        """Hz, of the last channel."""

    @property
    def frequency_max(self) -> float:
        """Hz, of the first channel."""


class Resonators:
    """The filters of all channels below half the sample rate, sample after sample.

    Carried from piece to piece: of every channel the output of each of its ``order`` complex
    resonators, one behind the other. The motion is that of all samples at once, to the bit.
    """

    def __init__(self, band: Band, order: int, sample_rate: float) -> None:
        """Before the first sample."""
        centres = centre_frequencies(band.n_channels, band.frequency_min, band.frequency_max)
        w = 2.0 * math.pi / sample_rate
        self._channels = np.flatnonzero(centres < sample_rate / 2.0)
        self._radius = [math.exp(-w * _bandwidth(c)) for c in centres[self._channels]]
        self._poles = [
            [1.0, -radius * np.exp(1j * w * centre)]
            for radius, centre in zip(self._radius, centres[self._channels], strict=True)
        ]
        self._state = np.zeros((self._channels.size, order, 1), complex)

    def coefficients(self) -> Floats:
        """Gain of a stage, and its pole, negative, as two numbers; [filters, 3]. New array."""
        rows = zip(self._radius, self._poles, strict=True)
        return np.array([(1.0 - r, pole[1].real, pole[1].imag) for r, pole in rows])

    def push(self, clip: Floats) -> Iterator[tuple[int, Floats]]:
        """Channel and motion, [samples], of one channel after the other."""
        for k, channel in enumerate(self._channels.tolist() if clip.size else ()):
            motion: NDArray[Any] = clip
            for stage in range(self._state.shape[1]):
                motion, self._state[k, stage] = scipy.signal.lfilter(
                    [1.0 - self._radius[k]], self._poles[k], motion, zi=self._state[k, stage]
                )
            yield channel, np.asarray(2.0 * motion.real)


def centre_frequencies(n_channels: int, frequency_min: float, frequency_max: float) -> Floats:
    """Centre frequency of every channel in Hz, descending, shape [channels]. New array."""
    low, high = (21.4 * math.log10(1.0 + 0.00437 * f) for f in (frequency_min, frequency_max))
    scale = np.linspace(high, low, n_channels)
    return np.asarray((10.0 ** (scale / 21.4) - 1.0) / 0.00437, dtype=np.float64)


def response(frequency: NDArray[Any], centre: Any, order: int) -> NDArray[np.complex128]:
    """Frequency response at ``frequency`` of filters at ``centre``, both Hz; they broadcast."""
    return np.asarray((1.0 + 1j * (frequency - centre) / _bandwidth(centre)) ** -order)


def _bandwidth(centre: Any) -> Any:
    return 1.019 * (24.7 + 0.108 * centre)


def require_band(settings: Settings, frequency_min: float, frequency_max: float) -> None:
    """Raise a ParameterError unless the two frequencies span a band."""
    expected = f"a number of Hz above frequency_min, {frequency_min}"
    settings.require("frequency_max", frequency_max, frequency_min < frequency_max, expected)
