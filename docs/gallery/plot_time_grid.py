"""
What a time grid does to spikes
===============================

The same network in exact time and in steps of 1 ms: spikes move, vanish and appear.
"""

import numpy as np

import eventsim as es
from eventsim.clocked import from_network, run

rng = np.random.default_rng(3)
times = np.sort(rng.uniform(0.0, 100.0, 300))
stream = es.EventStream(times, rng.integers(0, 20, 300), [0, 300], n_channels=20, duration=100.0)
net = es.calibrate(es.scsr(20, (30,), 3), stream, target_hz=50.0)
exact = es.simulate(net, stream)
grid = run(from_network(net, 1.0), stream).tape

axes = es.plot.raster(exact, populations=["hidden1"])
axes.plot(*grid["hidden1"].sample(0), "|", color="#d55e00", markersize=7)
axes.set_title("dots: exact, bars: steps of 1 ms")
