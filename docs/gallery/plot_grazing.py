"""
A voltage that grazes the threshold
===================================

Two weights a thousandth below and above the one that just fires: only one neuron spikes.
"""

import numpy as np

import eventsim as es

net = es.Network()
net.add_input("input", 1)
net.add_population("neuron", 2, tau_mem=20.0, tau_syn=5.0)
peak = 0.25 ** (4 / 3)  # of the voltage after an event of weight 1
net.connect("input", "neuron", [[0.999 / peak, 1.001 / peak]])

stream = es.EventStream([2.0], [0], [0, 1], n_channels=1, duration=40.0)
tape = es.simulate(net, stream)
es.plot.voltages(net, tape, "neuron", neurons=[0, 1], times=np.linspace(0.0, 40.0, 2000))
