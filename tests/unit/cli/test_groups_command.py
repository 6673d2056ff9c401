"""Speakers that are held out: who is learned, validated and tested is told by name."""

import json
import re

import numpy as np
import pytest

from eventsim.events import Dataset, EventStream
from tests.unit.cli.conftest import done, refused, told

QUICK = ("--hidden", 4, "--epochs", 1, "--batch-size", 12, "--backend", "cpu")
PEOPLE = ("ann", "bob", "cid", "dot")


def mine(path, people=PEOPLE):
    """Twelve recordings of each of some people."""
    n, rng = 12 * len(people), np.random.default_rng(3)
    times = np.sort(rng.uniform(5.0, 35.0, (n, 6)), axis=1).ravel()
    labels = np.arange(n) % 2
    channels = (np.repeat(labels, 6) * 4 + rng.integers(0, 4, 6 * n)).astype(int)
    stream = EventStream(times, channels, np.arange(n + 1) * 6, n_channels=8, duration=40.0)
    Dataset(stream, labels, ("no", "yes"), groups=np.repeat(people, 12)).save(path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("groups")


@pytest.fixture(scope="module")
def trained(home):
    """A run that tests two people by name."""
    outcome = done(
        "train", mine(home / "mine.h5"), *QUICK, "--test-group", "bob", "--test-group", "dot",
        "--out", home / "run")  # fmt: skip
    return home / "run", outcome


def test_train_tells_who_is_learned_validated_and_tested(trained):
    folder, outcome = trained
    known = json.loads((folder / "run.json").read_text())["parts"]
    assert known == json.loads((folder / "result.json").read_text())["parts"]
    assert known["test"] == {"recordings": 24, "groups": {"bob": 12, "dot": 12}}
    learned, validated = known["training"]["groups"], known["validation"]["groups"]
    assert learned | validated == {"ann": 12, "cid": 12}
    assert known["validated_by"] == known["divided_by"] == "group"
    (one,), (other,) = learned, validated
    for words in (
        f"12 recordings of 1 group: {one} 12",
        f"12 recordings of 1 group: {other} 12",
        "24 recordings of 2 groups: bob 12, dot 12",
    ):
        assert words in outcome.out
        assert words in (folder / "index.html").read_text()
    assert "tested are bob, dot, all others are learned" in outcome.err
    assert "tested are bob, dot, all others are learned" in (folder / "index.html").read_text()


def test_evaluate_tells_whose_recordings_it_asked(trained):
    folder, _ = trained
    assert told("evaluate", folder)["groups"] == {"bob": 12, "dot": 12}
    done("evaluate", folder).shows("24 recordings of 2 groups: bob 12, dot 12")


def test_validation_by_recording_is_one_option(home):
    found = told(
        "train", mine(home / "mine.h5"), *QUICK, "--test-group", "bob", "--validate", "recording",
        "--out", home / "by-recording",
    )["parts"]  # fmt: skip
    assert (found["divided_by"], found["validated_by"]) == ("group", "recording")
    assert found["validation"]["groups"].keys() <= found["training"]["groups"].keys()


def test_two_people_are_too_few_to_test_and_validate_and_the_error_says_what_to_do(home):
    few = mine(home / "few.h5", ("ann", "bob"))
    refused("train", few, *QUICK, "--out", home / "few").says(
        "are all of the group", "expected two groups or more", "--validate recording"
    )
    assert not (home / "few").exists()
    done("train", few, *QUICK, "--out", home / "few", "--validate", "recording")


def test_a_file_names_its_groups_and_their_recordings(home):
    path = mine(home / "mine.h5")
    found = told("data", "info", path)["splits"]["all"]
    assert found["groups"] == dict.fromkeys(PEOPLE, 12)
    done("data", "info", path).shows("Recordings per group").shows(*PEOPLE)


def test_an_experiment_over_folds_tests_everybody_once(home):
    options = (
        "experiment", "bip", "--data", mine(home / "mine.h5"), "--folds", "2", "--smoke",
        "--condition", "none", "--condition", "tau_mem", "--seeds", 1, "--threads", 1,
        "--jobs", 0, "--out", home / "folds",
    )  # fmt: skip
    found = done(*options, "--json")
    told = found.json
    assert (told["repeats"]["kind"], told["repeats"]["divisions"]) == ("folds", 2)
    tested = [one["tested"]["groups"] for one in told["divisions"]]
    assert sorted(name for groups in tested for name in groups) == list(PEOPLE)
    for groups, fold in zip(tested, told["folds"], strict=True):
        assert fold == ", ".join(groups)
        run = home / "folds" / "none" / f"seed-0-without-{'+'.join(groups)}"
        parts = json.loads((run / "run.json").read_text())["parts"]
        assert parts["test"]["groups"] == groups
        others = {*parts["training"]["groups"], *parts["validation"]["groups"]}
        assert others == {*PEOPLE} - {*groups}
    assert f"fold 1 tests {told['folds'][0]}" in found.err
    done(*options).shows(
        "Accuracy on the test part in % by fold, last epoch, mean over seeds",
        "24 recordings of 2 groups: ",
        "mean ± standard deviation over folds",
    )


def test_an_experiment_over_seeds_says_that_its_p_is_of_seeds(home):
    found = done(
        "experiment", "bip", "--data", mine(home / "mine.h5"), "--divide", "group", "--smoke",
        "--condition", "none", "--condition", "tau_mem", "--seeds", 2, "--threads", 1,
        "--jobs", 0, "--out", home / "seeds")  # fmt: skip
    assert re.search(r"12 recordings of 1 group: \w+ 12 are tested", found.err)  # before it begins
    said = " ".join(found.out.split())
    assert "they say nothing of other recordings or other speakers" in said
    assert "--divide group --folds N" in said
    assert "Tested in all seeds: 12 recordings of 1 group: " in said
