from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.conformance import compare, load_case
from eventsim.conformance.compare import PARTNER_WITHIN, align, difference, find_fault


def case_of(*trains, population="hidden"):
    """A case of which only the spikes matter."""
    exact = tuple(tuple(Decimal(time) for time in train) for train in trains)
    return replace(load_case("one-arrival"), spikes={population: exact})


def test_exact_times_pass_and_the_worst_error_is_that_of_rounding():
    case = case_of(["1.25", "3.1000000000000000000000000001"])
    found = compare(case, {"hidden": [[3.1, 1.25]]}, 1e-9)
    assert found.passed
    assert (found.n_expected, found.n_matched) == (2, 2)
    assert found.worst_error == pytest.approx(8.9e-17, rel=0.01)


@pytest.mark.parametrize(("error", "passed"), [(0.5, True), (0.5000001, False)])
def test_error_up_to_the_tolerance_passes(error, passed):
    found = compare(case_of(["10"]), {"hidden": [[10.0 + error]]}, 0.5)
    assert found.passed is passed
    assert found.worst_error == pytest.approx(error)
    assert found.count("misplaced") == (not passed)


def test_missing_and_extra_spikes_are_told_apart():
    case = case_of(["10", "20", "30"], ["5"])
    found = compare(case, {"hidden": [[10.0, 30.0, 47.0], []]}, 1e-9)
    assert (found.n_matched, found.count("missing"), found.count("extra")) == (2, 2, 1)
    assert found.count("misplaced") == 0
    assert [str(mismatch) for mismatch in found.mismatches] == [
        "hidden[1]: no spike at 5 ms",
        "hidden[0]: no spike at 20 ms",
        "hidden[0]: extra spike at 47.0 ms",
    ]


ROW = [float(t) for t in range(1, 9)]


@pytest.mark.parametrize(
    ("trains", "answer", "tolerance", "counts"),
    [
        ((["10"], []), [[], [10.0]], 1.0, (0, 1, 1)),  # another neuron's
        ((map(str, ROW),), [ROW[1:]], 1e-9, (7, 1, 0)),  # the others are not shifted
        ((["10"],), [[10.0 + PARTNER_WITHIN]], 100.0, (0, 1, 1)),  # too far to be a pair
        ((["10"],), [np.array([10.0])], 1e-9, (1, 0, 0)),
        (([],), [[]], 1e-9, (0, 0, 0)),
    ],
)
def test_spikes_are_matched_missing_or_extra(trains, answer, tolerance, counts):
    spikes = {"hidden": answer, "readout": [[1.0]]}
    found = compare(case_of(*trains), spikes, tolerance)
    assert (found.n_matched, found.count("missing"), found.count("extra")) == counts
    assert (found.n_expected, found.worst_error) == (counts[0] + counts[1], 0.0)
    assert found.passed == (counts[1:] == (0, 0))


def test_misplaced_spike_gives_the_error_and_both_times():
    found = compare(case_of(["10", "20"]), {"hidden": [[10.0, 22.5]]}, 1e-3)
    assert found.worst_error == pytest.approx(2.5)
    assert str(found.mismatches[0]) == "hidden[0]: spike at 22.5 ms, expected 20"


def test_difference_is_exact_where_doubles_are_coarse():
    exact = Decimal("10000001.0000000000000000000001")
    assert difference(exact, 10000001.0) == pytest.approx(1e-22, rel=1e-12)


@pytest.mark.parametrize(
    ("spikes", "fault"),
    [
        ({}, "no spikes of population 'hidden'"),
        ({"hidden": []}, "0 neurons of population 'hidden', expected 2"),
        ({"hidden": [[1.0], [float("nan")]]}, r"hidden\[1\] at nan"),
        ({"hidden": [[float("inf")], []]}, r"hidden\[0\] at inf"),
    ],
)
def test_answer_that_is_none_is_called_by_its_fault(spikes, fault):
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError(find_fault(case_of(["1"], []), spikes))


times = st.lists(st.integers(0, 400), unique=True, max_size=8).map(sorted)


@given(expected=times, actual=times)
def test_alignment_uses_every_spike_once_and_in_order(expected, actual):
    pairs = align([Decimal(t) / 10 for t in expected], [t / 10 for t in actual])
    left, right = ([p[k] for p in pairs if p[k] is not None] for k in (0, 1))
    assert left == list(range(len(expected)))
    assert right == list(range(len(actual)))


@given(expected=times, lost=st.sets(st.integers(0, 7)))
def test_lost_spikes_are_all_that_is_found(expected, lost):
    kept = [t / 10 for k, t in enumerate(expected) if k not in lost]
    exact = [str(Decimal(t) / 10) for t in expected]
    found = compare(case_of(exact), {"hidden": [kept]}, 1e-9)
    assert found.count("missing") == len(expected) - len(kept) == len(found.mismatches)
