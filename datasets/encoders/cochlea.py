r"""Audio to events: a cochlea of band-pass filters, one integrate-and-fire unit per channel.

A clip may be freed of the slope that voices have, by the pre-emphasis
:math:`x_n - \alpha\,x_{n-1}` of speech recognition. It is brought to a common loudness and
multiplied, in the spectrum, by ``n_channels`` filters of
:mod:`eventsim.datasets.encoders.gammatone`. Every output :math:`y_c` is half-wave rectified and
compressed, weakened by what its neighbours have just done, and freed of its weakest part:

.. math::
    r_c = \max(y_c, 0)^p, \qquad
    q_c = \max\big(r_c - \kappa\,\langle r \rangle_c,\, 0\big), \qquad
    d_c = g\,\max\Big(\frac{q_c}{\theta_c} - \phi,\, 0\Big),

with :math:`\langle r\rangle_c` the mean over ``inhibition_width`` channels around :math:`c`,
smoothed by a first-order low-pass of time constant ``inhibition_tau`` and renewed once per ms.
The thresholds :math:`\theta_c`, of mismatch :math:`\sigma`, and the units that turn :math:`d_c`
into events, with dead time :math:`\rho`, are those of
:mod:`eventsim.datasets.encoders.integrate_and_fire`.

====================  ======================  =================
symbol                name                    unit
====================  ======================  =================
:math:`\alpha`        emphasis                1
:math:`p`             compression             1
:math:`\kappa`        inhibition              1
:math:`\phi`          floor                   compressed level
:math:`g`             gain                    events per second
:math:`\rho`          refractory              ms
:math:`\sigma`        mismatch                1
====================  ======================  =================

Loudness is the active level: the root mean square over the 20 ms frames that are within
25 dB of the loudest. A clip below ``level_min`` is amplified no further, silence gives no event.

**Audio that has no end**, the microphone's, is encoded by :class:`LiveCochlea`, with two
differences: the filters are in discrete time, at the rate of the audio, as those of a
:class:`~eventsim.datasets.encoders.gammatone.GammatoneBank`; and the loudness is what is known so
far. With :math:`P_k` the mean square of frame :math:`k` of 20 ms and
:math:`\beta = e^{-20\,\text{ms}/m}`,

.. math::
    L_{k+1}^2 = \beta\,L_k^2 + (1 - \beta)\,P_k \quad\text{where}\quad
    P_k \ge 10^{-25/10} L_k^2, \qquad\text{else}\quad L_{k+1} = L_k,

so that pauses do not count, as in a clip. A frame is divided by :math:`\max(L_k, \text{level
\_min})`, which is known before it. All happens in blocks of 1 ms. **Carried** from piece to piece:
the samples of a block that is not whole; the last sample (pre-emphasis); :math:`L`, the sum of
squares in the open frame, and the number of its blocks; of every channel the ``filter_order``
complex numbers of its filter, one number of the inhibition's low-pass, the inhibition of the next
block, and the sum of its drive.

References
----------
Slaney (1993), An efficient implementation of the Patterson-Holdsworth auditory filter bank,
Apple technical report 35. Anumula et al. (2018), Feature representations for neuromorphic
audio spike streams, Front. Neurosci. 12:23 (N-TIDIGITS18, whose event rate the defaults meet).
"""

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats
from eventsim.datasets.encoders import frames as frames_module
from eventsim.datasets.encoders import gammatone, integrate_and_fire
from eventsim.datasets.encoders.frames import Events, checked_clip
from eventsim.datasets.encoders.gammatone import Resonators
from eventsim.entries import Count, Natural, NotNegative, Positive, Settings, Share
from eventsim.errors import ParameterError
from eventsim.events import AudioTables

# Files that decide what the events are, for the keys of caches.
SOURCES = (
    __file__,
    *(str(m.__file__) for m in (frames_module, gammatone, integrate_and_fire)),
)

LEAST_RATE = 4e3  # Hz
FRAME = 0.020  # s, frame of the active level
ACTIVE_RANGE_DB = 25.0
RING_TIME = 0.1  # s of zeros behind a clip; the lowest filter has decayed by exp(-23) there
INHIBITION_STEP = 1e-3  # s
LONGEST_BLOCK = 128  # samples, of which NumPy adds all in one loop
# Hz, of audio that a page hears as it is.
RATES = (8e3, 11025.0, 16e3, 22050.0, 24e3, 32e3, 44100.0, 48e3)
FRAME_BLOCKS = round(FRAME / INHIBITION_STEP)
OVERSAMPLING = 2.16  # least internal rate over frequency_max: 8 kHz for the default


@dataclass(frozen=True)
class CochleaEncoder(Settings):
    """Parameters of the cochlea; two equal encoders give equal events.

    The defaults give about 2,800 events per second of speech; ``gain`` was set once, on the
    2,250 training clips of FSDD, and holds for any audio because loudness is normalised.

    Parameters
    ----------
    n_channels
        Channels, channel 0 has the highest frequency.
    frequency_min, frequency_max
        Centre frequencies of the last and the first channel, Hz. Channels above half the
        sample rate stay silent.
    filter_order
        Order :math:`n` of the gammatone filters.
    compression, inhibition, floor, gain, refractory, mismatch
        See the table of :mod:`eventsim.datasets.encoders.cochlea`.
    inhibition_width
        Channels over which the neighbourhood mean is taken, odd.
    inhibition_tau
        ms, time constant of the neighbourhood mean.
    level_min
        Active level, relative to full scale, below which a clip is not amplified further.
    seed
        Of the thresholds, without effect at ``mismatch`` 0.
    emphasis
        Pre-emphasis in [0, 1), at the clip's own sample rate: consonants, which are weak and
        high, then have more of the events. 0 for none, 0.95 in much of speech recognition.
    streaming
        Encode as :class:`LiveCochlea`, which needs no later audio: a network that shall hear a
        microphone is trained on such events.

    Raises
    ------
    ParameterError
        A value lies outside its domain.
    """

    n_channels: Count = 64
    frequency_min: Positive = 100.0
    frequency_max: Positive = 3700.0
    filter_order: Count = 4
    compression: Positive = 0.5
    inhibition: NotNegative = 0.8
    inhibition_width: Count = 15
    inhibition_tau: Positive = 8.0
    floor: NotNegative = 0.1
    gain: Positive = 2500.0
    refractory: NotNegative = 1.0
    level_min: Positive = 1e-4
    mismatch: NotNegative = 0.0
    seed: Natural = 0
    emphasis: Share = 0.0
    streaming: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        gammatone.require_band(self, self.frequency_min, self.frequency_max)
        width = self.inhibition_width
        self.require("inhibition_width", width, width % 2 == 1, "an odd number")

    def describe(self) -> str:
        """The parameters as one line of text, for keys and headers."""
        return ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))

    def encode(self, audio: ArrayLike, sample_rate: float) -> Events:
        """Events of one mono clip.

        Parameters
        ----------
        audio
            Shape [audio samples]. Floats with full scale 1, or signed integers.
        sample_rate
            Hz, 4,000 or more.

        Returns
        -------
        times, channels
            float64 ms in [0, length of the clip] and int32, both [events], sorted by
            (time, channel). New arrays.

        Raises
        ------
        DataError
            The clip is not one-dimensional, empty, not finite, or its rate is unusable.
        """
        clip = checked_clip(audio, sample_rate, who="CochleaEncoder", least_rate=LEAST_RATE)
        if self.streaming:
            return LiveCochlea(self, sample_rate)(clip)
        drive, rate = self.drive(clip, sample_rate)
        return integrate_and_fire.fire(drive, rate, end=1e3 * clip.size / sample_rate)

    def tables(self, sample_rate: float) -> AudioTables:
        """Tables for audio in a page: coefficients of :class:`LiveCochlea` at common sample rates.

        Parameters
        ----------
        sample_rate
            Hz, of the audio that the network has learned.

        Raises
        ------
        ParameterError
            As :meth:`LiveCochlea.coefficients`; or the encoder is not ``streaming``.
        """
        self.require("streaming", self.streaming, self.streaming, "True in a page")
        rates = dict.fromkeys((float(sample_rate), *RATES))
        return AudioTables({rate: LiveCochlea(self, rate).coefficients() for rate in rates})

    def drive(self, audio: ArrayLike, sample_rate: float) -> tuple[NDArray[np.float32], float]:
        """Input of the integrate-and-fire units, before any event; not of a streaming cochlea.

        Returns
        -------
        drive, rate
            float32 [channels, steps] in events per second with thresholds and dead time folded
            in, and the steps per second. New array.
        """
        clip = checked_clip(audio, sample_rate, who="CochleaEncoder", least_rate=LEAST_RATE)
        if self.emphasis:
            clip = scipy.signal.lfilter([1.0, -self.emphasis], [1.0], clip)
        level = max(active_level(clip, sample_rate), self.level_min)
        n_fft, n_out = _transform_sizes(clip.size, sample_rate, self.frequency_max)
        rate = sample_rate * n_out / n_fft
        response = _filter_bank(self, n_fft, n_out, sample_rate)
        # float32 suffices for amplitudes; times are solved in float64 afterwards.
        spectrum = scipy.fft.rfft((clip / level).astype(np.float32), n_fft)[: response.shape[1]]
        steps = math.ceil(clip.size * n_out / n_fft)
        motion = scipy.fft.irfft(response * spectrum, n_out)[:, :steps] * np.float32(n_out / n_fft)

        rectified = np.maximum(motion, 0.0, out=motion)
        np.power(rectified, np.float32(self.compression), out=rectified)
        d = rectified - self._inhibition(rectified, rate)
        rng = np.random.default_rng(self.seed)
        theta = integrate_and_fire.thresholds(self.n_channels, mismatch=self.mismatch, rng=rng)
        d /= theta.astype(np.float32)[:, None]
        d -= np.float32(self.floor)
        d *= np.float32(self.gain)
        np.maximum(d, 0.0, out=d)
        d /= 1.0 + np.float32(1e-3 * self.refractory) * d
        return d, rate

    def _inhibition(self, rectified: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
        n_channels, steps = rectified.shape
        block = max(1, round(INHIBITION_STEP * rate))
        n_blocks = steps // block
        means = rectified[:, : n_blocks * block].reshape(n_channels, n_blocks, block).mean(axis=2)
        keep = math.exp(-1e3 * block / (self.inhibition_tau * rate))
        coefficients = np.array([1.0 - keep], np.float32), np.array([1.0, -keep], np.float32)
        recent = scipy.signal.lfilter(*coefficients, means, axis=1)
        width = min(self.inhibition_width, n_channels)
        spread = np.zeros((n_channels, n_blocks + 1), np.float32)
        # A block is inhibited by what lies before it: the filter bank stays causal.
        spread[:, 1:] = scipy.ndimage.uniform_filter1d(recent, width, axis=0, mode="nearest")
        return np.float32(self.inhibition) * np.repeat(spread, block, axis=1)[:, :steps]


# A cochlea like that of N-TIDIGITS18: on the training clips of FSDD about 2,800 events per second
# and 42 of 64 channels active in a digit, neighbouring channels very different.
SILICON = CochleaEncoder(floor=0.25, mismatch=0.8, gain=9300.0)


def centre_frequencies(encoder: CochleaEncoder) -> Floats:
    """Centre frequency of every channel in Hz, descending, shape [channels]. New array."""
    return gammatone.centre_frequencies(
        encoder.n_channels, encoder.frequency_min, encoder.frequency_max
    )


def active_level(clip: Floats, sample_rate: float) -> float:
    """Root mean square over the frames within 25 dB of the loudest one."""
    size = max(1, min(clip.size, round(FRAME * sample_rate)))
    frames = clip[: clip.size // size * size].reshape(-1, size)
    power = np.mean(frames**2, axis=1)
    active = power >= power.max() * 10.0 ** (-ACTIVE_RANGE_DB / 10.0)
    return float(np.sqrt(power[active].mean()))


def _transform_sizes(n_samples: int, sample_rate: float, frequency_max: float) -> tuple[int, int]:
    """Lengths of the forward and the inverse transform.

    The inverse one is shorter where the audio holds frequencies that no channel hears: that
    is an exact resampling, and makes the cost independent of the sample rate.
    """
    # Multiples of 1024 let clips of similar length share one cached filter bank.
    padded = -(-(n_samples + math.ceil(RING_TIME * sample_rate)) // 1024) * 1024
    n_fft = scipy.fft.next_fast_len(padded, real=True)
    wanted = math.ceil(n_fft * OVERSAMPLING * frequency_max / sample_rate)
    n_out = scipy.fft.next_fast_len(wanted, real=True) if wanted < n_fft else n_fft
    return n_fft, min(n_out, n_fft)


@lru_cache(maxsize=32)
def _filter_bank(
    encoder: CochleaEncoder, n_fft: int, n_out: int, sample_rate: float
) -> NDArray[np.complex64]:
    """Frequency responses, shape [channels, frequencies below half the internal rate]."""
    centre = centre_frequencies(encoder)[:, None]
    frequency = np.arange(n_out // 2 + 1) * (sample_rate / n_fft)
    response = gammatone.response(frequency, centre, encoder.filter_order)
    response[centre[:, 0] >= sample_rate / 2.0] = 0.0
    return response.astype(np.complex64)


@dataclass
class _Loudness:
    """The active level so far; fields as in the module."""

    level: float  # L
    keep: float  # beta
    squares: float = 0.0
    blocks: int = 0

    def scales(self, blocks: Floats, least: float) -> Floats:
        """Divisors of the next blocks, [blocks, samples], by block. New array."""
        found = np.empty(blocks.shape[0])
        for k, square in enumerate(np.mean(blocks**2, axis=1).tolist()):
            found[k] = max(self.level, least)
            self.squares += square
            self.blocks += 1
            if self.blocks == FRAME_BLOCKS:
                power, before = self.squares / FRAME_BLOCKS, self.level * self.level
                if power >= before * 10.0 ** (-ACTIVE_RANGE_DB / 10.0):
                    self.level = math.sqrt(self.keep * before + (1.0 - self.keep) * power)
                self.squares, self.blocks = 0.0, 0
        return found


class LiveCochlea:
    """Audio to events, piece by piece; call it with the next samples.

    The events are the same, to the bit, however the audio is cut. They are those of
    :meth:`CochleaEncoder.encode` if the encoder is ``streaming``.

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
        self._level = level
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

    def coefficients(self) -> Floats:
        """Values that depend on parameters and sample rate, for the same operations elsewhere.

        The order is that of ``cochlea_t`` in ``eventsim/embedded/web/cochlea.c``. New array. Raises
        ParameterError (the compression is no square root, or a block is too long).
        """
        e = self.encoder
        e.require("compression", e.compression, e.compression in (0.5, 1.0), "0.5 or 1 in a page")
        if self._block > LONGEST_BLOCK:
            raise ParameterError(
                "LiveCochlea",
                f"sample rate is {self.sample_rate:g} Hz",
                f"in a page at most {LONGEST_BLOCK / INHIBITION_STEP:g}",
            )
        filters = self._resonators.coefficients()
        head = [
            *(e.n_channels, filters.shape[0], e.filter_order, self._block, FRAME_BLOCKS),
            *(min(e.inhibition_width, e.n_channels), e.emphasis, self._level),
            *(e.level_min, 10.0 ** (-ACTIVE_RANGE_DB / 10.0), self._loudness.keep),
            *(e.compression == 0.5, e.inhibition, -self._low_pass[1][1], e.floor, e.gain),
            *(1e-3 * e.refractory, self.sample_rate, 1e3 / self.sample_rate),
        ]
        return np.concatenate([np.array(head, np.float64), self._theta, filters.ravel()])

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
