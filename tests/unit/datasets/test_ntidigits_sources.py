"""Where N-TIDIGITS18 comes from: the network (a stand-in here), a file by hand."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import ntidigits
from eventsim.errors import DataError


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


def test_without_download_nothing_is_fetched(monkeypatch, tmp_path):
    server = serve(monkeypatch, b"")
    with pytest.raises(DataError, match=r"Downloaded on request.*spoken_digits"):
        datasets.load("ntidigits", split="train")
    layout(tmp_path / "user" / "ntidigits" / "n-tidigits.hdf5")  # put there by hand
    assert len(datasets.load("ntidigits", split="train")) == 3
    assert server.asked == []


def test_file_in_the_folder_of_tonic_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTSIM_DATA", str(tmp_path / "data"))
    layout(tmp_path / "data" / "ntidigits" / "NTIDIGITS18" / "n-tidigits.hdf5")
    assert len(datasets.load("ntidigits", split="test")) == 3
