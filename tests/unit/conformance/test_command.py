import json

import pytest

from eventsim.conformance import case_names
from tests.unit.cli.conftest import call

FEW = ("--case", "one-arrival", "--case", "self-excitation")


def test_list_describes_every_case():
    outcome = call("conformance", "--list")
    assert outcome.code == 0
    for name in case_names():
        assert name in outcome.out
    assert "needs lateral" in outcome.out


def test_table_has_results_errors_and_a_verdict():
    outcome = call("conformance", *FEW, "--backend", "reference")
    assert outcome.code == 0, outcome.err
    assert "eventsim reference, double" in outcome.out
    assert outcome.out.count("passed") >= 3
    assert "1.0e-09" in outcome.out
    assert "Passed" in outcome.out
    assert "backend: reference" in outcome.err


def test_json_on_stdout_is_all_there_is():
    outcome = call("conformance", *FEW, "--backend", "reference", "--json")
    assert outcome.code == 0, outcome.err
    (found,) = outcome.json["simulators"]
    assert outcome.json["passed"] is True
    assert found["counts"]["passed"] == 2
    assert [row["case"] for row in found["results"]] == ["one-arrival", "self-excitation"]
    assert found["results"][1]["worst_error_ms"] < 1e-12


def test_json_to_a_file_leaves_the_table(tmp_path):
    path = tmp_path / "found.json"
    outcome = call("conformance", *FEW, "--backend", "reference", "--out", path)
    assert "self-excitation" in outcome.out
    assert json.loads(path.read_text())["passed"] is True


def test_all_backends_in_both_precisions():
    outcome = call("conformance", *FEW, "--backend", "all", "--precision", "both", "--json")
    assert outcome.code == 0, outcome.err
    names = [found["simulator"] for found in outcome.json["simulators"]]
    assert names[:3] == [
        "eventsim reference, double",
        "eventsim cpu, double",
        "eventsim cpu, single",
    ]


def test_precision_that_the_backend_lacks_is_an_error():
    outcome = call("conformance", *FEW, "--backend", "reference", "--precision", "single")
    assert outcome.code == 2
    assert "does not run in single precision" in outcome.err


@pytest.fixture
def late(tmp_path, monkeypatch):
    """An adapter that is a millisecond late, and cannot do everything."""
    (tmp_path / "late_adapter.py").write_text(
        "from types import SimpleNamespace\n"
        "def run(case):\n"
        "    return {name: [[float(t) + 1.0 for t in train] for train in trains]\n"
        "            for name, trains in case.spikes.items()}\n"
        "def supports(case):\n"
        "    return 'no loops' if case.needs else None\n"
        "simulator = SimpleNamespace(name='late', version='7', settings='dt = 1 ms',\n"
        "    precision='double', run=run, supports=supports)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    return "late_adapter:simulator"


def test_adapter_that_is_wrong_fails_with_exit_code_one(late):
    outcome = call("conformance", *FEW, "--adapter", late, "--case", "loop-without-delay")
    assert outcome.code == 1
    assert "late (7, dt = 1 ms)" in outcome.out
    assert "7 misplaced" in outcome.out
    assert "no loops" in outcome.out
    assert "FAILED" in outcome.out


def test_cases_that_are_not_supported_do_not_fail(late):
    outcome = call("conformance", "--case", "loop-without-delay", "--adapter", late)
    assert outcome.code == 0
    assert "1 not supported" in outcome.out


def test_unknown_case_and_adapter_are_told(tmp_path):
    outcome = call("conformance", "--case", "pacemakers")
    assert outcome.code == 2
    assert "'pacemakers' is unknown" in outcome.err
    outcome = call("conformance", "--adapter", "nothing")
    assert outcome.code == 2
    assert "module:object" in outcome.err
