"""--patience, --fail-under, and the intervals of accuracies in tables, JSON and report."""

from eventsim.measures import wilson
from tests.unit.cli.conftest import call, write_digits


def test_commands_stop_early_show_intervals_and_fail_under_an_accuracy(tmp_path):
    data, run = write_digits(tmp_path / "digits.hdf5"), tmp_path / "run"
    options = ("--hidden", 4, "--epochs", 30, "--patience", 1, "--lr", 0.3, "--threads", 1)
    outcome = call("train", data, *options, "--validate", "recording", "--out", run, "--json")
    assert outcome.code == 0, outcome.err
    result = outcome.json
    assert result["epochs"] < 30
    assert result["stopped_early"] == {"epochs": 30, "patience": 1, "by": "loss"}
    test = result["test"]
    assert test["accuracy_interval"] == list(wilson(test["accuracy"], test["samples"]))
    page = (run / "index.html").read_text()
    assert "stopped early: validation loss not better for 1 epochs" in page
    assert "Accuracy by class" in page
    again = call("train", "--resume", "--out", run)
    assert "stopped early" in again.out
    assert "this run is finished" in again.err
    found = call("evaluate", run, "--json", "--fail-under", 0.0)
    assert found.code == 0
    assert [one["class"] for one in found.json["accuracy_by_class"]] == found.json["classes"]
    shown = call("evaluate", run, "--fail-under", 1.0)
    assert shown.code == (0 if found.json["accuracy"] == 1.0 else 1)
    assert "95 % interval" in shown.out
    assert "Accuracy by class" in shown.out
