"""SpikeTape: access, storage, and files that are not tapes."""

import zipfile

import numpy as np
import pytest

import eventsim as es
from eventsim.events.tape import joined_tapes
from tests.support.nets import random_net, random_stream


@pytest.fixture(scope="module")
def tape():
    net = random_net(601, hidden=(4, 3), sparse=True)
    return es.simulate(net, random_stream(602, n_samples=3, duration=50.0), backend="reference")


@pytest.fixture
def path(tape, tmp_path):
    tape.save(tmp_path / "tape.npz")
    return tmp_path / "tape.npz"


def test_names_are_the_spiking_populations_in_run_order(tape):
    assert list(tape.names) == ["hidden1", "hidden2"]


def test_unknown_population_is_named_with_those_that_exist(tape):
    for name in ("nowhere", "input", "output"):
        with pytest.raises(es.errors.NetworkError, match=rf"{name}.*hidden1.*hidden2"):
            tape[name]


def test_samples_and_counts_of_the_trains_fit_the_arrays(tape):
    spikes = tape["hidden1"]
    counts = spikes.counts()
    assert counts.dtype == np.int64
    assert counts.shape == (3, 4)
    assert counts.sum() == spikes.times.size > 0
    for sample in range(3):
        times, neurons = spikes.sample(sample)
        assert np.shares_memory(times, spikes.times)
        assert np.bincount(neurons, minlength=4).tolist() == counts[sample].tolist()


def test_saved_tape_loads_with_every_bit(tape, path):
    loaded = es.SpikeTape.load(path)
    assert list(loaded.names) == list(tape.names)
    assert dict(loaded.synaptic_events) == dict(tape.synaptic_events)
    assert (loaded.backend, loaded.precision) == (tape.backend, tape.precision)
    for name in ("times", "channels", "offsets", "duration"):
        assert np.array_equal(getattr(loaded.stream, name), getattr(tape.stream, name))
    assert loaded.stream.n_channels == tape.stream.n_channels
    for name in tape.names:
        assert loaded[name].size == tape[name].size
        for field in ("times", "neurons", "offsets"):
            mine, theirs = getattr(loaded[name], field), getattr(tape[name], field)
            assert mine.dtype == theirs.dtype
            assert np.array_equal(mine, theirs)


def test_empty_tape_survives_storage(tmp_path):
    net = random_net(601, hidden=(4,))
    stream = es.EventStream([], [], [0], n_channels=5, duration=9.0)
    es.simulate(net, stream, backend="reference").save(tmp_path / "empty.npz")
    loaded = es.SpikeTape.load(tmp_path / "empty.npz")
    assert loaded["hidden1"].times.size == 0
    assert loaded.stream.n_samples == 0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(es.errors.StorageError, match=r"tape\.npz"):
        es.SpikeTape.load(path)


def test_damaged_byte_is_refused(path):
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = max(archive.infolist(), key=lambda e: e.compress_size)
    whole[entry.header_offset + 60 + entry.compress_size // 2] ^= 0xFF
    path.write_bytes(bytes(whole))
    with pytest.raises(es.errors.StorageError, match=r"tape\.npz"):
        es.SpikeTape.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"\x89HDF\r\n\x1a\n" + bytes(600), bytes(4096), b"PK\x03\x04"]
)
def test_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    with pytest.raises(es.errors.StorageError, match=r"foreign\.npz"):
        es.SpikeTape.load(path)


def test_foreign_npz_and_npy_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    np.save(tmp_path / "single.npy", np.arange(3))
    np.savez(tmp_path / "pickled.npz", a=np.array([{}, None], dtype=object))
    for name in ("other.npz", "single.npy", "pickled.npz"):
        with pytest.raises(es.errors.StorageError, match=name):
            es.SpikeTape.load(tmp_path / name)


def test_missing_file_and_directory_are_refused(tmp_path):
    with pytest.raises(es.errors.StorageError, match="absent"):
        es.SpikeTape.load(tmp_path / "absent.npz")
    with pytest.raises(es.errors.StorageError, match=tmp_path.name):
        es.SpikeTape.load(tmp_path)


def _rewrite(path, change):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(path, **arrays)


def test_file_of_another_version_is_refused_with_both_versions(path):
    def bump(arrays):
        (name,) = [key for key in arrays if "version" in key]
        arrays[name] = arrays[name] + 41

    _rewrite(path, bump)
    with pytest.raises(es.errors.StorageError, match=r"version 42.*version 1"):
        es.SpikeTape.load(path)


def test_file_that_lacks_any_one_array_is_refused(path):
    with np.load(path) as file:
        names = list(file.files)
    whole = path.read_bytes()
    for name in names:
        path.write_bytes(whole)
        _rewrite(path, lambda arrays, name=name: arrays.pop(name))
        with pytest.raises(es.errors.StorageError, match=r"tape\.npz"):
            es.SpikeTape.load(path)


def test_file_whose_arrays_contradict_each_other_is_refused(path):
    whole = path.read_bytes()
    with np.load(path) as file:
        vectors = [n for n in file.files if file[n].ndim == 1 and file[n].size > 1]
    for name in vectors:
        path.write_bytes(whole)
        _rewrite(path, lambda arrays, name=name: arrays.update({name: arrays[name][:-1]}))
        with pytest.raises(es.errors.StorageError):
            es.SpikeTape.load(path)


def test_tapes_of_the_parts_of_a_stream_are_joined_to_that_of_the_whole(tape):
    net = random_net(601, hidden=(4, 3), sparse=True)
    stream = tape.stream
    parts = [es.simulate(net, stream[index], backend="reference") for index in ([0], [1, 2])]
    joined = joined_tapes(parts)
    assert joined.synaptic_events == tape.synaptic_events
    for name, values in stream.to_arrays().items():
        np.testing.assert_array_equal(joined.stream.to_arrays()[name], values, err_msg=name)
    for name, trains in tape.trains.items():
        for field in ("times", "neurons", "offsets", "current", "restart_current"):
            np.testing.assert_array_equal(
                getattr(joined[name], field), getattr(trains, field), err_msg=f"{name}.{field}"
            )
    assert joined_tapes([tape]).synaptic_events == tape.synaptic_events
