"""Objects in a few words: ``repr`` of one line, and HTML for notebooks.

A repr never holds the numbers of an array, only its type and shape. The HTML is a table or a few:
all text is escaped, colours are those of the page (light or dark), nothing is loaded or run.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

LONGEST = 60  # characters of a value inside a repr
LONGEST_PART = 200  # characters of an object inside a repr
MOST_SHOWN = 6  # entries of a value inside a repr
MOST_ROWS = 30  # of a table

_STYLE = """<style>
.eventsim-card, .eventsim-card table { color: inherit; border-collapse: collapse; }
.eventsim-card table { margin: 0.3em 0; }
.eventsim-card tr, .eventsim-card td, .eventsim-card th { background: none; border: 0; }
.eventsim-card td, .eventsim-card th { text-align: left; padding: 0.15em 0.9em 0.15em 0; }
.eventsim-card th { border-bottom: 1px solid rgba(128, 128, 128, 0.5); }
</style>"""


def short_repr(one: Any) -> str:
    """Name and fields of a dataclass; as its ``__repr__``."""
    fields = (f.name for f in dataclasses.fields(one) if f.repr)
    return _called(one, {name: getattr(one, name) for name in fields})


def changed_repr(one: Any) -> str:
    """Name and those fields of a dataclass that differ from their defaults."""
    changed = {}
    for f in dataclasses.fields(one):
        made = f.default_factory
        default = f.default if made is dataclasses.MISSING else made()
        value = getattr(one, f.name)
        if default is dataclasses.MISSING or value != default:
            changed[f.name] = value
    return _called(one, changed)


def _called(one: Any, values: Mapping[str, Any]) -> str:
    return f"{type(one).__name__}({', '.join(f'{k}={brief(v)}' for k, v in values.items())})"


def brief(value: Any) -> str:
    """A value in at most about LONGEST characters."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        if value.ndim == 0:
            return str(value)
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    if isinstance(value, np.generic | str | int | bool | type(None)):
        return cut(repr(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        if len(value) > MOST_SHOWN:
            return f"{{{len(value)} entries}}"
        return "{" + ", ".join(f"{cut(str(k))}: {brief(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        if len(value) > MOST_SHOWN:
            return f"[{len(value)} entries]"
        inside = ", ".join(map(brief, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    text = repr(value)
    return text if len(text) <= LONGEST_PART else f"{type(value).__name__}(...)"


def cut(text: str) -> str:
    """The text, or its beginning."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def number(value: float) -> str:
    """A number with four digits, a whole one in full with separators."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def span(values: Any) -> str:
    """Least and largest of an array in few digits: ``5``, or ``4 to 22``."""
    if not values.size:
        return ""
    low, high = (f"{float(v):.4g}" for v in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def html_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under their columns; those after MOST_ROWS are counted."""
    kept = list(rows)
    left_out = len(kept) - MOST_ROWS
    body = "".join(_row("td", row) for row in kept[:MOST_ROWS])
    if left_out > 0:
        body += _row("td", [f"and {left_out} more"])
    head = f"<thead>{_row('th', columns)}</thead>" if any(columns) else ""
    return f"<table>{head}<tbody>{body}</tbody></table>"


def html_card(title: str, about: str, *tables: str) -> str:
    """Tables under a title and a sentence; what a ``_repr_html_`` gives."""
    return (
        f'<div class="eventsim-card">{_STYLE}<strong>{escape(title)}</strong> '
        f"{escape(about)}{''.join(tables)}</div>"
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
