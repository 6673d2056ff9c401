"""SpikeTape: access, storage, and files that are not tapes."""

import numpy as np
import pytest

import eventsim as es
from eventsim.events.tape import joined_tapes
from tests.support.compare import assert_same_bits
from tests.support.nets import random_net, random_stream
from tests.support.streams import assert_same_events


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
    assert_same_events(loaded.stream, tape.stream)
    for name in tape.names:
        assert loaded[name].size == tape[name].size
        for field in ("times", "neurons", "offsets"):
            mine, theirs = getattr(loaded[name], field), getattr(tape[name], field)
            assert mine.dtype == theirs.dtype
        assert_same_bits(loaded[name], tape[name])


def test_empty_tape_survives_storage(tmp_path):
    net = random_net(601, hidden=(4,))
    stream = es.EventStream([], [], [0], n_channels=5, duration=9.0)
    es.simulate(net, stream, backend="reference").save(tmp_path / "empty.npz")
    loaded = es.SpikeTape.load(tmp_path / "empty.npz")
    assert loaded["hidden1"].times.size == 0
    assert loaded.stream.n_samples == 0


def test_file_of_another_version_or_without_an_array_or_a_value_is_refused(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    changed = [(arrays | {"__version__": arrays["__version__"] + 41}, "version 42.*version 1")]
    for name, values in arrays.items():
        changed.append(({key: arrays[key] for key in arrays if key != name}, r"tape\.npz"))
        if values.ndim == 1 and values.size > 1:
            changed.append((arrays | {name: values[:-1]}, ""))
    for some, words in changed:
        np.savez(path, **some)
        with pytest.raises(es.errors.StorageError, match=words or "tape"):
            es.SpikeTape.load(path)


def test_tapes_of_the_parts_of_a_stream_are_joined_to_that_of_the_whole(tape):
    net = random_net(601, hidden=(4, 3), sparse=True)
    stream = tape.stream
    parts = [es.simulate(net, stream[index], backend="reference") for index in ([0], [1, 2])]
    joined = joined_tapes(parts)
    assert joined.synaptic_events == tape.synaptic_events
    assert_same_events(joined.stream, stream)
    for name, trains in tape.trains.items():
        assert_same_bits(joined[name], trains)
    assert joined_tapes([tape]).synaptic_events == tape.synaptic_events
