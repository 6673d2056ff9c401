"""What a synapse takes in memory, and that saving it changes no bit."""

import itertools
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from bench.macro import large
from eventsim.engine import algorithm
from eventsim.engine.cpu import fanin, weights
from eventsim.engine.run.run import make_job
from eventsim.plan import make_plan
from tests.support.nets import random_net, random_stream

N_NEURONS, MS = 20_000, 20.0


# Shape of the network, and the type of its weights.
GROWN = [
    (shape, dtype) for shape in ("feedforward", "recurrent") for dtype in ("float64", "float32")
]


@pytest.fixture(scope="module", params=GROWN, ids=" ".join)
def grown(request):
    """A network of two million synapses."""
    shape, dtype = request.param
    return shape, dtype, large.network(shape, N_NEURONS, dtype=dtype)


# Bytes that were measured, and a fifth more. The network's 12 or 8 are in them, and what goes by
# neuron. The gradients of a run are by its precision.
MOST = {
    ("feedforward", "float64"): 19.3,
    ("recurrent", "float64"): 25.4,
    ("feedforward", "float32"): 13.4,
    ("recurrent", "float32"): 16.0,
}
MOST_BACK = {
    ("feedforward", "float64"): (31.2, 31.2),
    ("recurrent", "float64"): (32.4, 32.4),
    ("feedforward", "float32"): (16.0, 23.0),
    ("recurrent", "float32"): (16.0, 23.2),
}


def traced(call, n_synapses, held):
    """Bytes a synapse at the peak of a call, those of the network included; and its result."""
    tracemalloc.start()
    try:
        result = call()
        return tracemalloc.get_traced_memory()[1] / n_synapses + held, result
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("precision", ["double", "single"])
def test_bytes_a_synapse_at_the_peak_of_a_run_and_of_gradients(grown, precision):
    shape, dtype, made = grown
    net = made.copy()
    stream = large.events(shape, net, MS)
    n_synapses = sum(p.values.size for p in net.projections.values())
    assert n_synapses > fanin.GROUPED_FROM
    seed = lambda tape: es.SpikeSeed(time=np.ones(len(tape["neurons"])))  # noqa: E731
    other = made.copy()  # what is loaded and made once is not traced
    tape = es.simulate(other, stream, backend="cpu", precision=precision)
    es.backward(other, tape, {"neurons": seed(tape)})
    held = 4.0 + np.dtype(dtype).itemsize
    peak, tape = traced(
        lambda: es.simulate(net, stream, backend="cpu", precision=precision), n_synapses, held
    )
    assert held < peak <= MOST[shape, dtype]
    peak, _ = traced(lambda: es.backward(net, tape, {"neurons": seed(tape)}), n_synapses, held)
    assert held < peak <= MOST_BACK[shape, dtype][precision == "double"]


@pytest.mark.parametrize(("dtype", "most"), [("float64", 28.5), ("float32", 19.5)])
def test_bytes_a_synapse_of_a_dense_loop(dtype, most):
    """Weight, weight times resistance, target and row; of float64 weights a copy, and neurons."""
    n, rng = 1000, np.random.default_rng(0)
    net = es.Network(weight_dtype=dtype)
    net.add_input("input", 20)
    net.add_population("neurons", n, tau_mem=20.0, tau_syn=5.0)
    net.connect("input", "neurons", rng.normal(1.0, 1.0, (20, n)))
    net.connect("neurons", "neurons", rng.normal(0.0, 0.02, (n, n)), delays=1.5)
    events = np.sort(rng.uniform(0.0, 20.0, 100)), rng.integers(0, 20, 100)
    stream = es.EventStream.from_samples([events], n_channels=20, duration=20.0)
    options = {"backend": "cpu", "precision": "single"}
    es.simulate(net.copy(), stream, **options)  # what is loaded and made once is not traced
    held = float(np.dtype(dtype).itemsize)
    peak, tape = traced(lambda: es.simulate(net, stream, **options), 1.02 * n * n, held)
    assert tape.algorithms == {"neurons": "windows, stretches"}
    assert len(tape["neurons"]) > 100
    assert held < peak <= most


@pytest.mark.parametrize("delays", ["scalar", "source", "synapse"])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_layer_in_groups_of_neurons_has_the_spikes_of_the_whole(monkeypatch, precision, delays):
    net = random_net(4, hidden=(70, 5), sparse=True, delays=delays)
    stream = random_stream(4)
    whole, gradients = run_and_back(net, stream, precision)
    monkeypatch.setattr(fanin, "GROUPED_FROM", 0)
    grouped, found = run_and_back(net, stream, precision)
    assert_same_spikes(whole, grouped)
    rounding = 1e-11 if precision == "double" else 1e-3  # of times, which are added up by group
    for name, expected in gradients.values.items():
        scale = np.abs(expected).max()
        assert np.allclose(found.values[name], expected, rtol=0.0, atol=rounding * scale), name


@pytest.mark.parametrize("way", ["queue", "windows"])
@pytest.mark.parametrize("apart", [False, True], ids=["one delay", "delays by synapse"])
def test_weights_of_a_loop_read_where_they_are_give_the_bits_of_copies(monkeypatch, way, apart):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", {"queue": np.inf, "windows": 0.0}[way])
    net = ring(apart)
    stream = random_stream(4, duration=60.0)
    job = make_job(make_plan(net), make_plan(net).stages[0], es.simulate(net, stream))
    copied, gradients = run_and_back(net, stream, "single")
    assert_parts(replace(job, precision="single"), np.float32, 1)
    monkeypatch.setattr(weights, "IN_PLACE_FROM", 0)
    read, found = run_and_back(net, stream, "single")
    assert_parts(replace(job, precision="single"), np.float64, 5)
    assert_same_spikes(copied, read)
    for name, expected in gradients.values.items():
        assert np.array_equal(found.values[name], expected), name


@pytest.mark.parametrize("resistance", [1.0, 2.5])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_weights_that_are_all_the_same_are_one_part_and_give_the_bits_of_others(
    monkeypatch, precision, resistance
):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    monkeypatch.setattr(weights, "LOOKED_FROM", 0.0)
    net, stream = ring(False, resistance, same=("input b", "a b")), random_stream(4, duration=60.0)
    one, gradients = run_and_back(net, stream, precision)
    job = make_job(make_plan(net), make_plan(net).stages[0], one)
    addresses, _ = weights.synapse_weights(replace(job, precision=precision))
    same = [np.unique(p.values).size == 1 for p in job.stage.projections]
    assert sum(same) == 2
    starts = job.stage.wiring.synapse_start.tolist()
    apart = {(a, b) for a, b, s in zip(starts, starts[1:], same, strict=False) if s}
    first, _, flags = addresses.tolist()
    found = zip(first, first[1:], flags, strict=False)
    assert {(a, b) for a, b, s in found if s} == apart
    monkeypatch.setattr(weights, "_all_same", lambda values: False)
    read, expected = run_and_back(net, stream, precision)
    assert_same_spikes(read, one)
    for name, values in expected.values.items():
        assert np.array_equal(gradients.values[name], values), name


@pytest.mark.parametrize(
    ("ms", "chunk", "looks"), [(100.0, None, False), (200.0, None, True), (100.0, 20.0, True)]
)
def test_weights_are_looked_at_once_in_long_runs_and_in_those_by_chunks(
    ms, chunk, looks, monkeypatch
):
    seen, all_same = [], weights._all_same
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    monkeypatch.setattr(weights, "_all_same", lambda values: seen.append(1) or all_same(values))
    net, stream = ring(False, same=("a b",)), random_stream(4, n_samples=1, duration=ms)
    if chunk is None:
        es.simulate(net, stream, backend="cpu")
    else:
        list(es.simulate_chunks(net, stream.chunks(chunk), backend="cpu"))
    assert len(seen) == (len(net.projections) if looks else 0)


def test_a_weight_that_is_no_number_or_differs_late_is_not_the_same():
    values = np.ones(weights.FEW + 2)
    assert weights._all_same(values)
    values[-1] = 2.0
    assert not weights._all_same(values)
    assert not weights._all_same(np.full(3, np.nan))
    assert not weights._all_same(np.zeros(0))


def ring(apart, resistance=1.0, same=()):
    """Two populations in a loop, with five projections, of one weight each where they are named."""
    rng = np.random.default_rng(5)
    net = es.Network()
    net.add_input("input", 5)
    sizes = {"a": 40, "b": 30}
    for name, size in sizes.items():
        tau_mem = rng.uniform(8.0, 20.0, size)
        net.add_population(name, size, tau_mem=tau_mem, tau_syn=4.0, resistance=resistance)
        weight = rng.normal(2.0, 1.0, (5, size))
        if f"input {name}" in same:
            weight[...] = 2.0
        net.connect("input", name, weight, delays=1.0)
    for source, target in (("a", "b"), ("b", "a"), ("a", "a")):
        wires = sp.random_array((sizes[source], sizes[target]), density=0.3, rng=rng, format="csr")
        wires.data = rng.normal(0.1, 0.4, wires.nnz)
        delays = rng.uniform(0.5, 3.0, wires.nnz) if apart else 1.5
        if f"{source} {target}" in same:
            wires.data[...] = -0.1
        net.connect(source, target, wires, delays=delays)
    return net


def assert_parts(job, kind, n_parts):
    """Of how many arrays of which type the weights of a stage are read, and that they are right."""
    addresses, arrays = weights.synapse_weights(job)
    assert [values.dtype for values in arrays] == [kind] * n_parts
    assert addresses.shape == (3, n_parts + 1)
    assert not addresses[2].any()
    assert np.allclose(np.concatenate(arrays), job.weights(), rtol=1e-6)


def run_and_back(net, stream, precision):
    """The tape, and the gradients of the sum of all spike times."""
    tape = es.simulate(net, stream, backend="cpu", precision=precision)
    seeds = {name: es.SpikeSeed(time=np.ones(len(tape[name]))) for name in tape.names}
    return tape, es.backward(net, tape, seeds)


def assert_same_spikes(expected, found):
    for name in expected.names:
        assert len(expected[name])
        assert np.array_equal(expected[name].times, found[name].times)
        assert np.array_equal(expected[name].neurons, found[name].neurons)
        assert np.array_equal(expected[name].offsets, found[name].offsets)


@pytest.mark.parametrize(
    ("precision", "run", "back"), [("single", 29.5, 55.0), ("double", 34.0, 68.0)]
)
def test_bytes_a_synapse_of_a_loop_with_delays_by_synapse(precision, run, back):
    """12 of the network, 12 or 16 of tiles, 2 of places in them; a tenth is not used, or by neuron.

    Of gradients 24 or 32 are here and there for a while: by weight and delay in tiles, and in the
    order of the network.
    """
    net = es.Network(weight_dtype=np.float32, delay_dtype=np.float32)
    net.add_input("input", 100)
    for name in ("a", "b"):  # of the second the targets are shifted
        net.add_population(name, 5_000, tau_mem=10.0, tau_syn=2.0, resistance=0.5, v_leak=0.8)
        net.connect("input", name, es.normal(0.5, 0.1), rule=es.fixed_indegree(2))
    delays = es.normal(1.5, 0.75, least=0.1)
    for source, target in itertools.product("ab", "ab"):
        rule = es.fixed_indegree(100)
        net.connect(source, target, es.normal(0.0, 0.02), rule=rule, delays=delays)
    stream = random_stream(7, n_samples=1, n_channels=100, duration=20.0, rate=100.0)
    n_synapses = sum(p.values.size for p in net.projections.values())
    other = net.copy()  # what is loaded and made once is not traced
    seed = lambda tape: {"a": es.SpikeSeed(time=np.ones(len(tape["a"])))}  # noqa: E731
    options = {"backend": "cpu", "precision": precision}
    tape = es.simulate(other, stream, **options)
    es.backward(other, tape, seed(tape))
    tracemalloc.start()
    try:
        tape = es.simulate(net, stream, **options)
        peaks = [tracemalloc.get_traced_memory()[1]]
        tracemalloc.reset_peak()
        es.backward(net, tape, seed(tape))
        peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert tape.algorithms == {"a+b": "windows, sums"}
    assert len(tape["a"]) > 200
    peak_of_run, peak = 12.0 + np.array(peaks) / n_synapses
    assert 26.0 < peak_of_run <= run
    assert peak_of_run < peak <= back
    assert "target" not in vars(make_plan(net).stages[0].wiring)
