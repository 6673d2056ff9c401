import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import ntidigits
from eventsim.errors import DataError


def test_every_data_set_describes_itself():
    assert {"fsdd", "spoken_digits", "ntidigits"} <= set(datasets.DATASETS)
    for name, info in datasets.DATASETS.items():
        assert info.name == name
        assert info.channels > 0
        assert len(set(info.classes)) == len(info.classes) > 1
        assert all((info.description, info.splits, info.obtain, info.licence))


def test_load_gives_events_labels_and_speakers(wavs):
    data = datasets.load("fsdd", split="train", root=wavs)
    assert len(data) == data.stream.n_samples == data.groups.size == 8
    assert set(data.groups.tolist()) == {"ann", "bob"}
    assert data.class_names == data.info.classes
    assert data.class_names[data.labels[0]] == "three"


def test_load_of_ntidigits_takes_a_file_or_its_folder(tmp_path):
    path = tmp_path / "n-tidigits.hdf5"
    ntidigits.write(path, train={"man-ae-a-z": ([1.0], [5])}, test={})
    for root in (path, tmp_path):
        data = datasets.load("ntidigits", split="train", root=root)
        assert data.labels.tolist() == [10]
        assert data.groups.tolist() == ["ae"]
        np.testing.assert_allclose(data.stream.times, [1.0])


def test_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(DataError, match=r"No data set 'mnist'. There are: spoken_digits, fsdd"):
        datasets.load("mnist", split="train")


def test_unknown_split_is_refused():
    with pytest.raises(DataError, match="split is 'dev'"):
        datasets.load("fsdd", split="dev")


def test_missing_ntidigits_says_where_it_belongs(tmp_path):
    with pytest.raises(DataError, match=r"n-tidigits\.hdf5.*EVENTSIM_DATA.*spoken_digits"):
        datasets.load("ntidigits", split="train")
    with pytest.raises(DataError, match=r"n-tidigits\.hdf5"):
        datasets.load("ntidigits", split="train", root=tmp_path)
