import json

import pytest

from eventsim.conformance import case_names
from tests.unit.cli.conftest import call, done, refused, told

CPU = ("cpu, double", "cpu, single")
FEW = ("--case", "one-arrival", "--case", "self-excitation")


def test_list_describes_every_case():
    done("conformance", "--list").shows(*case_names(), "needs lateral")


def test_table_has_results_errors_and_a_verdict():
    outcome = done("conformance", *FEW, "--backend", "reference")
    outcome.says("backend: reference").shows("eventsim reference, double", "1.0e-09", "Passed")
    assert outcome.out.count("passed") >= 3


def test_json_on_stdout_is_all_there_is():
    outcome = told("conformance", *FEW, "--backend", "reference")
    (found,) = outcome["simulators"]
    assert outcome["passed"] is True
    assert found["counts"]["passed"] == 2
    assert [row["case"] for row in found["results"]] == ["one-arrival", "self-excitation"]
    assert found["results"][1]["worst_error_ms"] < 1e-12


def test_json_to_a_file_leaves_the_table(tmp_path):
    path = tmp_path / "found.json"
    done("conformance", *FEW, "--backend", "reference", "--out", path).shows("self-excitation")
    assert json.loads(path.read_text())["passed"] is True


def test_all_backends_in_both_precisions():
    outcome = told("conformance", *FEW, "--backend", "all", "--precision", "both")
    names = [found["simulator"] for found in outcome["simulators"]]
    assert names[:3] == [f"eventsim {name}" for name in ("reference, double", *CPU)]


def test_precision_that_the_backend_lacks_is_an_error():
    refused("conformance", *FEW, "--backend", "reference", "--precision", "single").says(
        "does not run in single precision"
    )


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
    outcome.shows("late (7, dt = 1 ms)", "7 misplaced", "no loops", "FAILED")
    # Cases that are not supported do not fail.
    done("conformance", "--case", "loop-without-delay", "--adapter", late).shows("1 not supported")


def test_unknown_case_and_adapter_are_told(tmp_path):
    refused("conformance", "--case", "pacemakers").says("'pacemakers' is unknown")
    refused("conformance", "--adapter", "nothing").says("module:object")
