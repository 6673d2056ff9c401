"""The way of a user with TI46's text spike files: train, evaluate, experiment, a log."""

import json
import re

import pytest

from eventsim.datasets import ti46_text
from tests.support.ti46_files import write_spikes
from tests.unit.cli.conftest import call
from tests.unit.cli.test_groups_command import mine

TINY = ("--hidden", 4, "--epochs", 1, "--batch-size", 40, "--threads", 1, "--seed", 1)
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """Class folders of five speakers, not divided; not to be changed."""
    return write_spikes(tmp_path_factory.mktemp("ti46") / "TI46")


def test_a_folder_of_text_files_is_trained_on_evaluated_and_read_once(
    letters, tmp_path, monkeypatch
):
    options = ("train", "ti46_alpha", "--file", letters, "--divide", "recording", *TINY, "--json")
    first = call(*options, "--out", "one")
    assert first.code == 0, first.err
    assert "text files of spikes, a step of 1.6 ms; left out: 10 spikes from step 700" in first.err
    assert "20 % of every class are the test part" in first.err
    assert first.json["test"]["samples"] == 52
    assert "20 % of every class" in (tmp_path / "one" / "index.html").read_text()

    monkeypatch.setattr(ti46_text, "_all_spikes", None)  # nothing is parsed any more
    second = call(*options, "--out", "two")
    assert second.code == 0, second.err
    assert second.json["test"] == first.json["test"]
    again = call("evaluate", "one", "--json")
    assert again.code == 0, again.err
    assert again.json["accuracy"] == first.json["test"]["accuracy"]
    resumed = call("train", "--resume", "--out", "one", "--json")
    assert resumed.code == 0, resumed.err
    refused = call("train", "--resume", "--out", "one", "--divide", "group")
    assert refused.code == 2
    assert "divide" in refused.err


@pytest.mark.thorough("trains for seconds")
def test_the_step_of_a_run_is_that_of_what_is_read_for_it(letters, tmp_path):
    root = tmp_path / "parts"
    for split, speakers in (("train", ["f1", "m2"]), ("test", ["f5"])):
        write_spikes(root / split, speakers=speakers)
    made = call(
        "train", "ti46_alpha", "--file", root, "--step", 1.0, *TINY, "--json", "--out", "run"
    )
    assert made.code == 0, made.err
    assert "a step of 1 ms" in made.err
    own = call("evaluate", "run", "--json")
    named = call("evaluate", "run", "ti46_alpha", "--file", root, "--json")
    assert named.code == 0, named.err
    assert named.json["loss"] == own.json["loss"]


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
    found = call("train", "ti46_alpha", "--file", letters, *TINY, *options)
    assert found.code == 2
    assert words in " ".join(found.err.split())


def test_a_folder_that_is_none_of_ti46_says_where_it_looked(tmp_path):
    found = call("train", "ti46_alpha", "--file", tmp_path / "nowhere", *TINY)
    assert found.code == 2
    assert "nowhere" in found.err
    found = call("data", "make", "ti46_alpha", "--file", write_spikes(tmp_path / "a", classes=1))
    assert found.code == 2
    assert "not divided into folders train and test" in found.err


def test_the_recipe_runs_on_text_files_by_speaker(letters):
    found = call(
        "experiment", "ti46_alpha", "--file", letters, "--divide", "group", "--smoke", "--seeds", 1,
        "--jobs", 0, "--json",
    )  # fmt: skip
    assert found.code == 0, found.err
    assert found.json["folder"] == "runs/experiments/ti46_alpha-ti46_alpha-by-group-smoke"
    assert [row["name"] for row in found.json["rows"]] == ["recording", "first_event"]


@pytest.mark.thorough("trains for seconds")
@pytest.mark.parametrize("divide", ["group", "recording"])
def test_an_experiment_runs_on_a_file_of_ones_own(tmp_path, divide):
    path = mine(tmp_path / "my recordings.h5")
    found = call(
        "experiment", "architectures", "--data", path, "--condition", "feedforward", "--smoke",
        "--divide", divide, "--test-fraction", 0.25, "--jobs", 0, "--json",
    )  # fmt: skip
    assert found.code == 0, found.err
    folder = tmp_path / "runs" / "experiments" / f"architectures-my_recordings-by-{divide}-smoke"
    assert found.json["folder"] == str(folder.relative_to(tmp_path))
    result = json.loads((folder / "feedforward" / "seed-0" / "result.json").read_text())
    assert result["test"]["samples"] == 12
    shown = call("experiment", "show", "architectures", "--data", path, "--json").json
    assert shown["data"]["file"] == str(path)


def test_an_experiment_on_nothing_says_what_there_is(tmp_path):
    found = call("experiment", "bip", "--data", "nowhere.h5", "--jobs", 0)
    assert found.code == 2
    assert "nowhere.h5" in found.err
    (tmp_path / "plain.csv").write_text("1.0,2\n3.0,4\n")
    found = call("experiment", "bip", "--data", "plain.csv", "--jobs", 0)
    assert found.code == 2
    assert "which has no labels" in found.err
    found = call("experiment", "bip", "--data", mine(tmp_path / "a.h5"), "--file", "b.h5")
    assert found.code == 2


@pytest.mark.thorough("trains for seconds")
def test_progress_goes_into_a_log_where_there_is_no_terminal(letters, tmp_path):
    options = ("train", "ti46_alpha", "--file", letters, *TINY, "--epochs", 2)
    assert call(*options, "--out", "run").code == 0
    lines = (tmp_path / "run" / "train.log").read_text().splitlines()
    assert all(re.match(STAMP, line) for line in lines)
    assert "training begins: epoch 1/2" in lines[0]
    assert re.search(r"epoch 2/2  done  loss \d.*accuracy .*%  validation .*%  left 0", lines[-2])
    assert call(*options, "--out", "other", "--log", tmp_path / "logs" / "mine.log").code == 0
    assert not (tmp_path / "other" / "train.log").exists()
    assert (tmp_path / "logs" / "mine.log").read_text().count("done") == 2
    refused = call(*options, "--out", "third", "--log", tmp_path)
    assert refused.code == 2
    assert "is a folder, expected the file of a log" in refused.err


@pytest.mark.thorough("trains for seconds")
def test_an_experiment_has_a_log_of_its_runs(tmp_path):
    options = ("experiment", "architectures", "--data", "yinyang", "--smoke", "--condition", "sr")
    found = call(*options, "--jobs", 0, "--seeds", 2, "--json")
    assert found.code == 0, found.err
    lines = (tmp_path / found.json["folder"] / "experiment.log").read_text().splitlines()
    said = [re.sub(STAMP, "", line) for line in lines]
    assert said[0] == "sr/seed-0  begins"
    assert said[-1] == "sr/seed-1  done  run 2/2  left 0:00:00"
