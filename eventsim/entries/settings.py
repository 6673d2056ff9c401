"""Settings: dataclasses whose annotations say what is allowed.

A field says its type and its range, as ``epochs: Annotated[int, Bounds(ge=1)]`` does. Values are
checked against them (:mod:`~eventsim.entries.annotations`) in two places:

* :class:`Settings` made in Python check their own fields;
* :func:`read` checks a whole table from a file, with the tables inside it.

For several classes of settings, ``A | B``, the key ``kind`` of the table chooses the class: its
field ``kind``, a Literal, has the same value. The word alone means the class with its defaults.

Types are strict: ``true`` is no number, nor is ``"3"``. A ``float`` may be any real number. A
``tuple`` may be a list, because JSON and TOML have no tuples. Numbers of NumPy become those of
Python. The message for an unknown key names the nearest known one. :func:`schema` gives the JSON
schema.
"""

import dataclasses
import difflib
import functools
import math
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar, get_args, get_origin

from eventsim.entries import annotations
from eventsim.errors import EventSimError, ParameterError
from eventsim.summary import changed_repr, cut

Kind = TypeVar("Kind")
ErrorType = type[EventSimError]


def shown(value: object) -> str:
    """A value as messages show it, cut if it is long."""
    return cut(repr(value))


class SettingError(ParameterError):
    """A setting has a wrong value.

    Attributes
    ----------
    place
        Keys that lead to it.
    value
        What came.
    expected
        In words.
    """

    def __init__(self, where: str, place: annotations.Place, value: object, expected: str):
        self.place, self.value = place, value
        path = ".".join(map(str, place))
        super().__init__(where, f"{path} is {shown(value)}", expected)

    def inside(self, key: str | int) -> "SettingError":
        """The same mistake, seen from the settings around it."""
        return SettingError("settings", (key, *self.place), self.value, self.expected)


class Settings:
    """Base of settings: a frozen dataclass that checks its fields when it is made.

    A class with a ``__post_init__`` of its own calls this one first. Then it checks with
    :meth:`require` conditions on several fields.
    """

    def __init_subclass__(cls) -> None:
        # Before the dataclass makes one of its own, with every field.
        cls.__repr__ = changed_repr  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        check_types(self)

    def require(self, name: str, value: object, good: bool, expected: str) -> None:
        """Raise ParameterError for the value of a field, ``name``, that is not good."""
        if not good:
            raise SettingError(type(self).__name__, (name,), value, expected)

    @classmethod
    def upgraded(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """A table of any version of eventsim as this version writes it."""
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The settings that a table describes; absent keys take their defaults.

        Raises ParameterError (a key is unknown, or a value has the wrong type or range).
        """
        return read(cls, values, cls.__name__, ParameterError)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; an infinite number is the text ``"inf"``."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(typing.cast(Any, self)))
        return plain


def check_types(
    settings: Any, *, where: str | None = None, error: ErrorType = ParameterError
) -> None:
    """Raise ``error`` for the first field of an instance that its annotation does not allow.

    Lists become tuples where the annotation says so, numbers of NumPy those of Python. The message
    begins with ``where``, by default the name of the class.
    """
    kind: Any = type(settings)
    given = {name: getattr(settings, name) for name in annotations.hints_of(kind)}
    checker = annotations.Checker(tables=False)
    found = checker.fields(kind, list(given), given)
    if checker.mistakes:
        name = str(checker.mistakes[0].place[0])
        words = annotations.words_of(annotations.hints_of(kind)[name])
        problem = SettingError(where or kind.__name__, (name,), given[name], words)
        raise problem if error is ParameterError else problem.seen_from("", error)
    for name, value in found.items():
        if value is not given[name]:
            object.__setattr__(settings, name, value)


def read(kind: type[Kind], values: Any, place: str, error: ErrorType) -> Kind:
    """Settings of a dataclass from a table of TOML or JSON; absent keys take their defaults.

    Fields may be dataclasses too, tuples of them, or tables of them. A mistake is an ``error`` with
    the place, what came, and what was expected.
    """
    try:
        values = _upgraded(kind, values)
    except ParameterError as problem:
        raise problem.seen_from(place, error) from problem
    checker = annotations.Checker(tables=True)
    found = checker.fields(kind, annotations.table_keys(kind), values)
    if checker.mistakes:
        unknown = [one for one in checker.mistakes if one.kind == "unknown"]
        raise _told((unknown or checker.mistakes)[0], kind, place, values, error)
    try:
        return typing.cast(Kind, _built(kind, found))
    except SettingError as problem:
        place, got = _found(place, problem.place, values, problem.value)
        raise error(place, got, problem.expected) from problem
    except ParameterError as problem:
        raise problem.seen_from(place, error) from problem


def _upgraded(hint: Any, values: Any) -> Any:
    """The table after :meth:`Settings.upgraded` of its class and of the classes of its fields."""
    kind: Any = annotations.bare(hint)
    upgrade = getattr(kind, "upgraded", None)
    if upgrade is None or not isinstance(values, Mapping):
        return values
    hints = annotations.hints_of(kind)
    return {key: _upgraded(hints.get(key), one) for key, one in upgrade(values).items()}


def _told(
    mistake: annotations.Mistake, owner: type, place: str, values: Any, error: ErrorType
) -> EventSimError:
    """The error of a mistake in a file."""
    *above, last = mistake.place or ("",)
    hint = annotations.bare(functools.reduce(_inner_hint, above, owner))
    where = _where(place, above, values)
    if mistake.kind == "unknown":
        keys = annotations.table_keys(hint)
        meant = _elsewhere(str(last), owner, hint) or nearest(str(last), keys)
        meant = meant or f"Keys are {', '.join(keys)}."
        return error(where, f"has an unknown key {shown(last)}", remedy=meant)
    if mistake.kind == "missing":
        lacks = [key for key in annotations.required_keys(hint) if key not in mistake.value]
        return error(where, f"lacks {', '.join(lacks)}", "them")
    expected = annotations.words_of(functools.reduce(_inner_hint, mistake.place, owner))
    return error(*_found(place, mistake.place, values, mistake.value), expected)


def _found(place: str, keys: Sequence[str | int], values: Any, value: object) -> tuple[str, str]:
    """Place of a mistake (recipe and condition), and its key with the value that came."""
    *above, name = keys or ("",)
    while isinstance(name, int) and above:
        name = f"{above.pop()}[{name}]" if isinstance(above[-1], str) else above.pop()
    where = _where(place, above, values)
    return where, f"{name} is {shown(value)}".lstrip()


def _where(place: str, keys: Sequence[str | int], values: Any) -> str:
    """The place of a value in a file: ``recipe mine, condition plain, name``.

    One of several tables is called by its name where it has one.
    """
    for n, key in enumerate(keys):
        above = _at(values, keys[:n])
        if isinstance(above, Mapping) and key == above.get("kind"):  # which one of a union it is
            continue
        one = _at(values, keys[: n + 1])
        name = one.get("name") if isinstance(one, Mapping) else None
        if isinstance(key, int):
            place += f" {name}" if isinstance(name, str) else f"[{key}]"
        else:
            place += f", {key}"
    return place


def nearest(name: str, known: Iterable[str]) -> str:
    """``Did you mean ..?``, or nothing; capitals, and dashes for underscores, do not matter."""
    plain = {_folded(one): one for one in known}
    near = difflib.get_close_matches(_folded(name), list(plain), n=1)
    return f"Did you mean {plain[near[0]]!r}?" if near else ""


def _folded(name: str) -> str:
    """The name in one spelling for variants such as ``weightBits`` and ``Weight-Bits``."""
    return re.sub(r"[\s_-]+", "", name).lower()


def _elsewhere(key: str, owner: type, here: Any) -> str:
    """The table to which an unknown key belongs, if another table of the file has it."""
    inner = {
        name: annotations.bare(hint)
        for name, hint in annotations.hints_of(owner).items()
        if dataclasses.is_dataclass(annotations.bare(hint)) and annotations.bare(hint) is not here
    }
    places = [name for name, kind in inner.items() if key in annotations.table_keys(kind)]
    if here is not owner and key in annotations.table_keys(owner):
        return f"{key!r} stands above all tables."
    return f"{key!r} belongs in the table {' or '.join(places)}." if places else ""


def _inner_hint(hint: Any, key: str | int) -> Any:
    """The annotation of the value under that key."""
    hint = annotations.bare(hint)
    if key in (members := annotations.members_of(hint)):
        return members[str(key)]
    if dataclasses.is_dataclass(hint):
        return annotations.hints_of(typing.cast(Any, hint)).get(str(key), Any)
    inner = get_args(hint)
    if get_origin(hint) is tuple and isinstance(key, int):
        return inner[0] if inner[-1] is Ellipsis else inner[min(key, len(inner) - 1)]
    if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping):
        return inner[1]
    return hint


def _at(values: Any, place: Iterable[Any]) -> Any:
    """The given value at that place; names of members of a union are no keys."""
    for key in place:
        listed = isinstance(values, list | tuple) and isinstance(key, int)
        if listed or (isinstance(values, Mapping) and key in values):
            values = values[key]
    return values


def _plain(value: Any) -> Any:
    """Tuples as lists, the infinite number as a text."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return annotations.INFINITE if isinstance(value, float) and value == math.inf else value


def _built(hint: Any, value: Any) -> Any:
    """The instance that a checked table describes."""
    hint = annotations.bare(hint)
    if (members := annotations.members_of(hint)) and isinstance(value, Mapping):
        hint = members[value["kind"]]
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints = annotations.hints_of(typing.cast(Any, hint))
        parts = {key: _inside(key, hints[key], one) for key, one in value.items()}
        return typing.cast(Any, hint)(**parts)
    if get_origin(hint) is tuple and isinstance(value, tuple):
        return tuple(_inside(k, _inner_hint(hint, k), one) for k, one in enumerate(value))
    if isinstance(value, Mapping) and get_args(hint):
        return {key: _inside(key, get_args(hint)[1], one) for key, one in value.items()}
    return value


def _inside(key: str | int, hint: Any, value: Any) -> Any:
    try:
        return _built(hint, value)
    except SettingError as problem:
        raise problem.inside(key) from problem
