"""Tiles of synapses with delays of their own are kept from call to call, and never stale."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.cpu import flights, queue_host
from tests.gradients.test_flights import gradients, has_flights
from tests.parity.test_flights import assert_laid, loop_job, random_loop
from tests.support.compare import assert_same_bits

PRECISIONS = ("double", "single")


@pytest.fixture(autouse=True)
def _by_windows(monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)


def loops(first, n):
    """Networks that have flights, and their streams."""
    made = (random_loop(seed) for seed in range(first, first + n))
    return [(net, stream) for net, stream in made if has_flights(net)]


def weights_in_place(net, rng):
    for projection in net.projections.values():
        projection.values[...] *= rng.uniform(0.5, 1.5, projection.values.shape)


def one_weight(net, rng):
    projection = flying(net)
    projection.values.reshape(-1)[rng.integers(projection.values.size)] += 0.7


def delays_in_place(net, rng):
    for projection in net.projections.values():
        if projection.delay_per_synapse:
            projection.delays[...] = rng.permutation(projection.delays.reshape(-1)).reshape(
                projection.delays.shape
            )


def one_delay(net, rng):
    """Longer than all others of its row: the row's order is another."""
    delays = flying(net).delays.reshape(-1)
    delays[rng.integers(delays.size)] = delays.max() + 0.5


def resistances(net, rng):
    for population in net.populations.values():
        if population is not net.input:
            population.resistance[...] = rng.uniform(0.5, 1.5, population.resistance.shape)


def nothing(net, rng):
    pass


def flying(net):
    return next(p for p in net.projections.values() if p.delay_per_synapse and p.source != "input")


CHANGES = (weights_in_place, one_weight, delays_in_place, one_delay, resistances, nothing)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("delays", [np.float64, np.float32], ids=["float64", "float32"])
def test_runs_and_gradients_after_changes_are_those_of_a_new_network(precision, delays):
    n_changed = n_runs = 0
    for seed, (net, stream) in enumerate(loops(500, 6)):
        net, rng = net.with_delay_dtype(delays), np.random.default_rng(seed)
        before = None
        for change in rng.permutation(np.array([*CHANGES, *CHANGES], object)):
            change(net, rng)
            found, expected = (
                es.simulate(each, stream, backend="cpu", precision=precision)
                for each in (net, net.copy())
            )
            for name in found.names:
                assert_same_bits(found[name], expected[name])
            mine, theirs = gradients(net, found)[0], gradients(net.copy(), expected)[0]
            assert mine.keys() == theirs.keys()
            assert all(np.array_equal(mine[key], theirs[key]) for key in mine), change.__name__
            now = [found[name].times for name in found.names]
            n_changed += before is not None and any(
                not np.array_equal(*each) for each in zip(before, now, strict=True)
            )
            before, n_runs = now, n_runs + 1
    assert n_runs >= 36
    assert n_changed > n_runs / 2


@pytest.mark.parametrize("precision", PRECISIONS)
def test_runs_of_chunks_with_others_between_them_have_the_bits_of_the_whole(precision):
    other = PRECISIONS[precision == "double"]
    n = 0
    for net, stream in loops(520, 6):
        whole = es.simulate(net, stream, backend="cpu", precision=precision)
        parts = []
        for part in es.simulate_chunks(net, stream.chunks(7.3), backend="cpu", precision=precision):
            parts.append(part)
            es.simulate(net, stream, backend="cpu", precision=other)
        for name, found in whole.trains.items():
            for s in range(2):
                pieces = [part[name].sample(s)[0] for part in parts]
                assert np.array_equal(np.concatenate(pieces), found.sample(s)[0])
                n += found.sample(s)[0].size
    assert n > 100


@pytest.mark.parametrize("narrow", [1 << 16, 0], ids=["16 bits", "32 bits"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_tiles_are_the_same_memory_as_long_as_their_form_stays(precision, narrow, monkeypatch):
    monkeypatch.setattr(flights, "MOST_NARROW", narrow)
    net, stream = random_loop(1)
    size = loop_job(net, stream).stage.population.size
    rng, seen = np.random.default_rng(0), []
    for change in CHANGES:
        change(net, rng)
        for bounds in ([0, size // 3, size],) if change is not nothing else ([0, size], [0, size]):
            job = loop_job(net, stream, precision)  # whose memo knows nothing
            with flights.tiles_of(job, np.array(bounds)) as tiles:
                assert tiles.ranks.width == (2 if narrow else 4)
                assert_laid(tiles, job, np.array(bounds))
                seen.append(tiles.role.address)
    assert len(set(seen[:-2])) == 1
    assert seen[-1] == seen[-2]


def test_a_run_beside_another_of_the_same_stage_has_tiles_of_its_own():
    net, stream = random_loop(1)
    bounds = np.array([0, loop_job(net, stream).stage.population.size])
    first = loop_job(net, stream)
    with flights.tiles_of(first, bounds) as mine:
        weights_in_place(net, np.random.default_rng(0))
        second = loop_job(net, stream)
        assert second.stage.kept is first.stage.kept
        with flights.tiles_of(second, bounds) as other:
            assert other.role.address != mine.role.address
            assert_laid(other, second, bounds)
    # The values of the first job's memo are gone from the tiles as soon as another has had them.
    with flights.tiles_of(second, bounds):
        pass
    with flights.tiles_of(first, bounds) as again:
        assert again.role.address == mine.role.address
        assert_laid(again, first, bounds)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_windows_read_no_weight_of_a_flight_but_in_tiles(precision, monkeypatch):
    """The scaled copy for the kernels leaves them out; the queue has them."""
    n = 0
    for net, stream in loops(540, 4):
        for population in net.populations.values():
            if population is not net.input:
                population.resistance[...] = 0.5
        job = loop_job(net, stream, precision)
        own = sum(
            p.values.size
            for p in job.stage.projections
            if p in job.stage.afferents or not p.delay_per_synapse
        )
        (held,) = queue_host.prepare(job).weights
        assert held.size == own < sum(p.values.size for p in job.stage.projections)
        n += len(queue_host.by_queue(job, queue_host.prepare(job)))
    assert n > 50
