r"""The cochlea for audio that has no end: the microphone's.

As :mod:`eventsim.datasets.encoders.cochlea`, with two differences, since that one looks at a whole
clip: the filters are those of a :class:`~eventsim.datasets.encoders.gammatone.GammatoneBank`, in
discrete time and at the rate of the audio; and the loudness is what is known so far. With
:math:`P_k` the mean square of frame :math:`k` of 20 ms and :math:`\beta = e^{-20\,\text{ms}/m}`,

.. math::
    L_{k+1}^2 = \beta\,L_k^2 + (1 - \beta)\,P_k \quad\text{where}\quad
    P_k \ge 10^{-25/10} L_k^2, \qquad\text{else}\quad L_{k+1} = L_k,

so that pauses do not count, as in a clip. A frame is divided by :math:`\max(L_k, \text{level
\_min})`, which is known before it.

All happens in blocks of 1 ms. **Carried** from piece to piece: the samples of a block that is not
whole; the last sample (pre-emphasis); :math:`L`, the sum of squares in the open frame, and the
number of its blocks; of every channel the ``filter_order`` complex numbers of its filter, one
number of the inhibition's low-pass, the inhibition of the next block, and the sum of its drive.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from eventsim.arrays import Floats
from eventsim.datasets.encoders import integrate_and_fire
from eventsim.datasets.encoders.cochlea import (
    ACTIVE_RANGE_DB,
    FRAME,
    INHIBITION_STEP,
    LEAST_RATE,
    CochleaEncoder,
)
from eventsim.datasets.encoders.frames import Events, checked_clip
from eventsim.datasets.encoders.gammatone import Resonators

FRAME_BLOCKS = round(FRAME / INHIBITION_STEP)


@dataclass
class _Loudness:
    """The active level so far; fields as in the module."""

    level: float  # L
    keep: float  # beta
    squares: float = 0.0
    blocks: int = 0

    def scales(self, blocks: Floats, least: float) -> Floats:
        """What each of the next blocks, [blocks, samples], is divided by. New array."""
        found = np.empty(blocks.shape[0])
        for k, square in enumerate(np.mean(blocks**2, axis=1).tolist()):
            found[k] = max(self.level, least)
            self.squares += square
            self.blocks += 1
            if self.blocks == FRAME_BLOCKS:
                power, before = self.squares / FRAME_BLOCKS, self.level**2
                if power >= before * 10.0 ** (-ACTIVE_RANGE_DB / 10.0):
                    self.level = math.sqrt(self.keep * before + (1.0 - self.keep) * power)
                self.squares, self.blocks = 0.0, 0
        return found


class LiveCochlea:
    """Audio to events, piece by piece; call it with the next samples.

    The events are the same, to the bit, however the audio is cut. They are not those of
    :meth:`CochleaEncoder.encode`, which knows the loudness of the whole clip.

    Parameters
    ----------
    encoder
        The parameters, but for those of its clips.
    sample_rate
        Hz, 4,000 or more.
    level
        Loudness that is expected before anything is heard, root mean square, > 0.
    memory
        :math:`m`, ms, > 0.
    """

    def __init__(
        self,
        encoder: CochleaEncoder,
        sample_rate: float,
        *,
        level: float = 0.05,
        memory: float = 1000.0,
    ) -> None:
        self.encoder, self.sample_rate = encoder, sample_rate
        self.n_channels = encoder.n_channels
        self.until = 0.0  # ms, up to which all events were given
        self._block = max(1, round(INHIBITION_STEP * sample_rate))
        length = self._block / sample_rate  # s
        self._loudness = _Loudness(level, math.exp(-1e3 * FRAME_BLOCKS * length / memory))
        self._resonators = Resonators(encoder, encoder.filter_order, sample_rate)
        keep = math.exp(-1e3 * length / encoder.inhibition_tau)
        self._low_pass = [1.0 - keep], [1.0, -keep]
        self._low_pass_state = np.zeros((encoder.n_channels, 1))
        self._inhibition = np.zeros((encoder.n_channels, 1))  # of the next block
        rng = np.random.default_rng(encoder.seed)
        self._theta = integrate_and_fire.thresholds(
            encoder.n_channels, mismatch=encoder.mismatch, rng=rng
        )
        self._units = integrate_and_fire.Units(encoder.n_channels, sample_rate)
        self._left, self._last = np.zeros(0), np.zeros(1)

    def __call__(self, audio: ArrayLike) -> Events:
        """Times (ms since the first sample) and channels of the events in the next whole blocks.

        New arrays, sorted by (time, channel). Raises DataError as :meth:`CochleaEncoder.encode`.
        """
        if np.size(audio):
            clip = checked_clip(audio, self.sample_rate, who="LiveCochlea", least_rate=LEAST_RATE)
            clip, self._last = self._emphasised(clip), clip[-1:]
            self._left = np.concatenate([self._left, clip])
        n_blocks = self._left.size // self._block
        whole, self._left = np.split(self._left, [n_blocks * self._block])
        blocks = whole.reshape(n_blocks, self._block)
        if not n_blocks:
            return np.zeros(0), np.zeros(0, np.int32)
        scales = self._loudness.scales(blocks, self.encoder.level_min)
        self.until += 1e3 * whole.size / self.sample_rate
        return self._units.push(self._drive((blocks / scales[:, None]).ravel()))

    def _emphasised(self, clip: Floats) -> Floats:
        before = np.concatenate([self._last, clip[:-1]])
        emphasised: Floats = clip - self.encoder.emphasis * before
        return emphasised

    def _drive(self, clip: Floats) -> Floats:
        """Input of the units, events per second; [channels, samples]."""
        e = self.encoder
        d = np.zeros((e.n_channels, clip.size))
        for channel, motion in self._resonators.push(clip):
            d[channel] = np.maximum(motion, 0.0) ** e.compression
        means = d.reshape(e.n_channels, -1, self._block).mean(axis=2)
        recent, self._low_pass_state = scipy.signal.lfilter(
            *self._low_pass, means, axis=1, zi=self._low_pass_state
        )
        width = min(e.inhibition_width, e.n_channels)
        # A block is inhibited by what lies before it.
        spread = scipy.ndimage.uniform_filter1d(recent, width, axis=0, mode="nearest")
        spread = np.concatenate([self._inhibition, spread], axis=1)
        self._inhibition = spread[:, -1:]
        d -= e.inhibition * np.repeat(spread[:, :-1], self._block, axis=1)
        d = np.maximum(e.gain * (d / self._theta[:, None] - e.floor), 0.0)
        drive: Floats = d / (1.0 + 1e-3 * e.refractory * d)
        return drive
