"""Gradients of the chunks of a stream add up to those of one run over it."""

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint import chunks as chunks_room
from eventsim.arrays import owners
from eventsim.engine import algorithm
from eventsim.engine.contract import linear
from eventsim.engine.cpu import linear_host
from tests.parity.test_chunks import CASES, LOOPS, WAYS, case
from tests.support.compare import assert_close_by_name
from tests.support.linear_neurons import dense_layer, dense_stream, random_loop, random_network
from tests.support.losses import Sums
from tests.support.nets import one_layer, random_stream


@pytest.fixture
def event_by_event(monkeypatch):
    monkeypatch.setattr(linear_host, "side_by_side", lambda *_: False)


def chunked(net, stream, length, loss, **options):
    """Gradients by key, those of the input's events in the stream's order, and the loss."""
    state, tapes = None, []
    for chunk in stream.chunks(length):
        tape, state = es.simulate_chunk(net, chunk, state, **options)
        tapes.append(tape)
    later, total, value, times = None, {}, 0.0, np.zeros(stream.n_events)
    sample = owners(stream.offsets, stream.n_events)
    for tape in reversed(tapes):
        found, later = es.backward_chunk(net, tape, loss, later)
        value += found.loss
        for key, values in found.values.items():
            total[key] = total.get(key, 0.0) + values
        mine = stream.times >= tape.begin[sample]
        mine &= stream.times < tape.stream.duration[sample]
        times[mine] = found.input_times
    assert all(values.size == 0 for values in later.spikes.values())
    return total, times, value


def assert_adds_up(net, stream, length, tolerance=1e-9, **options):
    loss = Sums(net, stream.n_samples)
    tape = es.simulate(net, stream, tail=0.0, **options)
    whole = es.backward(net, tape, loss)
    total, times, value = chunked(net, stream, length, loss, **options)
    assert sum(map(len, tape.trains.values())) > 5
    assert value == pytest.approx(whole.loss, rel=1e-5 if tolerance > 1e-6 else 1e-10)
    expected = whole.values | {"input": whole.input_times}
    assert_close_by_name(total | {"input": times}, expected, rtol=tolerance, floor=1e-3)


@pytest.mark.parametrize("length", [7.0, 33.3])
@pytest.mark.parametrize("name", list(CASES))
def test_gradients_of_chunks_add_up(fast_backend, name, length):
    net, stream = case(name)
    assert_adds_up(net, stream, length, backend=fast_backend)


@pytest.mark.parametrize("name", list(CASES))
def test_gradients_of_chunks_add_up_in_single_precision(fast_backend, name):
    net, stream = case(name)
    assert_adds_up(net, stream, 5.0, 2e-4, backend=fast_backend, precision="single")


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("name", list(LOOPS))
def test_gradients_of_chunks_of_a_loop_add_up(fast_backend, monkeypatch, name, way):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", WAYS[way])
    stream = random_stream(960, n_samples=2, n_channels=5, duration=60.0)
    assert_adds_up(LOOPS[name](), stream, 13.0, backend=fast_backend)


@pytest.mark.parametrize(
    ("length", "precision", "tolerance", "seeds"),
    [
        (0.9, "double", 1e-9, [0]),
        (17.0, "double", 1e-9, [1, 2, 3, 4]),
        (6.0, "single", 1e-4, [5, 6]),
    ],
)
def test_gradients_of_chunks_of_linear_neurons_add_up(
    event_by_event, length, precision, tolerance, seeds
):
    for seed in seeds:
        net, stream = random_network(np.random.default_rng(seed))
        assert_adds_up(net, stream, length, tolerance, backend="cpu", precision=precision)


@pytest.mark.parametrize("length", [0.75, 6.1])
def test_gradients_of_chunks_of_linear_neurons_by_windows_add_up(length, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    for seed, on_a_grid in ((1, False), (4, True), (8, False)):
        net, stream = random_loop(seed, on_a_grid=on_a_grid)
        assert_adds_up(net, stream, length, 1e-8, backend="cpu")


def test_gradients_of_chunks_of_a_layer_side_by_side_add_up_to_rounding():
    net, stream = dense_layer("adlif"), dense_stream()[1]
    net.add_readout("out", 3)
    net.connect("h", "out", np.random.default_rng(2).normal(size=(net.population("h").size, 3)))
    assert_adds_up(net, stream, 11.0, 1e-8, backend="cpu")


@pytest.mark.parametrize("name", ["delays by source", "sparse, self-delays"])
def test_chunks_shorter_than_delays_and_refractory_times(fast_backend, name):
    net, stream = case(name)
    for population in net.neurons.values():
        if population.is_spiking:
            population.refractory[:] *= 3.0
    assert_adds_up(net, stream[1], 0.8, backend=fast_backend)


@pytest.mark.parametrize("name", ["no delays", "delays by synapse", "ring with self-delays"])
def test_chunks_of_a_loop_shorter_than_its_delays(fast_backend, name):
    stream = random_stream(967, n_samples=1, n_channels=5, duration=24.0)
    assert_adds_up(LOOPS[name](), stream, 0.6, backend=fast_backend)


def test_samples_that_end_before_others_and_long_silences(fast_backend):
    net, _ = case("shared events")
    rng = np.random.default_rng(3)
    parts = [np.sort(np.r_[rng.uniform(0.0, 9.0, 40), rng.uniform(300.0, 310.0, 40)]), [], [1.0]]
    stream = es.EventStream(
        np.concatenate(parts), rng.integers(0, 6, 81), [0, 80, 80, 81], n_channels=6,
        duration=[400.0, 30.0, 5.0],
    )  # fmt: skip
    assert_adds_up(net, stream, 50.0, backend=fast_backend)


def test_a_readout_alone_with_equal_time_constants():
    weights = np.random.default_rng(1).normal(size=(6, 4))
    net = one_layer("output", weights, readout=True, tau_mem=10.0, tau_syn=10.0)
    stream = random_stream(12, n_samples=2, n_channels=6, duration=50.0)
    loss = Sums(net, 2)
    whole = es.backward(net, es.simulate(net, stream, backend="reference"), loss)
    total, times, value = chunked(net, stream, 8.0, loss, backend="cpu")
    assert value == pytest.approx(whole.loss, rel=1e-12)
    expected = whole.values | {"input": whole.input_times}
    assert_close_by_name(total | {"input": times}, expected, rtol=1e-9)


def count_runs(monkeypatch):
    """Begins of the chunks that :func:`eventsim.backward_chunks` runs forward, as they run."""
    runs, run = [], chunks_room.simulate_chunk

    def counted(net, chunk, state=None, **options):
        runs.append(0.0 if state is None else float(state.end.max()))
        return run(net, chunk, state, **options)

    monkeypatch.setattr(chunks_room, "simulate_chunk", counted)
    return runs


@pytest.mark.parametrize(("keep", "most"), [(2, 5), (3, 3), (16, 2)])
def test_checkpoints_give_the_same_with_fewer_states(monkeypatch, keep, most):
    net, stream = case("delays by source")
    loss, runs = Sums(net, stream.n_samples), count_runs(monkeypatch)
    chunks = list(stream.chunks(5.0))
    found = es.backward_chunks(net, chunks, loss, keep=keep, backend="cpu")
    whole = es.backward(net, es.simulate(net, stream, tail=0.0, backend="cpu"), loss)
    assert found.loss == pytest.approx(whole.loss, rel=1e-10)
    assert found.input_times.size == 0
    assert_close_by_name(found.values, whole.values, rtol=1e-7)
    assert max(runs.count(begin) for begin in set(runs)) <= most


@pytest.mark.parametrize("truncate", [False, True])
def test_tables_of_linear_neurons_are_made_for_all_chunks_at_once(monkeypatch, truncate):
    net, stream = dense_layer("adlif"), dense_stream()
    chunks, made = list(stream.chunks(300.0)), []

    def counted(name):
        make = getattr(linear, name)
        monkeypatch.setattr(linear, name, lambda *a, **k: (made.append(name), make(*a, **k))[1])

    counted("_linear_cells")
    counted("linear_back")
    es.backward_chunks(net, chunks, Sums(net, 2), truncate=truncate, backend="cpu")
    runs = 1 if truncate else 2  # forward from time zero
    assert len(chunks) > 4
    assert made.count("_linear_cells") == runs
    assert 1 <= made.count("linear_back") <= runs


def test_truncated_gradients_are_those_of_every_chunk_alone():
    net, stream = case("shared events")
    loss, chunks = Sums(net, stream.n_samples), list(stream.chunks(20.0))
    found = es.backward_chunks(net, chunks, loss, truncate=True, backend="cpu")
    each = [
        es.backward_chunk(net, tape, loss)[0]
        for tape in es.simulate_chunks(net, chunks, backend="cpu")
    ]
    total = {key: sum(one.values[key] for one in each) for key in found.values}
    assert_close_by_name(found.values, total, rtol=1e-12)
    exact = es.backward_chunks(net, chunks, loss, backend="cpu")
    assert not np.allclose(
        exact.values["input->hidden1.weights"], found.values["input->hidden1.weights"]
    )
