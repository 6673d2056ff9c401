"""Training from a file: the same bits as from memory, and never more of the file than a batch."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from eventsim.engine import simulate, simulate_chunks
from eventsim.errors import DataError, ShapeError
from eventsim.events import Dataset, EventStream, Recording, StoredStream, write_stored
from eventsim.events.targets import Values
from eventsim.train import Exact, TrainConfig, evaluate, train
from eventsim.train.checkpoint import Origin, digest_of_data
from tests.support.fresh import said
from tests.unit.train.task import assert_same_net, small_net, two_patterns

ROOT = Path(__file__).parents[3]
CONFIG = TrainConfig(epochs=2, batch_size=8, seed=5, validation_fraction=0.2)


@pytest.fixture(scope="module")
def memory():
    return two_patterns(60)


@pytest.fixture(scope="module")
def stored(memory, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "events.h5"
    write_stored(
        path, (Recording(t, c, 60.0) for t, c in memory.stream), n_channels=memory.stream.n_channels
    )
    return Dataset(StoredStream.open(path), memory.labels, memory.class_names)


def test_training_from_a_file_ends_with_the_bits_of_training_from_memory(memory, stored, tmp_path):
    first = train(small_net(), memory, CONFIG, tmp_path / "memory")
    second = train(small_net(), stored, CONFIG, tmp_path / "stored")
    assert_same_net(first.net, second.net)
    assert_same_net(first.selected_net, second.selected_net)
    assert first.last["validation_loss"] == second.last["validation_loss"]


def test_run_started_from_memory_goes_on_from_a_file(memory, stored, tmp_path):
    def stop(event):
        if (event.kind, event.epoch) == ("epoch", 1):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        train(small_net(), memory, CONFIG, tmp_path / "half", callback=stop)
    resumed = train(small_net(), stored, CONFIG, tmp_path / "half", resume=True)
    assert_same_net(resumed.net, train(small_net(), stored, CONFIG, tmp_path / "whole").net)


def test_evaluation_from_a_file_is_that_from_memory(memory, stored):
    first, second = (evaluate(small_net(), data, CONFIG) for data in (memory, stored))
    assert (first.accuracy, first.loss) == (second.accuracy, second.loss)
    assert first.synaptic_events == second.synaptic_events


def test_digest_of_a_selection_is_that_of_the_same_recordings_in_memory(memory, stored):
    for index in (slice(None), np.array([7, 3, 3]), slice(0, 0)):
        assert digest_of_data(stored.subset(index)) == digest_of_data(memory[index])
    assert digest_of_data(stored.subset([1, 2])) != digest_of_data(stored.subset([2, 1]))


@pytest.mark.parametrize("part", ["times", "channels", "duration", "labels", "targets", "when"])
def test_digest_is_another_where_any_part_of_the_recordings_is(memory, stored, part):
    n = len(memory)

    def of(data, changed=""):
        stream, targets = data.stream, np.zeros((n, 1, 1))
        if changed in ("times", "channels", "duration"):
            given = {name: getattr(stream, name).copy() for name in ("times", "channels")}
            given["duration"] = stream.duration.copy()
            given[changed][-1] += {"times": 1e-3, "channels": 1, "duration": 1.0}[changed]
            offsets = stream.offsets
            stream = EventStream(offsets=offsets, n_channels=stream.n_channels, **given)
        labels = data.labels ^ (np.arange(n) == 7) * (changed == "labels")
        when = np.full((n, 1), 5.0 + (changed == "when"))
        wanted = Values(targets + (changed == "targets"), when, ("speed",))
        return digest_of_data(Dataset(stream, labels, data.class_names, targets=wanted))

    assert of(memory) == of(stored)
    assert of(memory, part) != of(memory)
    if part in ("labels", "targets", "when"):
        assert of(stored, part) == of(memory, part)


def test_training_reads_a_batch_at_a_time_and_each_sample_once_an_epoch(
    stored, tmp_path, monkeypatch
):
    taken, largest = [], []
    read_batch, read_part = StoredStream.__getitem__, h5py.Dataset.__getitem__

    def note_batch(stream, index):
        found = read_batch(stream, index)
        taken.append(found.n_samples)
        return found

    def note_part(data, index, **options):
        found = read_part(data, index, **options)
        if data.name == "/times":
            largest.append(np.size(found))
        return found

    # Each of them reads a batch before it begins.
    config = replace(CONFIG, epochs=1, calibrate=0.0, initial_logits=0.0)
    origin = Origin.of(small_net(), stored, config, Exact())  # reads all of it once, for its digest
    monkeypatch.setattr("eventsim.train.loop.Origin.of", lambda *_args: origin)
    monkeypatch.setattr(StoredStream, "__getitem__", note_batch)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", note_part)
    train(small_net(), stored, config, tmp_path / "run")
    # Before it begins, 64 recordings at most are asked where they begin: of all, of those learned.
    looks = 60 + 48
    assert taken[:looks] == [1] * looks
    assert sum(taken[looks:]) == len(stored)  # 48 for training, 12 for validation
    assert max(taken) == 8
    assert sum(largest[looks:]) == stored.stream.n_events


LARGER_THAN_MEMORY = """
import resource, sys
import numpy as np
from eventsim.events import Dataset, EventStream, StoredStream
from eventsim.train import TrainConfig, train
from tests.unit.train.task import assert_same_net, small_net, two_patterns

train(small_net(), two_patterns(20), TrainConfig(epochs=1), sys.argv[2] + "/small")  # loads
stream = StoredStream.open(sys.argv[1])
labels = np.arange(len(stream)) % 2
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20),) * 2)
try:
    stream[:]
except MemoryError:
    print("too large")
data = Dataset(stream, labels, "ab")
config = TrainConfig(epochs=1, batch_size=4, validation_fraction=0.1)
result = train(small_net(), data, config, sys.argv[2] + "/run")
print(result.last["epoch"])
"""


@pytest.mark.thorough("writes and reads a large file, in a process of little memory")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_file_larger_than_memory_trains(tmp_path):
    each = Recording(np.linspace(0, 59, 20_000), np.arange(20_000) % 6, 60.0)
    write_stored(tmp_path / "big", (each for _ in range(300)), n_channels=6)  # 72 MB in memory
    # Threads that meet in malloc would each reserve 64 MB of addresses for a heap of its own.
    env = os.environ | {"MALLOC_ARENA_MAX": "1"}
    printed = said(LARGER_THAN_MEMORY, tmp_path / "big", tmp_path, cwd=ROOT, env=env)
    assert printed.split() == ["too", "large", "1"]


def test_selection_keeps_samples_and_labels_together(memory, stored):
    part = stored.subset(np.array([5, 2])).subset([1])
    assert isinstance(part.stream, StoredStream)
    assert isinstance(part[:].stream, EventStream)
    np.testing.assert_array_equal(part[:].stream.times, memory.stream.sample(2)[0])
    assert part.labels.tolist() == [memory.labels[2]]
    assert len(stored[3]) == 1
    np.testing.assert_array_equal(memory.subset([4]).stream.times, memory[[4]].stream.times)


def test_labels_that_do_not_fit_raise(stored):
    with pytest.raises(ShapeError, match=r"Dataset: labels of shape \(1,\)"):
        Dataset(stored.stream, [0], ("a",))
    with pytest.raises(DataError, match="Dataset, sample 1: label is 1"):
        Dataset(stored.stream, stored.labels, ("a",))


def test_recording_in_a_file_is_simulated_chunk_by_chunk_as_in_one_piece(memory, stored):
    net, part = small_net(), [4, 1, 9]
    whole = simulate(net, memory.stream[part])["hidden1"]
    tapes = list(simulate_chunks(net, stored.stream.subset(part).chunks(7.0)))
    assert len(tapes) == 9
    for sample in range(len(part)):
        pieces = [tape["hidden1"].sample(sample) for tape in tapes]
        for k, expected in enumerate(whole.sample(sample)):
            np.testing.assert_array_equal(np.concatenate([p[k] for p in pieces]), expected)
