import itertools
import math

import numpy as np
import pytest
import scipy
from hypothesis import example, given
from hypothesis import strategies as st

from eventsim.experiment import Summary, compare, holm

ACCURACIES = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=7
).map(lambda pairs: [(a / 300, b / 300) for a, b in pairs])


@given(ACCURACIES)
@example([(a / 300, b / 300) for a, b in [(0, 1), (36, 0), (95, 260), (129, 0)]])  # a tie
def test_sign_flips_are_those_of_counting_all_choices(pairs):
    found = compare(*zip(*pairs, strict=True))
    d = [a - b for a, b in pairs]
    means = [sum(s * x for s, x in zip(signs, d, strict=True))
             for signs in itertools.product((1, -1), repeat=len(d))]  # fmt: skip
    far = sum(abs(mean) >= abs(sum(d)) - 1e-9 for mean in means)
    assert found.p_signs == pytest.approx(far / len(means))
    assert found.p_signs >= 2.0 ** (1 - len(d)) - 1e-12


@given(ACCURACIES)
def test_comparison_does_not_depend_on_who_is_the_baseline(pairs):
    a, b = zip(*pairs, strict=True)
    one, other = compare(a, b), compare(b, a)
    assert one.difference == pytest.approx(-other.difference)
    assert one.p_signs == pytest.approx(other.p_signs)
    assert (one.p_t is None) == (other.p_t is None)
    assert one.p_t is None or one.p_t == pytest.approx(other.p_t)


def test_t_test_matches_closed_forms_of_two_and_three_pairs():
    d = np.array([0.01, 0.04])
    t = d.mean() / (d.std(ddof=1) / math.sqrt(2))
    assert compare(d, 0 * d).p_t == pytest.approx(1 - 2 / math.pi * math.atan(t))
    d = np.array([0.01, 0.04, 0.02])
    t = d.mean() / (d.std(ddof=1) / math.sqrt(3))
    assert compare(d, 0 * d).p_t == pytest.approx(1 - t / math.sqrt(2 + t * t))


def test_three_seeds_that_all_agree_give_a_quarter():
    assert compare([0.9, 0.8, 0.85], [0.5, 0.6, 0.4]).p_signs == 0.25


@pytest.mark.parametrize("unit", [1e-18, 1e-6, 1.0, 1e9])
def test_tests_are_the_same_in_any_unit(unit):
    # Mean squared errors have that of the targets, squared.
    a, b = np.array([[2.1, 1.7, 1.9, 1.6, 1.8], [2.3, 1.9, 1.8, 1.9, 1.8]])
    found, plain = compare(a * unit, b * unit), compare(a, b)
    assert found.p_signs == pytest.approx(plain.p_signs, rel=1e-12)
    assert found.p_t == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue, rel=1e-9)
    assert found.difference == pytest.approx(plain.difference * unit)
    assert compare(a * unit, (a + 0.1) * unit).p_t is None


def test_equal_differences_have_no_t_and_a_single_pair_no_test():
    same = compare([0.5, 0.6, 0.7], [0.4, 0.5, 0.6])
    assert same.p_t is None
    assert same.p_signs == 0.25
    assert compare([0.5, 0.5], [0.5, 0.5]).p_signs == 1.0
    single = compare([0.5], [0.25])
    assert (single.difference, single.p_t, single.p_signs) == (0.25, None, None)


@given(st.lists(st.floats(0.0, 1.0) | st.none(), max_size=8), st.floats(0.001, 0.999))
@example([0.01, None, 0.03], 0.025)  # of two values, not of three
@example([0.02, 0.03], 0.035)  # the second is not below the first
def test_corrected_p_is_below_alpha_exactly_where_holm_rejects(values, alpha):
    # Step down: reject the smallest while p <= alpha / (number of those not yet rejected).
    order = sorted((p, k) for k, p in enumerate(values) if p is not None)
    rejected = set()
    for rank, (p, k) in enumerate(order):
        if p * (len(order) - rank) > alpha:
            break
        rejected.add(k)
    found = holm(values)
    below = {k for k, p in enumerate(found) if p is not None and p <= alpha}
    assert (below, [p is None for p in found]) == (rejected, [p is None for p in values])


def test_summary_is_of_a_sample():
    found = Summary.of([0.9, 0.8, 1.0])
    assert (found.mean, found.n) == (pytest.approx(0.9), 3)
    assert found.deviation == pytest.approx(0.1)
    assert Summary.of([0.9]).deviation is None


def test_t_over_folds_is_corrected_for_recordings_that_folds_share():
    # Three folds of three thirds: q = 1/2, so that t is that of seeds over sqrt(1 + 3/2).
    d = np.array([0.01, 0.04, 0.02])
    t = d.mean() / (d.std(ddof=1) / math.sqrt(3)) / math.sqrt(2.5)
    found = compare(d, 0 * d, overlap=0.5)
    assert found.p_t == pytest.approx(1 - t / math.sqrt(2 + t * t))
    assert found.p_t > compare(d, 0 * d).p_t


def test_t_without_an_overlap_is_that_of_scipy():
    d = np.random.default_rng(0).normal(0.02, 0.01, 7)
    expected = scipy.stats.ttest_rel(d, 0 * d).pvalue
    assert compare(d, 0 * d).p_t == pytest.approx(expected, rel=1e-12)
