"""
An event camera
===============

A bright disc moves over a sensor of 64 by 48 pixels: its front switches pixels on, its back off.
"""

import numpy as np

import eventsim as es
from eventsim.datasets import adapters

rng = np.random.default_rng(0)
t = np.sort(rng.uniform(0.0, 100e3, 6000))  # us
angle = rng.uniform(0.0, 2 * np.pi, t.size)
events = np.zeros(t.size, [("t", "i8"), ("x", "i4"), ("y", "i4"), ("p", "i4")])
events["t"], events["p"] = t, np.cos(angle) > 0
events["x"] = 12 + 36 * t / 100e3 + 9 * np.cos(angle) + rng.normal(0.0, 0.5, t.size)
events["y"] = 24 + 15 * np.sin(angle) + rng.normal(0.0, 0.5, t.size)

stream = adapters.from_arrays(events, sensor_size=(64, 48, 2))
es.plot.stream(stream, sensor=(64, 48, 2))
