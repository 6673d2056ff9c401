"""The commands behind docs/benchmarks.md: recipes are what they say, one command makes the rows."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bench.suite import amount, budget
from bench.suite.accuracy import ENTRIES
from bench.suite.frontier import SWEEPS
from bench.suite.quantised import RECIPE, TASK, on_grid
from eventsim.events import Dataset
from eventsim.experiment import load_recipe, load_task
from eventsim.experiment.resolve import Selection, resolve
from eventsim.mapping import quantise
from eventsim.runs.settings import Shape
from eventsim.train import Augmentation, TrainConfig
from tests.support.nets import random_stream
from tests.unit.train.task import small_net

ROOT = Path(__file__).parents[3]
NAMES = tuple("0123456789")


def recordings(split="train", n=60, n_channels=64):
    seed = len(split) if n_channels == 64 else 1
    stream = random_stream(seed, n_samples=n, n_channels=n_channels, duration=80.0, rate=20.0)
    return Dataset(stream, np.arange(n) % 10, NAMES, groups=np.arange(n) % 6)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_names_what_there_is(entry):
    conditions = {one.name for one in load_recipe(entry.recipe).condition}
    assert conditions.issuperset(entry.conditions)
    assert load_task(entry.task).data["name"]
    assert entry.seeds >= 3


@pytest.mark.nightly(
    "trains every condition of a recipe; a recipe is run in test_experiment_command.py"
)
def test_one_command_makes_the_rows(tmp_path):
    name = "yinyang_small"
    words = ["--only", name, "--quick", "--json", "--jobs", "1", "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.suite.accuracy", *words],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    entry = next(entry for entry in ENTRIES if entry.name == name)
    known = {one.name for one in load_recipe(entry.recipe).condition}
    assert {row["condition"] for row in rows} == set(entry.conditions or known)
    for row in rows:
        assert len(row["accuracies"]) == 2
        assert 0 <= row["mean"] <= 1
        assert row["commit"]


def resolved(task):
    return resolve(load_recipe(SWEEPS[task].recipe), load_task(SWEEPS[task].data), Selection())


@pytest.mark.parametrize("task", SWEEPS)
def test_sweep_has_a_dozen_conditions_and_leaves_out_a_grid_unless_it_says_so(task):
    sweep, found = SWEEPS[task], resolved(task)
    assert len(sweep.conditions()) >= 12
    left = {one.name for one in found.variants} - set(sweep.conditions())
    assert left == (set() if sweep.grid else {"grid_1ms"})


@pytest.mark.parametrize("task", SWEEPS)
def test_conditions_differ_in_costs_and_length_alone(task):
    found = resolved(task)
    first, *others = (variant for variant in found.variants if variant.grid is None)
    plain = first.train.to_dict()
    assert others
    for other in others:
        train = other.train.to_dict()
        different = {key for key in plain if plain[key] != train[key]}
        assert different <= {"activity", "sparse", "quantise", "epochs"}
        smaller = replace(other.network, hidden=first.network.hidden) == first.network
        assert smaller  # in nothing else
        assert different or other.network != first.network
    for variant in found.variants:
        net = variant.build(Shape.described(found.data))
        variant.train.activity.check(net)
        sparse = variant.train.sparse
        assert not sparse.on or sparse.chosen(net)


def test_counterpart_on_a_grid_lacks_only_what_a_grid_cannot_have():
    found = resolved("fsdd_400")
    plain = found.variants[0]
    (grid,) = (variant for variant in found.variants if variant.grid is not None)
    given, own = plain.train.to_dict(), grid.train.to_dict()
    assert {key for key in given if given[key] != own[key]} == {"bip"}
    assert set(given["bip"]) - set(own["bip"]) == {"v_leak", "v_reset"}
    assert grid.network == plain.network


def test_conditions_differ_in_numbers_alone():
    found = resolve(load_recipe(str(RECIPE)), load_task(str(TASK)), Selection())
    plain, *others = (variant.train.to_dict() for variant in found.variants)
    assert others
    for other in others:
        different = {key for key in plain if plain[key] != other[key]}
        assert different
        assert different <= {"quantise", "epochs"}


def test_grid_is_told_from_no_grid():
    net = small_net()
    assert not on_grid(net, 4)
    rounded = quantise(net, 4).net
    assert on_grid(rounded, 4)
    assert not on_grid(rounded, 3)
    rounded.projections["input->hidden1"].values[0, 0] *= np.nextafter(1.0, 2.0) + 1e-6
    assert not on_grid(rounded, 4)


@pytest.mark.parametrize("voices", [False, True])
@pytest.mark.parametrize("learned", [0, 20])
def test_nothing_that_is_asked_is_learned_and_always_the_same_is_asked(
    learned, voices, monkeypatch
):
    monkeypatch.setattr(amount, "ASKED", 20)
    given = recordings(n_channels=16)
    taught, asked = amount.parts(given, learned, voices=voices)
    events = [{t.tobytes() for t, _ in part.stream} for part in (taught, asked)]
    assert len(taught) == (learned or 40)
    assert len(asked) == 20
    assert not events[0] & events[1]
    assert np.array_equal(
        asked.stream.times, amount.parts(given, 10, voices=voices)[1].stream.times
    )
    assert voices != bool(set(taught.groups) & set(asked.groups))


def test_half_an_augmentation_has_half_of_every_amount_and_none_has_no_effect():
    whole = TrainConfig.from_dict(load_task("fsdd").train).augmentation
    half = amount.weakened(whole, 0.5)
    assert (half.time_scale, half.channel_shift, half.drop) == (0.1, 1, 0.075)
    assert (half.jitter, half.mix) == (1.5, 0.1)
    assert amount.weakened(whole, 1.0) == whole
    assert amount.weakened(whole, 0.0) == Augmentation()


def test_one_command_makes_a_row_for_every_amount(monkeypatch, rows_of):
    monkeypatch.setattr(amount, "ASKED", 20)
    monkeypatch.setattr(amount.datasets, "load", lambda name, split: recordings(n_channels=16))
    words = ["--seeds", "1", "--data", "fsdd", "--steps", "2", "--steps", "4", "--recordings", "0"]
    rows = rows_of(amount, *words)
    assert [(row["steps"], row["strength"]) for row in rows] == [
        (steps, strength) for steps in (2, 4) for strength in amount.STRENGTHS
    ]
    for row in rows:
        assert row["recordings"] == 40
        assert row["epochs"] == row["steps"] // 2
        assert 0.0 <= row["accuracy"] <= 1.0


def test_an_epoch_of_the_grid_has_every_recording_once_and_all_of_its_events():
    data, seen = recordings(n=70), []
    for counts, steps, labels in budget.batches(data, np.random.default_rng(0)):
        assert counts.shape == (steps.max(), labels.size, 64)
        seen += list(counts.sum((0, 2)))
    assert sorted(seen) == sorted(np.diff(data.stream.offsets))


@pytest.mark.crossed("trains for a second each", test=0)
@pytest.mark.parametrize("program", list(budget.PROGRAMS))
def test_one_command_makes_rows_and_a_picture(program, monkeypatch, rows_of, tmp_path):
    needs = budget.PROGRAMS[program].needs
    if find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    monkeypatch.setattr(budget.datasets, "load", lambda name, split: recordings(split))
    words = ["--budget", "0.01", "--budget", "0.02", "--seeds", "2", "--program", program]
    rows = rows_of(budget, *words, "--figure", str(tmp_path / "drawn.png"))
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


def test_a_search_asks_recordings_of_the_training_part_with_every_rate(monkeypatch, rows_of):
    def given(training, asked, seed, epochs, rate):
        return {"epoch_cpu_s": 1.0, "given": (len(training), len(asked), rate)}

    program = budget.Program(given, 0.02)
    monkeypatch.setitem(budget.PROGRAMS, "eventsim, delays", program)
    monkeypatch.setattr(budget.datasets, "load", lambda name, split: recordings(split))
    rows = rows_of(budget, "--search", "--program", "eventsim, delays")
    assert [row["given"] for row in rows] == [[50, 10, rate] for rate in budget.RATES]
    assert all(row["search"] and row["budget_s"] == budget.SEARCHED for row in rows)


def test_program_that_is_not_installed_is_named(monkeypatch, capsys):
    gone = budget.Program(lambda *given: {}, 0.0, "no_such_package")
    monkeypatch.setitem(budget.PROGRAMS, "GRU", gone)
    monkeypatch.setattr(budget.datasets, "load", lambda name, split: recordings(split))
    monkeypatch.setattr("sys.argv", ["budget", "--program", "GRU"])
    budget.main()
    assert capsys.readouterr().out == "GRU: left out, no_such_package is not installed\n"
