"""Linear neurons from the command line."""

import numpy as np
import pytest

from eventsim.runs.run import load_run
from eventsim.train import load_network
from tests.unit.cli.conftest import TINY, call


@pytest.mark.parametrize(("kind", "key"), [("adlif", "a"), ("resonator", "frequency")])
def test_linear_neurons_are_trained_and_evaluated_by_name(digits, tmp_path, kind, key):
    outcome = call("train", digits, *TINY, "--neuron", kind, "--backend", "cpu", "--out", "r")
    assert outcome.code == 0, outcome.err
    before, after = (load_network(tmp_path / "r" / f"{name}.npz") for name in ("initial", "last"))
    assert not np.array_equal(*(n.parameters()[f"hidden1.{key}"] for n in (before, after)))
    assert load_run(tmp_path / "r").settings.train.bip[-1] == "neuron"
    assert call("evaluate", "r").code == 0
    priced = call("cost", "r", "--json")
    assert priced.code == 0, priced.err
    assert "state_update" in priced.out
    refused = call("map", "r")
    assert refused.code == 2
    assert "has neurons of kind" in refused.err
