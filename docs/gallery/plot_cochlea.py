"""
Sound through a cochlea
=======================

A tone that rises for half a second, then two tones at once, as events of 64 frequency channels.
"""

import numpy as np

import eventsim as es
from eventsim.datasets.encoders import CochleaEncoder

rate = 8000.0
t = np.arange(4000) / rate
rising = np.sin(2 * np.pi * (200.0 * t + 2000.0 * t**2))
chord = np.sin(2 * np.pi * 440.0 * t) + np.sin(2 * np.pi * 1760.0 * t)

audio = np.concatenate([rising, 0.0 * t[:800], chord * np.hanning(t.size)])
times, channels = CochleaEncoder().encode(audio, rate)
stream = es.EventStream.from_samples(
    [(times, channels)], n_channels=64, duration=1000.0 * audio.size / rate
)
axes = es.plot.stream(stream)
axes.set_ylabel("channel (0: 3,700 Hz, 63: 100 Hz)")
