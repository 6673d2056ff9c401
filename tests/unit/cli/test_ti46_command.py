"""The way of a user with TI46's text spike files: train, evaluate, experiment, a log."""

import json

import pytest

from eventsim.datasets import ti46_text
from tests.support.ti46_files import write_spikes
from tests.unit.cli.conftest import done, refused, told
from tests.unit.cli.test_groups_command import mine

TINY = ("--hidden", 4, "--epochs", 1, "--batch-size", 40, "--threads", 1, "--seed", 1)


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """Class folders of five speakers, not divided; not to be changed."""
    return write_spikes(tmp_path_factory.mktemp("ti46") / "TI46")


def test_a_folder_of_text_files_is_trained_on_evaluated_and_read_once(
    letters, tmp_path, monkeypatch
):
    options = ("train", "ti46_alpha", "--file", letters, "--divide", "recording", *TINY, "--json")
    first = done(*options, "--out", "one").says(
        "text files of spikes, a step of 1.6 ms; left out: 10 spikes from step 700",
        "20 % of every class are the test part",
    )
    assert first.json["test"]["samples"] == 52
    assert "20 % of every class" in (tmp_path / "one" / "index.html").read_text()

    monkeypatch.setattr(ti46_text, "_all_spikes", None)  # nothing is parsed any more
    second = done(*options, "--out", "two")
    assert second.json["test"] == first.json["test"]
    again = told("evaluate", "one")
    assert again["accuracy"] == first.json["test"]["accuracy"]
    done("train", "--resume", "--out", "one", "--json")
    refused("train", "--resume", "--out", "one", "--divide", "group").says("divide")


@pytest.mark.thorough("trains for seconds")
def test_the_step_of_a_run_is_that_of_what_is_read_for_it(letters, tmp_path):
    root = tmp_path / "parts"
    for split, speakers in (("train", ["f1", "m2"]), ("test", ["f5"])):
        write_spikes(root / split, speakers=speakers)
    done(
        "train", "ti46_alpha", "--file", root, "--step", 1.0, *TINY, "--json", "--out", "run"
    ).says("a step of 1 ms")
    own = told("evaluate", "run")
    named = told("evaluate", "run", "ti46_alpha", "--file", root)
    assert named["loss"] == own["loss"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--step", 0), "step is 0.0, expected a finite number > 0"),
        (("--divide", "speaker"), "'speaker' is not one of"),
        (("--test-fraction", 1), "test_fraction is 1.0"),
        (("--test-data", "a.h5"), "--test-data"),
    ],
)
def test_options_that_cannot_be_are_refused(letters, options, words):
    refused("train", "ti46_alpha", "--file", letters, *TINY, *options).says(words)


def test_a_folder_that_is_none_of_ti46_says_where_it_looked(tmp_path):
    refused("train", "ti46_alpha", "--file", tmp_path / "nowhere", *TINY).says("nowhere")
    refused("data", "make", "ti46_alpha", "--file", write_spikes(tmp_path / "a", classes=1)).says(
        "not divided into folders train and test"
    )


def test_the_recipe_runs_on_text_files_by_speaker(letters):
    found = told(
        "experiment", "ti46_alpha", "--file", letters, "--divide", "group", "--smoke", "--seeds", 1,
        "--jobs", 0)  # fmt: skip
    assert found["folder"] == "runs/experiments/ti46_alpha-ti46_alpha-by-group-smoke"
    assert [row["name"] for row in found["rows"]] == ["recording", "first_event"]


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


def test_an_experiment_on_nothing_says_what_there_is(tmp_path):
    refused("experiment", "bip", "--data", "nowhere.h5", "--jobs", 0).says("nowhere.h5")
    (tmp_path / "plain.csv").write_text("1.0,2\n3.0,4\n")
    refused("experiment", "bip", "--data", "plain.csv", "--jobs", 0).says("which has no labels")
    refused("experiment", "bip", "--data", mine(tmp_path / "a.h5"), "--file", "b.h5")
