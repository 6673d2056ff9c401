"""Dataset, its file, and how it is divided."""

import numpy as np
import pytest

from eventsim.events import (
    Dataset,
    EventStream,
    Recording,
    StoredStream,
    stratified_split,
    write_stored,
)
from eventsim.events.labelled import grouped_split, joined, spread
from tests.support.streams import assert_same_events


def empty_stream(n_samples):
    return EventStream([], [], np.zeros(n_samples + 1, int), n_channels=1, duration=1.0)


def test_selection_keeps_samples_and_labels_together():
    stream = EventStream([1.0, 2.0, 3.0], [0, 0, 0], [0, 1, 2, 3], n_channels=1, duration=9.0)
    data = Dataset(stream, [0, 1, 0], ("a", "b"))
    part = data[np.array([2, 1])]
    assert part.stream.times.tolist() == [3.0, 2.0]
    assert part.labels.tolist() == [0, 1]
    assert len(data[1]) == 1


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


def three():
    """Three recordings of one event each, with all that can be known of them."""
    stream = EventStream([1.0, 2.0, 3.0], [0, 1, 0], [0, 1, 2, 3], n_channels=2, duration=[4, 5, 6])
    return Dataset(stream, [0, 1, 0], ("a", "b"), None, ["x", "y", "x"], ["k", "l", "m"])


def assert_same(found, expected):
    assert_same_events(found.stream, expected.stream)
    for name in ("labels", "groups", "keys"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.class_names == expected.class_names


def test_file_gives_back_what_was_saved_and_leaves_it_there(tmp_path):
    three().save(tmp_path / "mine.h5")
    found = Dataset.open(tmp_path / "mine.h5")
    assert isinstance(found.stream, StoredStream)
    assert_same(found, three())
    assert isinstance(found.subset([2, 0]).stream, StoredStream)
    assert_same(found.subset([2, 0]).read(), three()[[2, 0]])
    assert (found.info.name, found.info.classes, found.info.channels) == ("mine", ("a", "b"), 2)


def test_part_of_a_file_is_opened_by_its_name(tmp_path):
    three().save(tmp_path / "mine.h5", splits=["train", "test", "train"])
    assert Dataset.open(tmp_path / "mine.h5").info.parts == ("train", "test")
    assert_same(Dataset.open(tmp_path / "mine.h5", split="train").read(), three()[[0, 2]])


def test_file_of_an_earlier_release_has_one_class_name_a_line(tmp_path):
    columns = {"labels": np.array([1])}
    for notes, names in (({"class_names": "no\nyes"}, ("no", "yes")), ({}, ("0", "1"))):
        path = tmp_path / "old.h5"
        write_stored(path, [Recording([], [], 1.0)], n_channels=1, columns=columns, notes=notes)
        assert Dataset.open(path).class_names == names


def test_taking_apart_gives_stream_labels_and_class_names():
    stream, labels, class_names = three()
    assert (stream.n_samples, labels.tolist(), class_names) == (3, [0, 1, 0], ("a", "b"))


def test_labels_may_be_names_of_classes():
    assert Dataset(empty_stream(3), ["b", "a", "b"], ("a", "b")).labels.tolist() == [1, 0, 1]


def test_joined_recordings_keep_what_all_know():
    assert_same(joined(three()[:2], three()[2]), three())
    assert joined(three(), Dataset(*three())).groups is None


def test_relabelled_recordings_keep_the_names_of_their_classes():
    found = three().relabelled(("b", "c", "a"))
    assert [found.class_names[k] for k in found.labels] == ["a", "b", "a"]


def test_grouped_split_keeps_groups_whole_and_both_parts_filled():
    groups = np.repeat(["a", "b", "c", "d"], [6, 2, 1, 1])
    for seed in range(8):
        kept, held = grouped_split(groups, fraction=0.2, seed=seed)
        assert np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(10))
        assert not set(groups[kept]) & set(groups[held])
        assert kept.size
        assert held.size


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
