from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from eventsim.entries import check_types, shown
from eventsim.errors import ParameterError, StorageError


@dataclass
class Inner:
    x: int = 0


@dataclass
class Settings:
    number: float = 1.0
    count: int = 2
    flag: bool = True
    word: str = "a"
    maybe: float | None = None
    one: Literal["a", "b"] = "a"
    pair: tuple[float, float] = (0.0, 1.0)
    some: tuple[int, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("name", "value"),
    [("number", 3), ("number", np.float32(2)), ("number", float("inf")), ("count", np.int64(3)),
     ("maybe", 2.0), ("one", "b"), ("pair", [1, 2.5]), ("some", [1, 2]), ("keys", {"a": []})],
)  # fmt: skip
def test_a_value_of_the_annotated_type_passes(name, value):
    check_types(Settings(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("number", "x", "Settings: number is 'x', expected a number."),
        ("number", True, "number is True, expected a number."),
        ("number", [], "expected a number."),
        ("count", 1.5, "count is 1.5, expected a whole number."),
        ("flag", 1, "flag is 1, expected true or false."),
        ("word", None, "expected a text."),
        ("maybe", "x", "expected a number or None."),
        ("one", "c", "expected one of a, b."),
        ("one", [], "expected one of a, b."),
        ("pair", 3, "expected a list of 2: a number, a number."),
        ("pair", [1, 2, 3], "expected a list of 2"),
        ("some", ["x"], "expected a list, each of it a whole number."),
        ("some", "12", "expected a list"),
        ("keys", [], "expected a table"),
        ("inner", {}, "expected a Inner, or a dict of its keys."),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(name, value, message):
    with pytest.raises(ParameterError, match=message):
        check_types(Settings(**{name: value}))


def test_place_and_error_can_be_chosen_and_long_values_are_cut():
    with pytest.raises(StorageError, match=r"^file: word is \[0, 0, .*\.\.\., expected") as caught:
        check_types(Settings(word=[0] * 10_000), where="file", error=StorageError)
    assert len(str(caught.value)) < 200
    assert shown("a") == "'a'"
