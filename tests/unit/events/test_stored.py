"""StoredStream: the same recordings as in memory, and only what is asked for is read."""

import multiprocessing
import sys
from collections import Counter

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.errors import EventError, StorageError
from eventsim.events import Recording, StoredStream, gather, write_stored
from eventsim.events import stored as stored_module
from tests.support.fresh import said
from tests.support.streams import assert_same_events
from tests.support.tiers import beyond


def recordings(counts, *, n_channels=64, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Recording(np.sort(rng.uniform(0, 50, n)), rng.integers(0, n_channels, n), 50.0 + k)
        for k, n in enumerate(counts)
    ]


COUNTS = [40, 0, 9000, 1, 0, 20000, 300]


@pytest.fixture
def memory():
    return gather(recordings(COUNTS), n_channels=64)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "events.h5"
    words = np.array(["a", "bé", "", "d", "e", "f", "g"])
    write_stored(
        path,
        recordings(COUNTS),
        n_channels=64,
        columns={"word": words, "label": np.arange(7)},
        notes={"made by": "a test"},
    )
    return StoredStream.open(path)


def test_whole_file_is_the_stream_in_memory(memory, stored):
    assert_same_events(stored[:], memory)
    assert (len(stored), stored.n_events) == (len(memory), memory.n_events)
    np.testing.assert_array_equal(stored.offsets, memory.offsets)
    stored.verify()


@pytest.mark.parametrize(
    "index", [3, -1, slice(1, 6, 2), [5, 0, 0, 6], np.arange(7) % 2 == 0, [], slice(0, 0)]
)
def test_selection_reads_what_selection_in_memory_gives(memory, stored, index):
    index = np.asarray(index, int) if isinstance(index, list) else index
    assert_same_events(stored[index], memory[index])
    assert_same_events(stored.subset(index)[:], memory[index])


def test_subset_of_a_subset_keeps_columns_beside_their_samples(memory, stored):
    part = stored.subset([6, 2, 1]).subset([1, 0])
    assert_same_events(part[:], memory[[2, 6]])
    assert part.columns["word"].tolist() == ["", "g"]
    assert part.columns["label"].tolist() == [2, 6]
    assert stored.columns["word"][1] == "bé"
    assert stored.notes == {"made by": "a test"}


def test_batches_and_samples_are_those_of_a_stream(memory, stored):
    order = np.array([3, 1, 6, 0])
    for a, b in zip(stored.batches(3, order=order), memory.batches(3, order=order), strict=True):
        np.testing.assert_array_equal(a, b)
    for (t, c), (u, d) in zip(stored, memory, strict=True):
        np.testing.assert_array_equal(t, u)
        np.testing.assert_array_equal(c, d)


def test_pieces_are_the_arrays_of_the_stream(memory, stored, monkeypatch):
    monkeypatch.setattr(stored_module, "BLOCK", 777)
    for name in ("times", "channels"):
        pieces = list(stored.pieces(name))
        assert max(p.size for p in pieces) <= 777
        np.testing.assert_array_equal(np.concatenate(pieces), getattr(memory, name))


@pytest.mark.parametrize(
    "length", beyond(2, [25.0, 1000.0, 7.0], pytest.mark.thorough("many chunks"))
)
def test_chunks_are_those_of_the_stream_in_memory(memory, stored, monkeypatch, length):
    monkeypatch.setattr(stored_module, "CHUNK", 100)
    for a, b in zip(stored.chunks(length), memory.chunks(length), strict=True):
        assert_same_events(a, b)


def test_event_on_the_border_of_chunks_belongs_to_the_later_one(tmp_path):
    write_stored(tmp_path / "f", [Recording([1.0, 2.0, 2.0], [0, 1, 0], 3.0)], n_channels=2)
    stored = StoredStream.open(tmp_path / "f")
    for first, second in (stored.chunks(2.0), stored[:].chunks(2.0)):
        assert first.times.tolist() == [1.0]
        assert second.channels.tolist() == [0, 1]


def test_file_without_recordings_is_read_back(tmp_path):
    write_stored(tmp_path / "f", [], n_channels=3, columns={"word": np.zeros(0, "U5")})
    empty = StoredStream.open(tmp_path / "f")
    assert (len(empty), empty.n_channels, empty[:].n_events) == (0, 3, 0)
    empty.verify()


@pytest.mark.parametrize(
    ("n_channels", "kind"), [(1, "u1"), (256, "u1"), (257, "u2"), (70000, "u4")]
)
def test_channels_are_stored_in_the_smallest_type(tmp_path, n_channels, kind):
    last = Recording([1.0], [n_channels - 1], 2.0)
    write_stored(tmp_path / "f", [last], n_channels=n_channels)
    with h5py.File(tmp_path / "f") as file:
        assert file["channels"].dtype == kind
    assert StoredStream.open(tmp_path / "f")[:].channels.tolist() == [n_channels - 1]


def test_writing_holds_one_block_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_module, "BLOCK", 100)
    held = []

    def counting(block, **options):
        held.append(len(block))
        return gather(block, **options)

    monkeypatch.setattr(stored_module, "gather", counting)
    write_stored(tmp_path / "f", recordings([60] * 10), n_channels=64)
    assert held == [2] * 5 + [0]


def test_file_that_is_open_elsewhere_can_be_read(memory, stored):
    with h5py.File(stored.path, "r"):
        assert_same_events(stored[[6]], memory[[6]])


def test_malformed_recording_leaves_the_old_file(stored, tmp_path):
    before = stored.path.read_bytes()
    for bad in (Recording([2.0, 1.0], [0, 0], 3.0), Recording([1.0], [64], 3.0)):
        with pytest.raises(EventError):
            write_stored(stored.path, [*recordings([10]), bad], n_channels=64)
    assert stored.path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [stored.path.name]


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from eventsim.datasets.ntidigits_file import write
from eventsim.events import Recording, write_stored
Path("a.h5").write_text("old")
times, channels = np.linspace(0.0, 1e4, 200_000), np.zeros(200_000, np.int64)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
try:
    if sys.argv[2] == "stored":
        write_stored("a.h5", [Recording(times, channels, 1e4)] * 3, n_channels=3)
    else:
        write("a.h5", train={}, test={"man-im-a-9": (times, channels)})
except OSError as error:
    print(error.strerror, Path("a.h5").read_text(), [one.name for one in Path().iterdir()])
"""


@pytest.mark.parametrize("kind", ["stored", "ntidigits"])
@pytest.mark.parametrize("size", [0, 40_000, 200_000, 1_500_000])
def test_full_disk_is_an_error_that_leaves_the_old_file_and_nothing_else(tmp_path, kind, size):
    words = "File too large; what was there before is unchanged old ['a.h5']"
    assert said(FULL, size, kind, cwd=tmp_path).strip() == words


def test_only_the_samples_asked_for_are_read(stored, monkeypatch):
    counted, original = Counter(), h5py.Dataset.__getitem__

    def counting(data, index, **options):
        found = original(data, index, **options)
        counted[data.name] += np.size(found)
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    stored.subset(np.arange(1, 7))
    assert not counted
    stored[[0, 6]]
    assert counted == {"/times": 340, "/channels": 340}
    counted.clear()
    StoredStream.open(stored.path)
    assert not {"/times", "/channels"} & set(counted)


def test_processes_read_at_the_same_time(memory, stored):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(stored.__getitem__, [[k] for k in range(7)])
    for k, part in enumerate(found):
        assert_same_events(part, memory[[k]])


BIG = """
import resource, sys
import numpy as np
from eventsim.events import StoredStream
stored = StoredStream.open(sys.argv[1])
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (48 << 20),) * 2)
order = np.random.default_rng(0).permutation(len(stored))
events = sum(stored[batch].n_events for batch in stored.batches(16, order=order))
stored.verify()
assert events == stored.n_events
try:
    stored[:]
except MemoryError:
    print(events, "too large")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_file_larger_than_memory_is_read_batch_by_batch(tmp_path):
    each = Recording(np.linspace(0, 99, 20_000), np.arange(20_000) % 64, 100.0)
    write_stored(tmp_path / "big", (each for _ in range(400)), n_channels=64)  # 96 MB in memory
    assert said(BIG, tmp_path / "big").split() == ["8000000", "too", "large"]


def test_file_that_was_replaced_by_a_shorter_one_is_noticed(stored):
    write_stored(stored.path, recordings([10]), n_channels=64)
    with pytest.raises(StorageError, match="was replaced since it was opened"):
        stored[6]


@given(data=st.data())
def test_damage_gives_the_same_events_or_an_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.h5"
    write_stored(path, recordings([40, 0, 300]), n_channels=64, columns={"k": np.arange(3)})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    try:
        found = StoredStream.open(path)
        events = found[:]
    except StorageError:
        return
    assert_same_events(events, gather(recordings([40, 0, 300]), n_channels=64))
    assert found.columns["k"].tolist() == [0, 1, 2]
