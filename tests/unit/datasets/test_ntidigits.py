from fractions import Fraction

import h5py
import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import ntidigits
from eventsim.errors import DataError
from tests.support.streams import assert_same_events


def events(n, seed):
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0, 900, n)), rng.integers(0, 64, n)


TRAIN = {
    "man-ae-a-o": events(40, 0),
    "man-ae-b-1": events(30, 1),
    "woman-bd-a-z": events(20, 2),
    "woman-bd-b-7557": events(90, 3),
}
TEST = {"man-im-a-9": events(15, 4), "man-im-b-z": events(0, 5)}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "n-tidigits.hdf5"
    ntidigits.write(path, train=TRAIN, test=TEST)
    return path


def test_written_samples_are_read_back(file):
    data = ntidigits.load("train", root=file.parent)
    stream, labels, names = data
    assert data.groups.tolist() == ["ae", "ae", "bd"]
    assert labels.tolist() == [0, 1, 10]
    assert labels.dtype == np.int64
    assert [names[k] for k in labels] == ["oh", "one", "zero"]
    assert stream.n_channels == 64
    for sample, key in enumerate(("man-ae-a-o", "man-ae-b-1", "woman-bd-a-z")):
        times, channels = stream.sample(sample)
        np.testing.assert_allclose(times, TRAIN[key][0], rtol=1e-15)
        np.testing.assert_array_equal(channels, TRAIN[key][1])


def test_file_has_exactly_the_layout_of_ntidigits18(file):
    with h5py.File(file) as content:
        assert set(content) == {
            f"{half}_{part}"
            for half in ("train", "test")
            for part in ("labels", "timestamps", "addresses")
        }
        assert content["train_labels"][...].tolist() == [key.encode() for key in TRAIN]
        assert content["train_labels"].dtype.kind == "S"
        seconds = content["train_timestamps"]["man-ae-a-o"][...]
        np.testing.assert_allclose(1e3 * seconds, TRAIN["man-ae-a-o"][0], rtol=1e-15)
        assert content["train_addresses"]["man-ae-a-o"].dtype.kind in "iu"


def test_duration_is_the_first_whole_millisecond_after_the_last_event(file):
    stream, _, _ = ntidigits.load("test", root=file)
    last = TEST["man-im-a-9"][0][-1]
    assert stream.duration.tolist() == [np.floor(last) + 1.0, 1.0]


def test_connected_digits_are_classes_by_what_is_said(file):
    everything = ntidigits.load_strings("train", root=file)
    said = [everything.class_names[label] for label in everything.labels]
    assert said == ["oh", "one", "zero", "seven five five seven"]
    assert everything.class_names[:11] == ntidigits.CLASS_NAMES
    assert len(everything.class_names) == 12
    assert everything.labels.tolist() == [0, 1, 10, 11]
    four = ntidigits.load_strings("train", n_digits=4, root=file)
    assert four.keys.tolist() == ["woman-bd-b-7557"]
    np.testing.assert_allclose(four.stream.times, TRAIN["woman-bd-b-7557"][0], rtol=1e-15)
    assert four.split == "official-train"


def test_connected_digits_are_a_data_set_by_name(file):
    data = datasets.load("ntidigits_strings", split="test", root=file)
    left = datasets.stored("ntidigits_strings", split="test", root=file)
    single = datasets.stored("ntidigits", split="test", root=file)
    assert data.class_names[:11] == left.class_names[:11] == single.class_names
    np.testing.assert_array_equal(left.labels, data.labels)
    assert left.class_names == data.class_names


def test_division_by_utterance_pools_both_halves(file):
    a, b = (ntidigits.load(split, root=file) for split in ("ab-train", "ab-test"))
    assert a.keys.tolist() == ["man-ae-a-o", "woman-bd-a-z", "man-im-a-9"]
    assert b.keys.tolist() == ["man-ae-b-1", "man-im-b-z"]
    assert a.groups.tolist() == ["ae", "bd", "im"]
    np.testing.assert_array_equal(a.stream.sample(2)[1], TEST["man-im-a-9"][1])


@pytest.mark.parametrize("split", ["train", "test", "ab-train", "ab-test"])
def test_every_result_is_labelled_with_its_split(file, split):
    named = ntidigits.load(split, root=file).split
    assert named == (split if "-" in split else f"official-{split}")
    assert ntidigits.load(named, root=file).split == named


def test_samples_are_read_by_key_and_nothing_else_is(file, monkeypatch):
    touched = []
    original = h5py.Dataset.__getitem__

    def noting(data, index, **options):
        touched.append(data.name)
        return original(data, index, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", noting)
    stream = ntidigits.read(file, ["man-im-a-9", ntidigits.parse_key("man-ae-b-1")])
    np.testing.assert_array_equal(stream.sample(1)[1], TRAIN["man-ae-b-1"][1])
    assert sorted(touched) == [
        "/test_addresses/man-im-a-9",
        "/test_timestamps/man-im-a-9",
        "/train_addresses/man-ae-b-1",
        "/train_timestamps/man-ae-b-1",
    ]
    touched.clear()
    assert [str(key) for key in ntidigits.read_keys(file, "test")] == list(TEST)
    assert touched == ["/test_labels"]


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("address", ["i1", "u1", "u2", ">i4", "i8", "u8"])
def test_any_float_and_integer_type_is_accepted(file, kind, address):
    times, channels = TRAIN["man-ae-a-o"]
    seconds = np.sort((times / 1e3).astype(kind))
    with h5py.File(file, "a") as content:
        for part, values in (("timestamps", seconds), ("addresses", channels)):
            del content[f"train_{part}"]["man-ae-a-o"]
            content[f"train_{part}"]["man-ae-a-o"] = values.astype(
                kind if part == "timestamps" else address
            )
    found = ntidigits.load("train", root=file).stream.sample(0)[0]
    assert found.dtype == np.float64
    exact = [Fraction(float(s)) * 1000 for s in seconds]
    if kind != "f8":  # nothing of a shorter float is lost
        assert [Fraction(float(t)) for t in found] == exact
    np.testing.assert_allclose(found, [float(t) for t in exact], rtol=2**-53)


def test_unsorted_events_are_sorted(tmp_path):
    ntidigits.write(
        tmp_path / "f.hdf5", train={"man-ae-a-1": ([3.0, 1.0, 1.0], [0, 9, 4])}, test={}
    )
    stream, _, _ = ntidigits.load("train", root=tmp_path / "f.hdf5")
    assert stream.times.tolist() == [1.0, 1.0, 3.0]
    assert stream.channels.tolist() == [4, 9, 0]


def test_failed_write_keeps_the_old_file(file):
    before = file.read_bytes()
    with pytest.raises(DataError, match="address is 99, expected 0 .. 63"):
        ntidigits.write(file, train={"man-ae-a-o": ([1.0], [99])}, test={})
    with pytest.raises(DataError, match="'boy-ae-a-o'"):
        ntidigits.write(file, train={"boy-ae-a-o": ([1.0], [9])}, test={})
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_stored_events_are_those_in_memory(file):
    for split in ("train", "ab-test"):
        stored = ntidigits.source(split, root=file).stored()
        memory = ntidigits.load(split, root=file)
        assert_same_events(stored.stream, memory.stream)
        np.testing.assert_array_equal(stored.stream.duration, memory.stream.duration)
        assert stored.keys.tolist() == memory.keys.tolist()
        assert stored.split == memory.split
