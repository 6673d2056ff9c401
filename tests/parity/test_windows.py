"""A loop by windows of its least delay gives the spikes that its queue gives, up to rounding.

How many parts run side by side changes no bit.
"""

from dataclasses import replace

import numpy as np
import pytest
import scipy

import eventsim as es
from eventsim.engine import algorithm, make_job
from eventsim.engine.algorithm import Algorithm, algorithm_by_windows, algorithm_of, least_delay
from eventsim.engine.contract import windowing
from eventsim.engine.cpu import layer, queue_host
from eventsim.errors import RunawayError
from eventsim.plan import make_plan
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import (
    ATOL,
    assert_same_bits,
    assert_same_trains,
)
from tests.support.nets import (
    large_net,
    lateral_net,
    one_layer,
    one_sample,
    random_stream,
    ring_net,
    shared_net,
    two_kinds_net,
    with_adaptation,
)

CASES = {
    "one delay": lambda: lateral_net(1102, delays="scalar"),
    "time constants by population": lambda: two_kinds_net(1101),
    "delays by source": lambda: lateral_net(1103, delays="source", sparse=False),
    "delays by synapse": lambda: lateral_net(1104, delays="synapse"),
    "ring with self-delays": lambda: ring_net(1106),
    "ring, self-jumps": lambda: ring_net(1107, self_delays="none"),
    "adaptive": lambda: adaptive(lateral_net(1108, delays="scalar")),
    "adaptive, delays by synapse": lambda: adaptive(lateral_net(1109, delays="synapse")),
    "adaptive ring, self-delays": lambda: adaptive(ring_net(1106)),
}


def adaptive(net):
    """The same network, whose thresholds adapt, quickly or slowly."""
    return with_adaptation(net, 1105, adaptation=(0.05, 0.5), tau=(2.0, 100.0))


def loop_job(net, stream, precision="double"):
    """The job of the first stage that is a loop."""
    plan, tape = make_plan(net), es.simulate(net, stream, backend="cpu", precision=precision)
    stage = next(stage for stage in plan.stages if stage.lateral)
    return make_job(plan, stage, replace(tape, trains={}))


def windows_for(job):
    """Windows, also where the queue would be taken."""
    return windowing.make_windows(job, least_delay(job.stage))


def by_windows(job, parts=1, **changed):
    prepared = queue_host.prepare(job)
    windows = replace(windows_for(job), **changed)
    return queue_host.by_windows(job, prepared, windows, parts)


def assert_windows_agree_with_queue(job, parts=(2, 3)):
    """Every neuron fires as often, at the same times up to rounding; parts change no bit."""
    expected, found = queue_host.by_queue(job, queue_host.prepare(job)), by_windows(job)
    assert_same_trains(found, expected, atol_ms=ATOL[job.precision])
    for n in parts:
        assert_same_bits(by_windows(job, n), found)
    return expected


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", list(CASES))
def test_windows_agree_with_the_queue(case, precision):
    stream = random_stream(1110, n_samples=2, n_channels=5, duration=60.0)
    assert len(assert_windows_agree_with_queue(loop_job(CASES[case](), stream, precision))) > 15


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("delays", [0.5, 7.0])
@pytest.mark.parametrize("least", [0.5, 2.0], ids=["stretches", "sums"])
@pytest.mark.parametrize("adapts", [False, True])
def test_windows_agree_with_the_queue_with_long_bundles(
    adapts, least, delays, precision, monkeypatch
):
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    duration = 25.0 if adapts else 80.0  # then roundings of single precision have grown
    stream = random_stream(1120, n_samples=2, n_channels=20, duration=duration)
    net = large_net(1121, delays=delays)
    job = loop_job(adaptive(net) if adapts else net, stream, precision)
    spikes = assert_windows_agree_with_queue(job, parts=(1, 3))
    assert len(spikes) > (300 if adapts else 1000)


@pytest.mark.parametrize("least", [0.5, 2.0], ids=["stretches", "sums"])
def test_chunks_of_adaptive_loops_have_the_bits_of_the_whole(least, monkeypatch):
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    net = adaptive(large_net(1122, delays=0.5))
    stream = random_stream(1123, n_samples=2, n_channels=20, duration=40.0)
    plan = make_plan(net)
    assert all(algorithm_of(s).by_windows for s in plan.stages if s.lateral)
    for precision in ("double", "single"):
        chunks = {"backend": "cpu", "precision": precision}
        assert assert_chunks_equal_whole(net, stream, 3.3, **chunks) > 200


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", ["one delay", "time constants by population"])
def test_windows_in_more_pieces_give_the_same_spikes(case, precision):
    stream = random_stream(1125, n_samples=2, n_channels=5, duration=60.0)
    job = loop_job(CASES[case](), stream, precision)
    least = windows_for(job).pieces
    few, many = (by_windows(job, pieces=n * least) for n in (1, 7))
    assert_same_trains(many, few, atol_ms=ATOL[precision])


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("refractory", [0.0, 2.5])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("adapts", [False, True])
def test_neurons_that_share_their_events_agree_with_the_queue(adapts, whole, refractory, precision):
    net = shared_net(1126, whole=whole, refractory=refractory)
    net = adaptive(net) if adapts else net
    # In single precision roundings have grown above the tolerance after 30 ms.
    duration = 60.0 if precision == "double" else 25.0
    stream = random_stream(1127, n_samples=2, n_channels=20, duration=duration, rate=150.0)
    job = loop_job(net, stream.round_times(0.25), precision)  # several arrivals at one time
    assert algorithm_by_windows(job.stage) is Algorithm.LOOP_STRETCHES
    assert (job.stage.places is None) == whole
    assert len(assert_windows_agree_with_queue(job)) > (500 if adapts else 1000)


@pytest.mark.parametrize(("share", "found"), [(0.6, True), (0.4, False)])
def test_neurons_go_by_stretches_where_half_of_their_synapses_are_there(share, found):
    stream = random_stream(1128, n_channels=20, duration=30.0, rate=150.0)
    job = loop_job(shared_net(1129, share=share), stream)
    assert job.stage.shares_events
    # The rows of the input are whole.
    assert (algorithm_by_windows(job.stage) is Algorithm.LOOP_STRETCHES) == found
    assert_windows_agree_with_queue(job)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_stretches_agree_with_sums(precision, monkeypatch):
    stream = random_stream(1133, n_samples=2, n_channels=20, duration=60.0, rate=400.0)
    job = loop_job(shared_net(1134, n=150, refractory=1.0), stream, precision)
    mine = by_windows(job)
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", 2.0)
    assert algorithm_by_windows(job.stage) is Algorithm.SUMS
    assert_same_trains(mine, by_windows(job), atol_ms=ATOL[precision])


@pytest.mark.parametrize("precision", ["double", "single"])
def test_neurons_that_meet_more_in_a_window_than_there_is_room_for(precision, monkeypatch):
    """Five meet 1,900 arrivals in a piece, and 60,000 in the first; they fire, and are held."""
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", 2.0)
    rng = np.random.default_rng(1131)
    net = es.Network()
    net.add_input("input", 50)
    net.add_population("hidden", 5, tau_mem=10.0, tau_syn=5.0, refractory=0.5)
    there = rng.uniform(size=(50, 5)) < 0.6
    net.connect("input", "hidden", scipy.sparse.csr_array(rng.normal(0.003, 0.02, (50, 5)) * there))
    net.connect("hidden", "hidden", rng.normal(0.0, 0.1, (5, 5)), delays=20.0)
    stream = random_stream(1132, n_samples=2, n_channels=50, duration=60.0, rate=20_000.0)
    job = loop_job(net, stream, precision)
    prepared = queue_host.prepare(job)
    held = 4 * 5 + 1024  # ROOM_PER_NEURON, ROOM_LEAST: kernels/cpu/loop/few.hpp
    assert (
        windowing.met_in_window(job.duration, prepared.arrivals, 20.0 / 2**windowing.MOST_HALVINGS)
        > held
    )
    assert len(assert_windows_agree_with_queue(job)) > 100


def test_parts_of_a_sample_run_together_when_a_stage_runs_first(monkeypatch):
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", 2.0)
    # A job as large as those of which some tasks are tried first.
    monkeypatch.setattr(layer, "SMALL_WORK", 0)
    stream = random_stream(1127, n_samples=3, n_channels=20, duration=60.0)
    job = loop_job(large_net(1128), stream)
    expected = by_windows(job)
    job.stage.seen.clear()
    assert_same_bits(by_windows(job, parts=3), expected)


@pytest.mark.parametrize("least", [0.5, 2.0], ids=["stretches", "sums"])
def test_arrivals_on_the_border_of_a_window_belong_to_the_next(least, monkeypatch):
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    n, delay = 40, 0.1
    times = np.arange(300) * delay  # as rounded as the borders are
    rng = np.random.default_rng(1130)
    net = one_layer("hidden", rng.normal(1.0, 0.5, (4, n)), delays=delay, tau_mem=10.0, tau_syn=5.0)
    net.connect("hidden", "hidden", rng.normal(0.0, 0.2, (n, n)), delays=delay)
    stream = one_sample(times, np.arange(300) % 4, n_channels=4, duration=float(times[-1] + delay))
    assert len(assert_windows_agree_with_queue(loop_job(net, stream))) > 100


def test_spikes_that_outgrow_the_buffer_of_one_part_are_all_found():
    net = es.Network()
    net.add_input("input", 1)
    leak = np.array([60.0, 0.0, 0.0, 60.0, 0.0, 0.0, 0.0, 0.0])
    net.add_population("fast", 8, tau_mem=10.0, tau_syn=5.0, v_leak=leak)
    net.connect("fast", "fast", np.full((8, 8), 0.02), delays=np.full((8, 8), 5.0))
    stream = es.EventStream([], [], [0, 0, 0], n_channels=1, duration=[120.0, 0.3])
    assert len(assert_windows_agree_with_queue(loop_job(net, stream))) > 1000


@pytest.mark.parametrize(("parts", "least"), [(1, 2.0), (2, 2.0), (1, 0.5)])
def test_a_loop_that_runs_away_names_the_neuron_in_windows_too(parts, least, monkeypatch):
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    net = one_layer("pair", np.array([[8.0, 0.0]]), tau_mem=10.0, tau_syn=5.0)
    net.connect("pair", "pair", np.array([[0.0, 4.0], [4.0, 0.0]]), delays=0.001)
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=3.0)
    job = loop_job(net, stream)
    net.projections["pair->pair"].values[...] = 4000.0
    job = make_job(make_plan(net), job.stage, es.SpikeTape(stream, {}, {}, "cpu", "double"))
    with pytest.raises(RunawayError) as caught:
        by_windows(job, parts)
    assert caught.value.population == "pair"
    assert caught.value.neuron in (0, 1)


@pytest.mark.parametrize(("parts", "least"), [(1, 2.0), (2, 2.0), (1, 0.5)])
def test_of_neurons_that_run_away_in_one_piece_the_first_is_named(parts, least, monkeypatch):
    """Three fire without end; the one of the highest number begins first, within one window."""
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    net = es.Network()
    net.add_input("input", 3)
    net.add_population("three", 3, tau_mem=10.0, tau_syn=5.0)
    net.connect("input", "three", scipy.sparse.csr_array(np.diag([1e6, 1e6, 1e6])))
    net.connect("three", "three", scipy.sparse.csr_array(np.full((3, 3), 1e-3)), delays=20.0)
    stream = es.EventStream([5.0, 6.0, 7.0], [2, 1, 0], [0, 3], n_channels=3, duration=18.0)
    quiet = es.EventStream([], [], [0, 0], n_channels=3, duration=18.0)
    job = loop_job(net, quiet)
    job = make_job(make_plan(net), job.stage, es.SpikeTape(stream, {}, {}, "cpu", "double"))
    with pytest.raises(RunawayError) as found:
        by_windows(job, parts)
    with pytest.raises(RunawayError) as expected:
        queue_host.by_queue(job, queue_host.prepare(job))
    assert found.value.neuron == expected.value.neuron == 2
    assert found.value.time == pytest.approx(expected.value.time, abs=1e-9)


@pytest.mark.parametrize(("delays", "way"), [(0.5, "by_windows"), (0.02, "by_queue")])
@pytest.mark.parametrize("rate", [2_000.0, 5.0])
def test_a_loop_goes_by_windows_where_its_synapses_and_least_delay_say_so(
    monkeypatch, delays, way, rate
):
    used = []
    for name in ("by_queue", "by_windows"):
        known = getattr(queue_host, name)
        monkeypatch.setattr(
            queue_host, name, lambda *a, name=name, known=known: used.append(name) or known(*a)
        )
    stream = random_stream(1140, n_samples=1, n_channels=20, duration=20.0, rate=rate)
    es.simulate(large_net(1141, delays=delays), stream, backend="cpu")
    assert used == [way]


def test_without_a_delay_there_are_no_windows():
    job = loop_job(lateral_net(1150, delays="none"), random_stream(1151, n_channels=5))
    assert least_delay(job.stage) == 0.0
    assert algorithm_of(job.stage) is Algorithm.QUEUE
    assert windowing.windows_of(job) is None
