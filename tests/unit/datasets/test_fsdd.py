import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from eventsim.datasets import fsdd
from eventsim.datasets.audio import read_audio
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.errors import DataError
from tests.support.streams import assert_same_events

REAL = Path(os.environ.get("EVENTSIM_DATA", "/nonexistent")) / "fsdd"
needs_fsdd = pytest.mark.skipif(
    not REAL.is_dir(), reason="EVENTSIM_DATA names no folder with the recordings of FSDD"
)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for wav in folder.rglob("*.wav"):
            archive.write(wav, f"free-spoken-digit-dataset-1/recordings/{wav.name}")
    return path


def takes(data):
    return {int(key.rsplit("_", 1)[1]) for key in data.keys}


def test_official_split_takes_the_first_five_takes_as_test(wavs):
    assert takes(fsdd.load("test", root=wavs)) == {0, 4}
    assert takes(fsdd.load("train", root=wavs)) == {5, 6}


def test_labels_are_the_digits_and_speakers_go_with_them(wavs):
    data = fsdd.load("train", root=wavs)
    stream, labels, names = data
    assert labels.tolist() == [3, 3, 3, 3, 7, 7, 7, 7]
    assert labels.dtype == np.int64
    assert data.groups.tolist() == ["ann", "ann", "bob", "bob"] * 2
    assert data.keys[3] == "3_bob_6"
    assert names[7] == "seven"
    assert stream.n_samples == len(data) == 8
    np.testing.assert_allclose(stream.duration, [150.0, 160.0] * 4)


def test_speakers_can_be_chosen_and_share_the_cache(wavs, monkeypatch):
    fsdd.load("test", root=wavs)
    monkeypatch.setattr(CochleaEncoder, "encode", None)
    data = fsdd.load("test", root=wavs, speakers=["bob"])
    assert set(data.groups.tolist()) == {"bob"}
    assert data.stream.n_samples == 4


def test_zip_and_folder_give_the_same_events(wavs, tmp_path):
    archive = zipped(wavs, tmp_path / "anything.zip")
    ours, theirs = (fsdd.load("train", root=r).stream for r in (wavs, archive))
    assert_same_events(ours, theirs)


@pytest.mark.parametrize("place", ["data", "user"])
@pytest.mark.parametrize("packed", [True, False])
def test_recordings_are_found_in_the_usual_places(wavs, tmp_path, monkeypatch, place, packed):
    base = tmp_path / place
    if place == "data":
        monkeypatch.setenv("EVENTSIM_DATA", str(base))
    base.mkdir()
    if packed:
        (base / "fsdd").mkdir()
        zipped(wavs, base / "fsdd" / "fsdd.zip")
    else:
        wavs.rename(base / "fsdd")
    assert len(fsdd.load("test")) == 8


def test_second_load_encodes_nothing(wavs, monkeypatch):
    before, *_ = fsdd.load("train", root=wavs)
    monkeypatch.setattr(CochleaEncoder, "encode", None)
    after, *_ = fsdd.load("train", root=wavs)
    assert_same_events(before, after)


def test_changed_recording_or_encoder_is_encoded_anew(wavs):
    before, *_ = fsdd.load("train", root=wavs)
    softer, *_ = fsdd.load("train", root=wavs, encoder=CochleaEncoder(gain=1000.0))
    assert softer.n_events < before.n_events
    victim = wavs / "recordings" / "3_ann_5.wav"
    victim.write_bytes((wavs / "recordings" / "7_bob_6.wav").read_bytes())
    changed, *_ = fsdd.load("train", root=wavs)
    np.testing.assert_array_equal(changed.sample(0)[0], before.sample(7)[0])


def fake_retrieve(archive):
    def retrieve(_url, *, known_hash, fname, path, progressbar):
        del known_hash, progressbar
        target = Path(path) / fname
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(archive.read_bytes())
        return str(target)

    return retrieve


def test_download_that_is_not_what_was_expected_is_removed(wavs, tmp_path, monkeypatch):
    archive = zipped(wavs, tmp_path / "served.zip")
    monkeypatch.setattr("pooch.retrieve", fake_retrieve(archive))
    with pytest.raises(DataError, match="holds 16 recordings, expected 3000"):
        fsdd.load("train", download=True)
    assert not (tmp_path / "user" / "fsdd" / "fsdd.zip").exists()


def test_complete_download_is_kept_and_used(wavs, tmp_path, monkeypatch):
    archive = zipped(wavs, tmp_path / "served.zip")
    files = fsdd.read_files(wavs)
    monkeypatch.setattr(fsdd, "ARCHIVE_FILES", 16)
    monkeypatch.setattr(fsdd, "KNOWN_SPEAKERS", ("ann", "bob"))
    monkeypatch.setattr(fsdd, "KNOWN_SHA256", fsdd.digest(files.items()))
    monkeypatch.setattr("pooch.retrieve", fake_retrieve(archive))
    assert len(fsdd.load("train", download=True)) == 8
    assert len(fsdd.load("test")) == 8  # found, not fetched


@needs_fsdd
def test_known_content_of_fsdd_is_that_of_the_real_recordings():
    files = fsdd.read_files(REAL)
    known = {n: c for n, c in files.items() if n.split("_")[1] in fsdd.KNOWN_SPEAKERS}
    assert fsdd.digest(known.items()) == fsdd.KNOWN_SHA256


@needs_fsdd
def test_real_speech_gives_about_2800_events_per_second():
    files = list(fsdd.read_files(REAL).items())[::25]
    clips = [read_audio(content, name) for name, content in files]
    events = [fsdd.ENCODER.encode(audio, rate) for rate, audio in clips]
    rate = sum(t.size for t, _ in events) / sum(audio.size / r for r, audio in clips)
    busy = [(np.bincount(c, minlength=64) >= 10).sum() for _, c in events]
    assert 2500 < rate < 3100
    assert 35 < np.mean(busy) < 50
