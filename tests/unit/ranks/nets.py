"""Small networks for the tests of ranks, here and in tests/parallel."""

import numpy as np

from eventsim import EventStream, Network, fixed_indegree, self_recurrent, uniform
from eventsim.ranks import RandomNetwork

NEURON = {"tau_mem": 20.0, "tau_syn": 2.0, "threshold": 20.0, "v_reset": 10.0, "refractory": 2.0}
CHANNELS = 40


def distinct(k):
    """So many distinct sources of every target, none itself."""
    return fixed_indegree(k, allow_multapses=False, allow_autapses=False)


def balanced(*, delay=1.5, seed=3, gain=1.0):
    """Excitatory and inhibitory neurons in five blocks, the last of each a small one."""
    net = RandomNetwork(seed=seed)
    net.add_input("input", CHANNELS)
    net.add_population("exc", 90, **NEURON | {"tau_mem": uniform(15.0, 25.0)})
    net.add_population("inh", 35, **NEURON)
    for target in ("exc", "inh"):
        net.connect("input", target, gain * 45.0, rule=distinct(20))
        net.connect("exc", target, uniform(5.0, 15.0), rule=distinct(30), delays=delay)
        net.connect("inh", target, -50.0, rule=distinct(10), delays=delay)
    return net


def noise(duration=60.0, *, rate=30.0, seed=0):
    """Poisson events of all channels; some lie at one time."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(CHANNELS * rate * duration * 1e-3)
    times = np.sort(rng.integers(0, int(10 * duration), count)) / 10.0
    events = (times, rng.integers(0, CHANNELS, count))
    return EventStream.from_samples([events], n_channels=CHANNELS, duration=duration)


def runaway():
    """Neuron 5 of the second block, which is that of process 1 of 2, fires without bound."""
    net, weights = Network(), np.zeros(32)
    weights[5] = 1e6
    net.add_input("input", CHANNELS)
    net.add_population("calm", 32)
    net.add_population("wild", 32)
    net.connect("input", "wild", np.full((CHANNELS, 32), 10.0))
    net.connect("wild", "wild", self_recurrent(weights))
    net.connect("wild", "calm", np.ones((32, 32)), delays=1.0)
    return net


def by_neuron(trains):
    """Times and neurons, neuron after neuron."""
    order = np.lexsort((trains.times, trains.neurons))
    return trains.times[order], trains.neurons[order]


def assert_same(found, expected, *, atol):
    """The same neurons fired as often, at the same times but for ``atol`` ms."""
    assert found.keys() == expected.keys()
    for name, trains in found.items():
        times, neurons = by_neuron(trains)
        other_times, other_neurons = by_neuron(expected[name])
        np.testing.assert_array_equal(neurons, other_neurons, err_msg=name)
        np.testing.assert_allclose(times, other_times, rtol=0.0, atol=atol, err_msg=name)
