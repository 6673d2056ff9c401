import numpy as np
import pytest
from scipy.io import wavfile

from eventsim.datasets import guarded, guarded_child


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Cache and data folders of this test alone; nothing of the user's is read or written."""
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVENTSIM_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_data_dir", lambda _app: str(tmp_path / "user"))
    return tmp_path


@pytest.fixture
def read_here(monkeypatch):
    """Let libraries read in this process, quickly; test_vlen.py starts those that are real."""

    def blocks(library, path, *arguments, **_limits):
        return guarded_child.WAYS[library](str(path), *arguments)

    monkeypatch.setattr(guarded, "blocks", blocks)


@pytest.fixture
def write(tmp_path):
    """Put bytes into a file; the format of a recording is told by them, not by the name."""

    def to_file(content):
        path = tmp_path / "recording.aedat"
        path.write_bytes(content)
        return path

    return to_file


@pytest.fixture
def wavs(tmp_path):
    """A folder like FSDD's: two speakers, digits 3 and 7, takes 0, 4, 5 and 6."""
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for speaker, pitch in (("ann", 220.0), ("bob", 110.0)):
        for digit in (3, 7):
            for take in (0, 4, 5, 6):
                t = np.arange(800 + 80 * take) / 8000
                tone = np.sin(2 * np.pi * pitch * digit * t) + 0.01 * rng.normal(size=t.size)
                pcm = (8000 * tone).astype(np.int16)
                wavfile.write(folder / f"{digit}_{speaker}_{take}.wav", 8000, pcm)
    return folder.parent
