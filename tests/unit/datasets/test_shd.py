import gzip
import hashlib
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import shd
from eventsim.errors import DataError
from tests.support.streams import assert_same_events

pytestmark = pytest.mark.usefixtures("read_here")


def recordings(n, kind, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        events = int(rng.integers(0, 400))
        yield np.sort(rng.uniform(0, 1.3, events)).astype(kind), rng.integers(0, 700, events)


def write(path, n=6, *, kind="f2", extra=True, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        times = file.create_dataset(
            "spikes/times", (n,), h5py.vlen_dtype(np.dtype(kind)), **options
        )
        units = file.create_dataset("spikes/units", (n,), h5py.vlen_dtype(np.uint16), **options)
        for k, (t, c) in enumerate(recordings(n, kind, seed)):
            times[k], units[k] = t, c
        file["labels"] = np.arange(n).astype("u1")
        if extra:
            file["extra/speaker"] = (np.arange(n) % 3).astype("u1")
            file["extra/keys"] = np.array([f"word {k}" for k in range(20)], dtype="S")
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "shd" / "shd_train.h5")


def test_events_labels_speakers_and_words_are_those_of_the_file(file):
    data = shd.load("train", root=file.parent)
    assert data.labels.tolist() == list(range(6))
    assert data.labels.dtype == np.int64
    assert data.groups.tolist() == ["0", "1", "2"] * 2
    assert data.class_names[3] == "word 3"
    assert (data.stream.n_channels, data.info.name, data.split) == (700, "shd", "train")
    for (t, c), (seconds, units) in zip(data.stream, recordings(6, "f2"), strict=True):
        order = np.lexsort((units, seconds))
        np.testing.assert_array_equal(t, 1e3 * seconds.astype(np.float64)[order])
        np.testing.assert_array_equal(c, units[order])


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_stored_seconds_of_any_width_are_widened_before_they_are_multiplied(tmp_path, kind):
    write(tmp_path / "shd_train.h5", kind=kind)
    times = shd.load("train", root=tmp_path).stream.times
    seconds = [t for t, _ in recordings(6, kind)]
    assert times.dtype == np.float64
    exact = np.concatenate([t.astype(np.float64) for t in seconds]) * 1000
    np.testing.assert_array_equal(times, exact)
    if kind != "f8":  # nothing of a shorter float is lost
        np.testing.assert_array_equal((times / 1e3).astype(kind), np.concatenate(seconds))


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (4,)}, {"maxshape": (None,), "chunks": (32768,)}]
)
def test_every_layout_of_the_file_is_read(tmp_path, file, options):
    write(tmp_path / "other" / "shd_train.h5", **options)
    ours, theirs = (shd.load("train", root=p).stream for p in (file, tmp_path / "other"))
    assert_same_events(ours, theirs)


@pytest.mark.parametrize("packing", ["gz", "zip"])
def test_packed_file_gives_the_same_events(tmp_path, file, packing):
    packed = tmp_path / "packed" / f"shd_train.h5.{packing}"
    packed.parent.mkdir()
    if packing == "gz":
        packed.write_bytes(gzip.compress(file.read_bytes()))
    else:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(file, "shd_train.h5")
    for source in (shd.source("train", root=packed), shd.source("train", root=packed.parent)):
        np.testing.assert_array_equal(
            source.load().stream.times, shd.load("train", root=file).stream.times
        )
        assert source.stored().class_names[3] == "word 3"


def test_stored_events_are_those_in_memory(file):
    stored, memory = shd.source("train", root=file).stored(), shd.load("train", root=file)
    assert_same_events(stored.stream, memory.stream)
    assert stored.labels.tolist() == memory.labels.tolist()
    assert stored.class_names == memory.class_names
    assert stored.groups.tolist() == memory.groups.tolist()


def test_splits_lie_beside_each_other_whichever_was_named(file):
    write(file.parent / "shd_test.h5", n=2, seed=1)
    assert len(shd.load("test", root=file)) == 2
    assert len(shd.load("train", root=file.parent / "shd_test.h5")) == 6


def test_ssc_has_a_validation_part_and_35_words(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTSIM_DATA", str(tmp_path))
    write(tmp_path / "ssc" / "ssc_valid.h5", extra=False)
    data = datasets.load("ssc", split="valid")
    assert len(data) == 6
    assert len(datasets.DATASETS["ssc"].classes) == len(set(datasets.DATASETS["ssc"].classes)) == 35


def test_file_without_words_has_those_that_were_published(tmp_path):
    write(tmp_path / "shd_train.h5", extra=False)
    data = shd.load("train", root=tmp_path)
    assert data.class_names[3] == "three"
    assert data.class_names[15] == "fuenf"
    assert data.groups.tolist() == [""] * 6
    write(tmp_path / "ssc_train.h5", extra=False)
    words = shd.load("train", info=shd.SSC, root=tmp_path).class_names
    assert words == tuple(map(str, range(35)))


def test_tonic_s_folder_is_found(tmp_path):
    write(tmp_path / "SHD" / "shd_test.h5")
    assert len(shd.load("test", root=tmp_path)) == 6


def test_download_is_held_to_its_checksum(tmp_path, file, monkeypatch):
    with zipfile.ZipFile(tmp_path / "served.zip", "w") as archive:
        archive.write(file, "shd_train.h5")
    content = (tmp_path / "served.zip").read_bytes()
    asked = []

    def server(url, output_file, _pooch, **_options):
        asked.append(url)
        Path(output_file).write_bytes(content)

    monkeypatch.setattr("pooch.core.choose_downloader", lambda *_args, **_options: server)
    with pytest.raises(DataError, match="download of"):
        datasets.load("shd", split="train", download=True)
    monkeypatch.setitem(shd.MD5, "shd_train.h5.zip", hashlib.md5(content).hexdigest())
    assert len(datasets.load("shd", split="train", download=True)) == 6
    assert asked == ["https://zenkelab.org/datasets/shd_train.h5.zip"] * 2


def test_unsorted_times_are_sorted(file):
    with h5py.File(file, "a") as content:
        content["spikes/times"][0] = np.array([0.5, 0.25, 0.25], "f2")
        content["spikes/units"][0] = np.array([3, 9, 2], "u2")
    t, c = shd.load("train", root=file).stream.sample(0)
    assert t.tolist() == [250.0, 250.0, 500.0]
    assert c.tolist() == [2, 9, 3]


def test_packed_file_is_unpacked_once_and_nothing_is_left(tmp_path, file, monkeypatch):
    packed = tmp_path / "packed" / "shd_train.h5.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(file.read_bytes()))
    first = shd.load("train", root=packed)
    monkeypatch.setattr(gzip, "open", None)
    second = shd.load("train", root=packed)
    assert_same_events(first.stream, second.stream)
    assert len(list((tmp_path / "cache").iterdir())) == 1
