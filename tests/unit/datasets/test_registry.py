from dataclasses import replace

import numpy as np
import pytest

from eventsim import datasets
from eventsim.errors import DataError, ShapeError


def test_every_data_set_describes_itself():
    assert set(datasets.DATASETS) >= {
        "spoken_digits", "fsdd", "ntidigits", "shd", "ssc", "nmnist", "yinyang"
    }  # fmt: skip
    for name, info in datasets.DATASETS.items():
        assert info.name == name
        assert info.channels >= 5
        assert len(set(info.classes)) == len(info.classes) >= 2
        assert {"train", "test"} <= set(info.parts)
        assert all((info.description, info.splits, info.obtain, info.licence, info.samples))


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_split_that_a_data_set_does_not_have_is_refused(name):
    for open_it in (datasets.load, datasets.stored, datasets.source):
        with pytest.raises(DataError, match=f"{name}: split is 'dev', expected"):
            open_it(name, split="dev")


def test_data_set_is_taken_apart_and_selected(wavs):
    data = datasets.load("fsdd", split="train", root=wavs)
    stream, labels, class_names = data
    assert stream is data.stream
    assert labels is data.labels
    assert class_names is data.class_names == data.info.classes
    part = data.subset([5, 0])
    assert part.keys.tolist() == data.keys[[5, 0]].tolist()
    assert part.groups.tolist() == data.groups[[5, 0]].tolist()
    np.testing.assert_array_equal(part.stream.sample(0)[0], data.stream.sample(5)[0])


def test_stored_data_set_is_read_sample_by_sample(wavs):
    memory = datasets.load("fsdd", split="test", root=wavs)
    stored = datasets.stored("fsdd", split="test", root=wavs)
    np.testing.assert_array_equal(stored.labels, memory.labels)
    part = stored.subset(slice(2, 5)).read([1])
    np.testing.assert_array_equal(part.stream.times, memory.stream.sample(3)[0])
    assert part.keys.tolist() == [memory.keys[3]]
    assert (part.split, part.info, part.class_names) == ("test", memory.info, memory.class_names)
    assert next(iter(stored)) is stored.stream


def test_parts_that_do_not_belong_together_are_refused(wavs):
    data = datasets.load("fsdd", split="train", root=wavs)
    for change, words in (
        ({"labels": data.labels[:3]}, r"labels of shape \(3,\), expected \(8,\)"),
        ({"groups": data.groups[:3]}, "groups of shape"),
        ({"keys": data.keys[:3]}, "keys of shape"),
        ({"labels": data.labels + 5}, "sample 4: label is 12, expected 0 .. 9"),
    ):
        with pytest.raises((DataError, ShapeError), match=words):
            replace(data, **change)


def test_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(DataError, match=r"No data set 'mnist'. There are: spoken_digits, fsdd"):
        datasets.load("mnist", split="train")


def test_missing_ntidigits_says_where_it_belongs(tmp_path):
    with pytest.raises(DataError, match=r"n-tidigits\.hdf5.*EVENTSIM_DATA.*spoken_digits"):
        datasets.load("ntidigits", split="train")
    with pytest.raises(DataError, match=r"n-tidigits\.hdf5"):
        datasets.load("ntidigits", split="train", root=tmp_path)
