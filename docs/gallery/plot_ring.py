"""
A ring with delays
==================

One event starts a wave: every neuron wakes the next after a delay of its own.
"""

import numpy as np

import eventsim as es

size = 40
net = es.Network()
net.add_input("input", 1)
net.add_population("ring", size, tau_mem=10.0, tau_syn=2.0)
first = np.zeros((1, size))
first[0, 0] = 10.0
net.connect("input", "ring", first)
delays = 1.0 + 0.8 * np.sin(np.arange(size) / size * 2.0 * np.pi)  # ms
net.connect(
    "ring", "ring", 10.0 * np.roll(np.eye(size), 1, axis=1), delays=delays, delays_of="source"
)

stream = es.EventStream([5.0], [0], [0, 1], n_channels=1, duration=200.0)
es.plot.raster(es.simulate(net, stream))
