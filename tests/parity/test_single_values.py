"""Networks of float32 values run with exactly these: as networks of the same float64 ones.

The other side is the network whose weights or delays are the same numbers in float64: spikes and
integrals must have its bits, gradients its bits, rounded once where they are float32.
"""

from functools import cache

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.cpu import fanin, weights
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.parity.test_flights import random_loop
from tests.parity.test_same_bits import NETS, case
from tests.something import perhaps
from tests.support.linear_neurons import random_network
from tests.support.nets import random_net, random_stream

CASES = {**dict.fromkeys(NETS), "linear neurons": 3, "linear neurons in a loop": 7}


def values_of(projection, kind):
    return projection.values if kind == "weight" else projection.delays


def in_both_types(net, kind):
    """The network with float32 values of a kind, and the one with the same numbers in float64."""
    single = getattr(net, f"with_{kind}_dtype")(np.float32)
    return single, getattr(single, f"with_{kind}_dtype")(np.float64)


@cache
def pair(name, kind):
    """As :func:`in_both_types`, of values that float32 does not hold, and a stream."""
    net, stream = case(name) if name in NETS else random_network(np.random.default_rng(CASES[name]))
    net = net.copy()
    for projection in net.projections.values():
        values_of(projection, kind)[...] *= 1.0 + 1e-3 * np.pi
    return *in_both_types(net, kind), stream


@pytest.fixture(params=["weight", "delay"])
def kind(request):
    return request.param


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
    fast_backend, name, kind, precision
):
    single, double, stream = pair(name, kind)
    assert {values_of(p, kind).dtype.name for p in single.projections.values()} == {"float32"}
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
        assert values.dtype == np.float64
        assert found.values[key].dtype == (np.float32 if rounded else np.float64), key
        assert np.array_equal(found.values[key], values.astype(found.values[key].dtype)), key
    some = [key for key in expected.values if key.endswith(f".{kind}s")]
    assert any(np.abs(found.values[key]).max() > 0.0 for key in some)


def test_reference_computes_in_double_precision_from_the_single_values(kind):
    net, stream = random_net(4, delays="synapse", sparse=True), random_stream(4)
    single, double = in_both_types(net, kind)
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
    single, double, stream = pair(name, "weight")
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


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("share", [0.0, np.inf], ids=["windows", "queue"])
def test_loops_of_flights_have_the_bits_of_the_same_delays_in_float64(
    precision, share, monkeypatch
):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", share)
    ways, n_spikes = set(), 0
    for seed in range(400, 410):
        net, stream = random_loop(seed)
        for dtype in (np.float64, np.float32):
            single, double = in_both_types(net.with_weight_dtype(dtype), "delay")
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
def test_chunks_have_the_bits_of_the_whole_and_their_gradients_are_sums_in_float64(kind, precision):
    single, double, stream = pair("loop, delays by synapse", kind)
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
