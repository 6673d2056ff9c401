import h5py
import numpy as np
import pytest

from eventsim.datasets import ntidigits
from eventsim.errors import DataError


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
    stream, labels, names = ntidigits.load(file, split="train")
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
    stream, _, _ = ntidigits.load(file, split="test")
    last = TEST["man-im-a-9"][0][-1]
    assert stream.duration.tolist() == [np.floor(last) + 1.0, 1.0]


def test_sequences_are_read_on_request_only(file):
    _, keys = ntidigits.load_with_keys(file, split="train", n_digits=None)
    assert [key.digits for key in keys] == ["o", "1", "z", "7557"]
    assert keys[3].labels == (7, 5, 5, 7)
    _, four = ntidigits.load_with_keys(file, split="train", n_digits=4)
    assert [str(key) for key in four] == ["woman-bd-b-7557"]


def test_division_by_utterance_pools_both_halves(file):
    _, a = ntidigits.load_with_keys(file, split="train", division="ab")
    _, b = ntidigits.load_with_keys(file, split="test", division="ab")
    assert [str(k) for k in a] == ["man-ae-a-o", "woman-bd-a-z", "man-im-a-9"]
    assert [str(k) for k in b] == ["man-ae-b-1", "man-im-b-z"]


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("address", ["i1", "u2", "i8"])
def test_any_float_and_integer_type_is_accepted(file, kind, address):
    times, channels = TRAIN["man-ae-a-o"]
    with h5py.File(file, "a") as content:
        for part, values in (("timestamps", times / 1e3), ("addresses", channels)):
            del content[f"train_{part}"]["man-ae-a-o"]
            dtype = kind if part == "timestamps" else address
            content[f"train_{part}"]["man-ae-a-o"] = values.astype(dtype)
    stream, _, _ = ntidigits.load(file, split="train")
    np.testing.assert_allclose(stream.sample(0)[0], times, rtol=1e-7)
    assert stream.times.dtype == np.float64


def test_missing_file_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match="no such file, expected an HDF5 file in the layout"):
        ntidigits.load(tmp_path / "none.hdf5", split="train")


@pytest.mark.parametrize("length", [0, 7, 500, -500])
def test_truncated_file_is_refused(file, length):
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(DataError, match=r"n-tidigits\.hdf5"):
        ntidigits.load(file, split="train")


def test_hdf5_file_of_another_kind_is_refused(tmp_path):
    with h5py.File(tmp_path / "shd.h5", "w") as content:
        content["labels"] = np.arange(3)
    with pytest.raises(DataError, match=r"has no train_labels.*it holds \['labels'\]"):
        ntidigits.load(tmp_path / "shd.h5", split="train")


def test_labels_that_are_no_list_of_keys_are_refused(file):
    with h5py.File(file, "a") as content:
        del content["train_labels"]
        content["train_labels"] = np.array([b"cat-1"])
    with pytest.raises(DataError, match="key 'cat-1': expected"):
        ntidigits.load(file, split="train")


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("addresses", np.zeros(39, int), "expected two one-dimensional arrays of equal length"),
        ("timestamps", np.zeros((40, 2)), "expected two one-dimensional arrays of equal length"),
        ("addresses", np.full(40, 64), "addresses reach from 64 to 64, expected 0 to 63"),
        ("addresses", np.full(40, -1), "addresses reach from -1"),
        ("addresses", np.zeros(40), "addresses have type float64, expected integers"),
        ("timestamps", np.arange(40), "timestamps have type int64, expected floats"),
        ("timestamps", np.full(40, np.nan), "negative or not finite"),
        ("timestamps", np.full(40, -0.1), "negative or not finite"),
        ("timestamps", None, "cannot be read"),
    ],
)
def test_array_against_the_layout_is_named_with_its_key(file, part, values, words):
    with h5py.File(file, "a") as content:
        del content[f"train_{part}"]["man-ae-a-o"]
        if values is not None:
            content[f"train_{part}"]["man-ae-a-o"] = values
    with pytest.raises(DataError, match=f"man-ae-a-o.*{words}"):
        ntidigits.load(file, split="train")


def test_unsorted_events_are_sorted(tmp_path):
    ntidigits.write(
        tmp_path / "f.hdf5", train={"man-ae-a-1": ([3.0, 1.0, 1.0], [0, 9, 4])}, test={}
    )
    stream, _, _ = ntidigits.load(tmp_path / "f.hdf5", split="train")
    assert stream.times.tolist() == [1.0, 1.0, 3.0]
    assert stream.channels.tolist() == [4, 9, 0]


def test_split_without_single_digits_is_refused(tmp_path):
    ntidigits.write(tmp_path / "f.hdf5", train={}, test={"man-ae-a-12": events(3, 0)})
    with pytest.raises(DataError, match="split 'test' holds no sample with 1 digits"):
        ntidigits.load(tmp_path / "f.hdf5", split="test")


def test_failed_write_keeps_the_old_file(file):
    before = file.read_bytes()
    with pytest.raises(DataError, match="addresses reach"):
        ntidigits.write(file, train={"man-ae-a-o": ([1.0], [99])}, test={})
    with pytest.raises(DataError, match="'boy-ae-a-o'"):
        ntidigits.write(file, train={"boy-ae-a-o": ([1.0], [9])}, test={})
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("options", [{"split": "valid"}, {"split": "train", "division": "c"}])
def test_unknown_split_or_division_is_refused(file, options):
    with pytest.raises(DataError, match="expected '"):
        ntidigits.load(file, **options)
