"""The measuring tools themselves: they must be able to say no."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from tests.support import stepping
from tests.support.compare import assert_same_spikes
from tests.support.differences import Differences, assert_gradients_match
from tests.support.losses import SpikeTimes
from tests.support.nets import one_neuron, one_sample, random_net, random_stream
from tests.support.wiring import slope_before


class Altered:
    """Gradients with one array changed."""

    def __init__(self, gradients, key, factor, addend=0.0):
        self._flat = gradients.flat()
        self.input_times = gradients.input_times
        self._flat[key] = self._flat[key] * factor + addend

    def flat(self):
        return self._flat


@pytest.fixture(scope="module")
def measured():
    net = random_net(506, n_inputs=3, n_outputs=2, hidden=(4, 3), tau_ratio=0.25)
    stream = random_stream(502, n_samples=2, n_channels=3, duration=40.0, rate=120.0)
    loss = SpikeTimes("hidden1", "hidden2")
    gradients = es.backward(net, es.simulate(net, stream, backend="reference"), loss)
    rows = Differences(net, stream, loss, backend="cpu", per_key=2).rows()
    return gradients, rows


@pytest.mark.parametrize("key", ["hidden1.tau_syn", "hidden2.refractory", "hidden1.v_leak",
                                 "input->hidden1.delays", "hidden1->hidden1.weights"])  # fmt: skip
def test_gradient_wrong_by_one_in_a_hundred_thousand_is_found(measured, key):
    gradients, rows = measured
    assert_gradients_match(gradients, rows)
    with pytest.raises(AssertionError, match=key):
        assert_gradients_match(Altered(gradients, key, 1.0 + 1e-5), rows)


def test_gradient_where_the_loss_does_not_depend_is_found(measured):
    gradients, rows = measured
    with pytest.raises(AssertionError, match="output.tau_mem"):
        assert_gradients_match(Altered(gradients, "output.tau_mem", 1.0, 1e-9), rows)


def test_too_few_compared_entries_are_found(measured):
    gradients, rows = measured
    left_out = [replace(row, status="changed") for row in rows]
    with pytest.raises(AssertionError, match="left out"):
        assert_gradients_match(gradients, left_out)


def test_first_divergence_names_sample_neuron_times_and_slope():
    net = random_net(506, hidden=(4,))
    stream = random_stream(507, n_samples=2)
    tape = es.simulate(net, stream, backend="reference")
    times, neurons = tape["hidden1"].sample(1)
    moved = times.copy()
    moved[5] += 1e-6
    expected = {"hidden1": [tape["hidden1"].sample(0), (moved, neurons)]}
    with pytest.raises(AssertionError, match=rf"sample 1, neuron {neurons[5]}.*Slope"):
        assert_same_spikes(tape, expected, atol_ms=1e-9, net=net)
    expected["hidden1"][1] = (times[:-1], neurons[:-1])
    with pytest.raises(AssertionError, match=rf"neuron {neurons[-1]}.*no spike"):
        assert_same_spikes(tape, expected, atol_ms=1e-9, net=net)


def test_slope_by_superposition_is_the_voltage_difference_before_the_spike():
    net = one_neuron(6.0, tau_mem=10.0, tau_syn=4.0, v_leak=0.1, resistance=1.3)
    tape = es.simulate(net, one_sample([3.0]), backend="reference")
    (first, *_) = tape["hidden"].times
    neuron = stepping.neuron_of(net.populations["hidden"], 0)

    def voltage(h):
        return (stepping.expm(neuron.matrix * h) @ [0.0, 6.0])[0]

    h = first - 3.0
    expected = (voltage(h + 1e-5) - voltage(h - 1e-5)) / 2e-5
    slope = slope_before(net, tape, "hidden", 0, 0, float(first))
    np.testing.assert_allclose(slope, expected, rtol=1e-8)
