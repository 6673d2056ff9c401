"""Data sets that are drawn here: Yin-Yang, and delayed match, which needs a memory."""

from collections import Counter

import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import delayed_match, yinyang
from eventsim.datasets.delayed_match import MatchTrial
from eventsim.datasets.yinyang import Code
from eventsim.errors import ParameterError
from tests.support.streams import assert_same_events

# First points and class of the published program (NumPy's old generator) for its seeds.
PUBLISHED = {
    42: ((0.68030754, 0.45049925), 2),
    41: ((0.68057273, 0.32097339), 0),
    40: ((0.23409665, 0.40172498), 2),
}


@pytest.mark.parametrize("seed", PUBLISHED)
def test_draws_are_those_of_the_published_program(seed):
    points, classes = yinyang.draw(3, seed=seed)
    np.testing.assert_allclose(points[0], PUBLISHED[seed][0], atol=5e-9)
    assert classes[0] == PUBLISHED[seed][1]


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ((0.25, 0.5), "dot"),
        ((0.75, 0.5), "dot"),
        ((0.25, 0.62), "yang"),
        ((0.25, 0.38), "yang"),
        ((0.4, 0.9), "yang"),
        ((0.75, 0.62), "yin"),
        ((0.75, 0.38), "yin"),
        ((0.6, 0.1), "yin"),
    ],
)
def test_class_of_points_that_the_figure_shows(point, name):
    assert yinyang.CLASS_NAMES[yinyang.class_of(*point)] == name


def test_sizes_and_balance_are_the_published_ones():
    for split, size in (("train", 5000), ("valid", 1000), ("test", 1000)):
        data = datasets.load("yinyang", split=split)
        assert len(data) == size
        counts = np.bincount(data.labels, minlength=3)
        assert abs(counts / size - 1 / 3).max() < 0.05
        assert data.class_names == ("yin", "yang", "dot")


def test_every_point_lies_in_the_figure_and_has_its_class():
    points, classes = yinyang.draw(300, seed=7)
    assert (np.hypot(*(points - 0.5).T) <= 0.5).all()
    assert [yinyang.class_of(x, y) for x, y in points] == classes.tolist()


def test_spikes_are_the_coordinates_their_complements_and_the_bias():
    points, _ = yinyang.draw(50, seed=3)
    stream = yinyang.load(size=50, seed=3).stream
    assert stream.n_channels == 5
    for (t, c), (x, y) in zip(stream, points, strict=True):
        at = dict(zip(c.tolist(), t.tolist(), strict=True))
        np.testing.assert_allclose(
            [at[k] for k in range(5)],
            [10 + 30 * x, 10 + 30 * y, 10 + 30 * (1 - x), 10 + 30 * (1 - y), 20.0],
        )
    assert (stream.duration == 60.0).all()


def test_spikes_lie_in_the_window_asked_for_and_bias_can_be_left_out():
    code = Code(t_min=0.0, t_max=5.0, t_bias=None, duration=8.0)
    stream = yinyang.load(size=20, code=code).stream
    assert (stream.n_channels, stream.n_events) == (4, 80)
    assert 0.0 <= stream.times.min() < stream.times.max() <= 5.0


def test_equal_seeds_give_equal_sets_and_others_differ():
    first, again, other = (yinyang.load(size=20, seed=s).stream.times for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first[first != 20.0], other).any()


def test_stored_set_is_the_one_in_memory():
    stored, memory = yinyang.source(size=30).stored(), yinyang.load(size=30)
    assert_same_events(stored.stream, memory.stream)


@pytest.mark.parametrize(
    "options",
    [{"t_min": 50.0}, {"t_min": -1.0}, {"t_max": 99.0}, {"t_bias": 61.0}, {"t_max": np.nan}],
)
def test_times_out_of_order_are_refused(options):
    with pytest.raises(ParameterError, match="expected 0 <= t_min < t_max"):
        Code(**options)


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
        data = datasets.load("delayed_match", split=split)
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


@pytest.mark.parametrize(
    "given",
    [{"patterns": 1}, {"channels": 0}, {"spikes": 0}, {"shown": 0.0}, {"silence": (20.0, 10.0)},
     {"silence": (-1.0, 10.0)}, {"silence": (1.0, np.inf)}, {"after": -1.0}],
)  # fmt: skip
def test_trial_that_cannot_be_is_refused(given):
    with pytest.raises(ParameterError, match="delayed_match: MatchTrial.*expected patterns >= 2"):
        MatchTrial(**given)


@pytest.mark.parametrize("given", [{"size": 0}, {"seed": -1}, {"seed": 2**32}])
@pytest.mark.parametrize("drawn", [yinyang, delayed_match])
def test_size_and_seed_out_of_range_are_refused(drawn, given):
    with pytest.raises(ParameterError, match=r"(yinyang|delayed_match): size.* and seed in"):
        drawn.load(**given)
