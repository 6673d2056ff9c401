"""Files of an experiment that hold other values than eventsim wrote."""

import json

import pytest

from tests.unit.cli.conftest import call

PLAN = {"name": "x", "title": "X", "about": "", "baseline": "plain", "folds": [None],
        "conditions": {"plain": "plain", "other": "other"}}  # fmt: skip
RESULT = {"condition": "plain", "seed": 0, "fold": None, "test_accuracy": 0.5, "parameters": 3,
          "selected_test_accuracy": None, "spikes_per_neuron_and_second": 1.0,
          "synaptic_operations_per_inference": 1.0, "neuron_updates_per_inference": 1.0,
          "validation_accuracy": None, "train_accuracy": 0.5, "training_seconds": 1.0,
          "peak_mb": None}  # fmt: skip


def write(folder, plan, result):
    (folder / "plain" / "seed-0").mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(PLAN | plan))
    (folder / "plain" / "seed-0" / "result.json").write_text(json.dumps(RESULT | result))
    return folder


def test_the_whole_files_give_a_table(tmp_path):
    assert call("experiment", "table", write(tmp_path / "e", {}, {})).code == 0


@pytest.mark.parametrize(
    ("plan", "result"),
    [
        ({"about": True}, {}),
        ({"title": 3}, {}),
        ({"folds": [{}]}, {}),
        ({"conditions": {"plain": 7}}, {}),
        ({"conditions": {"plain": "plain", "other": [1]}, "baseline": []}, {}),
        ({}, {"seed": "a.b->c"}),
        ({}, {"test_accuracy": "x"}),
        ({}, {"parameters": []}),
    ],
)
def test_values_of_another_type_are_a_message(tmp_path, plan, result):
    outcome = call("experiment", "table", write(tmp_path / "e", plan, result))
    assert outcome.code == 2, outcome.out
