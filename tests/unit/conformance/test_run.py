import re
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from eventsim.conformance import (
    EventsimSimulator,
    load_case,
    load_cases,
    load_simulator,
    precisions,
    run_case,
    run_cases,
    usable_backends,
)
from eventsim.conformance.case import NEEDS
from eventsim.errors import BackendError, CaseError, NetworkError


@dataclass
class Fake:
    """Gives the exact answer, or what ``change`` makes of it."""

    change: Any = None
    reason: str | None = None
    precision: str = "double"
    name: str = "fake"
    version: str = "1"
    settings: str = ""
    capabilities: frozenset = field(default_factory=lambda: frozenset(NEEDS))
    seen: list = field(default_factory=list)

    def supports(self, case):
        return self.reason

    def run(self, case):
        self.seen.append(case.name)
        exact = {
            name: [[float(time) for time in train] for train in trains]
            for name, trains in case.spikes.items()
        }
        return self.change(exact) if self.change else exact


def raising(error):
    def change(_spikes):
        raise error

    return change


CASE = load_case("self-excitation")


def test_exact_answers_pass_every_case():
    fake = Fake()
    results = run_cases(fake, load_cases())
    assert {result.outcome for result in results} == {"passed"}
    assert len(fake.seen) == len(results)


def test_simulator_is_not_asked_what_it_does_not_say_that_it_knows():
    older = Fake()
    del older.capabilities
    cases = [case for case in load_cases() if set(case.needs) - {"lateral", "adaptive"}]
    assert len(cases) >= 30
    for fake in (older, Fake(capabilities=frozenset({"lateral", "adaptive"}))):
        results = dict(zip([case.name for case in cases], run_cases(fake, cases), strict=True))
        assert {result.outcome for result in results.values()} == {"not supported"}
        assert results["adlif-with-receptors"].reason == (
            "receptors with time constants of their own, AdLIF neurons"
        )
        assert fake.seen == []


def test_wrong_answer_fails_with_the_first_mistake():
    result = run_case(Fake(lambda spikes: {"hidden": [spikes["hidden"][0][1:]]}), CASE)
    assert result.outcome == "failed"
    assert "hidden[0]: no spike at 1.906" in result.reason
    assert result.to_dict()["missing"] == 1
    assert result.to_dict()["expected"] == 7


def test_tolerance_is_that_of_the_precision():
    def late(spikes):
        return {"hidden": [[time + 1e-6 for time in train] for train in spikes["hidden"]]}

    assert run_case(Fake(late), CASE).outcome == "failed"
    assert run_case(Fake(late, precision="single"), CASE).outcome == "passed"


@pytest.mark.parametrize(
    ("fake", "name", "reason"),
    [
        (Fake(precision="single"), "grazing-alpha-below", "single precision"),
        (Fake(reason="no delays"), "self-excitation", "^no delays$"),
        (Fake(raising(BackendError("not here"))), "self-excitation", "^not here$"),
    ],
)
def test_case_that_a_simulator_cannot_decide_or_lacks_is_not_supported(fake, name, reason):
    result = run_case(fake, load_case(name))
    assert result.outcome == "not supported"
    assert re.search(reason, result.reason)
    assert (result.tolerance is None) == (fake.precision == "single")
    assert fake.seen == [name] * (fake.change is not None)  # else it is not run


def test_other_errors_are_errors_and_the_next_case_goes_on():
    results = run_cases(Fake(raising(ZeroDivisionError("oops"))), [CASE, CASE])
    assert [result.outcome for result in results] == ["error", "error"]
    assert results[0].reason == "ZeroDivisionError: oops"


@pytest.mark.parametrize("spikes", [{}, {"hidden": []}, {"hidden": [[float("nan")]]}])
def test_answer_without_sense_is_an_error(spikes):
    result = run_case(Fake(lambda _: spikes), CASE)
    assert result.outcome == "error"
    assert result.reason.startswith("gave ")


def test_eventsim_reference_passes_a_case():
    result = run_case(EventsimSimulator("reference"), CASE)
    assert result.outcome == "passed"
    assert result.comparison.worst_error < 1e-12


def test_eventsim_gives_the_plans_reason_for_what_it_refuses(monkeypatch):
    def refuse(_net):
        raise NetworkError("no loops today")

    monkeypatch.setattr("eventsim.conformance.own.make_plan", refuse)
    result = run_case(EventsimSimulator("reference"), CASE)
    assert (result.outcome, result.reason) == ("not supported", "no loops today")


def test_usable_backends_are_those_that_load(monkeypatch):
    assert {"reference", "cpu"} <= set(usable_backends())

    def only_cpu(name):
        if name != "cpu":
            raise BackendError("absent")

    monkeypatch.setattr("eventsim.conformance.own.get_backend", only_cpu)
    assert usable_backends() == ["cpu"]


def test_reference_is_double_only():
    assert precisions("reference") == ("double",)
    assert precisions("cpu") == ("double", "single")


ADAPTER = """
class Silent:
    name, version, settings, precision = "silent", "0", "", "double"
    def supports(self, case):
        return None
    def run(self, case):
        return {name: [[] for _ in trains] for name, trains in case.spikes.items()}

instance = Silent()
broken = object()
class Half:
    def run(self, case):
        return {}
"""


@pytest.fixture
def adapter(tmp_path, monkeypatch):
    """A module of the current folder."""
    (tmp_path / "silent_adapter.py").write_text(ADAPTER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "silent_adapter"
    sys.modules.pop("silent_adapter", None)


@pytest.mark.parametrize("attribute", ["Silent", "instance"])
def test_adapter_is_a_class_or_an_instance(adapter, attribute):
    simulator = load_simulator(f"{adapter}:{attribute}")
    assert simulator.name == "silent"
    assert run_case(simulator, load_case("grazing-alpha-below")).outcome == "passed"
    assert run_case(simulator, load_case("grazing-alpha-above")).outcome == "failed"


@pytest.mark.usefixtures("adapter")
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("silent_adapter:Half", "lacks name, version, settings, precision, supports"),
        ("silent_adapter:broken", "lacks .*run"),
        ("silent_adapter:nothing", "no attribute 'nothing'"),
        *((place, "expected module:object|cannot be loaded")
          for place in ("silent_adapter", ":x", "absent_module:x")),
    ],
)  # fmt: skip
def test_adapter_that_lacks_members_or_is_not_there_is_refused(place, words):
    with pytest.raises(CaseError, match=words):
        load_simulator(place)
