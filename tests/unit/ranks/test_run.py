"""One process, and processes that are threads: spikes, counts and errors of simulate_ranks."""

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim import processors
from eventsim.engine.cpu import window_step
from eventsim.errors import (
    BackendError,
    PeerError,
    RunawayError,
    ShapeError,
)
from eventsim.network import uniform
from eventsim.ranks import RandomNetwork, simulate_ranks
from tests.support.nets import one_layer
from tests.support.processes import worlds_of_threads
from tests.unit.ranks.nets import CHANNELS, assert_same, balanced, distinct, noise, runaway

# In such short runs roundings have not grown.
TIME_ATOL = 1e-9

DELAYS = [1.5, uniform(0.5, 3.0)]


def small(*, delay=1.5):
    """Of three blocks of neurons."""
    net = RandomNetwork(seed=1)
    net.add_input("input", CHANNELS)
    net.add_population("exc", 64, threshold=4.0)
    net.add_population("inh", 32, threshold=4.0)
    for target in ("exc", "inh"):
        net.connect("input", target, 9.0, rule=distinct(8), delays=0.5)
        net.connect("exc", target, 2.0, rule=distinct(6), delays=delay)
        net.connect("inh", target, -6.0, rule=distinct(3), delays=delay)
    return net


def explicit(**self_delays):
    """Two populations in a loop and a third behind them, with self-connections of one."""
    rng, net = np.random.default_rng(5), es.Network()
    net.add_input("input", CHANNELS)
    for name, size in (("a", 40), ("b", 33), ("c", 10)):
        net.add_population(name, size, threshold=rng.uniform(1.0, 1.5, size), tau_syn=3.0)
    net.connect("input", "a", rng.uniform(0.4, 2.0, (CHANNELS, 40)), delays=0.0)
    net.connect("a", "b", rng.uniform(0.0, 1.0, (40, 33)), delays=rng.uniform(0.7, 2.0, (40, 33)))
    net.connect("b", "a", rng.uniform(-0.3, 0.0, (33, 40)), delays=rng.uniform(1.0, 2.0, 33))
    net.connect("b", "c", rng.uniform(0.0, 1.0, (33, 10)), delays=5.0)
    net.connect("a", "a", es.self_recurrent(rng.uniform(-9.0, 0.3, 40)), **self_delays)
    return net


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("precision", ["double", "single"])
def test_run_by_windows_has_the_spikes_and_counts_of_simulate(delay, precision):
    net, stream = balanced(delay=delay), noise()
    run = simulate_ranks(net, stream, precision=precision)
    tape = es.simulate(net.whole(), stream, backend="cpu", precision=precision)
    assert sum(len(trains) for trains in tape.trains.values()) > 300
    # Single precision rounds voltages to 1e-7 of the threshold, the queue in another order.
    assert_same(run.trains, tape.trains, atol=TIME_ATOL if precision == "double" else 1e-2)
    assert run.synaptic_events == tape.synaptic_events
    assert run.window == (1.5 if delay == 1.5 else 0.5)
    assert run.traffic.windows == 60.0 / run.window


def test_run_has_the_same_bits_on_any_number_of_threads(monkeypatch):
    # Else so few events are met on one thread.
    monkeypatch.setattr(window_step, "STEP_EVENTS", 10)
    found = []
    for n in (1, 3):
        before = processors.n_threads()
        processors.set_threads(n)
        found.append(simulate_ranks(balanced(), noise()).trains)
        processors.set_threads(before)
    assert_same(*found, atol=0.0)


def test_window_with_more_spikes_than_were_guessed_runs_again(monkeypatch):
    expected = simulate_ranks(balanced(), noise())
    monkeypatch.setattr(window_step, "guess_spikes", lambda *_: np.ones(1, np.int64))
    found = simulate_ranks(balanced(), noise())
    assert_same(found.trains, expected.trains, atol=0.0)


def test_neurons_that_all_share_their_time_constants_run_as_those_that_do_not():
    net = RandomNetwork(seed=2)
    net.add_input("input", CHANNELS)
    net.add_population("a", 300, threshold=4.0, refractory=3.0)
    net.connect("input", "a", 3.0, rule=distinct(20))
    net.connect("a", "a", uniform(-3.0, 3.0), rule=distinct(20), delays=1.0)
    assert net.outline().alike
    run = simulate_ranks(net, noise())
    tape = es.simulate(net.whole(), noise(), backend="cpu")
    assert len(tape["a"]) > 300
    assert_same(run.trains, tape.trains, atol=TIME_ATOL)


@pytest.mark.parametrize("self_delays", [{}, {"delays": 0.4}, {"delays": 7.0}])
def test_network_that_is_whole_runs_with_self_connections(self_delays):
    net, stream = explicit(**self_delays), noise(50.0)
    run = simulate_ranks(net, stream)
    assert run.window == min(net.projections["a->b"].delays.min(), self_delays.get("delays") or 9.0)
    tape = es.simulate(net, stream, backend="cpu")
    assert all(len(trains) > 20 for trains in tape.trains.values())
    assert_same(run.trains, tape.trains, atol=TIME_ATOL)
    assert run.synaptic_events == tape.synaptic_events


def test_network_without_synapses_between_neurons_runs_in_one_window():
    stream = noise()
    net = one_layer("a", np.full((CHANNELS, 40), 0.4), threshold=0.5)
    run = simulate_ranks(net, stream)
    assert (run.window, run.traffic.windows) == (np.inf, 1)
    assert_same(run.trains, es.simulate(net, stream, backend="cpu").trains, atol=TIME_ATOL)


def test_window_with_as_many_synapses_as_spikes_keeps_every_delay():
    # Each source has one synapse: an array of delays that could be one per source or per synapse.
    net, n = es.Network(), 32
    net.add_input("input", n)
    net.add_population("a", n, threshold=0.5, refractory=4.0)
    shifted = np.roll(np.eye(n), 1, axis=1)
    net.connect("input", "a", sp.csr_array(np.eye(n) * 9.0), delays=np.linspace(0.0, 1.0, n))
    net.connect("a", "a", sp.csr_array(shifted * 9.0), delays=np.linspace(1.0, 3.0, n))
    stream = es.EventStream.from_samples(
        [([1.0, 2.0, 2.5], [3, 7, 20])], n_channels=n, duration=40.0
    )
    run = simulate_ranks(net, stream)
    tape = es.simulate(net, stream, backend="cpu")
    assert len(tape["a"]) > 20
    assert_same(run.trains, tape.trains, atol=TIME_ATOL)


def test_stream_without_events_and_shorter_than_a_window_gives_no_spikes():
    for duration in (10.0, 0.1):
        stream = es.EventStream.from_samples([([], [])], n_channels=CHANNELS, duration=duration)
        run = simulate_ranks(balanced(), stream)
        assert all(len(trains) == 0 for trains in run.trains.values())
        assert set(run.synaptic_events.values()) == {0}


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("size", [2, 3])
def test_processes_have_the_bits_of_one(size, delay):
    net, stream = small(delay=delay), noise(20.0)
    alone = simulate_ranks(net, stream)

    def work(world):
        run = simulate_ranks(net, stream, world)
        return run, run.gather(world)

    outcomes = worlds_of_threads(size, work)
    for _, whole in outcomes:
        assert_same(whole, alone.trains, atol=0.0)
    runs = [run for run, _ in outcomes]
    for name, count in alone.synaptic_events.items():
        assert sum(run.synaptic_events[name] for run in runs) == count
    assert sum(run.n_neurons for run in runs) == alone.n_neurons
    assert sum(run.n_synapses for run in runs) == alone.n_synapses
    assert sum(len(t) for run in runs for t in run.trains.values()) == sum(
        len(t) for t in alone.trains.values()
    )
    for run in runs:
        traffic = run.traffic
        assert 0 < traffic.messages <= traffic.windows * (size - 1)
        assert traffic.bytes == 12 * traffic.spikes + 8 * (size - 1) * traffic.windows


def test_spikes_go_to_processes_with_targets_only():
    # Blocks of a belong to processes 0 and 1; all synapses of a are onto b, of process 0.
    net = one_layer("a", np.full((CHANNELS, 64), 0.4), threshold=0.5)
    net.add_population("b", 32, threshold=0.5)
    net.connect("a", "b", np.full((64, 32), 0.1), delays=1.0)

    def work(world):
        return simulate_ranks(net, noise(10.0), world)

    first, second = worlds_of_threads(2, work)
    assert first.traffic.spikes == 0
    assert second.traffic.spikes == len(second.trains["a"]) > 0


def test_neuron_that_runs_away_is_named_and_ends_the_others():
    def work(world):
        return simulate_ranks(runaway(), noise(10.0), world)

    first, second = worlds_of_threads(2, work)
    assert isinstance(second, RunawayError)
    assert (second.population, second.neuron) == ("wild", 5)
    assert isinstance(first, PeerError)
    assert "process 1 of 2 failed" in str(first)


def test_processes_with_other_networks_or_streams_refuse_to_run():
    for nets, streams in (
        ([balanced(seed=1), balanced(seed=2)], [noise()] * 2),
        ([balanced()] * 2, [noise(seed=1), noise(seed=2)]),
        ([balanced().whole(), balanced(seed=4).whole()], [noise()] * 2),
    ):

        def work(world, nets=nets, streams=streams):
            return simulate_ranks(nets[world.Get_rank()], streams[world.Get_rank()], world)

        for outcome in worlds_of_threads(2, work):
            assert isinstance(outcome, PeerError)
            assert "process 1 of 2 has another network, stream or option" in str(outcome)


def test_mistake_of_one_process_is_told_to_the_other():
    def work(world):
        channels = CHANNELS + world.Get_rank()
        stream = es.EventStream.from_samples([([], [])], n_channels=channels, duration=1.0)
        return simulate_ranks(balanced(), stream, world)

    first, second = worlds_of_threads(2, work)
    assert isinstance(second, ShapeError)
    assert isinstance(first, PeerError)
    assert "Process 1 of 2 failed with ShapeError" in str(first)


def test_backend_of_a_device_is_refused(host_cuda):
    with (
        es.engine.using_backend("cuda", host_cuda),
        pytest.raises(BackendError, match=r"computes on a device.*Pass backend='cpu'"),
    ):
        simulate_ranks(balanced(), noise(), backend="cuda")


def test_backend_that_does_not_go_window_by_window_is_refused():
    with pytest.raises(BackendError, match="'reference' runs no neurons window by .*'cpu'"):
        simulate_ranks(balanced(), noise(), backend="reference")
