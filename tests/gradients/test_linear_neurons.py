"""Gradients of linear neurons against finite differences, on every backend that runs them."""

import numpy as np
import pytest

import eventsim as es
from tests.support.linear_neurons import TwoCompartments

CASES = {
    "adaptive, held, self-connected": {
        "neuron": es.AdLIF(a=[2.0, 0.5, -0.5], b=0.3, tau_w=40.0, v_reset=-0.1, v_leak=0.1),
        "refractory": 2.0,
        "own": 0.0,
    },
    "adaptive, own spikes return": {"neuron": es.AdLIF(a=2.0, b=0.3), "own": 1.5},
    "adaptive in a loop": {"neuron": es.AdLIF(a=2.0, b=0.3), "loop": True},
    "two populations of a kind in a loop": {"neuron": es.AdLIF(a=2.0, b=0.3), "other": True},
    "resonator without damping": {
        "neuron": es.Resonator(frequency=[15.0, 20.0, 30.0], damping=0.0)
    },
    "three receptors": {"neuron": es.LIF(tau_syn={"ampa": 5.0, "nmda": 50.0, "gaba": 8.0})},
    "rests above its threshold": {"neuron": es.AdLIF(a=[0.2, 0.3, 0.4], b=0.3, v_leak=1.2)},
    "five states of one's own": {"neuron": TwoCompartments(b=0.3), "loop": True},
}


def build(neuron, refractory=0.0, own=None, loop=False, other=False):
    """Three neurons between five channels and a readout; in a loop with three others if asked."""
    rng = np.random.default_rng(4)
    net = es.Network()
    net.add_input("input", 5)
    net.add_population("h", 3, neuron=neuron, refractory=refractory)
    net.add_readout("out", 2)
    for name in neuron.receptors:
        net.connect("input", "h", rng.normal(1.5, 3.0, (5, 3)), delays=0.5, receptor=name or None)
    first = next(iter(neuron.receptors)) or None
    if own is not None:
        net.connect("h", "h", es.self_recurrent([-0.2, -0.1, 0.1]), delays=own, receptor=first)
    if loop:
        delays = rng.uniform(0.5, 3.0, (3, 3))
        net.connect("h", "h", rng.normal(0.1, 0.5, (3, 3)), delays=delays, receptor=first)
    if other:
        net.add_population("g", 3, neuron=neuron, refractory=1.0)
        for pair, middle in ((("h", "g"), 4.0), (("g", "h"), 0.2)):
            weights, delays = rng.normal(middle, 1.0, (3, 3)), rng.uniform(0.5, 3.0, (3, 3))
            net.connect(*pair, weights, delays=delays, receptor=first)
    net.connect("h", "out", rng.normal(0.0, 1.0, (3, 2)))
    return net


def _loss(net, tape):
    """Every neuron's spikes by their order in the neuron, and the integral of the readout."""
    trains = tape["h"]
    seed = np.sin(trains.times * 0.0 + 1.0 + trains.neurons)
    integral = es.readout_integral(net, tape, "out", time_constant=30.0)
    by_integral = np.cos(np.arange(integral.size)).reshape(integral.shape)
    value = float(seed @ trains.times + (by_integral * integral).sum())
    return value, {"h": seed, "out": es.ReadoutSeed(time_constant=30.0, integral=by_integral)}


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_linear_neurons_are_those_of_finite_differences(case):
    net, rng = build(**CASES[case]), np.random.default_rng(5)
    times = np.concatenate([np.sort(rng.uniform(0, 50, 12)) for _ in range(2)])
    stream = es.EventStream(times, rng.integers(0, 5, 24), [0, 12, 24], n_channels=5, duration=60.0)
    found = es.gradcheck(net, stream, _loss, backend="cpu", n_directions=1)
    assert found.worst_relative_error < 1e-5, found.rows
    assert found.fraction_compared > 0.7
