from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from eventsim.entries import Count, Settings, check_types, read, schema, shown
from eventsim.errors import StorageError


@dataclass
class Inner:
    x: int = 0


@dataclass
class Sample:
    number: float = 1.0
    count: int = 2
    flag: bool = True
    word: str = "a"
    maybe: float | None = None
    one: Literal["a", "b"] = "a"
    pair: tuple[float, float] = (0.0, 1.0)
    some: tuple[int, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[int, str] = field(default_factory=dict)
    many: list[Mapping[str, float]] = field(default_factory=list)
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("name", "value"),
    [("number", 3), ("number", np.float32(2)), ("number", float("inf")), ("count", np.int64(3)),
     ("maybe", 2.0), ("one", "b"), ("pair", [1, 2.5]), ("some", [1, 2]), ("keys", {"a": []}),
     ("numbers", {1: "a"}), ("many", [{}, {"a": 1}])],
)  # fmt: skip
def test_a_value_of_the_annotated_type_passes(name, value):
    check_types(Sample(**{name: value}))


def test_place_and_error_can_be_chosen_and_long_values_are_cut():
    with pytest.raises(StorageError, match=r"^file: word is \[0, 0, .*\.\.\., expected") as caught:
        check_types(Sample(word=[0] * 10_000), where="file", error=StorageError)
    assert len(str(caught.value)) < 200
    assert shown("a") == "'a'"


@dataclass(frozen=True)
class Leaf(Settings):
    size: Count
    word: str = "a"


@dataclass(frozen=True)
class Tree(Settings):
    leaves: tuple[Leaf, ...]
    by_name: Mapping[str, Leaf] = field(default_factory=dict)
    far: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = [leaf.size for leaf in self.leaves]
        self.require("leaves", sizes, len(set(sizes)) == len(sizes), "different sizes")


def test_tables_inside_tables_become_settings():
    values = {"leaves": [{"size": 1}, {"size": 2, "word": "b"}], "by_name": {"x": {"size": 3}}}
    found = read(Tree, values | {"far": "inf"}, "file t", StorageError)
    assert found == Tree((Leaf(1), Leaf(2, "b")), {"x": Leaf(3)}, np.inf)
    assert Tree.from_dict(found.to_dict()) == found
    assert found.to_dict()["far"] == "inf"


def test_schema_names_keys_types_and_bounds():
    found = schema(Tree)
    assert found["required"] == ["leaves"]
    assert found["additionalProperties"] is False
    assert found["$defs"]["Leaf"]["properties"]["size"] == {
        "minimum": 1, "title": "Size", "type": "integer"
    }  # fmt: skip
