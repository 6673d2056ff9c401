"""Losses behind a linear decision: logits, gradients, dropout, files, errors."""

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint.linear.voltage import readout_maximum
from eventsim.arrays import namespace
from eventsim.train.readouts import VoltageCrossEntropy
from tests.support.compare import assert_close_by_name, assert_resident_agrees
from tests.support.differences import Differences, assert_gradients_match
from tests.support.nets import random_net, random_stream

STREAM = random_stream(5001, n_samples=3, duration=50.0)
LABELS = np.array([1, 0, 1])
RNG = np.random.default_rng(5002)
WEIGHTS, BIAS = RNG.normal(size=(3, 2)), RNG.normal(size=2)


def decided(**settings):
    net = random_net(5003, **settings)
    net.decide("output", WEIGHTS, bias=BIAS)
    return net


def test_logits_are_the_weighted_largest_voltages_plus_the_bias():
    net = decided()
    tape = es.simulate(net, STREAM, backend="cpu")
    (probe,) = readout_maximum(net, tape, "output")
    expected = probe.value.reshape(3, 3) @ WEIGHTS + BIAS
    loss = VoltageCrossEntropy(LABELS)
    np.testing.assert_allclose(loss.logits(net, tape), expected, rtol=1e-12)
    np.testing.assert_array_equal(loss.predictions(net, tape), expected.argmax(axis=1))


@pytest.mark.crossed("seconds each", test=0, all=1)
@pytest.mark.parametrize("at", ["maximum", "last"])
@pytest.mark.parametrize("dropout", [False, True])
def test_gradients_match_finite_differences(at, dropout):
    net = decided(delays="source")
    keep = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0], [1.0, 1.0, 0.0]]) if dropout else None
    loss = VoltageCrossEntropy(LABELS, at=at, keep=keep)
    found = es.backward(net, es.simulate(net, STREAM, backend="cpu"), loss)
    rows = Differences(net, STREAM, loss, backend="cpu", per_key=1).rows()
    assert {"decision.weights", "decision.bias"} <= {row.key for row in rows}
    assert_gradients_match(found, rows, min_fraction=0.85)


def test_loss_that_does_not_read_the_decision_gives_it_no_gradient():
    net = decided()
    found = es.backward(net, es.simulate(net, STREAM, backend="cpu"), es.train.CrossEntropy(LABELS))
    assert not found.flat()["decision.weights"].any()
    assert found.flat().keys() == net.parameters().keys()


def test_weighted_losses_add_up_at_the_decision():
    net = decided()
    tape, loss = es.simulate(net, STREAM, backend="cpu"), VoltageCrossEntropy(LABELS)
    one = es.backward(net, tape, loss).flat()
    sum_of = es.train.SumOfLosses(((0.5, loss), (2.0, loss)))
    thrice = {key: 2.5 * values for key, values in one.items()}
    assert_close_by_name(es.backward(net, tape, sum_of).flat(), thrice, rtol=1e-9)


def test_copies_and_files_keep_the_decision():
    net = decided()
    for twin in (net.copy(), net.map(np.copy), es.Network.from_arrays(net.to_arrays())):
        assert twin.decision.readout == "output"
        for key, values in net.parameters().items():
            np.testing.assert_array_equal(twin.parameters()[key], values)
        twin.decision.weights[:] = 0.0
        assert net.decision.weights.any()
    net.decide(None)
    assert net.decision is None
    assert "decision.bias" not in net.parameters()


@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize("resident", [False, True])
def test_network_and_spikes_may_be_in_different_places(fast_backend, placed, resident):
    net, loss = decided(delays="source"), VoltageCrossEntropy(LABELS)
    where = {"placed": placed, "resident": resident}
    assert_resident_agrees(net, STREAM, fast_backend, loss, rtol=1e-9, **where)


def test_decision_of_a_placed_network_is_where_the_network_is(fast_backend):
    there = es.place(random_net(5003), backend=fast_backend)
    there.decide("output", WEIGHTS, bias=BIAS)
    there.check()
    assert namespace(there.decision.weights) is namespace(there.population("output").tau_mem)


def test_values_of_a_decision_that_is_gone_are_no_longer_shared():
    net = decided()
    net.decision.bias[:] = 0.5
    net.share("decision.bias", [0, 0])
    net.decide("output", WEIGHTS)
    assert "decision.bias" not in net.shared
    es.Network.from_arrays(net.to_arrays())


@pytest.mark.parametrize("seed", [0, 3])
def test_gradients_of_the_maximum_in_single_precision_are_those_of_double(seed):
    """A flat maximum is found in double precision: its time moves what spikes get."""
    net = es.convolutional(64, (6,), 11, output_maps=5, mean=3.0, forward_delays=(0.0, 20.0))
    rng = np.random.default_rng(seed)
    events = [(np.sort(rng.uniform(0.0, 80.0, 500)), rng.integers(0, 64, 500)) for _ in range(2)]
    stream = es.EventStream.from_samples(events, n_channels=64, duration=80.0)
    loss, found = VoltageCrossEntropy(np.array([3, 7])), {}
    for precision in ("double", "single"):
        tape = es.simulate(net, stream, backend="cpu", precision=precision)
        found[precision] = es.backward(net, tape, loss).flat()
    for key, exact in found["double"].items():
        if exact.size == 1:  # of a delay that all share: a sum of which little is left
            continue
        worst = np.abs(found["single"][key] - exact).max() / max(np.abs(exact).max(), 1e-12)
        assert worst < 5e-5, key
