"""A stream cut into chunks gives, to the bit, the spikes of the whole."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.contract import table
from eventsim.errors import ParameterError
from tests.support.linear_neurons import random_network
from tests.support.nets import (
    large_net,
    lateral_net,
    random_net,
    random_stream,
    ring_net,
    shared_net,
    two_kinds_net,
)

CASES = {
    "shared events": {"delays": "none", "self_delays": "none"},
    "delays by source": {"delays": "source", "self_delays": "none"},
    "sparse, self-delays": {"sparse": True, "delays": "synapse"},
    "dense, delays by synapse": {"delays": "synapse"},
    "pacemakers": {"delays": "none", "self_delays": "none", "pacemakers": True},
    "pacemakers, sparse": {"sparse": True, "self_delays": "scalar", "pacemakers": True},
}


def case(name):
    number = list(CASES).index(name)
    net = random_net(900 + number, hidden=(9, 7), n_inputs=6, **CASES[name])
    return net, random_stream(910 + number, n_samples=3, n_channels=6, duration=60.0)


def assert_chunks_equal_whole(net, stream, length, **options):
    whole = es.simulate(net, stream, **options)
    parts = list(es.simulate_chunks(net, stream.chunks(length), **options))
    total = 0
    for name in whole.names:
        for s in range(stream.n_samples):
            times, neurons = (
                np.concatenate([part[name].sample(s)[k] for part in parts]) for k in (0, 1)
            )
            assert np.array_equal(times, whole[name].sample(s)[0])
            assert np.array_equal(neurons, whole[name].sample(s)[1])
            total += times.size
    for name, count in whole.synaptic_events.items():
        assert sum(part.synaptic_events[name] for part in parts) == count
    return total


@pytest.mark.parametrize("length", [0.4, 7.0, 33.3])
@pytest.mark.parametrize("name", list(CASES))
def test_chunks_give_the_spikes_of_the_whole(backend, name, length):
    net, stream = case(name)
    if backend == "reference" and length < 1.0:
        stream = stream[0]
    assert assert_chunks_equal_whole(net, stream, length, backend=backend) > 20


@pytest.mark.parametrize("name", list(CASES))
def test_chunks_in_single_precision(fast_backend, name):
    net, stream = case(name)
    assert_chunks_equal_whole(net, stream, 5.0, backend=fast_backend, precision="single")


LOOPS = {
    "no delays": lambda: lateral_net(950, delays="none", gain=0.2),
    "delays by synapse": lambda: lateral_net(951, delays="synapse"),
    "dense, delays by source": lambda: lateral_net(952, delays="source", sparse=False, gain=0.15),
    "one delay": lambda: lateral_net(953, delays="scalar"),
    "ring with self-delays": lambda: ring_net(954),
    "two kinds": lambda: two_kinds_net(955),
    "pacemakers": lambda: pacemakers(956, delays="synapse"),
    "dense pacemakers": lambda: pacemakers(957, delays="scalar", sparse=False, gain=0.2),
}
WAYS = {"queue": np.inf, "windows": 0.0}


def pacemakers(seed, **options):
    """A loop of neurons of which some fire without input, and one rests at its threshold."""
    net = lateral_net(seed, **options)
    net.population("b").v_leak[:3] = net.population("b").threshold[:3] + [0.4, 0.1, 0.0]
    return net


def pauses(seed):
    """Bursts of a few ms with silence between them."""
    rng = np.random.default_rng(seed)
    times = np.sort(np.concatenate([rng.uniform(t, t + 4.0, 40) for t in (0.0, 22.0, 51.0)]))
    channels = rng.integers(0, 5, times.size)
    return es.EventStream(times, channels, [0, times.size], n_channels=5, duration=60.0)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("length", [0.4, 7.0, 33.3])  # the first is shorter than the delays
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("name", list(LOOPS))
def test_chunks_of_a_loop_give_the_spikes_of_the_whole(
    fast_backend, monkeypatch, name, way, length, precision
):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", WAYS[way])
    stream = random_stream(960, n_samples=2, n_channels=5, duration=60.0)
    how = {"backend": fast_backend, "precision": precision}
    assert assert_chunks_equal_whole(LOOPS[name](), stream, length, **how) > 15


@pytest.mark.parametrize("name", list(LOOPS))
def test_chunks_of_a_loop_give_the_spikes_of_the_whole_by_definition(name):
    stream = random_stream(960, n_samples=1, n_channels=5, duration=60.0)
    assert assert_chunks_equal_whole(LOOPS[name](), stream, 13.0, backend="reference") > 7


@pytest.mark.parametrize("length", [0.7, 11.0])
@pytest.mark.parametrize("way", list(WAYS))
def test_chunks_of_a_loop_with_silences(fast_backend, monkeypatch, way, length):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", WAYS[way])
    for name in ("one delay", "two kinds", "dense, delays by source", "dense pacemakers"):
        net = LOOPS[name]()
        assert assert_chunks_equal_whole(net, pauses(962), length, backend=fast_backend) > 15


@pytest.mark.parametrize("least", [0.5, 2.0], ids=["stretches", "sums"])
def test_chunks_of_a_large_loop_by_windows(least, monkeypatch):
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    stream = random_stream(963, n_samples=1, n_channels=20, duration=60.0)
    for delays in (0.5, 7.0):
        assert assert_chunks_equal_whole(large_net(964, delays=delays), stream, 3.1) > 500
    assert assert_chunks_equal_whole(shared_net(968, refractory=1.0), stream, 3.1) > 500


@pytest.mark.parametrize("name", list(LOOPS))
def test_state_of_a_loop_carries_no_more_than_what_is_still_needed(name):
    net, state, sizes = LOOPS[name](), None, []
    stream = random_stream(966, n_samples=1, n_channels=5, duration=200.0)
    for chunk in stream.chunks(2.0):
        _, state = es.simulate_chunk(net, chunk, state)
        (loop,) = state.loops.values()
        sizes.append(loop.sent.times.size + loop.pending.time.size)
    assert max(sizes) < 60


@pytest.mark.parametrize("name", list(CASES))
def test_readout_at_the_end_is_that_of_the_whole(name):
    net, stream = case(name)
    whole, state = es.simulate(net, stream), None
    for chunk in stream.chunks(9.0):
        _, state = es.simulate_chunk(net, chunk, state)
        for s in range(stream.n_samples):
            if chunk.duration[s] == stream.duration[s]:
                continue
            expected = es.voltage(net, whole, "output", [chunk.duration[s]])[s, 0]
            np.testing.assert_allclose(
                state.readouts["output"].voltage[s], expected, rtol=0, atol=1e-12
            )


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("name", ["shared events", "sparse, self-delays", "one delay"])
def test_spike_right_before_a_border_is_in_its_chunk(
    fast_backend, monkeypatch, name, way, precision
):
    """The interval from the last arrival to the border is rounded, to 24 bits in single."""
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", WAYS[way])
    net, stream = case(name) if name in CASES else (LOOPS[name](), random_stream(968, n_channels=5))
    stream, options = stream[0], {"backend": fast_backend, "precision": precision}
    spikes = next(iter(es.simulate(net, stream, **options).trains.values()))
    for time in spikes.times[:25]:
        border = np.nextafter(time, np.inf)
        events = stream.times < border
        first = es.EventStream(
            stream.times[events], stream.channels[events], [0, events.sum()],
            n_channels=stream.n_channels, duration=border,
        )  # fmt: skip
        tape, _ = es.simulate_chunk(net, first, **options)
        assert next(iter(tape.trains.values())).times[-1] == time


def test_no_spike_of_linear_neurons_right_before_a_border_is_lost():
    net, stream = random_network(np.random.default_rng(12))
    stream, state, begin, found = stream[:1], None, 0.0, 0
    whole = es.simulate(net, stream, tail=0.0, backend="cpu")
    spikes = np.concatenate([trains.times for trains in whole.trains.values()])
    for end in [*np.unique(np.nextafter(spikes, np.inf)), stream.duration[0]]:
        events = (stream.times >= begin) & (stream.times < end)
        chunk = es.EventStream(
            stream.times[events], stream.channels[events], [0, events.sum()],
            n_channels=stream.n_channels, duration=end,
        )  # fmt: skip
        tape, state = es.simulate_chunk(net, chunk, state, backend="cpu")
        begin, found = end, found + sum(map(len, tape.trains.values()))
    assert found == spikes.size > 100


@pytest.mark.parametrize("precision", ["single", "double"])
def test_no_spike_of_a_layer_of_linear_neurons_right_before_a_border_is_lost(
    fast_backend, precision
):
    """What is left from the last event of a neuron to the border is rounded."""
    net, options = es.Network(), {"backend": fast_backend, "precision": precision}
    net.add_input("input", 60)
    neuron = es.AdLIF(tau_mem=20.0, tau_syn=20.0, a=0.2, b=0.2)
    net.add_population("hidden", 1, neuron=neuron)
    net.connect("input", "hidden", np.linspace(3.0, 8.0, 60)[:, None])
    rng, n = np.random.default_rng(970), 300
    times, channels = rng.uniform(0.5, 4.0, n), rng.integers(0, 60, n)

    def until(duration, n_events):
        offsets = np.arange(n + 1) * n_events
        return es.EventStream(
            times[: n * n_events], channels[: n * n_events], offsets,
            n_channels=60, duration=duration,
        )  # fmt: skip

    whole = es.simulate_chunk(net, until(60.0, 1), **options)[0]["hidden"]
    assert (np.diff(whole.offsets) > 0).all()
    borders = np.nextafter(whole.times[whole.offsets[:-1]], np.inf)
    first, state = es.simulate_chunk(net, until(borders, 1), **options)
    second, _ = es.simulate_chunk(net, until(60.0, 0), state, **options)
    np.testing.assert_array_equal(np.diff(first["hidden"].offsets), 1)
    np.testing.assert_array_equal(np.diff(second["hidden"].offsets), np.diff(whole.offsets) - 1)


def test_event_on_a_border_belongs_to_the_later_chunk():
    stream = es.EventStream([5.0, 10.0, 20.0], [0, 1, 0], [0, 3], n_channels=2, duration=20.0)
    first, second = stream.chunks(10.0)
    assert first.times.tolist() == [5.0]
    assert second.times.tolist() == [10.0, 20.0]
    assert (first.duration.tolist(), second.duration.tolist()) == ([10.0], [20.0])


@pytest.mark.parametrize("name", ["sparse, self-delays", "one delay", "ring with self-delays"])
def test_sample_that_is_over_stays_over(fast_backend, name):
    net = case(name)[0] if name in CASES else LOOPS[name]()
    stream = random_stream(930, n_samples=4, n_channels=net.input.size, duration=30.0)
    longer = es.EventStream(
        stream.times, stream.channels, stream.offsets, n_channels=net.input.size,
        duration=stream.duration * [1.0, 1.0, 3.0, 1.0],
    )  # fmt: skip
    assert_chunks_equal_whole(net, longer, 8.0, backend=fast_backend)


def test_state_carries_no_more_than_what_is_still_needed():
    net, _ = case("sparse, self-delays")
    stream = random_stream(940, n_samples=1, n_channels=6, duration=600.0)
    sizes, state = [], None
    for chunk in stream.chunks(2.0):
        _, state = es.simulate_chunk(net, chunk, state)
        sizes.append(sum(map(len, state.before.spikes.values())))
    assert 0 < max(sizes) < 0.2 * stream.n_events


def later_tape():
    net, stream = case("shared events")
    return net, list(es.simulate_chunks(net, stream.chunks(20.0)))[1]


ASKED = {
    "backward": lambda net, tape: es.backward(
        net, tape, {"hidden1": np.ones(len(tape["hidden1"]))}
    ),
    "voltage": lambda net, tape: es.voltage(net, tape, "hidden1", 30.0),
    "current": lambda net, tape: es.current(net, tape, "hidden1", 30.0),
}


def test_integral_of_a_later_chunk_needs_what_came_before(tmp_path):
    net, tape = later_tape()
    assert np.isfinite(es.readout_integral(net, tape, "output")).all()
    tape.save(tmp_path / "tape.npz")
    with pytest.raises(ParameterError, match="Readout 'output': .* begins at 20 ms"):
        es.readout_integral(net, es.SpikeTape.load(tmp_path / "tape.npz"), "output")


@pytest.mark.parametrize("where", list(ASKED))
def test_tape_of_the_first_chunk_is_one_from_the_start(where):
    net, stream = case("shared events")
    tape, _ = es.simulate_chunk(net, next(stream.chunks(40.0)))
    ASKED[where](net, tape)


KINDS = {name: LOOPS[name] for name in ("dense, delays by source", "delays by synapse")} | {
    name: lambda name=name: case(name)[0] for name in ("shared events", "sparse, self-delays")
}


@pytest.mark.parametrize("name", list(KINDS))
def test_second_chunk_makes_no_tables(name, monkeypatch):
    net, made = KINDS[name](), []
    for maker in ("_neuron_table", "_row_weights"):
        monkeypatch.setattr(table, maker, _noted(getattr(table, maker), made))
    monkeypatch.setattr(es.Network, "check", _noted(es.Network.check, made))
    counts = []
    for _ in es.simulate_chunks(net, _input_of(net).chunks(6.0), backend="cpu"):
        counts.append(len(made))
    assert len(counts) > 4
    assert counts[-1] == counts[0]


def _noted(function, calls):
    def noted(*arguments):
        calls.append(function)
        return function(*arguments)

    return noted


def _input_of(net):
    return random_stream(969, n_samples=2, n_channels=net.input.size, duration=30.0)


@pytest.mark.parametrize("key", ["weights", "delays", "tau_mem", "refractory"])
@pytest.mark.parametrize("name", list(KINDS))
def test_values_changed_between_chunks_act_from_the_next_on(name, key):
    net = KINDS[name]()
    first, second, *_ = _input_of(net).chunks(15.0)
    before = net.copy()
    _, state = es.simulate_chunk(net, first, backend="cpu", precision="single")
    for number, values in enumerate(v for k, v in net.parameters().items() if k.endswith(key)):
        values *= 1.5 + 0.1 * number
        if key == "delays":
            values += 0.3
    found, expected, unchanged = (
        es.simulate_chunk(one, second, state, backend="cpu", precision="single")[0]
        for one in (net, net.copy(), before)
    )
    assert sum(map(len, found.trains.values())) > 3
    assert any(
        found[name].times.tolist() != trains.times.tolist()
        for name, trains in unchanged.trains.items()
    )
    for population, trains in expected.trains.items():
        np.testing.assert_array_equal(found[population].times, trains.times)
