"""The command behind the accuracies of docs/benchmarks.md, at the size of a smoke test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.suite.accuracy import ENTRIES
from eventsim.experiment import load_recipe, load_task

ROOT = Path(__file__).parents[3]


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
