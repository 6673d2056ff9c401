"""Spikes in flight: loops whose synapses have delays of their own, on ``cpu``."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import eventsim as es
from eventsim.engine import algorithm, make_job
from eventsim.engine.contract import loop_state, windowing
from eventsim.engine.cpu import flights, queue_host, window_host
from eventsim.events.source import source_of
from eventsim.plan import make_plan
from tests.support.compare import (
    ATOL,
    assert_same_bits,
    assert_same_spikes,
    assert_same_trains,
    trains,
)
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
    apart = [p for p in net.projections.values() if p.delay_per_synapse]
    assert len(apart) > 2
    for k, projection in enumerate(apart):
        delays, shape = projection.delays, projection.delays.shape
        if k % 2:  # some lie near to each other, in any order
            delays[...] = rng.uniform(1.0, 2.0, shape)
        else:  # some equal, one far apart from all others
            delays[...] = rng.integers(1, 9, shape) * 0.25
            delays.reshape(-1)[::50] = 1e4
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


def random_loop(seed):
    """Up to three populations that send to each other, most with delays by synapse; two samples."""
    rng = np.random.default_rng(seed)
    n, names = int(rng.integers(3, 40)), [f"p{k}" for k in range(rng.integers(1, 4))]
    net, alike = es.Network(), rng.random() < 0.5  # all neurons have the same time constants
    net.add_input("input", 5)
    tau = rng.uniform(8, 20), rng.uniform(2, 7)
    for name in names:
        mem, syn = tau if alike else (rng.uniform(8, 20, n), rng.uniform(2, 7, n))
        net.add_population(
            name, n, tau_mem=mem, tau_syn=syn, refractory=rng.choice([0.0, 1.0, 6.0]),
            resistance=rng.choice([1.0, 0.5]),
        )  # fmt: skip
        net.connect("input", name, rng.normal(1.5, 1.5, (5, n)))
    on_grid, least = rng.random() < 0.5, rng.choice([0.05, 0.5, 2.0])
    spread = rng.choice([0.0, 1.0, 8.0, 40.0])

    def lags(shape):
        more = rng.uniform(0.0, spread, shape)
        return least + (np.round(4 * more) / 4 if on_grid else more)

    for source in names:
        for target in names:
            weights = rng.normal(0.02, 0.6, (n, n))
            if (kind := rng.integers(4)) == 0 and len(names) > 1:
                net.connect(source, target, weights, delays=float(lags(())))
            elif kind == 1:
                net.connect(source, target, weights, delays=lags((n, n)), delays_of="synapse")
            else:
                some = csr_array(weights * (rng.random((n, n)) < 0.4))
                net.connect(source, target, some, delays=lags(some.nnz), delays_of="synapse")
    samples = []
    for _ in range(2):
        times = np.sort(rng.uniform(0.0, 25.0, rng.integers(10, 60)))
        times = np.round(4 * times) / 4 if on_grid else times
        samples.append((times, rng.integers(0, 5, times.size)))
    return net, es.EventStream.from_samples(samples, n_channels=5, duration=25.0)


def runs_of(seeds, precision):
    """Loops by windows that have flights; what the queue finds and windows in one part."""
    for seed in seeds:
        net, stream = random_loop(seed)
        job = loop_job(net, stream, precision)
        if not any(p.delay_per_synapse for p in job.stage.lateral):
            continue
        expected = queue_host.by_queue(job, queue_host.prepare(job))
        yield net, stream, job, expected, by_windows(job)


def by_windows(job, parts=1):
    windows = windowing.make_windows(job, algorithm.least_delay(job.stage))
    return queue_host.by_windows(job, queue_host.prepare(job), windows, parts)


@pytest.mark.parametrize("seeds", [range(k, k + 15) for k in range(0, 60, 15)], ids=str)
def test_windows_have_the_spikes_of_the_queue_in_any_parts(seeds, monkeypatch):
    """As powers, or as the responses where all time constants are equal."""
    monkeypatch.setattr(window_host, "BLOCK", 64)
    widths, n_spikes = set(), 0
    for _, _, job, expected, found in runs_of(seeds, "double"):
        widths.add(windowing.make_windows(job, algorithm.least_delay(job.stage)).width)
        n_spikes += assert_same_trains(found, expected, atol_ms=ATOL["double"])
        for parts in (2, 3):
            assert_same_bits(by_windows(job, parts), found)
    assert widths == {4, 16}
    assert n_spikes > 1000


def silent_targets(rng, equal):
    """Three neurons that fire send flights, for windows of nearly 1 / b, to twenty that do not."""
    size, net = 20, es.Network()
    tau = (6.0, 2.0) if equal else (rng.uniform(4.0, 8.0, size), rng.uniform(2.0, 3.0, size))
    net.add_input("input", 1)
    net.add_population("a", 3, tau_mem=6.0, tau_syn=2.0)
    net.add_population("b", size, tau_mem=tau[0], tau_syn=tau[1], threshold=1e3)
    net.connect("input", "a", np.full((1, 3), 9.0))
    lags, weights = rng.uniform(1.98, 12.0, (3, size)), rng.uniform(-1.0, 1.0, (3, size))
    lags[0, 0] = 1.98
    net.connect("a", "b", weights, delays=lags, delays_of="synapse")
    net.connect("b", "a", np.full((size, 3), 0.01), delays=2.0)
    return net


@pytest.mark.parametrize(("precision", "error"), [("double", 5e-15), ("single", 2e-6)])
@pytest.mark.parametrize("equal", [True, False], ids=["responses", "powers"])
def test_sums_of_flights_are_exact_to_rounding_in_the_longest_windows(precision, error, equal):
    """V and J against the closed form: spikes alone do not show the last power of a series."""
    for seed in range(3):
        net = silent_targets(np.random.default_rng(seed), equal)
        job = loop_job(net, one_sample([1.0, 9.0, 17.0], duration=30.0), precision)
        windows = windowing.make_windows(job, algorithm.least_delay(job.stage))
        assert windows.pieces == 1
        prepared = queue_host.prepare(job)
        spikes = queue_host.by_windows(job, prepared, windows, 1)
        assert spikes.times.size > 10
        assert spikes.neurons.max() < 3
        sent, b = net.projections["a->b"], net.populations["b"]
        passed = prepared.stop.time[0, 3:] - spikes.times[:, None] - sent.delays[spikes.neurons]
        met, passed = passed >= 0.0, np.maximum(passed, 0.0)
        weight, slow = sent.weights[spikes.neurons] * met, np.exp(-passed / b.tau_mem)
        fast = np.exp(-passed / b.tau_syn)
        gain = b.tau_syn / (b.tau_mem - b.tau_syn) * (slow - fast)
        expected = (weight * gain).sum(0), (weight * fast).sum(0)
        for found, exact in zip((prepared.stop.v, prepared.stop.j), expected, strict=True):
            np.testing.assert_allclose(found[0, 3:], exact, rtol=0.0, atol=error)


def test_windows_have_the_spikes_of_the_queue_in_single_precision():
    """But for those that roundings have moved, which some chaotic networks make larger."""
    same = 0
    for _, _, job, expected, found in runs_of(range(100, 130), "single"):
        assert_same_bits(by_windows(job, 2), found)
        theirs, mine = trains(expected), trains(found)
        same += theirs.keys() == mine.keys() and all(
            times.size == mine[key].size and np.allclose(times, mine[key], rtol=0.0, atol=1e-3)
            for key, times in theirs.items()
        )
    assert same > 20


def test_windows_have_the_spikes_of_the_definition(monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    n = 0
    for seed in range(200, 206):
        net, stream = random_loop(seed)
        found, expected = (es.simulate(net, stream[0], backend=b) for b in ("cpu", "reference"))
        n += "windows, sums" in found.algorithms.values()
        assert_same_spikes(found, expected, atol_ms=ATOL["double"])
    assert n >= 4


@pytest.mark.parametrize("precision", ["double", "single"])
def test_chunks_of_flights_have_the_bits_of_the_whole(precision, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    n = 0
    for seed in range(300, 312):
        net, stream = random_loop(seed)
        options = {"backend": "cpu", "precision": precision}
        whole = es.simulate(net, stream, **options)
        parts = list(es.simulate_chunks(net, stream.chunks(7.3), **options))
        for name, found in whole.trains.items():
            for s in range(2):
                pieces = [part[name].sample(s)[0] for part in parts]
                assert np.array_equal(np.concatenate(pieces), found.sample(s)[0]), (seed, name, s)
        n += "windows, sums" in whole.algorithms.values()
    assert n > 5


@pytest.mark.parametrize("precision", ["double", "single"])
def test_tiles_have_the_synapses_of_every_part_in_order(precision):
    net, stream = random_loop(1)
    job = loop_job(net, stream, precision)
    size = flights.flights_of(job).start.size - 1
    bounds = np.array([0, size // 3, size])
    with flights.tiles_of(job, bounds) as tiles:
        assert_laid(tiles, job, bounds)


def assert_laid(tiles, job, bounds):
    """Every synapse is where it belongs, with its delay, its target and its weight."""
    rows, real = flights.flights_of(job), np.dtype({"double": "f8", "single": "f4"}[job.precision])
    tile = np.dtype([("delay", "f8", 16), ("target", "i4", 16), ("weight", real, 16)])
    role, (held, ranks) = tiles.role, tiles.held
    low, n = -held.ctypes.data % 64, int(role.last.max() + 15) // 16
    laid = held[low : low + n * tile.itemsize].view(tile)
    delay, target, weight = (laid[name].reshape(-1) for name in tile.names)
    assert role.address == held.ctypes.data + low
    assert rows.synapse.size == (role.last - role.first).sum() > 50
    resistance, wiring = job.stage.population.resistance, job.stage.wiring
    drives = job.weights() * resistance[wiring.target]
    for k in range(rows.start.size - 1):
        mine = rows.synapse[rows.start[k] : rows.start[k + 1]]
        part_of = np.searchsorted(bounds, wiring.target[mine], side="right") - 1
        for p in range(bounds.size - 1):
            part, places = mine[part_of == p], slice(role.first[p, k], role.last[p, k])
            assert role.first[p, k] % 16 == 0
            assert np.array_equal(delay[places], job.delays()[part])
            assert np.array_equal(target[places], wiring.target[part])
            assert np.array_equal(weight[places], drives[part].astype(real))
        mine = np.sort(mine)
        part_of = np.searchsorted(bounds, wiring.target[mine], side="right") - 1
        place = role.first[part_of, k] + ranks[rows.start[k] : rows.start[k + 1]]
        assert np.array_equal(target[place], wiring.target[mine])
        assert np.array_equal(delay[place], job.delays()[mine])
    used = np.zeros(delay.size, np.bool_)
    for first, last in zip(role.first.ravel(), role.last.ravel(), strict=True):
        used[first:last] = True
    assert np.isinf(delay[~used]).all()


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
        for name, spikes in whole.trains.items():
            joined = np.concatenate([part[name].times for part in parts])
            assert np.array_equal(joined, spikes.times), (border, name)
