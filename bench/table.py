"""Rows of a benchmark as a table that fits a terminal; what does not fit is named below it.

A case has a line. Where its columns do not fit, a number has a line and the cases stand side by
side; where these do not fit either, a case has a line with as many columns as there is room for.
Names of columns are broken at their underscores, long texts into lines.
"""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

WIDTH = 100  # characters, where there is no terminal
LONGEST = 24  # characters of a text before it is broken
BORDER = 3  # characters from one column to the next

Column = tuple[str, list[str], int]  # head, cells, width


def table(
    bench: str, rows: Sequence[dict[str, Any]], *, first: Sequence[str] = (), width: int = WIDTH
) -> Table:
    """The table of one benchmark, at most ``width`` characters wide.

    Columns ``first`` come first, the others as rows have them; those without room are named.
    """
    found = [name for name in dict.fromkeys(key for row in rows for key in row) if name != "bench"]
    names = [*(n for n in first if n in found), *(n for n in found if n not in first)]
    cells = [[_show(row.get(name)) for row in rows] for name in names]
    columns = [_column(_broken(name, of), of) for name, of in zip(names, cells, strict=True)]
    shown = _fitting(columns, width)
    if shown < len(names):
        heads, *lines = ([names[0], *names[1:]], *zip(*cells, strict=True))
        turned = [_column(heads[0], heads[1:])] + [_column(one[0], list(one[1:])) for one in lines]
        if _fitting(turned, width) == len(turned):
            columns, shown = turned, len(turned)
    made = Table(title=bench, title_justify="left", caption_justify="left")
    for head, _, size in columns[:shown]:
        made.add_column(head, overflow="fold", width=size)
    for line in zip(*(of for _, of, _ in columns[:shown]), strict=True):
        made.add_row(*line)
    if shown < len(columns):
        made.caption = f"without room here, see --json: {', '.join(names[shown:])}"
    return made


def _column(head: str, cells: list[str]) -> Column:
    longest = max(map(len, cells), default=0)
    return head, cells, max(*map(len, head.split("\n")), min(longest, LONGEST))


def _broken(name: str, cells: list[str]) -> str:
    """A name in lines that are as long as the cells, or as its longest word."""
    words = [f"{word}_" for word in name.split("_")]
    words[-1] = words[-1][:-1]
    most = max(*map(len, words), *map(len, cells)) if cells else len(name)
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1] + word) > most:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _fitting(columns: Sequence[Column], width: int) -> int:
    """How many of the columns fit, at least one."""
    taken, n = 1, 0
    for _, _, size in columns:
        taken += size + BORDER
        if taken > width:
            break
        n += 1
    return max(n, 1)


def _show(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
