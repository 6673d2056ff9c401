"""Networks of float32 weights run with exactly these values: as networks of the same float64 ones.

The other side is the network whose weights are the same numbers in float64: spikes and integrals
must have its bits, gradients its bits, rounded once where they are float32.
"""

from functools import cache

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.cpu import fanin, weights
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.parity.test_same_bits import NETS, case
from tests.something import perhaps
from tests.support.linear_neurons import random_network
from tests.support.nets import random_net, random_stream

CASES = {**dict.fromkeys(NETS), "linear neurons": 3, "linear neurons in a loop": 7}


@cache
def pair(name):
    """The network of float32 weights, that of the same numbers in float64, and a stream."""
    if name in NETS:
        net, stream = case(name)
    else:
        net, stream = random_network(np.random.default_rng(CASES[name]))
    single = net.with_weight_dtype(np.float32)
    return single, single.with_weight_dtype(np.float64), stream


def seeds_of(tape, net):
    found = {
        name: es.SpikeSeed(np.cos(tape[name].times), np.sin(tape[name].times))
        for name in net.spiking
    }
    for name, readout in net.readouts.items():
        found[name] = es.ReadoutSeed(20.0, np.ones((tape.stream.n_samples, readout.size)))
    return found


def assert_same_run(one, other, single, double):
    assert sum(map(len, other.trains.values())) > 20
    for name in other.names:
        for field in ("times", "neurons", "offsets"):
            assert np.array_equal(getattr(one[name], field), getattr(other[name], field))
    for name in perhaps(double.readouts):
        integrals = [
            es.readout_integral(net, tape, name, time_constant=20.0)
            for net, tape in ((single, one), (double, other))
        ]
        assert np.array_equal(*integrals)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", list(CASES))
def test_a_run_and_its_gradients_are_those_of_the_same_values_in_float64(
    fast_backend, name, precision
):
    single, double, stream = pair(name)
    assert {p.values.dtype.name for p in single.projections.values()} == {"float32"}
    one, other = (
        es.simulate(net, stream, backend=fast_backend, precision=precision)
        for net in (single, double)
    )
    assert one.algorithms == other.algorithms
    assert_same_run(one, other, single, double)
    found = es.backward(single, one, seeds_of(one, single))
    expected = es.backward(double, other, seeds_of(other, double))
    assert np.array_equal(found.input_times, expected.input_times)
    for key, values in expected.values.items():
        kind = single.parameters()[key].dtype
        rounded = precision == "single" and kind == np.float32
        assert values.dtype == np.float64
        assert found.values[key].dtype == (np.float32 if rounded else np.float64), key
        assert np.array_equal(found.values[key], values.astype(found.values[key].dtype)), key
    assert any(np.abs(values).max() > 0.0 for values in found.values.values())


def test_reference_computes_in_double_precision_from_the_single_values():
    net, stream = random_net(4, sparse=True), random_stream(4)
    single = net.with_weight_dtype(np.float32)
    double = single.with_weight_dtype(np.float64)
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
@pytest.mark.parametrize("name", ["sparse layers with delays", "loop, delays by synapse"])
def test_no_weight_is_copied_in_large_networks(name, precision, monkeypatch):
    single, double, stream = pair(name)
    expected = es.simulate(double, stream, backend="cpu", precision=precision)
    monkeypatch.setattr(weights, "IN_PLACE_FROM", 0)
    monkeypatch.setattr(fanin, "GROUPED_FROM", 0)
    read = []
    addresses = weights.addresses_of

    def noted(*parts, **options):
        read.append(parts)
        return addresses(*parts, **options)

    monkeypatch.setattr(weights, "addresses_of", noted)
    found = es.simulate(single, stream, backend="cpu", precision=precision)
    assert_same_run(found, expected, single, double)
    own = [p.values for p in single.projections.values()]
    plain = all((p.resistance == 1.0).all() for p in single.spiking.values())
    assert read
    if plain or name.startswith("sparse"):
        for part in (part for parts in read for part in parts):
            assert part.dtype == np.float32
            assert any(np.shares_memory(part, values) for values in own)


def assert_chunks_agree(single, double, stream, precision):
    """Chunks have the bits of the whole; their gradients are sums in float64, as with float64."""
    options = {"backend": "cpu", "precision": precision}
    assert assert_chunks_equal_whole(single, stream, 13.0, **options) > 20

    def loss(net, tape):
        return 0.0, {name: np.cos(tape[name].times) for name in net.spiking}

    chunks = list(stream.chunks(13.0))
    found, expected = (es.backward_chunks(net, chunks, loss, **options) for net in (single, double))
    for key, values in expected.values.items():
        assert found.values[key].dtype == np.float64
        atol = 1e-6 * np.abs(values).max(initial=0.0)
        assert np.allclose(found.values[key], values, rtol=0.0, atol=atol), key


@pytest.mark.parametrize("precision", ["double", "single"])
def test_chunks_have_the_bits_of_the_whole_and_their_gradients_are_sums_in_float64(precision):
    assert_chunks_agree(*pair("loop, delays by synapse"), precision)
