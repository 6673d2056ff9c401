"""Yin-Yang, which is drawn here."""

import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import yinyang
from eventsim.datasets.yinyang import Code
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
