"""
The voltage between events
==========================

Nothing was recorded: the exact voltage at any time follows from the spikes on the tape.
"""

import eventsim as es

net = es.Network()
net.add_input("input", 2)
net.add_population("neuron", 1, tau_mem=20.0, tau_syn=5.0)
net.connect("input", "neuron", [[4.0], [-2.0]])

stream = es.EventStream(
    [5.0, 12.0, 18.0, 30.0, 33.0, 36.0, 60.0],
    [0, 0, 1, 0, 0, 0, 0],
    [0, 7],
    n_channels=2,
    duration=100.0,
)
tape = es.simulate(net, stream)

_, (upper, lower) = es.plot.subplots(2, 1, sharex=True)
es.plot.voltages(net, tape, "neuron", ax=upper).set_xlabel("")
es.plot.stream(stream, ax=lower)
