"""Annotations of settings: checks of values by them, words for people, JSON schemas.

A dataclass is checked as a table of its keys, or as an instance, as the caller wants. Further
arguments of ``Annotated`` are a :class:`Bounds`, a function that is true for good values, or a text
that says what is expected.
"""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np

Place = tuple[str | int, ...]

INFINITE = "inf"  # in JSON and TOML


class Bounds(NamedTuple):
    """Bounds of a number or of a length."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    min_length: int | None = None

    def hold(self, value: Any) -> bool:
        """Whether the value is inside; False if it is no number."""
        return (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
            and (self.min_length is None or len(value) >= self.min_length)
        )


Count = Annotated[int, Bounds(ge=1)]
Natural = Annotated[int, Bounds(ge=0)]
Finite = Annotated[float, Bounds(gt=-math.inf, lt=math.inf)]
Positive = Annotated[float, Bounds(gt=0, lt=math.inf)]
Above0 = Annotated[float, Bounds(gt=0)]  # or infinite
From0 = Annotated[float, Bounds(ge=0)]  # or infinite
NotNegative = Annotated[float, Bounds(ge=0, lt=math.inf)]
Share = Annotated[float, Bounds(ge=0, lt=1)]
Text = Annotated[str, Bounds(min_length=1)]

_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "None",
}
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_JSON_BOUNDS = {
    "gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"
}  # fmt: skip
_JSON_LENGTHS = {"array": "minItems", "object": "minProperties", "string": "minLength"}


class Mistake(NamedTuple):
    """Place of a wrong value, the value, and whether a key is ``unknown`` or ``missing``.

    An unknown or missing key is the last of ``place``; then ``came`` is the table.
    """

    place: Place
    value: Any
    kind: str = "value"


class Checker:
    """Holds values to annotations, and keeps every mistake that it finds.

    ``tables``: whether dataclasses inside are tables, else instances.
    """

    def __init__(self, *, tables: bool):
        self.tables, self.mistakes = tables, list[Mistake]()

    def fields(self, kind: Any, names: Collection[str], values: Any, place: Place = ()) -> Any:
        """A table of these fields of a dataclass, each as its annotation says."""
        if not isinstance(values, Mapping):
            return self._wrong(place, values)
        hints, required = hints_of(kind), required_keys(kind)
        found = {}
        for name in names:
            if name in values:
                found[name] = self.value(hints[name], values[name], (*place, name))
            elif name in required:
                self.mistakes.append(Mistake((*place, name), values, "missing"))
        for key in values:
            if key not in names:
                self.mistakes.append(Mistake((*place, key), values[key], "unknown"))
        return found

    def value(self, hint: Any, value: Any, place: Place) -> Any:
        """A value as an annotation says."""
        origin, inner = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._annotated(inner[0], inner[1:], value, place)
        if members := members_of(hint):
            return self._member(members, value, place)
        if origin in (Union, types.UnionType):
            return self._union(inner, value, place)
        if origin in (tuple, list):
            return self._sequence(origin, inner, value, place)
        if origin is Literal:
            same = any(type(value) is type(one) and value == one for one in inner)
            return value if same else self._wrong(place, value)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(inner, value, place)
        if dataclasses.is_dataclass(hint) and self.tables:
            return self.fields(hint, table_keys(hint), value, place)
        return self._plain(hint, value, place)

    def _wrong(self, place: Place, value: Any) -> Any:
        self.mistakes.append(Mistake(place, value))
        return value

    def _plain(self, kind: Any, given: Any, place: Place) -> Any:
        """A value of a class. For float any real number is good, also one of NumPy."""
        value = given
        if kind in (int, float):
            value = value.item() if isinstance(value, np.generic) else value
            value = math.inf if isinstance(value, str) and value == INFINITE else value
            number = isinstance(value, int) and not isinstance(value, bool)
            if kind is float and number and abs(value) < 1 << 1023:
                return float(value)
            good = number if kind is int else isinstance(value, float)
        else:
            good = kind is Any or isinstance(value, kind)
        return value if good else self._wrong(place, given)

    def _annotated(self, hint: Any, marks: Collection[Any], value: Any, place: Place) -> Any:
        n_before = len(self.mistakes)
        found = self.value(hint, value, place)
        for mark in marks if len(self.mistakes) == n_before else ():
            test: Callable[[Any], bool] = mark.hold if isinstance(mark, Bounds) else mark
            if not isinstance(mark, str) and not test(found):
                return self._wrong(place, value)
        return found

    def _member(self, members: Mapping[str, Any], value: Any, place: Place) -> Any:
        """Settings of a union: given by their ``kind``, by a table with it, or as an instance."""
        if isinstance(value, str) and value in members:
            return {"kind": value} if self.tables else members[value]()
        if not self.tables:
            good = isinstance(value, tuple(members.values()))
            return value if good else self._wrong(place, value)
        word = value.get("kind") if isinstance(value, Mapping) else None
        if not isinstance(word, str) or word not in members:
            return self._wrong(place, value)
        return self.fields(members[word], table_keys(members[word]), value, (*place, word))

    def _union(self, hints: Collection[Any], value: Any, place: Place) -> Any:
        """The result of the first member that accepts the value; a class beside None is checked."""
        if type(None) in hints and value is None:
            return None
        others = [one for one in hints if one is not type(None)]
        if len(others) == 1:
            return self.value(others[0], value, place)
        for one in others:
            trial = Checker(tables=self.tables)
            found = trial.value(one, value, place)
            if not trial.mistakes:
                return found
        return self._wrong(place, value)

    def _sequence(self, kind: Any, hints: Collection[Any], value: Any, place: Place) -> Any:
        """A list or a tuple; a list is good where a tuple is expected."""
        first, *others = hints
        if not isinstance(value, (list, kind)):
            return self._wrong(place, value)
        several = kind is list or others == [Ellipsis]
        every = [first] * len(value) if several else [first, *others]
        if len(every) != len(value):
            return self._wrong(place, value)
        pairs = enumerate(zip(every, value, strict=True))
        return kind(self.value(hint, one, (*place, k)) for k, (hint, one) in pairs)

    def _mapping(self, hints: Collection[Any], value: Any, place: Place) -> Any:
        of_keys, of_values = hints
        if not isinstance(value, Mapping) or not all(isinstance(key, of_keys) for key in value):
            return self._wrong(place, value)
        return {key: self.value(of_values, one, (*place, key)) for key, one in value.items()}


@functools.cache
def hints_of(kind: Any) -> dict[str, Any]:
    """The annotation of every field of a dataclass, bounds included."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def table_keys(kind: Any) -> list[str]:
    """Keys that a table may have; not fields whose metadata say ``from_file=False``."""
    fields = dataclasses.fields(kind)
    return [item.name for item in fields if item.init and item.metadata.get("from_file", True)]


def required_keys(kind: Any) -> list[str]:
    """Keys that a table must have."""
    missing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.init and field.default is missing and field.default_factory is missing
    ]


def bare(hint: Any) -> Any:
    """The annotation without bounds and without None."""
    if get_origin(hint) is Annotated:
        return bare(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        others = [one for one in get_args(hint) if one is not type(None)]
        return bare(others[0]) if len(others) == 1 else hint
    return hint


@functools.cache
def members_of(hint: Any) -> dict[str, Any]:
    """The classes of a union of settings by their ``kind``; empty for other annotations."""
    if get_origin(hint) not in (Union, types.UnionType):
        return {}
    classes: list[Any] = [one for one in get_args(hint) if dataclasses.is_dataclass(one)]
    words = [get_args(hints_of(one).get("kind")) for one in classes]
    told = len(classes) == len(get_args(hint)) and all(words)
    return {word[0]: one for word, one in zip(words, classes, strict=True)} if told else {}


def words_of(hint: Any) -> str:
    """An annotation as people read it."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        said = [mark for mark in marks if isinstance(mark, str)]
        return said[0] if said else _bounded(words_of(inner), marks)
    if hint in _WORDS:
        return _WORDS[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if members := members_of(hint):
        return f"one of {', '.join(members)}, or a table with one of them as its kind"
    if origin in (Union, types.UnionType):
        return " or ".join(map(words_of, inner))
    if origin is tuple and inner[-1] is Ellipsis:
        return f"a list, each of it {words_of(inner[0])}"
    if origin is tuple:
        return f"a list of {len(inner)}: {', '.join(map(words_of, inner))}"
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return f"a {hint.__name__}, or a table of its keys"
    return "a table of keys and values" if origin is not None else str(hint)


def _bounded(word: str, marks: Collection[Any]) -> str:
    """A word with its bounds: ``a finite number > 0``."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    said = []
    for mark in marks:
        for name, sign in signs.items():
            bound = getattr(mark, name, None)
            if bound is not None and not math.isinf(bound):
                said.append(f"{sign} {bound:g}")
            elif bound is not None:
                word = word.replace("a number", "a finite number")
    if any(getattr(mark, "min_length", None) for mark in marks) and word.startswith("a list"):
        word = word.replace("a list", "a list that is not empty", 1)
    return " ".join([word, " and ".join(said)]).strip()


def schema(kind: Any) -> dict[str, Any]:
    """The JSON schema of the tables of a dataclass, those inside it under ``$defs``."""
    inside: dict[str, Any] = {}
    found = _schema_of_table(kind, inside)
    return ({"$defs": inside} if inside else {}) | found


def _schema_of_table(kind: Any, inside: dict[str, Any]) -> dict[str, Any]:
    keys, required = table_keys(kind), required_keys(kind)
    found = {
        "additionalProperties": False,
        "properties": {key: _schema_of(hints_of(kind)[key], inside) for key in keys},
        "title": kind.__name__,
        "type": "object",
    }
    for key, one in found["properties"].items():
        if "$ref" not in one:
            one["title"] = key.replace("_", " ").title()
    return found | ({"required": [key for key in keys if key in required]} if required else {})


def _schema_of(hint: Any, inside: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _schema_bounded(_schema_of(inner[0], inside), inner[1:])
    if members := members_of(hint):
        refs = {word: _schema_of(one, inside)["$ref"] for word, one in members.items()}
        tables = {
            "discriminator": {"mapping": refs, "propertyName": "kind"},
            "oneOf": [{"$ref": ref} for ref in refs.values()],
        }
        return {"anyOf": [{"enum": list(members), "type": "string"}, tables]}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema_of(one, inside) for one in inner]}
    if origin is tuple and inner[-1] is Ellipsis:
        return {"items": _schema_of(inner[0], inside), "type": "array"}
    if origin is tuple:
        size, items = len(inner), [_schema_of(one, inside) for one in inner]
        return {"maxItems": size, "minItems": size, "prefixItems": items, "type": "array"}
    if origin is Literal:
        words = {"enum": list(inner)} if len(inner) > 1 else {"const": inner[0]}
        return {**words, "type": "string"}
    if origin is not None:
        of = _schema_of(inner[1], inside)
        return {"additionalProperties": of or True, "type": "object"}
    if not dataclasses.is_dataclass(hint):
        return {} if hint is Any else {"type": _JSON_TYPES[hint]}
    name = typing.cast(type, hint).__name__
    if name not in inside:
        inside[name] = {}  # its place, should it hold itself
        inside[name] = _schema_of_table(hint, inside)
    return {"$ref": f"#/$defs/{name}"}


def _schema_bounded(found: dict[str, Any], marks: Collection[Any]) -> dict[str, Any]:
    for mark in marks:
        for name, word in _JSON_BOUNDS.items() if isinstance(mark, Bounds) else ():
            bound = getattr(mark, name)
            if bound is not None and not math.isinf(bound):
                found[word] = bound
        if isinstance(mark, Bounds) and mark.min_length is not None:
            found[_JSON_LENGTHS[found["type"]]] = mark.min_length
    return found
