r"""Gammatone filter bank: the cochlea as band-pass filters, evenly spaced on the ERB scale.

A gammatone filter of order :math:`n` rings at its centre :math:`f_c` under the envelope
:math:`t^{n-1} e^{-2\pi b t}`; its frequency response is

.. math::
    H_c(f) = \Big(1 + j\,\frac{f - f_c}{b}\Big)^{-n}, \qquad b = 1.019\,\mathrm{ERB}(f_c),
    \qquad \mathrm{ERB}(f) = 24.7 + 0.108\,f,

with gain 1 at the centre. The centres are equally far apart on the scale

.. math::
    E(f) = 21.4 \log_{10}(1 + 0.00437\,f),

channel 0 highest. Each output :math:`y_c` is half-wave rectified, compressed and averaged over
the ``decimation`` samples of a frame: :math:`x_c = \langle \max(y_c, 0)^p \rangle`. Filters are
applied as products of spectra.

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
from notched-noise data, Hear. Res. 47:103.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from eventsim.datasets.encoders.frames import Floats, Frames, checked_clip, require

RING_TIME = 0.1  # s of zeros behind a clip; a filter at 100 Hz has decayed by exp(-23) there


@dataclass(frozen=True)
class GammatoneBank:
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

    n_channels: int = 64
    frequency_min: float = 100.0
    frequency_max: float = 8000.0
    order: int = 4
    compression: float = 0.5
    decimation: int = 1

    def __post_init__(self) -> None:
        """Check every parameter once."""
        who = "GammatoneBank"
        for name in ("n_channels", "order", "decimation"):
            require(getattr(self, name) >= 1, who, name, getattr(self, name), "at least 1")
        require_band(who, self.frequency_min, self.frequency_max)
        p = self.compression
        require(0 < p < math.inf, who, "compression", p, "a positive finite number")

    def frames(self, audio: ArrayLike, sample_rate: float) -> Frames:
        """Frames of one mono clip, as :class:`eventsim.datasets.encoders.frames.FilterBank`."""
        clip = checked_clip(audio, sample_rate, who="GammatoneBank")
        n_fft = fft.next_fast_len(clip.size + math.ceil(RING_TIME * sample_rate), real=True)
        spectrum = fft.rfft(clip, n_fft)
        frequency = np.arange(spectrum.size) * (sample_rate / n_fft)
        centres = centre_frequencies(self.n_channels, self.frequency_min, self.frequency_max)
        n_frames = clip.size // self.decimation
        values = np.zeros((self.n_channels, n_frames))
        # Channel by channel: a minute of audio through all of them at once would fill memory.
        for channel in np.flatnonzero(centres < sample_rate / 2.0):
            motion = fft.irfft(response(frequency, centres[channel], self.order) * spectrum, n_fft)
            rectified = np.maximum(motion[: n_frames * self.decimation], 0.0) ** self.compression
            values[channel] = rectified.reshape(n_frames, self.decimation).mean(axis=1)
        step = 1e3 * self.decimation / sample_rate
        return Frames(values, step=step, duration=1e3 * clip.size / sample_rate)


def centre_frequencies(n_channels: int, frequency_min: float, frequency_max: float) -> Floats:
    """Centre frequency of every channel in Hz, descending, shape [channels]. New array."""
    low, high = (21.4 * math.log10(1.0 + 0.00437 * f) for f in (frequency_min, frequency_max))
    scale = np.linspace(high, low, n_channels)
    return np.asarray((10.0 ** (scale / 21.4) - 1.0) / 0.00437, dtype=np.float64)


def response(frequency: NDArray[Any], centre: Any, order: int) -> NDArray[np.complex128]:
    """Frequency response at ``frequency`` of filters at ``centre``, both Hz; they broadcast."""
    bandwidth = 1.019 * (24.7 + 0.108 * centre)
    return np.asarray((1.0 + 1j * (frequency - centre) / bandwidth) ** -order)


def require_band(who: str, frequency_min: float, frequency_max: float) -> None:
    """Raise a ParameterError unless the two frequencies span a band."""
    require(
        0 < frequency_min < frequency_max < math.inf,
        who,
        "(frequency_min, frequency_max)",
        (frequency_min, frequency_max),
        "0 < frequency_min < frequency_max in Hz",
    )
