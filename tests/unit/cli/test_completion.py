"""What the shell offers: through the completion of the command itself, as bash asks for it."""

import shlex

import pytest
from typer.testing import CliRunner

from eventsim import datasets
from eventsim.chips import chip_names
from eventsim.cli.app import app
from eventsim.experiment import recipe_names, task_names


def complete(line):
    """What bash is offered for the last word of a line; an empty one after a space."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    env = {
        "_EVENTSIM_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner().invoke(app, prog_name="eventsim", env=env)
    assert result.exit_code == 0, result.output
    return result.stdout.split()


@pytest.fixture
def runs(tmp_path):
    """Folders of runs and other files in the current folder."""
    for name in ("runs/one", "runs/two", "runs/experiments/bip-fsdd/scsr/0", "elsewhere/three"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").touch()
    (tmp_path / "runs/none").mkdir()
    for name in ("net.npz", "mine.toml", "events.csv", "notes.md", ".hidden.npz"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    "line", ["eventsim train ", "eventsim data make ", "eventsim simulate net.npz "]
)
def test_data_sets_are_offered(line):
    assert set(datasets.DATASETS) <= set(complete(line))
    assert complete(line + "spoken") == ["spoken_digits"]


@pytest.mark.parametrize(
    "line", ["cost runs/one --chip ", "map runs/one --chip ", "report x --map "]
)
def test_chips_are_offered(line):
    assert set(chip_names()) <= set(complete("eventsim " + line))
    assert complete(f"eventsim {line}spin") == ["spinnaker", "spinnaker2"]


def test_recipes_and_tasks_are_offered():
    assert set(recipe_names()) <= set(complete("eventsim experiment show "))
    assert set(task_names()) <= set(complete("eventsim experiment run bip --data "))


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("command", ["evaluate", "cost", "map", "report", "gradcheck", "export"])
def test_runs_and_networks_are_offered(command):
    offered = complete(f"eventsim {command} ")
    assert {"runs/one", "runs/two", "runs/experiments/bip-fsdd/scsr/0", "net.npz"} <= set(offered)
    assert not {"runs/none", "notes.md", ".hidden.npz", "events.csv"} & set(offered)
    assert complete(f"eventsim {command} runs/t") == ["runs/two"]
    assert complete(f"eventsim {command} elsewhere/") == ["elsewhere/three"]


@pytest.mark.usefixtures("runs")
def test_files_are_offered_by_what_they_may_be():
    assert "events.csv" in complete("eventsim data info e")
    assert complete("eventsim cost runs/one --chip m") == ["mine.toml"]
    assert complete("eventsim train --resume --out runs/o") == ["runs/one"]
    assert complete("eventsim evaluate no/such/") == []
