"""Every backend gives the exact spike times of the published cases, and supports what it did."""

import pytest

from eventsim.conformance import EventsimSimulator, case_names, load_case, run_case
from eventsim.conformance.case import NEEDS
from eventsim.conformance.own import precisions
from eventsim.engine.contract.registry import available_backends
from eventsim.engine.cpu import CpuBackend

WHOLE = pytest.mark.crossed("all cases on all backends take 3 s of a core", test=None, all=None)
# Which needs of cases a backend meets in a precision: what it lost or gained is changed here too.
ALL = frozenset(NEEDS)
FURTHER = ALL - {"lateral", "adaptive"}
MEETS = {
    ("reference", "double"): ALL,
    ("cpu", "double"): ALL,
    ("cpu", "single"): ALL,
    ("cuda", "double"): ALL,
    ("cuda", "single"): ALL,
}
# A need that is not met is the reason that stands in the result, in these words.
WORDS = {"lateral": "loop", "adaptive": "adaptive threshold"} | dict.fromkeys(FURTHER, "of kind")
# Cases whose number of spikes single precision does not decide.
UNDECIDED = frozenset(
    {
        "grazing-alpha-above",
        "grazing-alpha-below",
        "grazing-peak-billionth-above",
        "grazing-peak-billionth-below",
        "grazing-quadratic-above",
        "grazing-quadratic-below",
        "grazing-second-arrival-above",
        "grazing-second-arrival-below",
        "inhibition-just-after-a-crossing",
        "inhibition-just-before-a-crossing",
        "spike-just-after-the-end",
        "spike-just-before-the-end",
    }
)


def check(simulator, name, meets):
    case = load_case(name)
    result = run_case(simulator, case)
    if simulator.precision == "single" and name in UNDECIDED:
        reason = "single precision does not decide its number of spikes"
        assert (result.outcome, result.reason) == ("not supported", reason)
        return
    unmet = [need for need in case.needs if need not in meets]
    if not unmet:
        assert result.outcome == "passed", result.reason
        return
    assert result.outcome == "not supported", f"{unmet} are met now: add them to MEETS"
    assert any(WORDS[need] in result.reason for need in unmet), result.reason


@WHOLE
@pytest.mark.parametrize("name", case_names())
def test_case_in_double_precision(backend, name):
    check(EventsimSimulator(backend), name, MEETS[backend, "double"])


@WHOLE
@pytest.mark.parametrize("name", case_names())
def test_case_in_single_precision(fast_backend, name):
    check(EventsimSimulator(fast_backend, "single"), name, MEETS[fast_backend, "single"])


def test_needs_are_expected_of_every_backend_in_every_precision():
    usual = [name for name in available_backends() if name in ("reference", "cpu", "cuda")]
    assert set(MEETS) == {(name, p) for name in usual for p in precisions(name)}
    assert {need for name in case_names() for need in load_case(name).needs} == ALL
    assert set(WORDS) == ALL


@pytest.mark.parametrize("supported", [True, False])
@pytest.mark.parametrize("expected", [True, False])
def test_capability_that_is_lost_or_gained_fails_unless_it_is_expected(
    monkeypatch, supported, expected
):
    runs = CpuBackend.runs - {"adaptive"} | ({"adaptive"} if supported else set())
    monkeypatch.setattr(CpuBackend, "runs", runs)
    meets = ALL if expected else ALL - {"adaptive"}
    name = next(name for name in case_names() if load_case(name).needs == ("adaptive",))
    if supported == expected:
        check(EventsimSimulator("cpu"), name, meets)
        return
    with pytest.raises(AssertionError, match="adaptive"):
        check(EventsimSimulator("cpu"), name, meets)


def test_case_that_fails_for_another_reason_than_its_need_is_not_taken_for_unsupported():
    class Refuses(EventsimSimulator):
        def supports(self, case):
            return "it has no licence"

    name = next(name for name in case_names() if load_case(name).needs == ("adaptive",))
    for meets in (ALL, ALL - {"adaptive"}):
        with pytest.raises(AssertionError, match="no licence"):
            check(Refuses("cpu"), name, meets)
