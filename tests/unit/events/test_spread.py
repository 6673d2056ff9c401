"""Which recordings of a data set stand for all of them."""

import numpy as np
import pytest

from eventsim.events.labelled import spread


def test_spread_takes_equally_many_of_every_class_of_a_sorted_set():
    labels = np.repeat(np.arange(10), 30)
    assert np.bincount(labels[spread(labels, 20)]).tolist() == [2] * 10
    assert np.bincount(labels[spread(labels, 23)]).tolist() == [3] * 3 + [2] * 7


def test_spread_takes_recordings_from_all_over_a_class():
    # Within a class of a file the speakers come one after the other.
    chosen = spread(np.zeros(100, np.int64), 4)
    assert chosen.tolist() == [12, 37, 62, 87]


def test_spread_fills_up_from_large_classes_what_small_ones_lack():
    labels = np.array([0] * 2 + [3] * 50 + [7] * 50)
    counts = np.bincount(labels[spread(labels, 22)])
    assert counts[[0, 3, 7]].tolist() == [2, 10, 10]


@pytest.mark.parametrize("samples", [100, 101, 10_000])
def test_spread_of_as_many_as_there_are_is_all_in_order(samples):
    labels = np.random.default_rng(0).integers(0, 7, 100)
    assert spread(labels, samples).tolist() == list(range(100))


def test_spread_repeats_no_recording_and_ascends():
    rng = np.random.default_rng(1)
    for _ in range(50):
        labels = rng.integers(0, 5, rng.integers(1, 60))
        samples = int(rng.integers(1, 70))
        chosen = spread(labels, samples)
        assert chosen.size == min(samples, labels.size)
        assert (np.diff(chosen) > 0).all()
