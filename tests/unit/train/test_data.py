"""LabelledEvents and the stratified split."""

import numpy as np
import pytest

from eventsim.errors import DataError, ParameterError, ShapeError
from eventsim.events import EventStream
from eventsim.train import LabelledEvents, stratified_split


def empty_stream(n_samples):
    return EventStream([], [], np.zeros(n_samples + 1, int), n_channels=1, duration=1.0)


def test_selection_keeps_samples_and_labels_together():
    stream = EventStream([1.0, 2.0, 3.0], [0, 0, 0], [0, 1, 2, 3], n_channels=1, duration=9.0)
    data = LabelledEvents(stream, [0, 1, 0], ("a", "b"))
    part = data[np.array([2, 1])]
    assert part.stream.times.tolist() == [3.0, 2.0]
    assert part.labels.tolist() == [0, 1]
    assert len(data[1]) == 1


def test_labels_that_do_not_fit_raise():
    with pytest.raises(ShapeError, match=r"expected \(2,\) integers"):
        LabelledEvents(empty_stream(2), [0], ("a",))
    with pytest.raises(ShapeError, match="float64"):
        LabelledEvents(empty_stream(1), [0.5], ("a",))
    with pytest.raises(DataError, match="sample 1: label is 2, expected 0 .. 1"):
        LabelledEvents(empty_stream(2), [0, 2], ("a", "b"))


def test_split_is_a_partition_with_every_class_in_both_parts():
    labels = np.repeat([0, 1, 2], [50, 20, 3])
    kept, held = stratified_split(labels, fraction=0.1, seed=1)
    assert np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(73))
    assert np.bincount(labels[held]).tolist() == [5, 2, 1]


def test_split_depends_on_the_seed_alone():
    labels = np.arange(100) % 4
    one, again = (stratified_split(labels, fraction=0.2, seed=3)[1] for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, stratified_split(labels, fraction=0.2, seed=4)[1])


def test_split_keeps_a_class_of_one_in_training():
    kept, held = stratified_split(np.array([0, 1, 1]), fraction=0.5, seed=0)
    assert 0 in kept
    assert held.size == 1


def test_no_fraction_holds_nothing_out():
    kept, held = stratified_split(np.arange(5), fraction=0.0, seed=0)
    assert (kept.size, held.size) == (5, 0)
    with pytest.raises(ParameterError, match="fraction is 1"):
        stratified_split(np.arange(5), fraction=1.0, seed=0)
