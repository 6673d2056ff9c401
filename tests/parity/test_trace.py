"""es.voltage and es.current against matrix exponentials."""

import tracemalloc

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.run.trace import MOST_AT_ONCE
from eventsim.errors import NetworkError
from tests.support import stepping
from tests.support.nets import (
    lateral_net,
    neuron_parameters,
    one_layer,
    one_neuron,
    one_sample,
    random_net,
    random_stream,
    ring_net,
)
from tests.support.tiers import beyond

NETS = {
    "dense, delays by synapse": lambda: random_net(1),
    "sparse, delays by synapse": lambda: random_net(2, sparse=True),
    "equal time constants": lambda: random_net(5, tau_ratio=1.0, delays="source"),
    "pacemakers": lambda: random_net(7, pacemakers=True),
    "loop": lambda: lateral_net(8),
    "ring with self-recurrence": lambda: ring_net(10),
    "no delays, instant self-jumps": lambda: random_net(3, delays="none", self_delays="none"),
    "sparse, one delay": lambda: random_net(4, sparse=True, delays="scalar", self_delays="scalar"),
    "nearly equal time constants": lambda: random_net(6, tau_ratio=1.0 + 1e-9),
    "dense loop without delays": lambda: lateral_net(9, delays="none", sparse=False),
}


def simulated(name, backend, **options):
    net = NETS[name]()
    stream = random_stream(20 + len(name), n_samples=2, duration=60.0)
    return net, es.simulate(net, stream, backend=backend, **options)


@pytest.mark.parametrize(
    "name",
    beyond(6, NETS, pytest.mark.thorough("half a second each; spikes and resets of all are below")),
)
def test_state_matches_matrix_exponentials(backend, name):
    net, tape = simulated(name, backend)
    spikes = [tape[population].times[:2] for population in net.spiking]
    events = tape.stream.times[:3]
    end = tape.stream.duration.min()
    some = np.random.default_rng(1).uniform(0.0, end, 6)
    times = np.concatenate([[0.0, 7.25, 44.0, end], some, events, *spikes])
    assert min(len(tape[population]) for population in net.spiking) > 20
    for population in net.neurons:
        actual = np.stack([f(net, tape, population, times) for f in (es.voltage, es.current)])
        for sample in range(2):
            for neuron in range(sample, net.populations[population].size, 2):
                wanted = stepping.state(net, tape, population, sample, neuron, times)
                np.testing.assert_allclose(
                    actual[:, sample, :, neuron], wanted, rtol=1e-10, atol=1e-11
                )


@pytest.mark.parametrize("name", list(NETS))
def test_left_limit_at_a_spike_is_the_threshold_and_its_value_the_reset(name):
    net, tape = simulated(name, "cpu")
    for population, p in net.spiking.items():
        for sample in range(2):
            spikes, neurons = tape[population].sample(sample)
            after = es.voltage(net, tape, population, spikes, samples=sample)[0]
            before = es.voltage(net, tape, population, spikes - 1e-9, samples=sample)[0]
            each = np.arange(spikes.size), neurons
            np.testing.assert_array_equal(after[each], (p.v_leak + (p.v_reset - p.v_leak))[neurons])
            np.testing.assert_allclose(before[each], p.threshold[neurons], rtol=0, atol=1e-7)


def test_tape_of_single_precision_reaches_its_thresholds(fast_backend):
    net, tape = simulated("dense, delays by synapse", fast_backend, precision="single")
    p, (spikes, neurons) = net.populations["hidden1"], tape["hidden1"].sample(0)
    before = es.voltage(net, tape, "hidden1", spikes - 1e-9, samples=0)[0]
    reached = before[np.arange(spikes.size), neurons]
    np.testing.assert_allclose(reached, p.threshold[neurons], rtol=0, atol=2e-5)


def test_current_holds_an_arrival_at_its_time_and_a_self_jump_at_the_spike():
    net = one_neuron(9.0, self_weight=2.5, tau_mem=12.0, tau_syn=6.0)
    tape = es.simulate(net, one_sample([2.0], duration=30.0), backend="cpu")
    spike = tape["hidden"].times[0]
    at = [np.nextafter(2.0, 0.0), 2.0, np.nextafter(spike, 0.0), spike]
    before, arrival, left, jumped = es.current(net, tape, "hidden", at)[0, :, 0]
    assert (before, arrival) == (0.0, 9.0)
    assert left == pytest.approx(9.0 * np.exp(-(spike - 2.0) / 6.0), rel=1e-12)
    assert jumped - left == pytest.approx(2.5, rel=1e-12)


def test_voltage_is_held_from_the_spike_to_the_end_of_the_refractory_time():
    net = one_neuron(40.0, v_reset=-0.25, refractory=3.0)
    tape = es.simulate(net, one_sample([1.0], duration=60.0), backend="cpu")
    spike = tape["hidden"].times[0]
    at = [spike, spike + 1.5, np.nextafter(spike + 3.0, 0.0), spike + 3.0, spike + 3.5]
    held = es.voltage(net, tape, "hidden", at)[0, :, 0]
    assert held[:4].tolist() == [-0.25] * 4
    assert held[4] > -0.25


def test_order_and_repetition_of_times_neurons_and_samples_are_kept():
    net, tape = simulated("dense, delays by synapse", "cpu")
    times = np.linspace(0.0, 45.0, 13)
    whole = es.voltage(net, tape, "hidden1", times)
    asked, neurons, samples = [7, 0, 0, 12], [4, 1, 4], [1, 0, 1]
    some = es.voltage(net, tape, "hidden1", times[asked], neurons=neurons, samples=samples)
    np.testing.assert_allclose(some, whole[np.ix_(samples, asked, neurons)], rtol=0, atol=1e-14)
    assert es.voltage(net, tape, "hidden1", 5.0, neurons=2, samples=0).shape == (1, 1, 1)
    assert es.voltage(net, tape, "hidden1", [], neurons=[], samples=[]).shape == (0, 0, 0)
    assert es.current(net, tape, "hidden1", []).shape == (2, 0, 6)


def test_blocks_of_any_size_give_the_same_values(monkeypatch):
    net, tape = simulated("pacemakers", "cpu")
    times = np.linspace(0.0, 45.0, 40)
    whole = es.voltage(net, tape, "hidden2", times), es.current(net, tape, "hidden2", times)
    for most in (1, 200, 1000):
        monkeypatch.setattr("eventsim.engine.run.trace.MOST_AT_ONCE", most)
        parts = es.voltage(net, tape, "hidden2", times), es.current(net, tape, "hidden2", times)
        np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-14)


def test_times_after_the_end_of_a_shorter_sample_are_nan():
    net, tape = simulated("dense, delays by synapse", "cpu")
    short, long = sorted(tape.stream.duration)
    found = es.voltage(net, tape, "output", [short, long])
    shorter = int(np.argmin(tape.stream.duration))
    assert np.isfinite(found[1 - shorter]).all()
    assert np.isfinite(found[shorter, 0]).all()
    assert np.isnan(found[shorter, 1]).all()


def test_network_or_population_on_no_projection_rests():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("alone", 2, v_leak=0.25)
    net.add_readout("output", 1, v_leak=-0.5)
    tape = es.simulate(net, one_sample([1.0]), backend="cpu")
    assert es.voltage(net, tape, "alone", [0.0, 50.0]).tolist() == [[[0.25, 0.25]] * 2]
    assert es.voltage(net, tape, "output", 50.0).tolist() == [[[-0.5]]]


def test_population_itself_is_taken_in_place_of_its_name():
    net, tape = simulated("dense, delays by synapse", "cpu")
    by_name = es.voltage(net, tape, "hidden1", 30.0)
    assert np.array_equal(es.voltage(net, tape, net.populations["hidden1"], 30.0), by_name)
    with pytest.raises(NetworkError, match="another network, or of a copy"):
        es.voltage(net.copy(), tape, net.populations["hidden1"], 30.0)


@pytest.mark.parametrize("ask", [es.voltage, es.current])
def test_the_end_of_the_longest_sample_can_be_asked(ask):
    net, tape = simulated("dense, delays by synapse", "cpu")
    assert ask(net, tape, "hidden1", tape.stream.duration.max()).shape == (2, 1, 6)


@pytest.mark.thorough("many arrivals")
def test_memory_in_passing_does_not_grow_with_arrivals():
    # 8 samples of 3,200 events, 200 neurons: 5 million arrivals, of 40 bytes each.
    rng = np.random.default_rng(3)
    net = one_layer("hidden", rng.normal(0.1, 0.3, (64, 200)), **neuron_parameters(rng, 200))
    stream = random_stream(4, n_samples=8, n_channels=64, duration=1000.0, rate=50.0)
    tape = es.simulate(net, stream, backend="cpu")
    tracemalloc.start()
    found = es.voltage(net, tape, "hidden", np.linspace(0.0, 800.0, 200))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stream.n_events * 200 > 4 * MOST_AT_ONCE
    assert peak < 6 * found.nbytes + 160 * MOST_AT_ONCE
