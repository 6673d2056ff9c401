import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.frontier import pareto_front


def dominated_by_the_definition(costs, values):
    """Every pair compared, as the module's formula says."""
    points = list(zip(costs, values, strict=True))
    return [
        any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
        for cost, value in points
    ]


@pytest.mark.parametrize(
    ("costs", "values", "front"),
    [
        ([1.0, 2.0, 3.0, 4.0], [0.5, 0.4, 0.9, 0.9], [True, False, True, False]),
        ([1.0, 1.0], [0.5, 0.6], [False, True]),  # of one cost the best
        ([1.0, 2.0], [0.6, 0.6], [True, False]),  # of one value the cheapest
        ([1.0, 1.0], [0.5, 0.5], [True, True]),  # those alike all, or none
        ([2.0, 2.0, 1.0], [0.5, 0.5, 0.5], [False, False, True]),
        ([3.0], [0.1], [True]),
        ([], [], []),
    ],
)
def test_front_by_hand(costs, values, front):
    assert pareto_front(costs, values).tolist() == front


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_front_is_what_the_definition_says(points):
    costs, values = [c for c, _ in points], [v for _, v in points]
    expected = [not one for one in dominated_by_the_definition(costs, values)]
    assert pareto_front(costs, values).tolist() == expected
