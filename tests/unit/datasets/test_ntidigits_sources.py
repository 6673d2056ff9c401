"""Where N-TIDIGITS18 comes from: the network (a stand-in here), a file by hand, tonic."""

import hashlib
import importlib.util
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import ntidigits
from eventsim.errors import DataError

needs_tonic = pytest.mark.skipif(
    importlib.util.find_spec("tonic") is None,
    reason="tonic is not installed: pip install 'eventsim-snn[tonic]'",
)


def layout(path, *, kind="f4"):
    """A file in the layout of the published one, made without any of our code."""
    rng = np.random.default_rng(0)
    keys = {
        "train": ["man-ae-a-o", "man-ae-b-z", "woman-bd-a-7557", "woman-bd-a-3", "man-fd-b-19z"],
        "test": ["man-im-a-9", "man-im-b-z", "woman-so-a-oo", "woman-so-b-1"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for half, names in keys.items():
            file[f"{half}_labels"] = np.array(names, dtype="S")
            for name in names:
                n = int(rng.integers(900, 1500))
                seconds = np.sort(rng.uniform(0, 1.85, n)).astype(kind)
                file[f"{half}_timestamps/{name}"] = seconds
                file[f"{half}_addresses/{name}"] = rng.integers(0, 64, n).astype("i4")
    return path


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A downloader that serves a small file, whose checksum is made the known one."""
    file = layout(tmp_path / "server" / "n-tidigits.hdf5")
    monkeypatch.setattr(ntidigits, "MD5", hashlib.md5(file.read_bytes()).hexdigest())
    return file


class Server:
    """Stands in for pooch's way to the network; pooch itself compares the checksum."""

    def __init__(self, content):
        self.content, self.asked = content, []

    def __call__(self, url, output_file, _pooch, **_options):
        self.asked.append(url)
        if self.content is None:
            raise ConnectionError("no route to host")
        Path(output_file).write_bytes(self.content)


def serve(monkeypatch, content):
    server = Server(content)
    monkeypatch.setattr("pooch.core.choose_downloader", lambda *_args, **_options: server)
    return server


def test_download_is_fetched_once_and_held_to_its_checksum(served, monkeypatch, tmp_path):
    server = serve(monkeypatch, served.read_bytes())
    data = datasets.load("ntidigits", split="train", download=True)
    assert data.keys.tolist() == ["man-ae-a-o", "man-ae-b-z", "woman-bd-a-3"]
    assert server.asked == [ntidigits.URL]
    assert (tmp_path / "user" / "ntidigits" / "n-tidigits.hdf5").is_file()
    datasets.load("ntidigits", split="test", download=True)
    assert len(server.asked) == 1


def test_download_of_another_content_is_refused_and_removed(served, monkeypatch, tmp_path):
    serve(monkeypatch, b"<html>This link has expired</html>")
    with pytest.raises(DataError, match=r"download of .* failed.*n-tidigits\.hdf5"):
        datasets.load("ntidigits", split="train", download=True)
    assert not list((tmp_path / "user" / "ntidigits").glob("*.hdf5"))


def test_source_that_is_down_says_where_to_put_a_file_by_hand(monkeypatch, tmp_path):
    serve(monkeypatch, None)
    with pytest.raises(DataError, match="no route to host") as caught:
        datasets.load("ntidigits", split="train", download=True)
    text = str(caught.value)
    assert f"{tmp_path / 'user' / 'ntidigits'} as n-tidigits.hdf5" in text
    assert "$EVENTSIM_DATA/ntidigits" in text
    layout(tmp_path / "user" / "ntidigits" / "n-tidigits.hdf5")
    assert len(datasets.load("ntidigits", split="train")) == 3


def test_without_download_nothing_is_fetched(monkeypatch):
    server = serve(monkeypatch, b"")
    with pytest.raises(DataError, match=r"Downloaded on request.*spoken_digits"):
        datasets.load("ntidigits", split="train")
    assert server.asked == []


def test_file_in_the_folder_of_tonic_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTSIM_DATA", str(tmp_path / "data"))
    layout(tmp_path / "data" / "ntidigits" / "NTIDIGITS18" / "n-tidigits.hdf5")
    assert len(datasets.load("ntidigits", split="test")) == 3


def test_missing_tonic_says_how_to_install_it(tmp_path, monkeypatch):
    layout(tmp_path / "NTIDIGITS18" / "n-tidigits.hdf5")
    monkeypatch.setitem(sys.modules, "tonic", None)
    monkeypatch.setitem(sys.modules, "tonic.datasets", None)
    with pytest.raises(DataError, match=r"pip install 'eventsim-snn\[tonic\]'"):
        ntidigits.load_through_tonic("train", save_to=tmp_path)


@needs_tonic
@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("split", ["train", "test", "ab-train", "ab-test"])
def test_tonic_gives_the_same_events_to_its_rounding(tmp_path, kind, split):
    path = layout(tmp_path / "NTIDIGITS18" / "n-tidigits.hdf5", kind=kind)
    ours = ntidigits.load(split, root=path)
    theirs = ntidigits.load_through_tonic(split, save_to=tmp_path)
    assert theirs.labels.tolist() == ours.labels.tolist()
    assert theirs.keys.tolist() == ours.keys.tolist()
    assert theirs.groups.tolist() == ours.groups.tolist()
    assert theirs.split == ours.split
    np.testing.assert_array_equal(theirs.stream.offsets, ours.stream.offsets)
    for (t, c), (u, d) in zip(ours.stream, theirs.stream, strict=True):
        cut = np.floor(t * 1e3) / 1e3  # tonic cuts to whole us, which may turn two events round
        order = np.lexsort((c, cut))
        np.testing.assert_allclose(u, cut[order], rtol=0, atol=1.001e-3)
        np.testing.assert_array_equal(np.bincount(d, minlength=64), np.bincount(c, minlength=64))
        near = u == cut[order]
        assert near.mean() > 0.99
        np.testing.assert_array_equal(d[near], c[order][near])


@needs_tonic
def test_tonic_of_a_missing_file_downloads_nothing(tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tonic.datasets import NTIDIGITS18
    monkeypatch.setattr(NTIDIGITS18, "download", None)
    with pytest.raises(DataError, match="no such file"):
        ntidigits.load_through_tonic("train", save_to=tmp_path)
