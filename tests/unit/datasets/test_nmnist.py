import contextlib
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim import datasets
from eventsim.datasets import nmnist
from eventsim.errors import DataError
from tests.support.recordings import nmnist_bin as encode
from tests.support.streams import assert_same_events

REAL = Path(os.environ.get("EVENTSIM_DATA", "/nonexistent")) / "nmnist_small"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="EVENTSIM_DATA names no folder with the subset of N-MNIST"
)


def sample(n, seed):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 300_000, n))
    return t, rng.integers(0, 34, n), rng.integers(0, 34, n), rng.integers(0, 2, n)


SAMPLES = {"0/00007": sample(50, 0), "3/00002": sample(0, 1), "3/00010": sample(80, 2)}


@pytest.fixture
def folder(tmp_path):
    for name, events in SAMPLES.items():
        path = tmp_path / "nmnist" / "Train" / f"{name}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(*events))
    return tmp_path / "nmnist"


CORNERS = list(zip((0, 0, 0), (33, 0, 0), (0, 33, 0), (33, 33, 1), strict=True))


@pytest.mark.parametrize(
    ("content", "times", "channels"),
    [
        (bytes([5, 2, 0x81, 0x02, 0x03]), [0x10203], [(34 + 2) * 34 + 5]),
        # An overflow of the clock adds to all later times.
        (
            encode([100, 0, 200, 0, 300], [1, 0, 1, 0, 1], [2, 240, 2, 240, 2], [0] * 5),
            [100, 200 + 8192, 300 + 2 * 8192],
            [69] * 3,
        ),
        # Channels go by polarity, row, column.
        (encode(range(4), *CORNERS), range(4), [0, 33, 33 * 34, 2311]),
    ],
)
def test_events_are_decoded_by_hand(content, times, channels):
    t, c = nmnist.decode(content, "here")
    assert (t.tolist(), c.tolist()) == ([us / 1e3 for us in times], channels)


def test_folder_is_read_in_the_order_of_digit_and_number(folder):
    data = nmnist.load("train", root=folder)
    assert data.keys.tolist() == list(SAMPLES)
    assert data.labels.tolist() == [0, 3, 3]
    assert data.class_names[3] == "three"
    assert data.stream.n_channels == 2312
    for (t, _), (us, *_) in zip(data.stream, SAMPLES.values(), strict=True):
        np.testing.assert_array_equal(t, us / 1e3)
    assert data.stream.duration[1] == 1.0


def test_zip_gives_the_same_events_as_the_folder(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "train.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in reversed(SAMPLES):
            archive.write(folder / "Train" / f"{name}.bin", f"Train/{name}.bin")
    ours = nmnist.load("train", root=folder)
    for root in (tmp_path, tmp_path / "train.zip"):
        theirs = nmnist.load("train", root=root)
        np.testing.assert_array_equal(ours.stream.channels, theirs.stream.channels)
        assert theirs.keys.tolist() == ours.keys.tolist()


def test_stored_events_are_those_in_memory(folder):
    stored, memory = nmnist.source("train", root=folder).stored(), nmnist.load("train", root=folder)
    assert_same_events(stored.stream, memory.stream)
    victim = folder / "Train" / "0" / "00007.bin"
    victim.write_bytes(victim.read_bytes()[:-5])
    assert (
        nmnist.source("train", root=folder).stored().stream.n_events == memory.stream.n_events - 1
    )


def packed(path, **changes):
    events = [np.concatenate(parts) for parts in zip(*SAMPLES.values(), strict=True)]
    arrays = dict(zip("txyp", events, strict=True)) | {
        "offsets": np.cumsum([0, 50, 0, 80]),
        "label": np.array([0, 3, 3], np.uint8),
        "index": np.array([7, 2, 10], np.uint32),
    }
    np.savez_compressed(path, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return path


def test_packed_subset_gives_the_same_events_and_says_so(folder, tmp_path):
    path = packed(tmp_path / "nmnist_train3.npz")
    ours, theirs = nmnist.load("train", root=folder), nmnist.load("train", root=path)
    assert_same_events(ours.stream, theirs.stream)
    assert theirs.keys.tolist() == ["7", "2", "10"]
    assert theirs.split == "train of nmnist_train3.npz"


PLACES = st.integers(0, nmnist.SIDE - 1)  # random bytes are hardly ever on the sensor
EVENTS = st.lists(st.tuples(PLACES, PLACES, *[st.integers(0, 255)] * 3), max_size=12)


@given(content=st.binary(max_size=60) | EVENTS.map(lambda events: bytes(sum(events, ()))))
def test_any_bytes_are_decoded_or_refused(content):
    with contextlib.suppress(DataError):
        t, c = nmnist.decode(content, "here")
        assert (np.diff(t) >= 0).all()
        assert c.max(initial=0) < nmnist.N_CHANNELS


@needs_real
@pytest.mark.parametrize(
    ("split", "n", "events"), [("train", 400, 1_635_867), ("test", 100, 385_596)]
)
def test_real_subset_is_read_and_its_events_survive_the_published_form(split, n, events):
    data = nmnist.load(split, root=REAL)
    assert (len(data), data.stream.n_events) == (n, events)
    on = (data.stream.channels >= 34 * 34).mean()
    assert 0.4 < on < 0.6
    t, c = data.stream.sample(0)
    again = encode(np.rint(1e3 * t).astype(int), c % 34, c // 34 % 34, c // 1156)
    for a, b in zip(nmnist.decode(again, "here"), (t, c), strict=True):
        np.testing.assert_array_equal(a, b)


@needs_real
def test_real_subset_is_found_in_its_folder(monkeypatch):
    monkeypatch.setenv("EVENTSIM_DATA", str(REAL.parent))
    data = datasets.load("nmnist", split="test")
    assert np.bincount(data.labels).tolist() == [8, 14, 8, 11, 14, 7, 10, 15, 2, 11]
