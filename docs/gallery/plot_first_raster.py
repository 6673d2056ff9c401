"""
A first raster
==============

Events of the input and spikes of every neuron: a dot each, one band per population.
"""

import numpy as np

import eventsim as es

rng = np.random.default_rng(1)
times = np.sort(rng.uniform(0.0, 200.0, 400))
stream = es.EventStream(times, rng.integers(0, 20, 400), [0, 400], n_channels=20, duration=200.0)

net = es.calibrate(es.scsr(20, (40, 20), 3), stream, target_hz=30.0)
tape = es.simulate(net, stream)
es.plot.raster(tape)
