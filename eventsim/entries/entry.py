"""Values of files that people write: checked one by one, with the places of mistakes.

An :class:`Entry` is a value and its place. A wrong value raises an error of the class that the
entry was made with. It says where the value is, what came, and what was expected.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Literal

from eventsim.entries.settings import nearest, shown
from eventsim.errors import EventSimError

ErrorType = type[EventSimError]
Sign = Literal["any", "not negative", "positive"]

_NUMBERS = {
    "any": "a finite number",
    "not negative": "a finite number >= 0",
    "positive": "a finite number > 0",
}
LARGEST = (
    1e300  # beyond it a number counts as infinite; a whole number may be larger than any float
)


@dataclass(frozen=True)
class Entry:
    """A value of a file."""

    place: str  # file and keys, for messages
    value: Any  # as TOML or JSON has it
    error: ErrorType  # what its methods raise

    def wrong(self, expected: str) -> EventSimError:
        """The error that says what came and what was expected."""
        return self.error(self.place, f"is {shown(self.value)}", expected)

    def inner(self, key: str, value: Any) -> "Entry":
        """A value inside this one."""
        return Entry(f"{self.place}, {key}", value, self.error)

    def table(self, keys: Collection[str], *, optional: Collection[str] = ()) -> dict[str, "Entry"]:
        """The entries of a table. It has no other keys than these, and all that are required."""
        values = self.mapping(f"a table with keys of {', '.join(keys)}")
        for key in values:
            if key not in keys:
                hint = nearest(key, keys) or f"Keys are {', '.join(keys)}."
                raise self.error(self.place, f"has an unknown key {key!r}", remedy=hint)
        missing = [key for key in keys if key not in values and key not in optional]
        if missing:
            raise self.error(self.place, f"lacks {', '.join(missing)}", f"keys {', '.join(keys)}")
        return {key: self.inner(key, value) for key, value in values.items()}

    def mapping(self, expected: str = "a table") -> dict[str, Any]:
        """The values of a table with any keys."""
        if not isinstance(self.value, dict):
            raise self.wrong(expected)
        return self.value

    def rows(self, expected: str = "a list") -> list["Entry"]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            raise self.wrong(expected)
        return [
            Entry(f"{self.place}[{k}]", value, self.error) for k, value in enumerate(self.value)
        ]

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong("a text")
        return self.value

    def one_of(self, choices: Collection[str]) -> Any:
        """The value, which must be one of these words."""
        if not isinstance(self.value, str) or self.value not in choices:
            raise self.wrong(f"one of {', '.join(choices)}")
        return self.value

    def number(self, sign: Sign = "any") -> float:
        """A finite number of that sign."""
        value = self.value
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if (
            not good
            or not abs(value) < LARGEST
            or (sign == "not negative" and value < 0)
            or (sign == "positive" and value <= 0)
        ):
            raise self.wrong(_NUMBERS[sign])
        return float(value)


def names_in(folder: Traversable, ending: str) -> tuple[str, ...]:
    """Names, without their ending, of the files of a folder with this ending; sorted."""
    found = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(ending) for name in found if name.endswith(ending)))


def unknown(what: str, name: str, known: Iterable[str], *, otherwise: str) -> tuple[str, ...]:
    """Fields of the error for an unknown name; the remedy is the nearest one, or another hint."""
    names = tuple(known)
    hint = nearest(name, names) or otherwise
    return f"{what} {name!r}", "is unknown", f"one of {', '.join(names)}", hint
