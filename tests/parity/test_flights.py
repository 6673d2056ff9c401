"""Spikes in flight: loops whose synapses have delays of their own, on ``cpu``."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm, make_job
from eventsim.engine.contract import loop_state
from eventsim.engine.cpu import flights, queue_host
from eventsim.events.source import source_of
from eventsim.plan import make_plan
from tests.support.compare import assert_same_bits
from tests.support.nets import lateral_net, one_sample, random_stream


def loop_job(net, stream, precision="double"):
    """The job of the loop of a network, fed by the input alone."""
    plan = make_plan(net)
    stage = next(stage for stage in plan.stages if stage.lateral)
    return make_job(plan, stage, es.SpikeTape(stream, {}, {}, "cpu", precision))


def volley(delays):
    """Sources that fire at one time reach all targets after about 8 ms; ``delays`` [12, 40]."""
    rng = np.random.default_rng(41)
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("a", 12, tau_mem=10.0, tau_syn=5.0)
    net.add_population("b", 40, tau_mem=10.0, tau_syn=5.0)
    net.connect("input", "a", np.full((1, 12), 6.0))
    net.connect("a", "b", rng.uniform(0.0, 1.0, (12, 40)), delays=delays, delays_of="synapse")
    net.connect("b", "a", np.full((40, 12), 0.01), delays=0.01)
    return net


def test_delays_that_end_at_one_time_as_it_is_rounded_give_the_bits_of_equal_ones():
    """All that arrives at one time is met by the numbers of the synapses, whatever the delays."""
    stream = one_sample([64.0, 80.0], duration=120.0)
    rng = np.random.default_rng(42)
    # Each a few units in the last place behind 8, of which there are eight to one of 70.
    apart = 8.0 * (1.0 + rng.integers(0, 4, (12, 40)) * 2.0**-52)
    assert len(np.unique(apart)) == 4
    assert (71.0 + apart == 79.0).all()
    expected, found = (
        queue_host.by_queue(job, queue_host.prepare(job))
        for job in (loop_job(volley(delays), stream) for delays in (np.full((12, 40), 8.0), apart))
    )
    assert len(np.unique(expected.neurons)) == 52
    assert_same_bits(found, expected)


def test_synapses_of_every_neuron_are_in_order_of_delay_and_number():
    net = lateral_net(43, size=30, gain=0.4)
    rng = np.random.default_rng(44)
    for projection in net.projections.values():
        if projection.delay_per_synapse:  # some equal, one far apart from all others
            projection.delays[...] = rng.integers(1, 9, projection.delays.shape) * 0.25
            projection.delays.reshape(-1)[::50] = 1e4
    job = loop_job(net, random_stream(45, n_channels=5))
    found, stage = flights.flights_of(job), job.stage
    n_rows, delay = stage.wiring.out_start.size - 1, job.delays()
    row = np.repeat(np.arange(n_rows), np.diff(stage.wiring.out_start))
    sender = np.full(n_rows, -1)
    for k, projection in enumerate(stage.projections):
        if k >= len(stage.afferents) and projection.delay_per_synapse:
            low, high = stage.wiring.row_start[k : k + 2]
            sender[low:high] = stage.start_of(projection.source) + np.arange(high - low)
    mine = np.flatnonzero(sender[row] >= 0)
    order = mine[np.lexsort((mine, delay[mine], sender[row[mine]]))]
    assert order.size > 500
    assert np.array_equal(found.synapse, order)
    assert np.array_equal(found.delay, delay[order])
    assert np.array_equal(np.diff(found.start), np.bincount(sender[row[mine]], minlength=60))


@pytest.mark.parametrize("precision", ["double", "single"])
def test_what_is_under_way_at_the_end_of_a_chunk_is_kept_by_spike(precision):
    """A state lists no synapse of a flight, and a spike only as long as some are to be met."""
    net, stream = lateral_net(46, size=12), random_stream(47, n_channels=5, duration=40.0)
    job = loop_job(net, stream, precision)
    state = loop_state.start_loop(job)
    whole = queue_host.forward(job)
    trains, state = queue_host.resume(job, state)
    assert_same_bits(trains, whole)
    assert len(whole) > 20
    assert state.pending.time.size == 0
    longest = max(p.delays.max() for p in job.stage.lateral)
    assert 0 < state.sent.times.size < len(whole)
    window = algorithm.least_delay(job.stage)
    assert (state.sent.times + longest >= job.duration[state.sent.sample] - window).all()


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("way", ["queue", "windows"])
def test_arrivals_on_the_border_of_a_chunk_belong_to_the_later_one(way, precision, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", {"queue": np.inf, "windows": 0.0}[way])
    net = lateral_net(48, size=12)
    for projection in net.projections.values():
        projection.delays[...] += 0.5
    stream = random_stream(49, n_samples=1, n_channels=5, duration=40.0)
    whole = es.simulate(net, stream, backend="cpu", precision=precision)
    assert ("queue" in whole.algorithms.values()) == (way == "queue")
    into = net.projections["a->b"]
    first = into.first_synapses()
    times, neurons, _, _ = source_of(whole["a"])
    spikes = np.flatnonzero(times > 20.0)[::7]
    borders = [
        times[k] + into.delays[(first[neurons[k]] + first[neurons[k] + 1]) // 2] for k in spikes
    ]
    assert len(borders) > 3
    for border in borders:
        parts = list(
            es.simulate_chunks(net, stream.chunks(border), backend="cpu", precision=precision)
        )
        for name, trains in whole.trains.items():
            joined = np.concatenate([part[name].times for part in parts])
            assert np.array_equal(joined, trains.times), (border, name)
