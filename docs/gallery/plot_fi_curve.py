"""
F-I curves
==========

How fast a neuron fires for a constant input current: without and with an adaptive threshold.
"""

import eventsim as es

net = es.Network()
net.add_input("input", 1)
net.add_population("plain", 1, tau_mem=20.0, refractory=3.0)
net.add_population("adaptive", 1, tau_mem=20.0, refractory=3.0, adaptation=0.3)

ax = es.plot.fi_curve(net, "plain")
es.plot.fi_curve(net, "adaptive", ax=ax)
ax.lines[-2].set_linestyle("--")
ax.legend(frameon=False)
