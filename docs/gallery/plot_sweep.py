"""
A sweep over two parameters
===========================

Rate of one neuron at 20 leaks times 20 weights: 400 neurons with values of their own, in one run.
"""

import numpy as np

import eventsim as es

taus, weights = np.geomspace(2.0, 100.0, 20), np.linspace(0.2, 2.0, 20)
tau, weight = (grid.ravel() for grid in np.meshgrid(taus, weights))
net = es.Network()
net.add_input("input", 1)
net.add_population("neurons", 400, tau_mem=tau, tau_syn=5.0)
net.connect("input", "neurons", weight[np.newaxis])

times = np.sort(np.random.default_rng(0).uniform(0.0, 2000.0, 800))
stream = es.EventStream(times, np.zeros(800, int), [0, 800], n_channels=1, duration=2000.0)
rates = es.simulate(net, stream)["neurons"].counts()[0] / 2.0

_, ax = es.plot.subplots(size=(5.5, 4.0))
mesh = ax.pcolormesh(taus, weights, rates.reshape(20, 20), cmap="viridis")
ax.set(xscale="log", xlabel="membrane time constant (ms)", ylabel="weight of one event")
ax.figure.colorbar(mesh, label="spikes per second")
