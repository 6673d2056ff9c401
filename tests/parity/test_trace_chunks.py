"""Voltages and currents within chunks of a stream are those of the whole run."""

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.engine import algorithm
from eventsim.plan import make_plan
from eventsim.plan.plan import BLOCK
from tests.parity.test_chunks import CASES, LOOPS, WAYS, case, pauses
from tests.support.linear_neurons import dense_layer, dense_stream, random_network
from tests.support.nets import (
    large_net,
    one_layer,
    one_neuron,
    one_sample,
    random_stream,
    shared_net,
)

ATOL = {"double": 1e-12, "single": 1e-5}  # relative to the threshold, or the largest value


def assert_traces_equal_whole(net, stream, chunks, most=4, **how):
    """In so many later chunks at random times, at borders, at spikes and arrivals."""
    atol = ATOL[how.get("precision", "double")]
    whole, tapes = es.simulate(net, stream, **how), es.simulate_chunks(net, chunks, **how)
    later = [t for t in tapes if 0.0 < t.begin.max() < t.stream.duration.min()]
    assert later
    rng = np.random.default_rng(len(later))
    for tape in rng.choice(np.array(later, object), min(most, len(later)), replace=False):
        low, high = float(tape.begin.max()), float(tape.stream.duration.min())
        # Event by event, linear neurons fire at the same times to rounding.
        same = [np.intersect1d(tape[name].times, whole[name].times) for name in tape.names]
        some = [times[:3] for times in same] + [tape.stream.times[:3]]
        at = np.concatenate([[low], rng.uniform(low, high, 7), *some])
        at = at[(at >= low) & (at < high)]
        for name, p in net.neurons.items():
            scale = np.abs(p.threshold).max() if p.is_spiking else 1.0
            for read in (es.voltage, es.current):
                found, wanted = read(net, tape, name, at), read(net, whole, name, at)
                off = np.abs(wanted).max(initial=scale)
                np.testing.assert_allclose(found, wanted, rtol=0, atol=atol * off)


@pytest.mark.parametrize("length", [0.9, 7.0])
@pytest.mark.parametrize("name", list(CASES))
def test_layers(backend, name, length):
    net, stream = case(name)
    if backend == "reference":
        stream, length = stream[0], max(length, 7.0)
    assert_traces_equal_whole(net, stream, stream.chunks(length), backend=backend)


@pytest.mark.parametrize("name", list(CASES))
def test_layers_in_single_precision(fast_backend, name):
    net, stream = case(name)
    how = {"backend": fast_backend, "precision": "single"}
    assert_traces_equal_whole(net, stream, stream.chunks(7.0), **how)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("name", list(LOOPS))
def test_loops(fast_backend, monkeypatch, name, way, precision):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", WAYS[way])
    for stream in (random_stream(960, n_samples=2, n_channels=5, duration=60.0), pauses(962)):
        how = {"backend": fast_backend, "precision": precision}
        assert_traces_equal_whole(LOOPS[name](), stream, stream.chunks(3.3), **how)


@pytest.mark.parametrize("name", list(LOOPS))
def test_loops_by_definition(name):
    stream = random_stream(960, n_samples=1, n_channels=5, duration=60.0)
    chunks = stream.chunks(13.0)
    assert_traces_equal_whole(LOOPS[name](), stream, chunks, backend="reference")


@pytest.mark.parametrize("least", [0.5, 2.0], ids=["stretches", "sums"])
def test_large_loops_by_windows(least, monkeypatch):
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    stream = random_stream(963, n_samples=1, n_channels=20, duration=30.0)
    for net in (large_net(964, delays=7.0), shared_net(968, refractory=9.0)):
        assert_traces_equal_whole(net, stream, stream.chunks(3.1), backend="cpu")


@pytest.mark.parametrize("precision", ["double", "single"])
def test_linear_neurons(fast_backend, precision):
    how = {"backend": fast_backend, "precision": precision}
    net, stream = dense_layer("adlif"), dense_stream()
    assert_traces_equal_whole(net, stream, stream.chunks(11.3), **how)


def test_linear_neurons_event_by_event(fast_backend):
    for seed in range(4):
        net, stream = random_network(np.random.default_rng(seed))
        chunks = stream.chunks(11.3)
        assert_traces_equal_whole(net, stream, chunks, backend=fast_backend)


def pieces(stream, borders):
    """The stream cut at any times of its one sample."""
    for low, high in zip([0.0, *borders], [*borders, float(stream.duration[0])], strict=True):
        mine = (stream.times >= low) & (stream.times < high)
        times, channels = stream.times[mine], stream.channels[mine]
        yield es.EventStream(
            times, channels, [0, times.size], n_channels=stream.n_channels, duration=high
        )


@pytest.mark.parametrize("self_delay", [0.0, 1.5])
def test_borders_at_arrivals_spikes_and_releases(backend, self_delay):
    net = one_neuron(40.0, v_reset=-0.25, refractory=3.0, self_weight=2.5, self_delay=self_delay)
    stream = one_sample([1.0, 4.0, 9.0], duration=30.0)
    spikes = es.simulate(net, stream, backend=backend)["hidden"].times[:2]
    borders = np.unique([1.0, 9.0, *spikes, *(spikes + 1.0), *(spikes + 3.0), 20.0, 20.0 + 1e-9])
    chunks = pieces(stream, borders)
    assert_traces_equal_whole(net, stream, chunks, most=99, backend=backend)


def test_state_from_a_file(tmp_path):
    net, stream = case("shared events")
    first, second = list(stream.chunks(31.0))[:2]
    _, state = es.simulate_chunk(net, first)
    state.save(tmp_path / "state.npz")
    tape, _ = es.simulate_chunk(net, second, es.RunState.load(tmp_path / "state.npz", net))
    low, high = tape.begin.max(), tape.stream.duration.min()
    at, whole = np.linspace(low, high, 9)[:-1], es.simulate(net, stream)
    for name in net.neurons:
        wanted = es.voltage(net, whole, name, at)
        np.testing.assert_allclose(es.voltage(net, tape, name, at), wanted, rtol=0, atol=1e-12)


def test_values_outside_a_sample_are_nan():
    net, stream = case("shared events")
    tape = list(es.simulate_chunks(net, stream.chunks(20.0)))[1]
    assert np.isfinite(es.voltage(net, tape, "hidden1", 20.0)).all()
    some = es.voltage(net, tape, "hidden1", [25.0, 21.0, 25.0], samples=[1, 0, 1])
    each = es.voltage(net, tape, "hidden1", [21.0, 25.0])
    np.testing.assert_array_equal(some, each[np.ix_([1, 0, 1], [1, 0, 1])])


def test_a_layer_whose_blocks_hear_channels_of_their_own(fast_backend):
    rng, n = np.random.default_rng(970), 4 * BLOCK + 8
    weights = rng.normal(0.4, 0.4, (20, n))
    weights[np.arange(20)[:, None] % 5 != np.arange(n) // BLOCK] = 0.0
    net = one_layer("hidden", sp.csr_array(weights), refractory=2.0)
    assert len(make_plan(net).stages[0].heard) == 5
    stream = random_stream(971, n_samples=2, n_channels=20, duration=30.0)
    assert_traces_equal_whole(net, stream, stream.chunks(3.1), most=99, backend=fast_backend)
