"""
Traffic of a mapping
====================

Neurons lie on the cores of a chip so that few spikes have to pass between them.
"""

import numpy as np

import eventsim as es
from eventsim.chips import load_chip
from eventsim.mapping import map_network

rng = np.random.default_rng(0)
times = np.sort(rng.uniform(0.0, 200.0, 2000))
stream = es.EventStream(times, rng.integers(0, 64, 2000), [0, 2000], n_channels=64, duration=200.0)
lateral = es.DistanceLateral(scale=4.0)
net = es.calibrate(es.rsnn(64, (256,), 10, lateral=lateral), stream)
tape = es.simulate(net, stream)

links = {}
for method in ("first_fit", "population_order", "refined"):
    mapping = map_network(net, tape, load_chip("loihi"), method=method, neurons_per_core=16)
    links[method] = mapping.traffic.hop_weighted_spikes
_, axes = es.plot.subplots(size=(6.0, 2.6))
axes.barh(list(links), list(links.values()), color="#0072b2")
axes.set_xlabel("links passed by spikes")
