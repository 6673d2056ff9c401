"""Recordings through other microphones: what differs between two recordings of one word.

A microphone and a room colour the spectrum and add noise; a speaker with a shorter vocal tract, who
speaks faster, sounds as a tape that runs too fast. :class:`Microphone` draws all of that for every
recording anew, on the audio, before a cochlea hears it.

References
----------
Ko et al. (2015), Audio augmentation for speech recognition, Interspeech: speeds of 0.9 and 1.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample

from eventsim.errors import ParameterError

# Of the equaliser: frequencies evenly apart in octaves from LOWEST Hz to half the sample rate.
EQUALISER_POINTS, LOWEST = 5, 50.0
RANGE_OF_NOISE = 30.0  # loudest to softest


@dataclass(frozen=True, kw_only=True)
class Microphone:
    """How much recordings differ; the default changes nothing but the level.

    Attributes
    ----------
    equaliser
        dB; standard deviation of the gain at five frequencies, drawn for every recording. 0 for
        none.
    noise
        Largest root mean square of white noise, of the recording's largest sample; log-uniform
        from a thirtieth of it on. 0 for none.
    speed
        Factors of the speed are log-uniform in ``[1 / (1 + x), 1 + x]``; all frequencies move with
        it. 0 for none.
    seed
        Another number, other draws.
    """

    equaliser: float = 0.0
    noise: float = 0.0
    speed: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("equaliser", "noise", "speed"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise ParameterError(
                    f"Microphone: {name} is {value}, expected a finite value >= 0."
                )
        if self.seed < 0:
            raise ParameterError(f"Microphone: seed is {self.seed}, expected 0 or more.")

    def hear(
        self, audio: NDArray[np.float64], rate: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """One recording by this microphone.

        Parameters
        ----------
        audio
            Shape [samples].
        rate
            Hz.
        rng
            Of the draws.

        Returns
        -------
        array
            Shape [samples], at the same rate; other length where ``speed`` is not 0. The largest
            sample is 1 before noise is added. New array.
        """
        heard = audio
        if self.speed:
            factor = (1.0 + self.speed) ** rng.uniform(-1.0, 1.0)
            heard = resample(heard, max(1, round(heard.size / factor)))
        if self.equaliser:
            gains = rng.normal(0.0, self.equaliser, EQUALISER_POINTS)
            octaves = np.log2(np.maximum(np.fft.rfftfreq(heard.size, 1 / rate), LOWEST) / LOWEST)
            points = np.linspace(0.0, np.log2(rate / 2 / LOWEST), EQUALISER_POINTS)
            curve = 10 ** (np.interp(octaves, points, gains) / 20)
            heard = np.fft.irfft(np.fft.rfft(heard) * curve, heard.size)
        heard = heard / max(np.abs(heard).max(), 1e-9)
        if self.noise:
            level = self.noise * RANGE_OF_NOISE ** rng.uniform(-1.0, 0.0)
            heard = heard + level * rng.standard_normal(heard.size)
        return heard
