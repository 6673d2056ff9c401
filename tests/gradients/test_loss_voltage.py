"""Voltages at chosen times and at their maximum: values and every gradient.

Values are held to the sum over all arrivals, maxima to a fine grid, gradients to finite
differences.
"""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.adjoint import VoltageSeed
from eventsim.adjoint.linear import neurons as linear
from eventsim.adjoint.linear.maximum import find_maximum
from eventsim.adjoint.linear.neurons import bare_neurons, silent_neurons, silent_parts
from eventsim.adjoint.linear.voltage import EngineProbe, VoltageProbe, readout_at, readout_maximum
from eventsim.train import NearMiss, SumOfLosses, VoltageCrossEntropy
from tests.support import compare
from tests.support.differences import Differences, assert_gradients_match
from tests.support.nets import lateral_net, one_layer, one_sample, random_net, random_stream

NETS = {
    "dense": lambda: random_net(81, delays="none", self_delays="none"),
    "equal time constants": lambda: random_net(82, delays="source", tau_ratio=1.0),
    "sparse": lambda: random_net(83, sparse=True, delays="scalar"),
    "delays by synapse": lambda: random_net(84, sparse=True, delays="synapse"),
    "dense delays by synapse": lambda: random_net(85, delays="synapse"),
    "loop": lambda: lateral_net(86),
}
ASKED = np.array([0.0, 4.0, 9.5, 31.0, 31.0, 60.0])
STREAM = random_stream(87, n_samples=3, duration=70.0)


def weights_of(n_rows, n):
    return np.random.default_rng(88).normal(size=(n_rows, n))


def loss_at_times(net, tape):
    neurons = silent_neurons(net, tape, "output")
    probe = VoltageProbe.at(neurons, np.tile(ASKED, (neurons.n_rows, 1)))
    by = weights_of(*probe.value.shape)
    return float((by * probe.value).sum()), {"output": VoltageSeed(probe, by)}


def loss_at_maximum(net, tape):
    probe = VoltageProbe.at_maximum(silent_neurons(net, tape, "output"))
    by = weights_of(*probe.value.shape)
    return float((by * probe.value).sum()), {"output": VoltageSeed(probe, by)}


@pytest.mark.parametrize("case", NETS)
def test_voltage_at_times_is_the_sum_over_all_arrivals(case):
    net = NETS[case]()
    tape = es.simulate(net, STREAM, backend="cpu")
    neurons = silent_neurons(net, tape, "output")
    found = VoltageProbe.at(neurons, np.tile(ASKED, (neurons.n_rows, 1))).value
    expected = es.voltage(net, tape, "output", ASKED)  # [samples, times, size]
    found = found.reshape(3, -1, ASKED.size).transpose(0, 2, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", NETS)
def test_maximum_is_that_of_a_fine_grid(case):
    net = NETS[case]()
    tape = es.simulate(net, STREAM, backend="cpu")
    found = find_maximum(silent_neurons(net, tape, "output"))
    for sample, end in enumerate(STREAM.duration):
        grid = np.linspace(0.0, end, 4001)
        best = es.voltage(net, tape, "output", grid)[sample].max(axis=0)
        mine = found.value.reshape(3, -1)[sample]
        # Of sums of some hundred terms; NumPy 1.26 rounds them in another order.
        assert (mine >= best - 1e-12 * (1.0 + np.abs(best))).all()
        assert (mine <= best + 2e-3).all()
    own = VoltageProbe.at(silent_neurons(net, tape, "output"), found.time[:, None]).value[:, 0]
    np.testing.assert_allclose(own, found.value, rtol=1e-12, atol=1e-12)


@pytest.mark.crossed(
    "seconds each; test_every_loss.py has gradients of voltages as well", test=0, all=1
)
@pytest.mark.parametrize("case", ["equal time constants", "delays by synapse", "loop"])
@pytest.mark.parametrize("loss", [loss_at_times, loss_at_maximum])
def test_gradients_match_finite_differences(case, loss):
    net = NETS[case]()
    tape = es.simulate(net, STREAM, backend="cpu")
    rows = Differences(net, STREAM, loss, backend="cpu", per_key=1).rows()
    assert_gradients_match(es.backward(net, tape, loss), rows, min_fraction=0.85)


def loss_at_peaks(net, tape):
    (probe,) = readout_maximum(net, tape, "output")
    by = weights_of(probe.neurons.n_rows, 1).reshape(probe.value.shape)
    return float((by * probe.value).sum()), {"output": VoltageSeed(probe, by)}


def assert_engine_agrees(net, stream):
    tape = es.simulate(net, stream, backend="cpu")
    (probe,) = readout_maximum(net, tape, "output")
    assert isinstance(probe, EngineProbe)
    expected = find_maximum(silent_neurons(net, tape, "output"))
    np.testing.assert_allclose(probe.value.ravel(), expected.value, rtol=1e-13, atol=1e-14)
    assert_same_gradients(net, tape, loss_at_peaks, loss_at_maximum)
    assert_engine_agrees_at(net, tape, asked_of(stream))


def asked_of(stream):
    """Times that are no events, that are, the start, and twice the end, [samples, asked]."""
    few = [
        np.unique(stream.sample(s)[0])[:: max(stream.n_events // 40, 1)] for s in range(len(stream))
    ]
    n = min(one.size for one in few)
    times = [
        np.sort([0.0, 0.3 * end, *one[:n], 0.31 * end, 0.9 * end, end, end])
        for one, end in zip(few, stream.duration, strict=True)
    ]
    return np.array(times)


def assert_engine_agrees_at(net, tape, times):
    (probe,) = readout_at(net, tape, "output", times)
    assert isinstance(probe, EngineProbe)
    rows = np.repeat(times, probe.value.shape[1], axis=0)
    other = VoltageProbe.at(silent_neurons(net, tape, "output"), rows)
    shape = probe.value.shape
    np.testing.assert_allclose(probe.value, other.value.reshape(shape), rtol=1e-12, atol=1e-13)
    by = weights_of(*other.value.shape)
    seeds = ({"output": VoltageSeed(one, by.reshape(one.value.shape))} for one in (probe, other))
    assert_same_gradients(net, tape, *seeds)


def assert_same_gradients(net, tape, one, other):
    mine, theirs = es.backward(net, tape, one), es.backward(net, tape, other)
    compare.assert_same_gradients(mine, theirs, rtol=1e-10, floor=1e-2)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("delays", ["none", "scalar", "source"])
def test_engine_finds_the_same_maxima_and_gradients(delays, ratio):
    for sparse in (False, True):
        net = random_net(90, delays=delays, tau_ratio=ratio, sparse=sparse)
        assert_engine_agrees(net, STREAM)


def test_engine_finds_the_same_maxima_where_there_is_hardly_anything():
    turned = one_readout([1.0, -3.0]), one_sample([1.0, 3.0], [0, 1], n_channels=2)
    falling = one_readout([-1.0], v_leak=0.25), one_sample([5.0, 8.0])
    rising = one_readout([1.0], tau_mem=50.0), one_sample([5.0], duration=9.0)
    empty = one_readout([1.0], v_leak=-0.5), one_sample([])
    late = one_readout([1.0]), one_sample([5.0], duration=5.0)
    for net, stream in (turned, falling, rising, empty, late):
        assert_engine_agrees(net, stream)


def long_stream(*, rounded):
    """More stretches than are kept at once, with a long silence; many events at one time."""
    rng = np.random.default_rng(93)
    times = np.concatenate([rng.uniform(0.0, 900.0, 9000), rng.uniform(1400.0, 1500.0, 300)])
    times = np.sort(np.round(times) if rounded else times)
    return one_sample(times, rng.integers(0, 3, times.size), n_channels=3, duration=1600.0)


@pytest.mark.parametrize("rounded", [False, True])
def test_engine_finds_the_same_maxima_of_many_events(rounded):
    weights = np.random.default_rng(94).normal(size=(3, 20))
    net = one_readout(weights, tau_mem=np.linspace(2.0, 60.0, 20), tau_syn=11.0)
    stream = long_stream(rounded=rounded)
    assert_engine_agrees(net, stream)
    double, single = (
        readout_maximum(net, es.simulate(net, stream, backend="cpu", precision=p), "output")[0]
        for p in ("double", "single")
    )
    largest = np.abs(double.value).max()
    np.testing.assert_allclose(single.value, double.value, rtol=0.0, atol=1e-5 * largest)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_maximum_at_several_events_moves_with_them_all(backend):
    rng = np.random.default_rng(7)
    times = np.sort(np.round(rng.uniform(0.0, 100.0, 1000)))
    # No maximum is at the end of the sample, where it would stay.
    stream = one_sample(times, rng.integers(0, 3, 1000), n_channels=3, duration=400.0)
    net = one_readout(rng.normal(size=(3, 40)), tau_mem=20.0, tau_syn=8.0)
    tape = es.simulate(net, stream, backend=backend)
    (probe,) = readout_maximum(net, tape, "output")
    g = es.backward(net, tape, {"output": VoltageSeed(probe, np.ones(probe.value.shape))})
    assert abs(g.input_times).max() > 1e-3
    assert abs(g.input_times.sum()) < 1e-12


def test_a_readout_beside_another_gets_its_own_maxima():
    net = random_net(91, delays="source")
    rng = np.random.default_rng(92)
    net.add_readout("other", 4, tau_mem=7.0)
    net.connect("hidden2", "other", rng.normal(size=(net.population("hidden2").size, 4)))
    assert_engine_agrees(net, STREAM)


def test_voltages_of_blocks_that_hear_different_events_get_the_same_gradients():
    net, rng = es.Network(), np.random.default_rng(95)
    net.add_input("input", 64)
    net.add_readout("output", 320, tau_mem=np.linspace(5.0, 40.0, 320), tau_syn=6.0)
    near = abs(np.arange(64)[:, None] * 5.0 - np.arange(320)) < 12.0
    net.connect("input", "output", scipy.sparse.csr_matrix(rng.normal(size=near.shape) * near))
    stream = random_stream(96, n_samples=3, n_channels=64, duration=70.0)
    tape = es.simulate(net, stream, backend="cpu")
    assert bare_neurons(net, tape, "output").job.stage.heard.shape[0] > 1
    assert_engine_agrees_at(net, tape, asked_of(stream))


def test_what_does_not_share_its_events_is_left_to_the_formulas(monkeypatch):
    monkeypatch.setattr("eventsim.plan.plan.LEAST_FILLED", 2.0)
    for case in ("sparse", "delays by synapse"):
        net = NETS[case]()
        (probe,) = readout_maximum(net, es.simulate(net, STREAM, backend="cpu"), "output")
        assert isinstance(probe, VoltageProbe)


@pytest.mark.thorough("holds 17 million voltages")
def test_a_voltage_has_the_same_bits_however_many_are_asked_for():
    net = one_readout([1.0])
    tape = es.simulate(net, one_sample([5.0]), backend="cpu", precision="single")
    times = np.zeros((1, 2**24 + 1))  # 17 million
    times[0, -1] = 9.0
    (alone,), (among,) = (readout_at(net, tape, "output", t) for t in (times[:, -1:], times))
    assert among.value[0, 0, -1] == alone.value[0, 0, 0]
    assert type(among) is type(alone)


def one_readout(weights, **parameters):
    weights = np.asarray(weights, dtype=float).reshape(len(weights), -1)
    return one_layer("output", weights, readout=True, **parameters)


@pytest.mark.parametrize(
    "delays", [0.0, [0.5, 1.0], [[0.5], [1.0]]], ids=["one", "source", "synapse"]
)
def test_maximum_turned_round_by_inhibition_moves_with_the_inhibiting_event(delays):
    net = one_readout([1.0, -3.0], delays=delays)
    times = np.array([1.0, 3.0]) - np.ravel(delays)
    stream = one_sample(times, [0, 1], n_channels=2)
    tape = es.simulate(net, stream, backend="cpu")
    found = find_maximum(silent_neurons(net, tape, "output"))
    assert found.time[0] == 3.0
    assert found.arrival[0] == 1
    g = es.backward(net, tape, loss_at_maximum)
    # A common delay moves both events, and nothing depends on it.
    keys = [key for key, values in net.parameters().items() if values.ndim]
    rows = Differences(net, stream, loss_at_maximum, backend="cpu").rows([*keys, "input_times"])
    assert_gradients_match(g, rows)
    slope = found.slope[0] * weights_of(1, 1)[0, 0]
    assert g.input_times == pytest.approx([-slope, slope])


def test_voltage_that_never_rises_is_largest_at_the_start():
    net, stream = one_readout([-1.0], v_leak=0.25), one_sample([5.0, 8.0])
    tape = es.simulate(net, stream, backend="cpu")
    found = find_maximum(silent_neurons(net, tape, "output"))
    assert (found.time[0], found.value[0], found.arrival[0]) == (0.0, 0.25, -1)
    assert es.backward(net, tape, loss_at_maximum)["input->output"].weights[0, 0] == 0.0


def test_voltage_that_still_rises_is_largest_at_the_end():
    net, stream = one_readout([1.0], tau_mem=50.0), one_sample([5.0], duration=9.0)
    found = find_maximum(silent_neurons(net, es.simulate(net, stream, backend="cpu"), "output"))
    assert (found.time[0], found.arrival[0]) == (9.0, -1)


def test_sample_without_events_has_its_resting_potential_everywhere():
    net, stream = one_readout([1.0], v_leak=-0.5), one_sample([])
    tape = es.simulate(net, stream, backend="cpu")
    neurons = silent_neurons(net, tape, "output")
    assert find_maximum(neurons).value.tolist() == [-0.5]
    np.testing.assert_array_equal(VoltageProbe.at(neurons, np.array([[1.0, 2.0]])).value, -0.5)
    assert np.isfinite(es.backward(net, tape, loss_at_maximum).flat()["output.tau_mem"]).all()


def test_maximum_of_a_spiking_neuron_that_stays_silent_lies_below_its_threshold():
    net = random_net(89, delays="source")
    net.populations["hidden2"].threshold[1:3] = 50.0
    tape = es.simulate(net, STREAM, backend="cpu")
    found = find_maximum(silent_neurons(net, tape, "hidden2", np.array([1, 2])))
    net.populations["hidden2"].threshold[1:3] = found.value.reshape(3, 2).max(axis=0) + 1e-9
    counts = es.simulate(net, STREAM, backend="cpu")["hidden2"].total_counts()
    assert counts[1:3].tolist() == [0, 0]
    net.populations["hidden2"].threshold[1:3] -= 2e-9
    counts = es.simulate(net, STREAM, backend="cpu")["hidden2"].total_counts()
    assert (counts[1:3] >= 1).all()


def test_parts_of_a_population_are_bounded_and_give_the_same_loss(monkeypatch):
    net = NETS["dense"]()
    net.populations["hidden1"].threshold[:4] = 30.0
    tape = es.simulate(net, STREAM, backend="cpu")
    loss = SumOfLosses(((1.0, VoltageCrossEntropy(np.array([0, 2, 1]))), (2.0, NearMiss(1.0))))
    whole = es.backward(net, tape, loss)
    monkeypatch.setattr(linear, "ARRIVALS_AT_ONCE", 500)
    sizes = [part.arrivals.time.size for part in silent_parts(net, tape, "output")]
    assert len(sizes) > 1
    assert max(sizes) <= 500
    parts = es.backward(net, tape, loss)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-12)
    compare.assert_same_gradients(parts, whole, rtol=1e-9)
