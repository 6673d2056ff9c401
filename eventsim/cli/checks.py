"""Checks of what was typed, in one form of words for all commands. They raise ParameterError."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from eventsim.entries import parse_word, shown
from eventsim.errors import ParameterError

PAIR = "KEY=VALUE, such as gain=10"
N = TypeVar("N", int, float)


def ends_in(option: str, path: Path | None, *endings: str, keeps: str = "") -> None:
    """A file to write has one of these endings; ``keeps`` is what another one would lose."""
    if path is not None and path.suffix not in endings:
        expected = f"a name that ends with {' or '.join(endings)}"
        expected += f", which keeps {keeps}" if keeps else ""
        raise ParameterError(f"{option} {path}", "", expected)


def one_alone(both: object, one: str, other: str, why: str = "contradict each other") -> None:
    """Two options are not given together."""
    if both:
        raise ParameterError(f"{one} and {other}", why, remedy="Leave out one.")


def left_out(given: object, where: object, why: str, remedy: str = "Leave it out.") -> None:
    """An option that says nothing here is not given."""
    if given:
        raise ParameterError(where, why, remedy=remedy)


def needed(there: object, where: object, why: str, remedy: str) -> None:
    """A value that a command needs is given."""
    left_out(not there, where, why, remedy)


def pair_of(option: str, text: str, expected: str = PAIR) -> tuple[str, str]:
    """``"gain=10"`` as a key and the text of its value."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise ParameterError(f"{option} {shown(text)}", "", expected)
    return key.strip(), value


def value_of(option: str, text: str) -> tuple[str, Any]:
    """``"gain=10"`` as a key and its value: JSON, or a plain word."""
    key, value = pair_of(option, text)
    return key, parse_word(value, f"{option} {shown(text)}", ParameterError)


def numbers_of(
    option: str, texts: Iterable[str], form: Callable[[str], N], expected: str
) -> tuple[N, ...]:
    """Texts as numbers; ``option`` is shown as it was typed."""
    try:
        return tuple(map(form, texts))
    except ValueError:
        raise ParameterError(option, "", expected) from None
