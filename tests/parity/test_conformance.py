"""Every backend gives the exact spike times of the published cases."""

import pytest

from eventsim.conformance import EventsimSimulator, case_names, load_case, run_case


def check(simulator, name):
    case = load_case(name)
    result = run_case(simulator, case)
    undecided = case.tolerance[simulator.precision] is None
    if result.outcome == "not supported" and (case.needs or undecided):
        pytest.skip(result.reason)
    assert result.outcome == "passed", result.reason


@pytest.mark.parametrize("name", case_names())
def test_case_in_double_precision(backend, name):
    check(EventsimSimulator(backend), name)


@pytest.mark.parametrize("name", case_names())
def test_case_in_single_precision(fast_backend, name):
    check(EventsimSimulator(fast_backend, "single"), name)
