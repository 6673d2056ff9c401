r"""Lyon's passive ear: a cascade of filters, half-wave rectification, coupled gain control.

**Filters.** With the bandwidth :math:`B(f) = \sqrt{f^2 + E_b^2}/Q`, :math:`E_b` = 1 kHz, the
centre frequencies descend by :math:`s` bandwidths a stage from
:math:`f_0 = f_s/2 - s\,B(f_s/2)/2`, which is solved by

.. math::
    f_n = \tfrac12 \Big(u\,e^{-ns/Q} - \frac{E_b^2}{u}\,e^{ns/Q}\Big), \qquad
    u = f_0 + \sqrt{f_0^2 + E_b^2},

for :math:`n = 1, 2, \dots` while the poles' quality :math:`f_n/B(f_n)` is above 1/2. With the
polynomial of a resonance at :math:`f` of quality :math:`q`

.. math::
    P(f, q) = 1 - 2 r \cos\theta\,z^{-1} + r^2 z^{-2}, \qquad
    r = e^{-\pi f/(q f_s)}, \qquad \theta = 2\pi \tfrac{f}{f_s}\sqrt{1 - \tfrac{1}{4q^2}},

stage :math:`n` is

.. math::
    H_n = g_n\,\frac{P(f'_n,\ 5 f'_n/B_n)}{P(f_n,\ f_n/B_n)}, \qquad
    f'_n = f_n + 1.5\,s\,B_n, \qquad H_n(0) = \frac{f_{n-1}}{f_n}

(:math:`f_1/f_2` for the first). Two stages stand in front, with gain 1 at :math:`f_s/4`: the outer
ear's emphasis :math:`z^{-1} - e^{-2\pi\,300/f_s} z^{-2}` and
:math:`(1 - z^{-2})/P(f_0,\ f_1/B_1)`. Every stage filters what the one before it gives, and its
output, negative parts set to 0, is a channel. The two channels in front are dropped at the end;
before, they take part, silenced at the first sample of every frame.

**Gain control.** Four stages in a row, each with a state :math:`a_c` per channel, do

.. math::
    y_c = x_c\,(1 - a_c), \qquad
    a_c \leftarrow \min\Big(0.9,\ \frac{\varepsilon}{T}\,y_c
    + \frac{1 - \varepsilon}{3}\,(a_{c-1} + a_c + a_{c+1})\Big), \qquad
    \varepsilon = 1 - e^{-1/(\tau f_s)},

all states on the right being those of the sample before, and a neighbour that does not exist
being the channel itself.

**Differentiation.** :math:`d_0 = y_0`, :math:`d_c = \max(y_{c-1} - y_c, 0)`: sharper channels.

**Decimation.** Two low-pass filters in a row with pole :math:`1 - \varepsilon` for :math:`\tau` =
tau_factor times the length of a frame, gain 1 at frequency 0, two samples late; the value at the
last sample of every frame is kept.

===================  ============  =========================
symbol               name          unit
===================  ============  =========================
:math:`f_s`          sample_rate   Hz
:math:`Q`            ear_q         1
:math:`s`            step_factor   bandwidths per stage
:math:`T, \tau`      GAIN_CONTROL  full scale of audio, ms
===================  ============  =========================

References
----------
Lyon (1982), A computational model of filtering, detection and compression in the cochlea, Proc.
ICASSP, 1282-1285. Slaney (1988), Lyon's cochlear model, Apple technical report 13. Slaney
(1998), Auditory Toolbox version 2, Interval technical report 1998-010 (``LyonPassiveEar``,
whose constants and order of operations are those here).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats
from eventsim.datasets.encoders.frames import Frames, checked_clip
from eventsim.entries import Bounds, Count, Positive, SettingError, Settings

BREAK_FREQUENCY = 1000.0  # Hz, E_b
ZERO_OFFSET = 1.5
ZERO_SHARPNESS = 5.0
EMPHASIS_CORNER = 300.0  # Hz
FRONT = 2  # stages in front of the channels

GAIN_CONTROL = ((0.0032, 640.0), (0.0016, 160.0), (0.0008, 40.0), (0.0004, 10.0))
LARGEST_STATE = 0.9

LEAST_RATE = 4e3  # Hz
BLOCK = 400  # samples that go through all steps at once; bench/macro/encoders.py
BATCH = 16  # clips side by side; bench/macro/encoders.py


@dataclass(frozen=True, kw_only=True)
class LyonEar(Settings):
    """Parameters of the ear; two equal ones give equal frames.

    Parameters
    ----------
    decimation
        Audio samples per frame.
    ear_q, step_factor
        See the table of :mod:`eventsim.datasets.encoders.lyon`; step_factor None for ear_q / 32.
    differentiate, gain_control
        Whether these two steps are done.
    tau_factor
        Time constant of the low-pass before decimation, in frames.

    Raises
    ------
    ParameterError
        A value lies outside its domain.
    """

    decimation: Count = 200
    ear_q: Annotated[float, Bounds(gt=0.5, lt=math.inf)] = 8.0
    step_factor: Positive | None = None
    differentiate: bool = True
    gain_control: bool = True
    tau_factor: Positive = 3.0

    @property
    def step(self) -> float:
        """Bandwidths per stage."""
        return self.ear_q / 32.0 if self.step_factor is None else self.step_factor

    def centre_frequencies(self, sample_rate: float) -> Floats:
        """Centre frequency of every channel in Hz, descending. New array."""
        return _centres(sample_rate, self.ear_q, self.step)[1]

    def frames(self, audio: ArrayLike, sample_rate: float) -> Frames:
        """Frames of one mono clip, as :class:`eventsim.datasets.encoders.frames.FilterBank`."""
        return self.frames_of([audio], sample_rate)[0]

    def frames_of(self, clips: Sequence[ArrayLike], sample_rate: float) -> list[Frames]:
        """As :meth:`frames`, for clips of one sample rate side by side: several times faster."""
        checked = [
            checked_clip(c, sample_rate, who="LyonEar", least_rate=LEAST_RATE) for c in clips
        ]
        result: list[Frames | None] = [None] * len(checked)
        # Clips of similar length share a batch. What pads the shorter ones comes after their end.
        order = np.argsort([c.size for c in checked], kind="stable")
        for batch in np.split(order, range(BATCH, order.size, BATCH)):
            sizes = [checked[k].size for k in batch]
            audio = np.zeros((max(sizes, default=0), batch.size))
            for column, k in enumerate(batch):
                audio[: sizes[column], column] = checked[k]
            values = _Hearing(self, sample_rate, batch.size).frames(audio)
            for column, k in enumerate(batch):
                mine = values[: sizes[column] // self.decimation, :, column].T
                result[k] = Frames(
                    np.ascontiguousarray(mine),
                    step=1e3 * self.decimation / sample_rate,
                    duration=1e3 * sizes[column] / sample_rate,
                )
        return [frames for frames in result if frames is not None]

    def start(self, sample_rate: float) -> Callable[[Floats], Floats]:
        """As :class:`eventsim.datasets.encoders.frames.LiveBank`.

        Carried: states of filters and gain control, and the samples of a frame that is not whole.
        """
        hearing, left = _Hearing(self, sample_rate, 1), np.zeros(0)

        def push(clip: Floats) -> Floats:
            nonlocal left
            clip = np.concatenate([left, clip])
            whole = clip.size // self.decimation * self.decimation
            clip, left = np.split(clip, [whole])
            return np.ascontiguousarray(hearing.frames(clip[:, None])[:, :, 0].T)

        return push


def filters(sample_rate: float, ear_q: float, step: float) -> Floats:
    """Second-order sections of the cascade, shape [stages, 6] as SciPy has them. New array."""
    top, centre = _centres(sample_rate, ear_q, step)
    bandwidth = np.sqrt(centre**2 + BREAK_FREQUENCY**2) / ear_q
    zero = centre + bandwidth * step * ZERO_OFFSET
    numerator = _resonance(zero, ZERO_SHARPNESS * zero / bandwidth, sample_rate)
    denominator = _resonance(centre, centre / bandwidth, sample_rate)
    gain = np.concatenate([centre[:1] / centre[1:2], centre[:-1] / centre[1:]])
    emphasis = [0.0, 1.0, -math.exp(-2.0 * math.pi * EMPHASIS_CORNER / sample_rate), 1.0, 0.0, 0.0]
    poles = _resonance(np.array([top]), centre[:1] / bandwidth[:1], sample_rate)[0]
    front = np.array([emphasis, [1.0, 0.0, -1.0, *poles]])
    return np.concatenate(
        [
            _with_gain(front, 1.0, frequency=0.25),
            _with_gain(np.concatenate([numerator, denominator], axis=1), gain, frequency=0.0),
        ]
    )


def _centres(sample_rate: float, ear_q: float, step: float) -> tuple[float, Floats]:
    """Frequency above the first channel, and the centre of every channel, Hz."""
    half, eb = sample_rate / 2.0, BREAK_FREQUENCY
    top = half - (ZERO_OFFSET - 1.0) * step * math.hypot(half, eb) / ear_q
    lowest = eb / math.sqrt(4.0 * ear_q**2 - 1.0)
    u = top + math.hypot(top, eb)
    count = math.floor(ear_q / step * math.log(u / (lowest + math.hypot(lowest, eb))))
    if count < 2:
        expected = "a value that leaves at least two channels"
        raise SettingError("LyonEar", ("step_factor",), step, expected)
    growth = np.exp(np.arange(1, count + 1) * step / ear_q)
    return top, 0.5 * (u / growth - eb**2 / u * growth)


def _resonance(frequency: Floats, quality: Floats, sample_rate: float) -> Floats:
    """Coefficients of P, shape [stages, 3]."""
    radius = np.exp(-np.pi * frequency / (quality * sample_rate))
    angle = 2.0 * np.pi * frequency / sample_rate * np.sqrt(1.0 - 1.0 / (4.0 * quality**2))
    return np.stack([np.ones_like(radius), -2.0 * radius * np.cos(angle), radius**2], axis=1)


def _with_gain(sos: Floats, gain: Any, *, frequency: float) -> Floats:
    """Sections with this gain at a frequency given in units of the sample rate."""
    z = np.exp(2j * np.pi * frequency) ** np.array([2, 1, 0])
    scale = gain / np.abs((sos[:, :3] @ z) / (sos[:, 3:] @ z))
    return np.concatenate([sos[:, :3] * scale[:, None], sos[:, 3:]], axis=1)


class _Hearing:
    """The ear on clips side by side, frame after frame.

    Carried from piece to piece: two numbers of every section of the cascade, the states of the gain
    control, and two numbers per channel of the low-pass before decimation.
    """

    def __init__(self, ear: LyonEar, sample_rate: float, n_clips: int) -> None:
        self.ear, self.sos = ear, filters(sample_rate, ear.ear_q, ear.step)
        n_stages = self.sos.shape[0]
        self.control = GainControl(sample_rate, n_stages, n_clips)
        self.low_pass = _low_pass(ear, sample_rate)
        self.low_pass_state = np.zeros((2, n_stages, n_clips))
        self.cascade_state = np.zeros((n_stages, 2, n_clips))

    def frames(self, audio: Floats) -> Floats:
        """Frames [frames, channels, clips] of the next audio [samples, clips], without its rest."""
        decimation, (n_stages, _, n_clips) = self.ear.decimation, self.cascade_state.shape
        n_frames = audio.shape[0] // decimation
        result = np.zeros((n_frames, n_stages - FRONT, n_clips))
        # Block by block, so that memory does not grow with the audio and stays in the cache.
        block = max(1, BLOCK // decimation)
        for start in range(0, n_frames, block):
            stop = min(start + block, n_frames)
            result[start:stop] = self._block(audio[start * decimation : stop * decimation])
        return result

    def _block(self, signal: Floats) -> Floats:
        ear, n_stages = self.ear, self.sos.shape[0]
        channels = np.empty((signal.shape[0], n_stages, signal.shape[1]))
        for k, section in enumerate(self.sos):
            signal, self.cascade_state[k] = scipy.signal.lfilter(
                section[:3], section[3:], signal, axis=0, zi=self.cascade_state[k]
            )
            np.maximum(signal, 0.0, out=channels[:, k])
        channels[:: ear.decimation, :FRONT] = 0.0
        if ear.gain_control:
            self.control.apply(channels.reshape(signal.shape[0], -1))
        if ear.differentiate:
            channels[:, 1:] = np.maximum(channels[:, :-1] - channels[:, 1:], 0.0)
        if ear.decimation > 1:
            channels, self.low_pass_state = scipy.signal.lfilter(
                *self.low_pass, channels, axis=0, zi=self.low_pass_state
            )
        kept: Floats = channels[ear.decimation - 1 :: ear.decimation, FRONT:]
        return kept


def _low_pass(ear: LyonEar, sample_rate: float) -> tuple[Floats, Floats]:
    pole = math.exp(-1.0 / (ear.tau_factor * ear.decimation))
    return np.array([0.0, 0.0, (1.0 - pole) ** 2]), np.array([1.0, -2.0 * pole, pole**2])


class GainControl:
    """State of the four gain controls of all channels of all clips.

    Stage ``s`` needs of a sample only what stage ``s - 1`` made of it, so at tick ``k`` all
    stages work at once, stage ``s`` on sample ``k - s``: one pass of array operations a sample.
    """

    def __init__(self, sample_rate: float, n_channels: int, n_clips: int) -> None:
        """Start with all states at 0."""
        n_stages, width = len(GAIN_CONTROL), n_channels * n_clips
        target, tau = np.array(GAIN_CONTROL).T
        epsilon = 1.0 - np.exp(-1.0 / (1e-3 * tau) / sample_rate)
        # Whole arrays, not columns: broadcasting costs more than reading them.
        self._rise = np.repeat((epsilon / target)[:, None], width, axis=1)
        self._keep = np.repeat(((1.0 - epsilon) / 3.0)[:, None], width, axis=1)
        # Channels lie n_clips apart; a copy of the outermost ones stands outside of them.
        self._state = np.zeros((n_stages, width + 2 * n_clips))
        self._margin = n_clips

    def apply(self, samples: NDArray[np.float64]) -> None:
        """Run ``samples`` [samples, channels * clips] through all stages, in place."""
        n_samples, n_stages = samples.shape[0], self._state.shape[0]
        # Row 0 is the input of stage 0, row s + 1 the output of stage s.
        now, then = (np.zeros((n_stages + 1, samples.shape[1])) for _ in range(2))
        work = np.empty_like(self._rise), np.empty_like(self._rise)
        for tick in range(n_samples + n_stages - 1):
            if tick < n_samples:
                now[0] = samples[tick]
            first, last = max(0, tick - n_samples + 1), min(n_stages, tick + 1)
            self._tick(now[first:last], then[first + 1 : last + 1], slice(first, last), work)
            if last == n_stages:
                samples[tick - n_stages + 1] = then[n_stages]
            now, then = then, now

    def _tick(self, x: Floats, y: Floats, stages: slice, work: tuple[Floats, Floats]) -> None:
        m, state = self._margin, self._state[stages]
        own = state[:, m:-m]
        a, b = work[0][stages], work[1][stages]
        np.subtract(1.0, own, out=a)
        np.multiply(x, a, out=y)
        np.add(state[:, : -2 * m], own, out=b)
        np.add(b, state[:, 2 * m :], out=b)
        np.multiply(b, self._keep[stages], out=b)
        np.multiply(y, self._rise[stages], out=a)
        np.add(a, b, out=a)
        np.minimum(a, LARGEST_STATE, out=own)
        state[:, :m] = own[:, :m]
        state[:, -m:] = own[:, -m:]
