"""Gradients of loops whose synapses have delays of their own, on ``cpu``."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint.backward import begin_backward
from eventsim.engine import algorithm
from eventsim.engine.cpu import queue_host
from tests.gradients.test_chunks import assert_adds_up
from tests.parity.test_flights import random_loop
from tests.support.compare import assert_close_by_name
from tests.support.losses import SpikeTimes
from tests.support.nets import with_adaptation


def loop(seed):
    """As random_loop; some with returns, some adaptive, some with synapses without a delay."""
    net, stream = random_loop(seed)
    rng = np.random.default_rng(1000 + seed)
    if seed % 3 == 0:
        projection = max(net.projections.values(), key=lambda p: p.delay_per_synapse)
        some = rng.random(projection.delays.shape) < 0.1
        projection.delays[some] = 0.0
        projection.values.reshape(-1)[some.reshape(-1)] *= 0.1
    if seed % 2 == 0:
        net.add_population("q", 3, tau_mem=12.0, tau_syn=3.0, refractory=2.0)
        returns = es.self_recurrent(rng.uniform(-0.4, 0.4, 3))
        net.connect("q", "q", returns, delays=rng.uniform(0.2, 3.0, 3))
        net.connect("input", "q", rng.normal(1.5, 1.0, (5, 3)))
        for source, target in (("q", "p0"), ("p0", "q")):
            shape = net.population(source).size, net.population(target).size
            delays = rng.uniform(0.3, 6.0, shape)
            net.connect(source, target, rng.normal(0.0, 0.5, shape), delays=delays)
    return (with_adaptation(net, seed) if seed % 4 == 1 else net), stream


def has_flights(net):
    """Whether some projection of the loop has delays by synapse."""
    return any(p.delay_per_synapse and p.source != "input" for p in net.projections.values())


def loops(seeds):
    """Those of the loops that have flights."""
    for seed in seeds:
        net, stream = loop(seed)
        if has_flights(net):
            yield seed, net, stream


def gradients(net, tape):
    """By all parameters, through spikes that each have a seed of their own, and grazes."""
    seeds = {name: np.cos(np.arange(len(tape[name]))) for name in tape.names}
    found = begin_backward(net, tape, seeds)
    return found.values | {"input times": found.input_times}, found.grazes


# Of the loops those that the definition walks in a second or two.
SMALL = (1, 2, 6, 7, 8, 9, 11, 12, 14, 21, 23, 24, 25, 27, 29)


@pytest.mark.parametrize("seeds", [SMALL[k::3] for k in range(3)], ids=str)
def test_gradients_are_those_of_the_definition(seeds):
    """Of the same spikes, in both precisions."""
    n_spikes = 0
    for seed, net, stream in loops(seeds):
        tape = es.simulate(net, stream, backend="cpu")
        expected, theirs = gradients(net, replace(tape, backend="reference"))
        for precision, rtol in (("double", 1e-9), ("single", 1e-4)):
            found, grazes = gradients(net, replace(tape, precision=precision))
            assert grazes == theirs, seed
            assert_close_by_name(found, expected, rtol=rtol, floor=0.1)
        n_spikes += sum(map(len, tape.trains.values()))
    assert n_spikes > 200


@pytest.mark.parametrize("share", [1e-3, 0.3, 1e3])
def test_gradients_do_not_depend_on_the_length_of_the_windows(share, monkeypatch):
    """From all that arrives in one window, met one by one, to few synapses in each."""
    n = 0
    for _, net, stream in loops(range(40, 60)):
        tape = es.simulate(net, stream, backend="cpu")
        expected, _ = gradients(net, tape)
        with monkeypatch.context() as changed:
            changed.setattr(queue_host, "WINDOWS_A_DELAY", share)
            assert_close_by_name(gradients(net, tape)[0], expected, rtol=1e-11)
        n += len(tape.names)
    assert n > 20


@pytest.mark.parametrize("seed", [3, 8, 12])
def test_gradients_are_those_of_differences(seed):
    net, stream = loop(seed)
    assert has_flights(net)
    loss = SpikeTimes(*net.populations.keys() - {"input"})
    check = es.gradcheck(net, stream, loss, backend="cpu", n_directions=1, step=1e-6)
    assert check.n_compared >= 5
    assert check.worst_relative_error < 1e-5


@pytest.mark.parametrize("share", [0.0, np.inf], ids=["windows", "queue"])
def test_gradients_of_chunks_add_up(share, monkeypatch):
    """Spikes of earlier chunks are in flight, and later ones ask for what they cause."""
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", share)
    n = 0
    for _, net, s in loops(range(60, 70)):
        stream = es.EventStream(s.times, s.channels, s.offsets, n_channels=5, duration=26.0)
        assert_adds_up(net, stream, 7.3, backend="cpu")
        n += 1
    assert n > 5


def test_samples_have_the_gradients_of_each_alone():
    n = 0
    for _, net, stream in loops(range(70, 76)):
        tape = es.simulate(net, stream, backend="cpu")
        seeds = {name: np.cos(np.arange(len(tape[name]))) for name in tape.names}
        whole, total = begin_backward(net, tape, seeds), {}
        for s in range(2):
            alone = es.simulate(net, stream[s], backend="cpu")
            mine = {
                name: values[slice(*tape[name].offsets[s : s + 2])]
                for name, values in seeds.items()
            }
            found = begin_backward(net, alone, mine)
            lo, hi = stream.offsets[s : s + 2]
            assert np.array_equal(found.input_times, whole.input_times[lo:hi])
            for key, values in found.values.items():
                total[key] = total.get(key, 0.0) + values
        assert_close_by_name(total, whole.values, rtol=1e-13)
        n += 1
    assert n > 3


def test_nothing_is_listed_by_synaptic_event():
    """Five times the events take no more memory on the way back, but for that of the spikes."""
    rng, n = np.random.default_rng(3), 60
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("a", n, tau_mem=10.0, tau_syn=2.0, refractory=2.0, v_leak=1.3)
    net.connect("input", "a", np.full((1, n), 0.1))
    weights, delays = rng.normal(0.0, 0.02, (n, n)), rng.uniform(0.5, 3.0, (n, n))
    net.connect("a", "a", weights, delays=delays, delays_of="synapse")
    peaks, events = [], []
    for duration in (100.0, 500.0):
        stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=duration)
        tape = es.simulate(net, stream, backend="cpu")
        gradients(net, tape)
        tracemalloc.start()
        gradients(net, tape)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        events.append(tape.synaptic_events["a->a"])
    assert events[1] - events[0] > 50_000
    assert peaks[1] - peaks[0] < 6 * (events[1] - events[0])
