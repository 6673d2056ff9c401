import pytest

from tests.something import something
from tests.support import compare


def test_assertions_of_nothing_fail():
    nothing = set()
    with pytest.raises(AssertionError, match=r"test_something\.py:10: there is nothing"):  # noqa: PT012
        for one in nothing:
            assert one
    with pytest.raises(AssertionError, match="nothing to assert of"):
        assert {one for one in nothing if one < 0} == set()


def test_assertions_of_something_look_at_all_of_it():
    seen = []
    for one in (1, 2):
        assert one
        seen.append(one)
        for inner in ():  # may be empty
            assert inner
    assert seen == [1, 2]
    assert [one for one in seen if one > 2] == []


def test_helpers_of_tests_are_rewritten_too():
    assert compare._something is something
