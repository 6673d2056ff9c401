"""The way of a user with TI46's text spike files: import, train, evaluate, experiment."""

import json

import numpy as np
import pytest

from eventsim.datasets import ti46_text
from eventsim.events import Dataset
from tests.support.ti46_files import write_spikes
from tests.unit.cli.conftest import done, refused, told
from tests.unit.cli.test_groups_command import mine

TINY = ("--hidden", 4, "--epochs", 1, "--batch-size", 40, "--threads", 1, "--seed", 1)


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """Class folders of five speakers, not divided; not to be changed."""
    return write_spikes(tmp_path_factory.mktemp("ti46") / "TI46")


@pytest.mark.parametrize(
    ("options", "step", "said"),
    [((), 1.6, "left out: 10 spikes from step 700 on, in 10 of"), (("--tick-us", 1000), 1.0, "")],
)
def test_a_folder_of_text_files_becomes_one_file(letters, tmp_path, options, step, said):
    command = ("data", "import", letters, "--format", "ti46_alpha", *options, "--out", "a.h5")
    outcome = done(*command, "--json").says(f"a step of {step:g} ms", said)
    assert outcome.json["samples"] == 260
    assert f"a step of {step:g} ms" in outcome.json["guesses"][0]
    data = Dataset.open(tmp_path / "a.h5")[:]
    expected = ti46_text.load(letters, task="alpha", step=step)
    np.testing.assert_array_equal(data.stream.times, expected.stream.times)
    np.testing.assert_array_equal(data.stream.duration, 700.0 * step)
    assert data.groups.tolist() == expected.groups.tolist()
    result = told("train", "a.h5", "--divide", "recording", *TINY, "--out", "run")
    assert told("evaluate", "run")["accuracy"] == result["test"]["accuracy"]


def test_folders_train_and_test_are_the_parts_of_the_file(tmp_path):
    write_spikes(tmp_path / "TI46" / "Train", utterances=1)
    write_spikes(tmp_path / "TI46" / "TEST", speakers=["f8"], prefix="t0_", classes=2)
    found = told("data", "import", "TI46", "--format", "ti46_alpha", "--out", "a.h5")
    assert found["parts"] == {"train": 130, "test": 4}
    assert set(Dataset.open(tmp_path / "a.h5", split="test")[:].groups) == {"f8"}


def test_a_run_on_text_files_says_to_import_them(letters):
    refused("train", "ti46_alpha", "--file", letters, *TINY).says("--format ti46_alpha")


@pytest.mark.thorough("trains for seconds")
@pytest.mark.parametrize("divide", ["group", "recording"])
def test_an_experiment_runs_on_a_file_of_ones_own(tmp_path, divide):
    path = mine(tmp_path / "my recordings.h5")
    found = told(
        "experiment", "architectures", "--data", path, "--condition", "feedforward", "--smoke",
        "--divide", divide, "--test-fraction", 0.25, "--jobs", 0)  # fmt: skip
    folder = tmp_path / "runs" / "experiments" / f"architectures-my_recordings-by-{divide}-smoke"
    assert found["folder"] == str(folder.relative_to(tmp_path))
    result = json.loads((folder / "feedforward" / "seed-0" / "result.json").read_text())
    assert result["test"]["samples"] == 12
    shown = told("experiment", "show", "architectures", "--data", path)
    assert shown["data"]["file"] == str(path)
