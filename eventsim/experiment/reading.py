"""TOML files of recipes and tasks: read and checked, with the places of mistakes."""

import difflib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from eventsim.experiment.errors import RecipeError

VERSION = 1
Kind = Literal["recipe", "task"]


@dataclass(frozen=True)
class Entry:
    """A value of a file and its place, for messages."""

    place: str
    value: Any

    def wrong(self, expected: str) -> RecipeError:
        """The error that says what came and what was expected."""
        text = repr(self.value)
        came = text if len(text) <= 60 else f"{text[:57]}..."
        return RecipeError(f"{self.place}: is {came}, expected {expected}.")

    def table(self, keys: Collection[str], *, optional: Collection[str] = ()) -> dict[str, "Entry"]:
        """The entries of a table that has no other keys than these, and all that must be."""
        values = self.mapping()
        for key in values:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Keys are {', '.join(keys)}."
                raise RecipeError(f"{self.place}: has an unknown key {key!r}. {hint}")
        missing = [key for key in keys if key not in values and key not in optional]
        if missing:
            raise RecipeError(f"{self.place}: lacks {', '.join(missing)}.")
        return {key: Entry(f"{self.place}, {key}", value) for key, value in values.items()}

    def mapping(self) -> dict[str, Any]:
        """A table of any keys."""
        if not isinstance(self.value, dict):
            raise self.wrong("a table")
        return self.value

    def tables(self) -> list["Entry"]:
        """A list of tables, named by their key ``name`` where they have one."""
        if not isinstance(self.value, list) or not self.value:
            raise self.wrong("one table or more, each under [[..]]")
        found = []
        for number, value in enumerate(self.value, start=1):
            name = value.get("name", number) if isinstance(value, dict) else number
            found.append(Entry(f"{self.place} {name}", value))
        return found

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong("a text")
        return self.value

    def word(self) -> str:
        """A text that can name a folder."""
        text = self.text()
        if not text.replace("_", "").replace("-", "").isalnum():
            raise self.wrong("a name of letters, digits, - and _")
        return text

    def one_of(self, choices: Collection[str]) -> Any:
        """One of these."""
        if self.value not in choices:
            raise self.wrong(f"one of {', '.join(choices)}")
        return self.value

    def number(self) -> float:
        """A number > 0."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
            raise self.wrong("a number > 0")
        return float(value)

    def seeds(self) -> tuple[int, ...]:
        """How many seeds, 0 .. n - 1, or a list of them."""
        value = list(range(self.value)) if type(self.value) is int else self.value
        good = isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value)
        if not good or not value or len(set(value)) != len(value):
            raise self.wrong("a number of seeds >= 1, or a list of different ones >= 0")
        return tuple(value)


def names(kind: Kind) -> tuple[str, ...]:
    """Names of the files of that kind that come with eventsim, sorted."""
    found = (entry.name for entry in _home(kind).iterdir())
    return tuple(sorted(n.removesuffix(".toml") for n in found if n.endswith(".toml")))


def read(kind: Kind, name_or_path: str | Path) -> tuple[Entry, str]:
    """A file that comes with eventsim by its name, or any by its path; and the folder it is in.

    Raises
    ------
    RecipeError
        It is unknown, unreadable, no TOML, or of another kind or version.
    """
    path, home = _find(kind, name_or_path)
    label = f"{kind} {name_or_path}"
    values = _parsed(_text(path, label), label)
    for key, expected in (("format", f"eventsim-{kind}"), ("version", VERSION)):
        if values.pop(key, None) != expected:
            raise RecipeError(f"{label}: has no line {key} = {expected!r}, so it is no {kind}.")
    return Entry(label, values), home


def source(kind: Kind, name_or_path: str | Path) -> str:
    """The text of the file that :func:`read` reads."""
    return _text(_find(kind, name_or_path)[0], f"{kind} {name_or_path}")


def _find(kind: Kind, name_or_path: str | Path) -> tuple[Traversable, str]:
    """The file, and its folder if it is one of the user's own."""
    name = str(name_or_path)
    if name in names(kind):
        return _home(kind) / f"{name}.toml", ""
    path = Path(name)
    if path.suffix == ".toml":
        return path, str(path.parent)
    near = difflib.get_close_matches(name, names(kind), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "A file of your own ends in .toml."
    known = ", ".join(names(kind))
    raise RecipeError(f"{kind.capitalize()} {name!r} is unknown; there are {known}. {hint}")


def _home(kind: Kind) -> Traversable:
    return files("eventsim.experiment") / f"{kind}s"


def _text(path: Traversable, label: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{label}: cannot be read ({error}).") from error


def _parsed(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{label}: is not TOML ({error}).") from error


def merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables laid over each other: the last one decides, tables inside key by key. New dict."""
    whole: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            below = whole.get(key)
            inner = isinstance(value, Mapping) and isinstance(below, Mapping)
            whole[key] = merged(below, value) if inner else value  # type: ignore[arg-type]
    return whole


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, keys as paths such as ``rates.taus``. New dict."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found
