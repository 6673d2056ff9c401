"""``eventsim check``: what a network can be asked."""

import eventsim as es
from tests.unit.cli.conftest import done, told


def test_check_says_what_runs_and_what_is_refused_and_why(tmp_path):
    net = tmp_path / "net.npz"
    es.scsr(4, (5,), 2, alif=(0.3, 50.0)).save(net)
    text = done("check", net, "--backend", "cpu").out
    assert "population 'hidden1' has" in text
    found = told("check", net, "--backend", "reference")
    rows = {row["capability"]: row for row in found["rows"]}
    assert found["backend"] == "reference"
    said = [rows[name]["says"] for name in ("simulate", "nir", "fixed_step")]
    assert said == ["runs", "bound", "refuses"]
    assert "whole runs only" in rows["chunk_gradients"]["why"]
