"""
A network with lateral connections
==================================

One population projects to itself with delays: it forms a loop, whose neurons run together.
"""

import numpy as np

import eventsim as es

rng = np.random.default_rng(0)
times = np.sort(rng.uniform(0.0, 300.0, 900))
stream = es.EventStream(times, rng.integers(0, 16, 900), [0, 900], n_channels=16, duration=300.0)
lateral = es.RandomLateral(probability=0.1)
net = es.rsnn(16, (80,), 4, lateral=lateral, delays=(1.0, 5.0), inhibitory=0.2)
net = es.calibrate(net, stream, target_hz=20.0)

_, (left, right) = es.plot.subplots(1, 2, size=(10.0, 3.6))
es.plot.graph(net, ax=left)
es.plot.raster(es.simulate(net, stream), ax=right)
