"""
The graph of a network
======================

A ScSr-SNN: every population has input from all earlier ones, and every neuron from itself.
"""

import eventsim as es

net = es.scsr(64, (128, 128, 64), 11, forward_delays=(0.0, 50.0))
es.plot.graph(net)
