"""Kinds of neurons side by side: as many numbers, parts that do not overlap, runs by commit."""

import argparse
import json

import numpy as np
import pytest

from bench import harness
from bench.suite import neurons
from eventsim.datasets.fsdd import KNOWN_SPEAKERS
from eventsim.events import Dataset
from tests.support.nets import random_stream

NAMES = tuple("0123456789")


def spoken(name, split):
    """Digits of five speakers; some of the test part are as those of training."""
    n = {"train": 1500, "test": 50}[split]
    stream = random_stream(1, n_samples=n, n_channels=16, duration=2.0, rate=20.0)
    speakers = np.array(KNOWN_SPEAKERS)[np.arange(n) // 10 % 5]
    keys = [f"{split} {k}" for k in range(n)]
    return Dataset(stream, np.arange(n) % 10, NAMES, groups=speakers, keys=keys)


@pytest.mark.parametrize("name", neurons.TASKS)
def test_kinds_have_as_many_trained_numbers_and_one_range_of_slow_ones(name):
    task, data = neurons.TASKS[name], neurons.modulated(4, 0)
    found = {kind: neurons.sized(task, kind, data, 0) for kind in neurons.KINDS}
    sizes = [neurons.numbers(net) for net in found.values()]
    assert max(sizes) - min(sizes) <= 0.05 * min(sizes)
    hidden = {kind: net.populations["hidden1"].parameters for kind, net in found.items()}
    slow = (
        hidden["alif"]["tau_adaptation"], hidden["adlif"]["tau_w"],
        1000.0 / hidden["resonator"]["damping"],
    )  # fmt: skip
    for values in slow:
        assert task.slow[0] <= values.min() < values.max() <= task.slow[1]


@pytest.mark.parametrize("name", ["fsdd", "fsdd_speakers", "spoken_digits"])
@pytest.mark.parametrize("seed", [0, 2])
def test_what_chooses_and_what_is_asked_was_not_learned(name, seed, monkeypatch):
    monkeypatch.setattr(neurons.datasets, "load", spoken)
    parts = neurons.TASKS[name].parts(seed)
    keys = [set(part.keys) for part in parts]
    assert not keys[0] & keys[1]
    assert not (keys[0] | keys[1]) & keys[2]
    speakers = [set(part.groups) for part in parts]
    if name != "fsdd":
        assert not speakers[0] & speakers[1]
    if name == "fsdd_speakers":
        assert speakers[2] == {KNOWN_SPEAKERS[seed]}
        assert not (speakers[0] | speakers[1]) & speakers[2]


def test_runs_of_this_commit_alone_are_left_out(monkeypatch, tmp_path):
    asked = []

    def noted(*case):
        asked.append(case)
        return {}

    monkeypatch.setattr(neurons, "RESULTS", tmp_path)
    monkeypatch.setattr(neurons, "machine", lambda: {"commit": "b"})
    monkeypatch.setattr(neurons, "run", noted)
    row = {"task": "fsdd", "kind": "lif", "seed": 0, "epochs": 4}
    known = [row | {"rate_factor": f, "commit": c} for f, c in ((1.0, "a"), (3.0, "b"))]
    (tmp_path / "kept.jsonl").write_text("".join(json.dumps(line) + "\n" for line in known))
    options = argparse.Namespace(save="kept", task=["fsdd"], kind=["lif"], seeds=1, epochs=4)
    assert len(list(neurons.rows(options))) == 1
    assert asked == [("fsdd", "lif", 0, 1.0, 4)]


def test_one_row_has_accuracy_operations_and_energy(monkeypatch):
    small = neurons.Task(lambda s: (neurons.modulated(8, s),) * 3, 6, 1)
    monkeypatch.setitem(neurons.TASKS, "frequency", small)
    row = neurons.run("frequency", "adlif", 0, 1.0, 1)
    assert 0 <= row["accuracy"] <= 1
    assert row["synaptic_events"] > row["spikes"] > 0
    assert row["energy_uj"] > 0
    assert "state_update" in row["missing"]


def test_only_results_may_differ_from_the_commit_of_a_row(monkeypatch):
    asked = []
    monkeypatch.setattr(harness, "_git", lambda *words: asked.append(words) or "")
    assert harness.machine()["commit"] == ""
    status = next(words for words in asked if words[0] == "status")
    assert harness.RESULTS.parts[-2:] == ("bench", "results")
    assert ":(exclude,top)bench/results" in status
    monkeypatch.setattr(harness, "_git", lambda *words: " M file" if words[0] == "status" else "c")
    assert harness.machine()["commit"] == "c-dirty"
