"""
Reset and refractory time
=========================

After a spike the voltage is held at its reset for the refractory time; the current goes on.
"""

import numpy as np

import eventsim as es

net = es.Network()
net.add_input("input", 1)
net.add_population("neuron", 2, v_reset=-0.5, refractory=[0.0, 8.0])
net.connect("input", "neuron", [[4.0, 4.0]])

times = np.arange(2.0, 80.0, 6.0)
stream = es.EventStream(
    times, np.zeros(times.size, int), [0, times.size], n_channels=1, duration=80.0
)
tape = es.simulate(net, stream)

_, (upper, lower) = es.plot.subplots(2, 1, size=(6.0, 5.0), sharex=True)
es.plot.voltages(net, tape, "neuron", ax=upper).set_xlabel("")
grid = np.linspace(0.0, 80.0, 2000)
lower.plot(grid, es.current(net, tape, "neuron", grid, neurons=[0])[0])
lower.set(xlabel="time (ms)", ylabel="current of both")
