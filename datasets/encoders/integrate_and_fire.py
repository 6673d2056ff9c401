r"""Integrate and fire: events where the integral of each channel reaches the next integer.

With :math:`x_c(t)` the value of channel :math:`c`, constant during a frame, its unit receives

.. math::
    u_c = \max\Big(g\,\frac{x_c}{\theta_c} - \ell,\ 0\Big)

events per second and fires at the times :math:`t_k` with

.. math::
    \int_0^{t_k} \frac{u_c}{1 + \rho\,u_c}\,dt = k, \qquad k = 1, 2, \dots

The denominator is the dead time :math:`\rho`: the integrand stays below :math:`1/\rho`, so
two events of a channel are never less than :math:`\rho` apart, and a constant drive fires
exactly as a unit that rests for :math:`\rho` after each event. Nothing has to be dropped. The
integral is linear inside a frame; crossings are solved there in float64.

The thresholds of a chip differ from unit to unit. Here they are log-normal with median 1,

.. math::
    \theta_c = e^{\sigma\,z_c}, \qquad z_c \sim \mathcal N(0, 1),

drawn once per channel: neighbouring channels then differ, and those whose input stays below
:math:`\ell\,\theta_c/g` are silent, as in N-TIDIGITS18.

================  ===========  =============================
symbol            name         unit
================  ===========  =============================
:math:`g`         gain         events per second and value
:math:`\ell`      leak         events per second
:math:`\rho`      refractory   ms
:math:`\sigma`    mismatch     1
:math:`\theta_c`  thresholds   1
================  ===========  =============================

References
----------
Liu, van Schaik, Minch, Delbruck (2014), Asynchronous binaural spatial audition sensor with
2 x 64 x 4 channel output, IEEE Trans. Biomed. Circuits Syst. 8:453 (the chip behind
N-TIDIGITS18, and the mismatch of its channels).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.datasets.encoders.frames import Events, Frames, in_order
from eventsim.entries import Natural, NotNegative, Positive, Settings


@dataclass(frozen=True)
class IntegrateAndFire(Settings):
    """Parameters of the units; two equal ones give equal events.

    Parameters
    ----------
    gain, leak, refractory, mismatch
        See the table of :mod:`eventsim.datasets.encoders.integrate_and_fire`.
    seed
        Of the thresholds.

    Raises
    ------
    ParameterError
        A value lies outside its domain.
    """

    gain: Positive = 1000.0
    leak: NotNegative = 0.0
    refractory: NotNegative = 0.0
    mismatch: NotNegative = 0.0
    seed: Natural = 0

    def spikes(self, frames: Frames) -> Events:
        """Events of all channels, as :class:`eventsim.datasets.encoders.frames.SpikeCoder`."""
        return self.start(frames.values.shape[0], frames.step)(frames.values)

    def start(self, n_channels: int, step: float) -> Callable[[Floats], Events]:
        """As :class:`eventsim.datasets.encoders.frames.LiveCoder`; carried: :class:`Units`."""
        rng = np.random.default_rng(self.seed)
        theta = thresholds(n_channels, mismatch=self.mismatch, rng=rng)
        units = Units(n_channels, 1e3 / step)

        def push(values: Floats) -> Events:
            drive = np.maximum(values * (self.gain / theta[:, None]) - self.leak, 0.0)
            drive /= 1.0 + 1e-3 * self.refractory * drive
            return units.push(drive)

        return push

    def n_outputs(self, n_channels: int) -> int:
        """Number of event channels: that of the bank."""
        return n_channels


def thresholds(n_channels: int, *, mismatch: float, rng: np.random.Generator) -> Floats:
    """Threshold of every channel, log-normal with median 1. New array."""
    return np.exp(mismatch * rng.standard_normal(n_channels))


def fire(drive: NDArray[Any], rate: float, *, end: float) -> Events:
    """Times in ms at which the integral of each row reaches the integers, and their channels.

    The drive is in events per second, >= 0, [channels, frames], at ``rate`` frames per second.
    Events after ``end`` ms are left out: the last frame may reach past the end of the audio. New
    arrays, sorted by (time, channel).
    """
    times, channels = Units(drive.shape[0], rate).push(drive)
    inside = times <= end
    return times[inside], channels[inside]


class Units:
    """The units of all channels, frame after frame.

    Carried from piece to piece: the sum of every channel's drive, float64 [channels], and the
    number of frames so far. The events are those of all frames at once, to the bit.
    """

    def __init__(self, n_channels: int, rate: float) -> None:
        """At ``rate`` frames per second, before the first."""
        self._sum, self._frames, self._rate = np.zeros(n_channels), 0, rate

    def push(self, drive: NDArray[Any]) -> Events:
        """Events in the next frames, whose drive is [channels, frames]; as :func:`fire`."""
        total = np.cumsum(np.concatenate([self._sum[:, None], drive], axis=1), axis=1)
        self._sum = total[:, -1].copy()
        total /= self._rate
        first = total[:, 0].astype(np.int64)
        counts = total[:, -1].astype(np.int64) - first
        times, start = np.zeros(counts.sum()), 0
        for row, low, count in zip(total, first, counts, strict=True):
            level = np.arange(low + 1, low + count + 1)
            after = np.searchsorted(row, level)
            fraction = (level - row[after - 1]) / (row[after] - row[after - 1])
            frame = self._frames + after - 1
            times[start : start + count] = (frame + fraction) * (1e3 / self._rate)
            start += count
        self._frames += drive.shape[1]
        return in_order(times, np.repeat(np.arange(counts.size, dtype=np.int32), counts))
