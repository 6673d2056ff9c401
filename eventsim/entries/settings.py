"""Settings: dataclasses whose annotations say what is allowed.

A field says its type and its range, as ``epochs: Annotated[int, Bounds(ge=1)]`` does. pydantic
holds values to them, at two doors:

* :class:`Settings` made in Python check their own fields;
* :func:`read` checks a table from a file whole, the tables inside it included.

Of several classes of settings, ``A | B``, the one is meant whose field ``kind``, a Literal, has the
value of the table's key ``kind``. That word alone means the class with its defaults.

Types are strict: ``true`` is no number, nor is ``"3"``. Of ``float`` every real number is accepted,
of ``tuple`` a list too (JSON and TOML have nothing else), and numbers of NumPy become those of
Python. An unknown key is told the nearest known one. :func:`schema` gives the JSON schema.
"""

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import numpy as np

from eventsim.errors import EventSimError, ParameterError
from eventsim.summary import changed_repr, cut

Kind = TypeVar("Kind")
ErrorType = type[EventSimError]
Place = tuple[str | int, ...]

INFINITE = "inf"  # in JSON and TOML


class Bounds(NamedTuple):
    """Bounds of a number or of a length: as those of annotated_types, which is slow to import."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    min_length: int | None = None


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


def shown(value: object) -> str:
    """A value as messages show it, cut if it is long."""
    return cut(repr(value))


class SettingError(ParameterError):
    """A setting is not as expected.

    Attributes
    ----------
    place
        Keys that lead to it.
    value
        What came.
    expected
        In words.
    """

    def __init__(self, where: str, place: Place, value: object, expected: str):
        self.place, self.value, self.expected = place, value, expected
        path = ".".join(map(str, place))
        super().__init__(f"{where}: {path} is {shown(value)}, expected {expected}.")

    def inside(self, key: str | int) -> "SettingError":
        """The same mistake, seen from the settings around it."""
        return SettingError("settings", (key, *self.place), self.value, self.expected)


class Settings:
    """Base of settings: a frozen dataclass that checks its fields when it is made.

    A class with a ``__post_init__`` of its own calls this one first, and then checks with
    :meth:`require` what only several fields together can break.
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
    def constant(cls, **values: Any) -> Self:
        """Settings that a module of the program has, made without the check, which loads slowly.

        Values are given as the annotations have them. A test holds each constant to the checked
        settings of the same values.
        """
        made = object.__new__(cls)
        for field in dataclasses.fields(typing.cast(Any, cls)):
            object.__setattr__(made, field.name, values.pop(field.name, field.default))
        assert not values, f"no fields of {cls.__name__}: {list(values)}"
        return made

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
    given = {name: getattr(settings, name) for name in hints_of(kind)}
    found = _checked(_fields(kind), given)
    if isinstance(found, _Mistake):
        name = str(found.place[0])
        words = words_of(hints_of(kind)[name])
        problem = SettingError(where or kind.__name__, (name,), given[name], words)
        raise problem if error is ParameterError else error(str(problem))
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
        raise error(f"{place}: {problem}") from problem
    found = _checked(_whole(typing.cast(Any, kind)), values)
    if isinstance(found, _Mistake):
        raise error(found.told(kind, place, values))
    try:
        return typing.cast(Kind, _built(kind, found))
    except SettingError as problem:
        text = _sentence(place, problem.place, values, problem.value, problem.expected)
        raise error(text) from problem
    except ParameterError as problem:
        raise error(f"{place}: {problem}") from problem


def schema(kind: Any) -> dict[str, Any]:
    """The JSON schema of the tables that :func:`read` takes for this class."""
    return _whole(kind).json_schema()  # type: ignore[no-any-return]


def _upgraded(hint: Any, values: Any) -> Any:
    """The table with :meth:`Settings.upgraded` of its class and of those of its fields."""
    kind: Any = _bare(hint)
    upgrade = getattr(kind, "upgraded", None)
    if upgrade is None or not isinstance(values, Mapping):
        return values
    hints = hints_of(kind)
    return {key: _upgraded(hints.get(key), one) for key, one in upgrade(values).items()}


@functools.cache
def hints_of(kind: Any) -> dict[str, Any]:
    """The annotation of every field of a dataclass, bounds included."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _keys(kind: Any) -> list[str]:
    """Keys that a table may have; fields whose metadata say ``from_file=False`` are none."""
    fields = dataclasses.fields(kind)
    return [item.name for item in fields if item.init and item.metadata.get("from_file", True)]


@dataclasses.dataclass(frozen=True)
class _Mistake:
    """What pydantic found first: where it is, what came, and of what kind it is."""

    place: Place
    value: Any
    kind: str

    def expected(self, owner: type) -> str:
        """What was expected, in words."""
        return words_of(functools.reduce(_inner_hint, self.place, owner))

    def told(self, owner: type, place: str, values: Any) -> str:
        """The message of a file."""
        *above, last = self.place or ("",)
        hint = _bare(functools.reduce(_inner_hint, above, owner))
        where = _where(place, above, values)
        if self.kind == "extra_forbidden":
            keys = _keys(hint)
            meant = nearest(str(last), keys) or f"Keys are {', '.join(keys)}."
            return f"{where}: has an unknown key {shown(last)}. {meant}"
        if self.kind == "missing" and isinstance(self.value, Mapping):
            lacks = [key for key in _required(hint) if key not in self.value]
            return f"{where}: lacks {', '.join(lacks)}."
        return _sentence(place, self.place, values, self.value, self.expected(owner))


def _sentence(
    place: str, keys: Sequence[str | int], values: Any, value: object, expected: str
) -> str:
    """The message of a mistake: the recipe and condition, and there which key is what."""
    *above, name = keys or ("",)
    while isinstance(name, int) and above:
        name = f"{above.pop()}[{name}]" if isinstance(above[-1], str) else above.pop()
    where = _where(place, above, values)
    return f"{where}: {name} is {shown(value)}, expected {expected}.".replace(":  is", ": is")


def _where(place: str, keys: Sequence[str | int], values: Any) -> str:
    """The place of a value in a file: ``recipe mine, condition plain, name``.

    One of several tables is called by its name where it has one.
    """
    for n, key in enumerate(keys):
        if key == _kind_of(_at(values, keys[:n])):  # tells settings of a union apart
            continue
        one = _at(values, keys[: n + 1])
        name = one.get("name") if isinstance(one, Mapping) else None
        if isinstance(key, int):
            place += f" {name}" if isinstance(name, str) else f"[{key}]"
        else:
            place += f", {key}"
    return place


def _kind_of(values: Any) -> Any:
    return values.get("kind") if isinstance(values, Mapping) else None


def nearest(name: str, known: Iterable[str]) -> str:
    """``Did you mean ..?``, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


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
    if members := _members(hint):
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


def _inner_hint(hint: Any, key: str | int) -> Any:
    """The annotation of what lies in a value under that key."""
    hint = _bare(hint)
    if key in (members := _members(hint)):
        return members[str(key)]
    if dataclasses.is_dataclass(hint):
        return hints_of(typing.cast(Any, hint)).get(str(key), Any)
    inner = get_args(hint)
    if get_origin(hint) is tuple and isinstance(key, int):
        return inner[0] if inner[-1] is Ellipsis else inner[min(key, len(inner) - 1)]
    if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping):
        return inner[1]
    return hint  # the member of a union, which pydantic names


def _bare(hint: Any) -> Any:
    """Without bounds, and without None."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        others = [one for one in get_args(hint) if one is not type(None)]
        return _bare(others[0]) if len(others) == 1 else hint
    return hint


@functools.cache
def _members(hint: Any) -> dict[str, Any]:
    """The classes of a union of settings by the word that each has as its ``kind``, else none."""
    if get_origin(hint) not in (Union, types.UnionType):
        return {}
    classes: list[Any] = [one for one in get_args(hint) if dataclasses.is_dataclass(one)]
    words = [get_args(hints_of(one).get("kind")) for one in classes]
    told = len(classes) == len(get_args(hint)) and all(words)
    return {word[0]: one for word, one in zip(words, classes, strict=True)} if told else {}


def _required(kind: Any) -> list[str]:
    """Keys that a table must have."""
    missing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.init and field.default is missing and field.default_factory is missing
    ]


@functools.cache
def _fields(kind: Any) -> Any:
    """Checks the fields of an instance, whose inner settings are instances."""
    hints = {name: _lenient(hint, tables=False) for name, hint in hints_of(kind).items()}
    return _adapter(_typed(kind.__name__, hints, list(hints)))


@functools.cache
def _whole(kind: Any) -> Any:
    """Checks a table, the tables inside it included."""
    return _adapter(_table(kind))


@functools.cache
def _table(kind: Any) -> Any:
    hints = {key: _lenient(hints_of(kind)[key], tables=True) for key in _keys(kind)}
    return _typed(kind.__name__, hints, _required(kind))


def _lenient(hint: Any, *, tables: bool) -> Any:
    """An annotation that takes what :func:`read` says; every dataclass as a table if asked."""
    from pydantic import BeforeValidator, Discriminator, Strict

    origin, inner = get_origin(hint), get_args(hint)

    def deeper(one: Any) -> Any:
        return one if one is Ellipsis else _lenient(one, tables=tables)

    if hint in (int, float):
        return Annotated[hint, BeforeValidator(_number)]
    if members := _members(hint):
        union: Any = Union
        tagged: Any = Annotated[union[tuple(map(_table, members.values()))], Discriminator("kind")]
        known = union[(Literal.__getitem__(tuple(members)), tagged)]
        return Annotated[
            tagged if tables else hint,
            BeforeValidator(
                lambda value: _by_word(members, value, tables=tables), json_schema_input_type=known
            ),
        ]
    if tables and dataclasses.is_dataclass(hint):
        return _table(typing.cast(Any, hint))
    if origin is Annotated and inner[0] in (int, float):
        return Annotated[(inner[0], *_marks(inner[1:]), BeforeValidator(_number))]
    if origin is Annotated:
        return Annotated[(deeper(inner[0]), *_marks(inner[1:]))]
    if origin in (Union, types.UnionType):
        return Union[tuple(map(deeper, inner))]  # noqa: UP007
    if origin is tuple:
        return Annotated[tuple[tuple(map(deeper, inner))], Strict(strict=False)]  # type: ignore[misc]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Mapping[inner[0], deeper(inner[1])]  # type: ignore[misc, valid-type]
    return hint


def _marks(marks: Iterable[Any]) -> list[Any]:
    """Bounds as pydantic knows them."""
    from annotated_types import Interval, MinLen

    found: list[Any] = []
    for mark in marks:
        if isinstance(mark, Bounds):
            length = mark.min_length
            found.append(Interval(gt=mark.gt, ge=mark.ge, lt=mark.lt, le=mark.le))
            found += [] if length is None else [MinLen(length)]
        else:
            found.append(mark)
    return found


def _by_word(members: Mapping[str, Any], value: Any, *, tables: bool) -> Any:
    """Settings that are named by their word alone."""
    if isinstance(value, str) and value in members:
        return {"kind": value} if tables else members[value]()
    return value


def _number(value: Any) -> Any:
    """A number of NumPy as one of Python, the text ``"inf"`` as the number."""
    if isinstance(value, np.generic):
        return value.item()
    return math.inf if isinstance(value, str) and value == INFINITE else value


def _adapter(table: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(table)


def _typed(name: str, hints: Mapping[str, Any], required: Sequence[str]) -> Any:
    """A strict TypedDict of these fields."""
    from typing_extensions import TypedDict

    items = {key: hint if key in required else NotRequired[hint] for key, hint in hints.items()}
    make: Any = TypedDict
    made = make(name, items)
    made.__pydantic_config__ = {
        "strict": True, "extra": "forbid", "arbitrary_types_allowed": True
    }  # fmt: skip
    return made


def _checked(adapter: Any, values: Any) -> dict[str, Any] | _Mistake:
    """The values as the annotations have them, or the first mistake."""
    from pydantic import ValidationError

    try:
        found: dict[str, Any] = adapter.validate_python(values)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        unknown = [one for one in mistakes if one["type"] == "extra_forbidden"]
        first = (unknown or mistakes)[0]
        lacks = first["type"] == "missing"
        place = first["loc"]
        if lacks and isinstance(place[-1], int):  # of a pair, say the whole
            place, lacks = place[:-1], False
        kind = first["type"] if unknown or lacks else "value"
        while kind == "value" and place and not _has(_at(values, place[:-1]), place[-1]):
            place = place[:-1]  # the member of a union of plain types that was tried last
        return _Mistake(place, _at(values, place[:-1] if lacks else place), kind)
    return found


def _at(values: Any, place: Iterable[Any]) -> Any:
    """The value of that place as it was given; names of members of a union are no keys."""
    for key in place:
        if _has(values, key):
            values = values[key]
    return values


def _has(values: Any, key: Any) -> bool:
    """Whether a table or a list has that entry."""
    if isinstance(values, Mapping):
        return key in values
    return isinstance(values, list | tuple) and isinstance(key, int)


def _plain(value: Any) -> Any:
    """Tuples as lists, the infinite number as a text."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return INFINITE if isinstance(value, float) and value == math.inf else value


def _built(hint: Any, value: Any) -> Any:
    """The instances that checked tables describe."""
    hint = _bare(hint)
    if (members := _members(hint)) and isinstance(value, Mapping):
        hint = members[value["kind"]]
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints = hints_of(typing.cast(Any, hint))
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
