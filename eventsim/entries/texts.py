"""JSON and TOML of unknown origin: parsed, or refused by one error that names the source.

The parsers of the standard library raise a ``RecursionError`` at deep nesting and a bare
``ValueError`` at long numbers. Some values that they accept cause errors later. So three things are
refused: nesting of more than ``DEEPEST`` levels, whole numbers of more than 64 bits, and texts that
cannot be written again (half of a surrogate pair, a zero character). A JSON file may contain
``NaN`` and ``Infinity``, as the metrics of a run do. Code that needs a finite number checks for it.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from eventsim.errors import EventSimError, StorageError
from eventsim.summary import cut

DEEPEST = 50  # levels; files of eventsim have at most six
LARGEST_WHOLE = 1 << 64
MOST_DOTS = 1000  # of a key in TOML, before it is parsed
_NO_KEY = re.compile(r"[^\w\-\"' \t.]+")
LONGEST_WORD = 1000  # characters of a value that is no JSON

_ErrorType = type[EventSimError]


def read_text(path: Traversable, label: str, error: _ErrorType, *, kind: str = "text") -> str:
    """The text of a file; ``error`` with the label if it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:  # no UTF-8; a name with a zero character
        raise error(
            label, f"cannot be read as {kind} ({problem})", remedy="Check the path and the file."
        ) from problem


def read_json(path: Traversable, label: str, error: _ErrorType) -> Any:
    """As :func:`read_text`, and :func:`parse_json`."""
    return parse_json(read_text(path, label, error, kind="JSON"), label, error)


def read_object(path: Path) -> dict[str, Any]:
    """An object from a JSON file of a run; StorageError if the file has none."""
    if not path.exists():
        why = f"no such file; {path.parent} is no run of eventsim"
        raise StorageError(path, why, remedy="Is the name right?")
    values = read_json(path, str(path), StorageError)
    if not isinstance(values, dict):
        raise StorageError(path, "", "a JSON object")
    return values


def read_toml(path: Traversable, label: str, error: _ErrorType) -> dict[str, Any]:
    """As :func:`read_text`, and :func:`parse_toml`."""
    return parse_toml(read_text(path, label, error, kind="TOML"), label, error)


def parse_json(text: str, label: str, error: _ErrorType) -> Any:
    """The value of a JSON text; ``error`` with the label if it is no JSON."""
    return _parsed(json.loads, "JSON", text, label, error)


def parse_word(text: str, label: str, error: _ErrorType) -> Any:
    """As :func:`parse_json`; a text of one line that is no JSON is itself the value."""
    try:
        json.loads(text)
    except RecursionError:
        pass
    except ValueError:
        if len(text) <= LONGEST_WORD and text.isprintable():
            return text
    return parse_json(text, label, error)


def parse_json_lines(text: str, label: str, error: _ErrorType) -> list[dict[str, Any]]:
    """The objects of a text with one in every line."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        value = parse_json(line, f"{label}, line {number}", error)
        if not isinstance(value, dict):
            raise error(f"{label}, line {number}", "", "a JSON object")
        found.append(value)
    return found


def parse_toml(text: str, label: str, error: _ErrorType) -> dict[str, Any]:
    """The tables of a TOML text; ``error`` with the label if it is no TOML."""
    # The time that tomllib takes for a key grows with the square of its dots.
    if any(piece.count(".") > MOST_DOTS for piece in _NO_KEY.split(text)):
        raise _too_deep(label, error)
    values: dict[str, Any] = _parsed(tomllib.loads, "TOML", text, label, error)
    return values


def check_format(
    values: Any, name: str, version: int, label: str, error: _ErrorType, *, kind: str
) -> None:
    """Take the keys ``format`` and ``version`` out of a table; raise if they are wrong."""
    if not isinstance(values, dict) or values.pop("format", None) != name:
        raise error(label, f"is no {kind}", f"a line format = {name!r}")
    found = values.pop("version", None)
    if found != version:
        raise error(
            label, f"has version {cut(repr(found))}", f"{version}, which this eventsim reads"
        )


def _parsed(
    parse: Callable[[str], Any], what: str, text: str, label: str, error: _ErrorType
) -> Any:
    try:
        value = parse(text)
    except RecursionError as problem:
        raise _too_deep(label, error) from problem
    except ValueError as problem:
        raise error(label, f"is not {what} ({problem})", remedy="Correct it there.") from problem
    _check(value, label, error)
    return value


def _check(value: Any, label: str, error: _ErrorType) -> None:
    """Raise for values that cause errors later; level by level, without recursion."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            raise _too_deep(label, error)
        for one in level:
            if isinstance(one, int) and not -LARGEST_WHOLE < one < LARGEST_WHOLE:
                raise error(label, "holds a whole number of more than 64 bits", "shorter ones")
            if isinstance(one, str) and ("\0" in one or not _is_unicode(one)):
                raise error(label, "holds a text with a character that no text has", "plain text")
        level, depth = [inner for one in level for inner in _inside(one)], depth + 1


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_deep(label: str, error: _ErrorType) -> EventSimError:
    return error(label, f"is nested more than {DEEPEST} levels deep", "fewer")
