"""EventStream: what it accepts, what it refuses and how it says so, slicing and joining."""

import copy
import pickle

import numpy as np
import pytest

import eventsim as es
from eventsim.events import EventStream, concatenate
from eventsim.events.stream import BLOCK_LEAST
from tests.something import perhaps
from tests.support.streams import ARRAYS, assert_same_events


def stream(times, channels, offsets=None, *, n_channels=4, duration=10.0):
    offsets = [0, len(times)] if offsets is None else offsets
    return es.EventStream(times, channels, offsets, n_channels=n_channels, duration=duration)


def three_samples():
    return es.EventStream(
        [1.0, 2.0, 2.5, 0.0, 3.0],
        [0, 3, 1, 2, 2],
        [0, 3, 3, 5],
        n_channels=4,
        duration=[10.0, 20.0, 30.0],
    )


def test_stream_keeps_what_it_was_given_in_fixed_types():
    s = three_samples()
    assert (s.times.dtype, s.channels.dtype, s.offsets.dtype, s.duration.dtype) == (
        np.float64,
        np.int32,
        np.int64,
        np.float64,
    )
    assert (s.n_samples, s.n_events, len(s), s.n_channels) == (3, 5, 3, 4)
    assert s.duration.tolist() == [10.0, 20.0, 30.0]
    assert "3 samples" in repr(s)


def test_stream_owns_its_arrays():
    times, channels, offsets = np.array([1.0]), np.array([2], np.int32), np.array([0, 1])
    s = stream(times, channels, offsets)
    times[0], channels[0], offsets[1] = 9.0, 0, 0
    assert (s.times[0], s.channels[0], s.offsets[1]) == (1.0, 2, 1)


def test_one_duration_serves_all_samples():
    assert stream([], [], [0, 0, 0], duration=7.0).duration.tolist() == [7.0, 7.0]


@pytest.mark.parametrize(
    ("times", "channels", "offsets", "ordered"),
    [
        ([], [], [0], []),  # no samples
        ([0.0, 10.0], [1, 2], [0, 2], [1, 2]),  # at 0 and at the duration
        ([1.0, 1.0, 1.0, 2.0, 1.0, 1.0], [3, 0, 1, 2, 2, 1], [0, 4, 6], [0, 1, 3, 2, 1, 2]),
        ([1.0, 1.0], [3, 0], [0, 1, 2], [3, 0]),  # a tie across samples
    ],
)
def test_simultaneous_events_of_a_sample_are_ordered_by_channel(times, channels, offsets, ordered):
    s = stream(times, channels, offsets)
    assert (s.times.tolist(), s.channels.tolist()) == (times, ordered)
    assert (s.n_samples, s.n_events) == (len(offsets) - 1, len(times))


def test_from_unsorted_sorts_inside_each_sample_only():
    s = es.EventStream.from_unsorted(
        [3.0, 1.0, 1.0, 9.0, 2.0], [0, 3, 1, 2, 2], [0, 3, 5], n_channels=4, duration=10.0
    )
    assert s.times.tolist() == [1.0, 1.0, 3.0, 2.0, 9.0]
    assert s.channels.tolist() == [1, 3, 0, 2, 2]


def test_from_samples_joins_pairs_and_keeps_empty_ones():
    s = es.EventStream.from_samples(
        [([], []), ([1.0, 2.0], [3, 0]), ([], [])], n_channels=4, duration=[1.0, 2.0, 3.0]
    )
    assert s.offsets.tolist() == [0, 0, 2, 2]
    assert s.duration.tolist() == [1.0, 2.0, 3.0]
    assert es.EventStream.from_samples([], n_channels=4, duration=1.0).n_samples == 0


def test_sample_and_iteration_give_views():
    s = three_samples()
    assert [t.tolist() for t, _ in s] == [[1.0, 2.0, 2.5], [], [0.0, 3.0]]
    times, channels = s.sample(2)
    assert channels.tolist() == [2, 2]
    assert np.shares_memory(times, s.times)


@pytest.mark.parametrize(
    ("index", "samples"),
    [
        (0, [0]),
        (-1, [2]),
        (slice(1, None), [1, 2]),
        (slice(None, None, -1), [2, 1, 0]),
        ([2, 0, 2], [2, 0, 2]),
        (np.array([True, False, True]), [0, 2]),
        ([], []),
        (slice(3, None), []),
    ],
)
def test_selection_of_samples_copies_them_in_the_wanted_order(index, samples):
    s = three_samples()
    chosen = s[index]
    assert chosen.n_samples == len(samples)
    assert chosen.n_channels == 4
    assert_picked(chosen, s, samples)


def assert_picked(chosen, stream, samples):
    for position, sample in perhaps(enumerate(samples)):
        assert chosen.duration[position] == stream.duration[sample]
        for mine, theirs in zip(chosen.sample(position), stream.sample(sample), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert not np.shares_memory(chosen.times, stream.times)


@pytest.mark.parametrize("most", [20, 2 * BLOCK_LEAST])
def test_selection_of_few_events_and_of_blocks_are_alike(most):
    rng = np.random.default_rng(3)
    sizes = (0, most, 1, most, 0, most // 2)
    pairs = [(np.sort(rng.random(size)), rng.integers(0, 4, size)) for size in sizes]
    stream = EventStream.from_samples(pairs, n_channels=4, duration=np.arange(1.0, 7.0))
    wanted = [5, 1, 1, 0, 3]
    chosen = stream[wanted]
    assert (chosen.n_events >= BLOCK_LEAST * len(wanted)) == (most > BLOCK_LEAST)
    assert_picked(chosen, stream, wanted)


def test_batches_cover_every_sample_once():
    s = three_samples()
    assert [b.tolist() for b in s.batches(2)] == [[0, 1], [2]]
    assert [b.tolist() for b in s.batches(2, order=np.array([2, 0, 1]))] == [[2, 0], [1]]


def test_concatenate_undoes_slicing():
    s = three_samples()
    joined = concatenate([s[0], s[1:]])
    assert_same_events(joined, s)
    assert concatenate([s, s]).n_samples == 6
    assert concatenate([s, s]).sample(5)[0].tolist() == [0.0, 3.0]


def test_stream_arrays_are_read_only():
    s = three_samples()
    for values in (s.times, s.channels, s.offsets, s.duration, *s.sample(0)):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


@pytest.mark.parametrize("again", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_stream_arrays_of_a_copy_are_read_only(again):
    s = again(three_samples())
    assert s.channels.tolist() == three_samples().channels.tolist()
    assert not any(getattr(s, name).flags.writeable for name in ARRAYS)


def test_arrays_of_the_caller_stay_writable():
    given = [np.array([1.0]), np.array([2], np.int32), np.array([0, 1]), np.array([9.0])]
    s = stream(*given[:3], duration=given[3])
    assert all(values.flags.writeable for values in given)
    given[3][0] = 1.0
    assert s.duration.tolist() == [9.0]


def test_largest_number_of_channels_keeps_its_channels():
    assert stream([1.0], [2**31 - 2], n_channels=2**31 - 1).channels.tolist() == [2**31 - 2]


def test_sample_counts_negative_numbers_from_the_end():
    s = three_samples()
    assert [values.tolist() for values in s.sample(-1)] == [[0.0, 3.0], [2, 2]]
    assert s.sample(-3)[0].tolist() == s.sample(0)[0].tolist()


def test_times_are_rounded_to_the_nearest_tick_and_ties_ordered_by_channel():
    s = es.EventStream([0.2, 0.4, 0.6, 7.5], [3, 1, 0, 2], [0, 4], n_channels=4, duration=20.0)
    rounded = s.round_times(1.0)
    assert rounded.times.tolist() == [0.0, 0.0, 1.0, 8.0]
    assert rounded.channels.tolist() == [1, 3, 0, 2]
    assert rounded.duration.tolist() == [20.0]
    again = rounded.round_times(1.0)
    assert np.array_equal(again.times, rounded.times)
    assert s.times.tolist() == [0.2, 0.4, 0.6, 7.5]


@pytest.mark.parametrize("tick", [0.1, 0.3, 1.0, 7.0, 1e-3])
def test_rounded_times_are_multiples_before_the_end_and_near(tick):
    rng = np.random.default_rng(0)
    durations = [20.0, 0.3, 3 * 0.1, np.nextafter(3.0, 0.0), np.nextafter(2.1, 9.0)]
    samples = [(np.sort(rng.uniform(0.0, d, 50)), np.zeros(50, int)) for d in durations]
    s = es.EventStream.from_samples(samples, n_channels=1, duration=durations)
    rounded = s.round_times(tick)
    counts = np.rint(rounded.times / tick)
    assert np.array_equal(rounded.times, counts * tick)
    ends = np.repeat(s.duration, np.diff(s.offsets))
    assert (rounded.times < ends).all()
    moved = np.abs(rounded.times - s.times)
    assert (moved <= np.where(s.times + tick / 2 < ends, tick / 2 + 1e-12, tick)).all()


def test_an_event_at_the_end_stays_there_and_one_before_it_does_not_reach_it():
    s = es.EventStream([9.9, 10.0], [0, 0], [0, 2], n_channels=1, duration=10.0)
    assert s.round_times(3.0).times.tolist() == [9.0, 10.0]
    assert s.round_times(5.0).times.tolist() == [5.0, 10.0]
    assert s.round_times(30.0).times.tolist() == [0.0, 10.0]


def test_merge_shifts_stacks_channels_and_sorts():
    one, two = stream([1.0, 4.0], [0, 1], n_channels=2), stream([1.0, 2.0], [1, 0], n_channels=3)
    merged = es.merge([one, two], delays=[0.0, 2.0])
    assert merged.times.tolist() == [1.0, 3.0, 4.0, 4.0]
    assert merged.channels.tolist() == [0, 3, 1, 2]
    assert merged.n_channels == 5
    assert merged.duration.tolist() == [12.0]


def test_merge_keeps_samples_apart():
    rng = np.random.default_rng(0)
    parts = [
        es.EventStream.from_samples(
            [(np.sort(rng.uniform(0, 5, n)), rng.integers(0, 3, n)) for n in (4, 0, 7)],
            n_channels=3,
            duration=5.0,
        )
        for _ in range(3)
    ]
    merged = es.merge(parts)
    for s in range(3):
        expected = es.merge([part[s] for part in parts])
        assert_same_events(merged[s], expected)
    assert merged.n_events == sum(part.n_events for part in parts)


def test_stream_file_gives_the_same_stream(tmp_path):
    path = tmp_path / "events.npz"
    saved = stream([1.0, 2.5], [1, 0])
    saved.save(path)
    loaded = es.EventStream.load(path)
    assert_same_events(loaded, saved)
    assert [p.name for p in tmp_path.iterdir()] == ["events.npz"]
