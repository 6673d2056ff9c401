"""Which tests run when: the rule of ``tests/support/tiers.py``."""

from importlib.metadata import distributions
from itertools import combinations, product
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.checkout import project
from tests.support.tiers import assign_tiers, beyond, covering

ROWS = pytest.mark.parametrize(("a", "b"), [])
CASES = list(product(("a0", "a1", "a2"), ("b0", "b1", "b2", "b3"), ("c0", "c1")))


def combined(cases, n):
    return {some for case in cases for some in combinations(case, n)}


@pytest.mark.parametrize(("strength", "at_most"), [(1, 4), (2, 14), (3, 24), (None, 24)])
def test_covering_has_all_combinations_in_few_cases(strength, at_most):
    kept = [CASES[place] for place in sorted(covering(CASES, strength))]
    assert len(kept) <= at_most
    n = strength or 3
    assert combined(kept, n) == combined(CASES, n)


def test_covering_takes_values_in_turn():
    cases = list(product(("reference", "cpu", "cuda"), range(30)))
    kept = [cases[place][0] for place in covering(cases, 1)]
    assert [kept.count(name) for name in ("reference", "cpu", "cuda")] == [10, 10, 10]


def test_covering_keeps_what_is_kept_anyhow():
    assert covering(CASES, 0) == {0}
    assert covering(CASES, 2, {5, 7}) >= {5, 7}


class Item:
    """What tiers ask of a collected test."""

    def __init__(self, *marks, name="test", **params):
        self.nodeid, self.originalname, self.path = f"file.py::{name}", name, "file.py"
        self.marks = [mark.mark for mark in marks]
        if params:
            self.callspec = SimpleNamespace(params=params)

    def iter_markers(self, name=None):
        return iter([mark for mark in self.marks if name in (None, mark.name)])

    def get_closest_marker(self, name):
        return next(self.iter_markers(name), None)

    def add_marker(self, mark):
        self.marks.append(mark.mark)


def tiers(*marks, axes=("a", "b", "c")):
    """How many of the cases each tier has."""
    items = [Item(*marks, **dict(zip(axes, case, strict=True))) for case in CASES]
    assign_tiers(items)
    names = [[mark.name for mark in item.marks] for item in items]
    nightly = sum("nightly" in own for own in names)
    thorough = sum("thorough" in own for own in names)
    return len(items) - nightly - thorough, len(items) - nightly, len(items)


def test_every_value_is_tested_first_then_every_pair_then_all():
    quick, more, all_of_them = tiers()
    assert quick == 4
    assert 12 <= more <= 14
    assert all_of_them == 24


def test_a_mark_changes_how_many_combinations_are_tested():
    assert tiers(pytest.mark.crossed("why", test=0, all=None))[:2] == (1, 24)
    assert tiers(pytest.mark.crossed("why", all=1))[:2] == (4, 4)


def test_rows_of_a_table_are_left_out_of_no_change():
    together = pytest.mark.parametrize(("a", "b", "c"), CASES)
    assert tiers(together) == (4, 24, 24)
    assert tiers(pytest.mark.parametrize(("a", "b"), [])) == (4, 24, 24)


class Short:
    """A network or a stream: what it contains is not in its text."""

    def __repr__(self):
        return "Short()"


def test_rows_that_read_the_same_are_different_rows():
    rows = [(Short(), "x"), (Short(), "x"), ([1.0], (None, "x")), ([1.0], (None, "x"))]
    items = [Item(ROWS, a=a, b=b) for a, b in rows]
    assign_tiers(items)
    assert not any(item.get_closest_marker("nightly") for item in items)


def test_equal_text_and_numbers_are_one_value():
    items = [Item(ROWS, a="x", b=(1, None, 2.5)) for _ in range(3)]
    assign_tiers(items)
    assert [item.get_closest_marker("nightly") is None for item in items] == [True, False, False]


def tiers_of_squares(mark):
    """The tier of each case of two backends times two numbers; those of one backend have a mark."""
    items = [Item(*[mark] * (a == "dear"), a=a, b=b) for a, b in product(("dear", "own"), (1, 2))]
    assign_tiers(items)
    names = [[own.name for own in item.marks] for item in items]
    return [next((n for n in ("nightly", "thorough") if n in own), "test") for own in names]


def test_a_case_with_a_mark_of_its_own_takes_no_place_in_the_tiers_it_is_not_in():
    assert tiers_of_squares(pytest.mark.nightly("why")) == ["nightly"] * 2 + ["test"] * 2
    assert tiers_of_squares(pytest.mark.thorough("why")) == ["thorough"] * 2 + ["test"] * 2


@pytest.mark.parametrize("mark", ["thorough", "nightly", "crossed"])
def test_mark_without_a_reason_is_refused(mark):
    with pytest.raises(pytest.UsageError, match=rf"file.py::test: the mark {mark} says no reason"):
        assign_tiers([Item(getattr(pytest.mark, mark))])
    with pytest.raises(pytest.UsageError, match="says no reason"):
        assign_tiers([Item(getattr(pytest.mark, mark)(all=1))])


def test_cases_beyond_the_first_have_the_mark():
    first, second = beyond(1, [("x", 1), ("y", 2)], pytest.mark.nightly("dear"))
    assert (first.values, list(first.marks)) == (("x", 1), [])
    assert [mark.name for mark in second.marks] == ["nightly"]


def test_packages_without_which_tests_are_skipped_are_installed():
    """Else what they hold would not be held, and a run without them would be green."""
    needed = [Requirement(text) for text in project()["optional-dependencies"]["test"]]
    names = {one.name for one in needed if one.marker is None or one.marker.evaluate()}
    assert {"nir", "optuna", "distributed", "submitit", "tensorboardX"} <= names
    here = {canonicalize_name(one.metadata["Name"]) for one in distributions()}
    assert {canonicalize_name(name) for name in names} <= here
