"""TOML files of recipes and tasks: read and checked, with the places of mistakes."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from eventsim.entries import Entry, names_in, read_text, read_toml, unknown
from eventsim.experiment.errors import RecipeError

VERSION = 1
Kind = Literal["recipe", "task"]


def tables(entry: Entry) -> list[Entry]:
    """A list of tables, named by their key ``name`` where they have one."""
    if not isinstance(entry.value, list) or not entry.value:
        raise entry.wrong("one table or more, each under [[..]]")
    found = []
    for number, value in enumerate(entry.value, start=1):
        name = value.get("name", number) if isinstance(value, dict) else number
        found.append(replace(entry, place=f"{entry.place} {name}", value=value))
    return found


def word(entry: Entry) -> str:
    """A text that can name a folder."""
    text = entry.text()
    if not text.replace("_", "").replace("-", "").isalnum():
        raise entry.wrong("a name of letters, digits, - and _")
    return text


def seeds(entry: Entry) -> tuple[int, ...]:
    """How many seeds, 0 .. n - 1, or a list of them."""
    value = list(range(entry.value)) if type(entry.value) is int else entry.value
    good = isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value)
    if not good or not value or len(set(value)) != len(value):
        raise entry.wrong("a number of seeds >= 1, or a list of different ones >= 0")
    return tuple(value)


def names(kind: Kind) -> tuple[str, ...]:
    """Names of the files of that kind that come with eventsim, sorted."""
    return names_in(_home(kind), ".toml")


def read(kind: Kind, name_or_path: str | Path) -> tuple[Entry, str]:
    """A file that comes with eventsim by its name, or any by its path; and the folder it is in.

    Raises
    ------
    RecipeError
        It is unknown, unreadable, no TOML, or of another kind or version.
    """
    path, home = _find(kind, name_or_path)
    label = f"{kind} {name_or_path}"
    values = read_toml(path, label, RecipeError)
    for key, expected in (("format", f"eventsim-{kind}"), ("version", VERSION)):
        if values.pop(key, None) != expected:
            raise RecipeError(f"{label}: has no line {key} = {expected!r}, so it is no {kind}.")
    return Entry(label, values, RecipeError), home


def source(kind: Kind, name_or_path: str | Path) -> str:
    """The text of the file that :func:`read` reads."""
    return read_text(_find(kind, name_or_path)[0], f"{kind} {name_or_path}", RecipeError)


def _find(kind: Kind, name_or_path: str | Path) -> tuple[Traversable, str]:
    """The file, and its folder if it is one of the user's own."""
    name = str(name_or_path)
    if name in names(kind):
        return _home(kind) / f"{name}.toml", ""
    path = Path(name)
    if path.suffix == ".toml":
        return path, str(path.parent)
    own = "A file of your own ends in .toml."
    raise RecipeError(unknown(kind.capitalize(), name, names(kind), otherwise=own))


def _home(kind: Kind) -> Traversable:
    return files("eventsim.experiment") / f"{kind}s"


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
