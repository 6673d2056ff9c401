"""Delayed match to sample, a benchmark of memory."""

from collections import Counter

import numpy as np

from bench.suite import delayed_match
from bench.suite.delayed_match import MatchTrial
from tests.support.streams import assert_same_events


def showings(data, trial):
    """Pattern, first and last time of both showings, sample by sample."""
    found = []
    for t, c in data.stream:
        pattern = c // trial.channels
        gap = int(np.argmax(np.diff(t)))  # the silence is the longest pause
        halves = (slice(0, gap + 1), slice(gap + 1, None))
        found.append([(set(pattern[half]), t[half][0], t[half][-1]) for half in halves])
    return found


def test_sizes_and_classes_are_balanced_and_told_by_the_patterns():
    trial = MatchTrial()
    for split, size in delayed_match.SIZES.items():
        data = delayed_match.load(size=size, seed=delayed_match.SEEDS[split])
        assert len(data) == size
        assert data.class_names == ("other", "match")
        assert np.bincount(data.labels).tolist() == [size / 2, size / 2]
        for ((first, *_), (second, *_)), label in zip(
            showings(data, trial), data.labels, strict=True
        ):
            assert len(first) == len(second) == 1  # one pattern at a time
            assert (first == second) == bool(label)


def test_times_are_those_of_the_trial():
    trial = MatchTrial(shown=10.0, silence=(40.0, 60.0), spikes=3, channels=5, after=20.0)
    data = delayed_match.load(size=60, seed=4, trial=trial)
    assert data.stream.n_channels == 20
    assert np.all(data.stream.duration == 100.0)
    for (_, first, first_end), (_, second, end) in showings(data, trial):
        assert 0.0 <= first <= first_end <= 10.0
        assert 50.0 - 10.0 <= second - first_end <= 60.0 + 20.0
        assert end - second <= 10.0
        assert end <= 80.0  # the longest silence leaves 20 ms
    counts = {tuple(np.unique(np.bincount(c, minlength=20))) for _, c in data.stream}
    assert counts <= {(0, 3), (0, 6)}


def test_no_showing_alone_tells_the_class():
    data = delayed_match.load(size=4000, seed=9)
    for half in (0, 1):
        seen = [next(iter(pair[half][0])) for pair in showings(data, MatchTrial())]
        each = Counter(zip(seen, data.labels.tolist(), strict=True))
        for pattern in range(4):
            share = each[pattern, 1] / (each[pattern, 0] + each[pattern, 1])
            assert abs(share - 0.5) < 0.06  # 1,000 draws each: four standard deviations


def test_equal_seeds_are_equal_samples_and_two_showings_never():
    one, two, three = (delayed_match.load(size=20, seed=seed) for seed in (3, 3, 4))
    assert_same_events(one.stream, two.stream)
    assert not np.array_equal(one.stream.times, three.stream.times)
    assert np.unique(one.stream.times).size == one.stream.times.size
