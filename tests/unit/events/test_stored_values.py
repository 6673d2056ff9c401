"""Well-formed files of stored events with values that none can have."""

import h5py
import numpy as np
import pytest

from eventsim.errors import StorageError
from eventsim.events import StoredStream, write_stored
from eventsim.events.stored import Recording


@pytest.fixture
def path(tmp_path):
    recordings = [Recording([1.0, 2.0], [0, 1], 5.0), Recording([3.0], [1], 5.0)]
    write_stored(tmp_path / "stored.h5", recordings, n_channels=2)
    return tmp_path / "stored.h5"


@pytest.mark.parametrize("duration", [np.nan, np.inf, -1.0, 0.0])
def test_a_duration_that_is_none_is_refused_when_the_file_is_opened(path, duration):
    with h5py.File(path, "a") as file:
        file["duration"][0] = duration
    with pytest.raises(StorageError, match="a duration is none"):
        StoredStream.open(path)


@pytest.mark.parametrize("n_channels", [0, -1, 2**31, b"x"])
def test_a_number_of_channels_that_is_none_is_refused_when_the_file_is_opened(path, n_channels):
    with h5py.File(path, "a") as file:
        file.attrs["n_channels"] = n_channels
    with pytest.raises(StorageError, match="damaged"):
        StoredStream.open(path)


@pytest.mark.parametrize("notes", ["[]", "3", "[" * 10_000, '{"a": "\\ud800"}', "\xff"])
def test_notes_that_are_none_are_refused(path, notes):
    with h5py.File(path, "a") as file:
        del file["notes"]
        file["notes"] = np.frombuffer(notes.encode("latin-1"), np.uint8)
    with pytest.raises(StorageError, match=str(path)):
        StoredStream.open(path)
