"""Poisson sources: the law of their events, and that they follow from their numbers alone."""

import pickle

import numpy as np
import pytest

import eventsim as es
from eventsim.events.poisson_sources import COLUMNS, PoissonSources, exponential
from eventsim.events.transforms import extend
from tests.support import poisson_plain

WORDS = 2**32 - 1
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
# Known answers of the authors' library Random123: counter, key, words.
KNOWN = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((WORDS,) * 4, (WORDS,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (PI, (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
)


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_words_are_those_of_the_published_generator(counter, key, words):
    assert tuple(poisson_plain.philox([counter], key)[0].tolist()) == words


def events_of(stream, sample, channel):
    times, channels = stream.sample(sample)
    return times[channels == channel]


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("times", "channels", "offsets", "duration")
    )


def sources_of_all_kinds(seed):
    """Some sources of rates far apart, among them silent ones; samples; and a span of each."""
    rng = np.random.default_rng(seed)
    size = 1 if seed % 5 == 0 else rng.integers(2, 9)
    rates = np.where(rng.random(size) < 0.2, 0.0, 10.0 ** rng.uniform(-2.0, 5.5, size))
    lasts = 10.0 ** rng.uniform(-1.0, 1.0, rng.integers(1, 4)) * 4e5 / (rates.sum() + 4.0)
    made = PoissonSources(rates, seed, np.minimum(lasts, 2.0**24))
    return made, made.until * rng.uniform(0.0, 0.5, lasts.size), made.until * rng.uniform(0.3, 1.2)


def assert_those_of_the_definition(made, begin, end):
    found = made.between(begin, end)
    assert found.times.size > 0
    assert found.offsets[-1] == found.times.size == found.channels.size
    for s, (low, high) in enumerate(zip(begin, np.minimum(end, made.until), strict=True)):
        times = [
            poisson_plain.events(rate, k, s, made.key, low, high)
            for k, rate in enumerate(made.rates.tolist())
        ]
        channels = np.repeat(np.arange(len(times)), [part.size for part in times])
        order = np.lexsort((channels, np.concatenate(times)))
        part = slice(*found.offsets[s : s + 2])
        np.testing.assert_array_equal(found.times[part], np.concatenate(times)[order])
        np.testing.assert_array_equal(found.channels[part], channels[order])


@pytest.mark.parametrize("seed", range(15))
def test_events_are_those_of_the_definition(seed):
    assert_those_of_the_definition(*sources_of_all_kinds(seed))


def test_many_sources_with_cells_of_one_length_have_each_its_own_rate():
    made = PoissonSources(np.linspace(501.0, 999.0, 300), 1, np.array([50.0]))
    assert set(made.cells.tolist()) == {3}
    assert_those_of_the_definition(made, np.array([3.3]), np.array([29.0]))


def test_more_events_than_chance_would_make_find_room(monkeypatch):
    expected = PoissonSources._expected
    monkeypatch.setattr(PoissonSources, "_expected", lambda made, span: expected(made, span) // 9)
    for seed in range(3):
        assert_those_of_the_definition(*sources_of_all_kinds(seed))


def test_events_at_one_time_are_in_order_of_their_sources():
    made = PoissonSources(np.full(3000, 1e6), 3, np.array([1.0]))
    found = made.between(np.zeros(1), np.array([0.05]))
    together = np.diff(found.times) == 0.0
    assert together.sum() > 300
    assert np.all(np.diff(found.channels)[together] >= 0)
    assert np.all(np.diff(found.times) >= 0.0)


def test_numbers_of_events_of_a_cell_follow_their_law_to_2_32():
    made = PoissonSources(10.0 ** np.linspace(-3.0, 6.0, 200), 0, np.ones(1))
    limits, row = made.limits
    mean = made.rates * 1e-3 * 2.0**made.cells
    assert 4.0 < mean[50] <= 8.0
    for k in range(0, 200, 7):
        expected = poisson_plain.limits(mean[k])
        assert np.abs(limits[row[k]].astype(int) + 1 - expected).max() <= 1
    # No word reaches the last of them.
    assert limits.shape == (limits.shape[0], COLUMNS)
    assert np.all(limits[:, -1] == WORDS)


def test_the_exponential_has_the_same_bits_on_every_machine():
    x = np.concatenate([[0.0, 1e-300, 8.0], np.random.default_rng(0).uniform(0.0, 8.0, 500)])
    np.testing.assert_allclose(exponential(x), np.exp(-x), rtol=5e-15, atol=0.0)
    bits = [value.hex() for value in exponential(np.array([0.5, 6.0, 7.9])).tolist()]
    assert bits == ["0x1.368b2fc6f9610p-1", "0x1.44e51f113d4c9p-9", "0x1.84c0b61a8591cp-12"]


@pytest.mark.parametrize("rate", [0.7, 20.0, 900.0, 23_200.0, 1e6])
def test_numbers_in_a_window_have_mean_and_variance_of_a_poisson_process(rate):
    n, window = 400, 5e3 / rate  # ms; 5 events on average, no multiple of a cell
    stream = es.poisson(rate, n_channels=n, duration=50.0 * window, seed=2)
    bins = (stream.times / window).astype(int) * n + stream.channels
    counts = np.bincount(bins, minlength=50 * n)
    assert counts.mean() == pytest.approx(5.0, abs=5 * np.sqrt(5.0 / counts.size))
    assert counts.var() == pytest.approx(5.0, rel=5 * np.sqrt(2.2 / counts.size))


@pytest.mark.parametrize("rate", [20.0, 23_200.0])
def test_intervals_are_exponential(rate):
    from scipy.stats import kstest

    stream = es.poisson(rate, n_channels=5, duration=2e6 / rate, seed=7)
    for channel in range(5):
        intervals = np.diff(events_of(stream, 0, channel))
        assert intervals.std() / intervals.mean() == pytest.approx(1.0, abs=0.09)  # 4 sigma
        assert kstest(intervals, "expon", args=(0.0, 1e3 / rate)).pvalue > 1e-4
        pairs = np.corrcoef(intervals[1:], intervals[:-1])[0, 1]
        assert abs(pairs) < 4 / np.sqrt(intervals.size)


def test_sources_cells_and_samples_are_independent():
    n, bins = 40, 500
    stream = es.poisson(8e3, n_channels=n, duration=float(bins), n_samples=2, seed=5)
    counts = np.stack([
        np.histogram2d(*stream.sample(s), bins=(bins, n), range=((0, bins), (0, n)))[0]
        for s in range(2)
    ])  # fmt: skip
    # Cells of such sources are 1 ms: one bin, and the next.
    assert stream.sources.cells.tolist() == [0] * n
    rows = np.concatenate([counts[0, 1:].T, counts[0, :-1].T, counts[1, 1:].T])
    found = np.corrcoef(rows)[np.triu_indices(3 * n, 1)]
    assert found.size == 3 * n * (3 * n - 1) // 2
    z = found * np.sqrt(bins - 1)
    assert np.abs(z).max() < 5.0
    assert z.std() == pytest.approx(1.0, abs=0.05)


def test_chunks_of_any_length_have_the_same_events():
    rates = [0.0, 3.0, 50.0, 23_200.0, 0.001]
    whole = es.poisson(rates, duration=[300.0, 120.5], seed=3)
    assert whole.n_events > 6000
    for length in (0.013 * 300, 17.0, 256.0, 1e6):
        chunks = list(es.poisson(rates, duration=[300.0, 120.5], seed=3).chunks(length))
        assert len(chunks) == max(1, int(np.ceil(300.0 / length)))
        for sample in range(2):
            parts = [chunk.sample(sample) for chunk in chunks]
            times, channels = (np.concatenate(each) for each in zip(*parts, strict=True))
            assert np.array_equal(times, whole.sample(sample)[0])
            assert np.array_equal(channels, whole.sample(sample)[1])


def test_events_of_a_source_do_not_depend_on_others_nor_on_the_end():
    few = es.poisson([5.0, 400.0], duration=100.0, seed=9)
    many = es.poisson([77.0, 400.0, 3.0], duration=[250.0, 90.0], seed=9)
    found = events_of(many, 0, 1)
    assert np.array_equal(events_of(few, 0, 1), found[found < 100.0])
    assert not np.array_equal(events_of(few, 0, 1)[:5], events_of(many, 1, 1)[:5])
    other = es.poisson([5.0, 400.0], duration=100.0, seed=10)
    assert not np.array_equal(events_of(few, 0, 1)[:5], events_of(other, 0, 1)[:5])


def test_many_channels_over_a_long_time_stay_in_order():
    """Where ticks and channel do not fit into one word, time is cut."""
    stream = es.poisson([0.1] + [0.0] * 2**14, duration=2.5e6, seed=1)  # parts of 2^20 ms
    assert 150 < stream.n_events < 350
    checked = es.EventStream(
        stream.times, stream.channels, stream.offsets,
        n_channels=stream.n_channels, duration=stream.duration,
    )  # fmt: skip
    assert same(checked, stream)


def test_a_stream_is_what_an_ordinary_one_is():
    stream = es.poisson(40.0, n_channels=7, duration=[100.0, 50.0], seed=4)
    plain = es.EventStream(
        stream.times, stream.channels, stream.offsets, n_channels=7, duration=stream.duration
    )
    assert plain.n_events == stream.n_events > 10
    assert same(stream[1], plain[1])
    assert same(pickle.loads(pickle.dumps(stream)), plain)
    assert same(extend(es.poisson(40.0, n_channels=7, duration=[100.0, 50.0], seed=4), 20.0),
                extend(plain, 20.0))  # fmt: skip
    assert not stream.times.flags.writeable


def test_nothing_is_made_before_it_is_asked_for(monkeypatch):
    made = []
    between = PoissonSources.between
    monkeypatch.setattr(
        PoissonSources, "between", lambda *given: made.append(given) or between(*given)
    )
    stream = es.poisson(20.0, n_channels=3, duration=100.0)
    shown = repr(stream), stream._repr_html_(), stream.n_samples, len(stream), extend(stream, 5.0)
    assert not made
    assert shown[0] == "EventStream(1 samples, about 6 events, 3 channels)"
    assert stream.n_events == stream.times.size
    assert len(made) == 1


def test_a_file_has_rates_and_seed_in_place_of_events(tmp_path):
    stream = es.poisson([1e6, 0.0, 3.0], duration=[1e6, 5.0], seed=4)  # 1e9 events
    stream.save(tmp_path / "s.npz", notes={"of": "noise"})
    found = es.EventStream.load(tmp_path / "s.npz")
    assert (tmp_path / "s.npz").stat().st_size < 10_000
    assert es.EventStream.read_notes(tmp_path / "s.npz") == {"of": "noise"}
    assert found.sources.seed == 4
    assert np.array_equal(found.sources.rates, [1e6, 0.0, 3.0])
    assert np.array_equal(found.duration, [1e6, 5.0])
    begin, end = np.zeros(2), np.full(2, 0.1)
    for one, other in zip(found.sources.between(begin, end), stream.sources.between(begin, end),
                          strict=True):  # fmt: skip
        assert np.array_equal(one, other)
