"""Linear neurons on the cpu against the definition, in random networks of all kinds."""

import numpy as np
import pytest

import eventsim as es
from tests.support.linear_neurons import random_network


def _loss(net, tape):
    """Spikes of all populations, and the integral of the readout."""
    value, seeds = 0.0, {}
    for name in tape.names:
        own = np.random.default_rng(len(tape[name])).normal(size=len(tape[name]))
        value, seeds[name] = value + float(own @ tape[name].times), own
    integral = es.readout_integral(net, tape, "out", time_constant=30.0)
    by_integral = np.cos(np.arange(integral.size)).reshape(integral.shape)
    seeds["out"] = es.ReadoutSeed(time_constant=30.0, integral=by_integral)
    return value + float((by_integral * integral).sum()), seeds


def same(seed):
    """Whether spikes and gradients of a random network agree; how many spikes there are."""
    net, stream = random_network(np.random.default_rng(seed))
    expected, found = (es.simulate(net, stream, backend=b) for b in ("reference", "cpu"))
    for name in expected.names:
        assert found[name].neurons.tolist() == expected[name].neurons.tolist()
        np.testing.assert_allclose(found[name].times, expected[name].times, rtol=0, atol=1e-9)
    right, mine = (es.backward(net, tape, _loss).flat() for tape in (expected, found))
    for key, values in right.items():
        scale = np.abs(values).max(initial=0.0)
        np.testing.assert_allclose(mine[key], values, rtol=1e-6, atol=1e-9 + 1e-6 * scale)
    return sum(len(expected[name]) for name in expected.names)


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_random_networks_of_mixed_neurons_are_those_of_the_reference(first):
    assert sum(same(seed) for seed in range(first, first + 4)) > 20


@pytest.mark.nightly("400 networks")
def test_many_random_networks_of_mixed_neurons_are_those_of_the_reference():
    assert sum(same(seed) for seed in range(100, 500)) > 2000
