"""Accuracy for a budget of CPU seconds: batches of the grid, rows, the picture."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from bench.suite import budget
from eventsim.events import Dataset
from tests.support.nets import random_stream

NAMES = tuple("0123456789")


def recordings(split="train", n=60):
    stream = random_stream(len(split), n_samples=n, n_channels=64, duration=80.0, rate=20.0)
    return Dataset(stream, np.arange(n) % 10, NAMES)


def test_an_epoch_of_the_grid_has_every_recording_once_and_all_of_its_events():
    data, seen = recordings(n=70), []
    for counts, steps, labels in budget.batches(data, np.random.default_rng(0)):
        assert counts.shape == (steps.max(), labels.size, 64)
        seen += list(counts.sum((0, 2)))
    assert sorted(seen) == sorted(np.diff(data.stream.offsets))


@pytest.mark.crossed("trains for a second each", test=0)
@pytest.mark.parametrize("program", list(budget.PROGRAMS))
def test_one_command_makes_rows_and_a_picture(program, monkeypatch, capsys, tmp_path):
    needs = budget.PROGRAMS[program].needs
    if find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    monkeypatch.setattr(budget.datasets, "load", lambda name, split: recordings(split))
    words = ["--budget", "0.01", "--budget", "0.02", "--seeds", "2", "--program", program, "--json"]
    monkeypatch.setattr("sys.argv", ["budget", *words, "--figure", str(tmp_path / "drawn.png")])
    budget.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["budget_s"], row["seed"]) for row in rows] == [
        (0.01, 0), (0.01, 1), (0.02, 0), (0.02, 1)
    ]  # fmt: skip
    for row in rows:
        assert row["program"] == program
        assert row["epochs"] >= 1
        assert 0.0 <= row["accuracy"] <= 1.0
        assert row["operations"] > 0.0
        assert row["rate"] == budget.PROGRAMS[program].rate
    assert (tmp_path / "drawn.png").stat().st_size > 5_000


def test_a_search_asks_recordings_of_the_training_part_with_every_rate(monkeypatch, capsys):
    def given(training, asked, seed, epochs, rate):
        return {"epoch_cpu_s": 1.0, "given": (len(training), len(asked), rate)}

    program = budget.Program(given, 0.02)
    monkeypatch.setitem(budget.PROGRAMS, "eventsim, delays", program)
    monkeypatch.setattr(budget.datasets, "load", lambda name, split: recordings(split))
    words = ["--search", "--program", "eventsim, delays", "--json"]
    monkeypatch.setattr("sys.argv", ["budget", *words])
    budget.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["given"] for row in rows] == [[50, 10, rate] for rate in budget.RATES]
    assert all(row["search"] and row["budget_s"] == budget.SEARCHED for row in rows)


def test_program_that_is_not_installed_is_named(monkeypatch, capsys):
    gone = budget.Program(lambda *given: {}, 0.0, "no_such_package")
    monkeypatch.setitem(budget.PROGRAMS, "GRU", gone)
    monkeypatch.setattr(budget.datasets, "load", lambda name, split: recordings(split))
    monkeypatch.setattr("sys.argv", ["budget", "--program", "GRU"])
    budget.main()
    assert capsys.readouterr().out == "GRU: left out, no_such_package is not installed\n"
