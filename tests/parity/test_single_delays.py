"""Networks of float32 delays run with exactly these values: as those of the same float64 ones."""

from functools import cache

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm
from tests.parity.test_flights import random_loop
from tests.parity.test_same_bits import NETS, case
from tests.parity.test_single_weights import assert_chunks_agree, assert_same_run, seeds_of
from tests.support.linear_neurons import random_network
from tests.support.nets import random_net, random_stream

CASES = {**dict.fromkeys(NETS), "linear neurons": 3, "linear neurons in a loop": 7}


def in_both_types(net):
    """The network with float32 delays, and the one with the same numbers in float64."""
    single = net.with_delay_dtype(np.float32)
    return single, single.with_delay_dtype(np.float64)


@cache
def pair(name):
    """As :func:`in_both_types`, of random delays that float32 does not hold, and a stream."""
    net, stream = case(name) if name in NETS else random_network(np.random.default_rng(CASES[name]))
    net = net.copy()
    for projection in net.projections.values():
        projection.delays[...] *= 1.0 + 1e-3 * np.pi
    return *in_both_types(net), stream


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", list(CASES))
def test_a_run_and_its_gradients_are_those_of_the_same_delays_in_float64(
    fast_backend, name, precision
):
    single, double, stream = pair(name)
    assert {p.delays.dtype.name for p in single.projections.values()} == {"float32"}
    one, other = (
        es.simulate(net, stream, backend=fast_backend, precision=precision)
        for net in (single, double)
    )
    assert one.algorithms == other.algorithms
    assert dict(one.synaptic_events) == dict(other.synaptic_events)
    assert_same_run(one, other, single, double)
    found = es.backward(single, one, seeds_of(one, single))
    expected = es.backward(double, other, seeds_of(other, double))
    assert np.array_equal(found.input_times, expected.input_times)
    for key, values in expected.values.items():
        rounded = precision == "single" and single.parameters()[key].dtype == np.float32
        assert found.values[key].dtype == (np.float32 if rounded else np.float64), key
        assert np.array_equal(found.values[key], values.astype(found.values[key].dtype)), key
    some = [key for key in expected.values if key.endswith(".delays")]
    assert any(np.abs(found.values[key]).max() > 0.0 for key in some)


def test_reference_computes_from_the_single_delays():
    net, stream = random_net(4, delays="synapse", sparse=True), random_stream(4)
    single, double = in_both_types(net)
    one, other = (es.simulate(n, stream, backend="reference") for n in (single, double))
    assert_same_run(one, other, single, double)
    rounded = es.simulate(net, stream, backend="reference")
    assert any(not np.array_equal(one[n].times, rounded[n].times) for n in one.names)
    found = es.backward(single, one, seeds_of(one, single))
    expected = es.backward(double, other, seeds_of(other, double))
    for key, values in expected.values.items():
        assert found.values[key].dtype == np.float64
        assert np.array_equal(found.values[key], values), key


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("share", [0.0, np.inf], ids=["windows", "queue"])
def test_loops_of_flights_have_the_bits_of_the_same_delays_in_float64(
    precision, share, monkeypatch
):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", share)
    ways, n_spikes = set(), 0
    for seed in range(400, 410):
        net, stream = random_loop(seed)
        for weights in (np.float64, np.float32):
            single, double = in_both_types(net.with_weight_dtype(weights))
            one, other = (
                es.simulate(each, stream, backend="cpu", precision=precision)
                for each in (single, double)
            )
            ways |= set(one.algorithms.values())
            n_spikes += sum(map(len, one.trains.values()))
            for name in one.names:
                for field in ("times", "neurons", "offsets"):
                    assert np.array_equal(getattr(one[name], field), getattr(other[name], field))
            assert dict(one.synaptic_events) == dict(other.synaptic_events)
    assert ("queue" in ways) == (share > 0.0)
    assert n_spikes > 1000


@pytest.mark.parametrize("precision", ["double", "single"])
def test_chunks_of_single_delays_have_the_bits_of_the_whole(precision):
    assert_chunks_agree(*pair("loop, delays by synapse"), precision)
