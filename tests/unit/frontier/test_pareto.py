import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.errors import ParameterError
from eventsim.frontier import pareto_front


def dominated_by_the_definition(costs, values):
    """Every pair compared, as the module's formula says."""
    points = list(zip(costs, values, strict=True))
    return [
        any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
        for cost, value in points
    ]


def test_dominated_points_are_not_on_the_front():
    costs, values = [1.0, 2.0, 3.0, 4.0], [0.5, 0.4, 0.9, 0.9]
    assert pareto_front(costs, values).tolist() == [True, False, True, False]


def test_points_of_one_cost_leave_the_best_and_points_of_one_value_the_cheapest():
    assert pareto_front([1.0, 1.0], [0.5, 0.6]).tolist() == [False, True]
    assert pareto_front([1.0, 2.0], [0.6, 0.6]).tolist() == [True, False]


def test_points_that_are_alike_are_all_on_the_front_or_none():
    assert pareto_front([1.0, 1.0], [0.5, 0.5]).tolist() == [True, True]
    assert pareto_front([2.0, 2.0, 1.0], [0.5, 0.5, 0.5]).tolist() == [False, False, True]


def test_single_point_is_the_front_and_no_points_have_none():
    assert pareto_front([3.0], [0.1]).tolist() == [True]
    assert pareto_front([], []).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_front_is_what_the_definition_says(points):
    costs, values = [c for c, _ in points], [v for _, v in points]
    expected = [not one for one in dominated_by_the_definition(costs, values)]
    assert pareto_front(costs, values).tolist() == expected


@pytest.mark.parametrize(
    ("costs", "values", "message"),
    [
        ([1.0, 2.0], [0.5], "one of each per point"),
        (np.ones((2, 2)), np.ones((2, 2)), "one of each per point"),
        ([1.0, np.nan], [0.5, 0.5], "is not finite"),
        ([1.0, 2.0], [0.5, np.inf], "is not finite"),
    ],
)
def test_bad_points_are_refused(costs, values, message):
    with pytest.raises(ParameterError, match=message):
        pareto_front(costs, values)
