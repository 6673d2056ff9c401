"""TOML files of recipes and tasks: found, opened and merged."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from eventsim.entries import (
    Bounds,
    Count,
    Natural,
    check_format,
    names_in,
    read_text,
    read_toml,
    unknown,
)
from eventsim.errors import EventSimError

VERSION = 1
FileKind = Literal["recipe", "task"]


class RecipeError(EventSimError, ValueError):
    """A recipe or task is unknown or malformed: the text names file and key."""


Name = Annotated[
    str,
    lambda text: text.replace("_", "").replace("-", "").isalnum(),
    "a name of letters, digits, - and _",
]
Seeds = Annotated[
    Count
    | Annotated[
        tuple[Natural, ...], Bounds(min_length=1), lambda values: len({*values}) == len(values)
    ],
    "a number of seeds >= 1, or a list of different ones >= 0",
]


def seed_list(seeds: int | tuple[int, ...]) -> tuple[int, ...]:
    """Seeds of a recipe: 0 .. n - 1 for a number n, or the list itself."""
    return tuple(range(seeds)) if isinstance(seeds, int) else seeds


def name_list(kind: FileKind) -> tuple[str, ...]:
    """Names of the files of that kind that come with eventsim, sorted."""
    return names_in(_home(kind), ".toml")


def open_file(kind: FileKind, name_or_path: str | Path) -> tuple[dict[str, Any], str, str]:
    """The table of a file that comes with eventsim by its name, or of any by its path.

    Beside it its place for messages, and the folder of a file of the user's own. Raises RecipeError
    where it is unknown, unreadable, no TOML, or of another kind or version.
    """
    path, home = _find(kind, name_or_path)
    label = f"{kind} {name_or_path}"
    values = read_toml(path, label, RecipeError)
    check_format(values, f"eventsim-{kind}", VERSION, label, RecipeError, kind=kind)
    return values, label, home


def source(kind: FileKind, name_or_path: str | Path) -> str:
    """The text of the file that :func:`open_file` opens."""
    return read_text(_find(kind, name_or_path)[0], f"{kind} {name_or_path}", RecipeError)


def _find(kind: FileKind, name_or_path: str | Path) -> tuple[Traversable, str]:
    """The file, and its folder if it is one of the user's own."""
    name = str(name_or_path)
    if name in name_list(kind):
        return _home(kind) / f"{name}.toml", ""
    path = Path(name)
    if path.suffix == ".toml":
        return path, str(path.parent)
    own = "A file of your own ends in .toml."
    raise RecipeError(*unknown(kind.capitalize(), name, name_list(kind), otherwise=own))


def _home(kind: FileKind) -> Traversable:
    return files("eventsim.experiment") / f"{kind}s"


def merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Merged tables: the last one takes precedence, inner tables are merged by key. New dict."""
    whole: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            below = whole.get(key)
            inner = isinstance(value, Mapping) and isinstance(below, Mapping)
            whole[key] = merged(below, value) if inner else value  # type: ignore[arg-type]
    return whole


def nested(values: Mapping[str, Any], top: str) -> dict[str, Any]:
    """Values by paths such as ``train.rates.taus``, those under ``top``, as nested tables."""
    tables = []
    for path, value in values.items():
        first, *rest = path.split(".")
        for key in reversed(rest):
            value = {key: value}
        if first == top:
            tables.append(value)
    return merged(*tables)
