"""Events as lines of text: ``time,channel``, or ``time,x,y,polarity`` of a camera.

A line ``TIME,end`` ends a recording; the times of the next one count from 0 again. Empty lines say
nothing. A first line of words, or a remark (``#``) above the first event, names the columns, in any
order, and perhaps the unit of the times: they, and what separates columns, are those of files, see
:mod:`eventsim.datasets.text_columns`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import one_of
from eventsim.datasets.dataset import PER_MS, Unit, check_no_unix_clock
from eventsim.datasets.text_columns import (
    MOST_REMARKS,
    are_numbers,
    cells_of,
    common_unit,
    layout,
    role_of,
)
from eventsim.errors import DataError
from eventsim.live.packets import Packet

END: Final = "end"
ALONE: Final = -2  # in place of a polarity, where a line has a channel
LONGEST_LINE: Final = 1000  # bytes; what is longer is no event
_COLUMNS: Final = {2: ("time", "channel"), 4: ("time", "x", "y", "p")}  # by how many there are
_EXPECTED: Final = (
    "names of columns in any order, time,channel or time,x,y,polarity, with times in s, ms or us"
)


@dataclass(frozen=True)
class Size:
    """Size of a sensor, which gives an address its channel: ``(p * height + y) * width + x``."""

    width: int
    height: int = 1
    polarities: int = 1

    def channels(
        self, x: NDArray[np.int64], y: NDArray[np.int64], p: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Channel of every address, -1 outside of the sensor; one polarity stands for both."""
        p = np.where(p == -1, 0, p) if self.polarities == 2 else np.zeros_like(p)
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height) & (p >= 0) & (p < 2)
        return np.where(inside, (p * self.height + y) * self.width + x, -1)


@dataclass
class TextReader:
    """Bytes of text to packets; what has no end of line yet is carried.

    ``stated`` is the unit that the caller names, ``otherwise`` the one where the text says none,
    too. Raises DataError where they contradict each other, a first line names other columns, or
    times of no unit begin as those of a Unix clock.
    """

    size: Size
    stated: Unit | None = None
    otherwise: Unit = "ms"
    left: bytes = b""
    begun: bool = False
    order: Sequence[int] = ()  # of the cells of a line: those of time, channel, or time, x, y, p
    remarks: list[str] = field(default_factory=list)
    came: bool = False  # an event

    @property
    def unit(self) -> Unit:
        """Unit of the times."""
        return self.stated or self.otherwise

    def __call__(self, data: bytes, arrived: float) -> Iterator[Packet]:
        """The packets of some bytes; none at all at the end of the text: what is left is a line."""
        if not data:
            lines, self.left = [self.left], b""
        else:
            *lines, self.left = (self.left + data).split(b"\n")
        if len(self.left) > LONGEST_LINE:
            lines, self.left = [*lines, self.left], b""
        start = 0
        for k, line in enumerate(lines):
            if line.rstrip().endswith(END.encode()):
                yield from self._packets(lines[start:k], arrived)
                yield self._end(line, arrived)
                start = k + 1
        yield from self._packets(lines[start:], arrived)

    def _end(self, line: bytes, arrived: float) -> Packet:
        """Packet of the line that ends a recording."""
        try:
            time = float(cells_of(line.decode(errors="replace"))[1][0])
        except ValueError:
            return self._packet([], [(1, line)], arrived)
        return self._packet([], [], arrived, end=time if math.isfinite(time) else None)

    def _packets(self, lines: Sequence[bytes], arrived: float) -> Iterator[Packet]:
        rows, bad = list[list[float]](), list[tuple[int, bytes]]()
        for line in lines:
            text = line.decode(errors="replace").strip()
            if not text or text.startswith("#"):
                if text and not self.begun and len(self.remarks) < MOST_REMARKS:
                    self.remarks.append(text)
                continue
            if not self.begun and self._is_heading(text):
                continue
            try:
                row = [float(cell) for cell in cells_of(text)[1]]
                row = [row[k] for k in self.order] if len(row) == len(self.order) else row
                good = len(row) in _COLUMNS and all(cell == int(cell) for cell in row[1:])
            except (ValueError, OverflowError):
                good = False
            if good:
                rows.append(row)
            else:
                bad.append((1, line.strip()))
        if rows or bad:
            yield self._packet(rows, bad, arrived)

    def _is_heading(self, line: str) -> bool:
        """Whether a line above the events names their columns; takes what it and remarks say."""
        cells = cells_of(line)[1]
        is_named = any(map(role_of, cells)) and not any(are_numbers([cell]) for cell in cells)
        if not is_named and not (are_numbers(cells) and len(cells) in _COLUMNS):
            return False  # rubbish
        try:
            table = layout(line, self.remarks, "the first line", "a remark", plain=_COLUMNS)
        except DataError as error:
            if "--columns" not in error.remedy:  # an option of files
                raise
            raise DataError(error.where, error.got, _EXPECTED) from error
        wanted = _COLUMNS.get(len(cells), ())
        if table.columns.keys() != {*wanted}:
            raise DataError(table.where, f"is {','.join(table.cells)!r}", _EXPECTED)
        self.order = [table.columns[name] for name in wanted] if table.is_named else ()
        self.stated = common_unit(self.stated, table.unit, table.where, "you said")
        self.begun = True
        return is_named

    def _packet(
        self,
        rows: Sequence[Sequence[float]],
        bad: Sequence[tuple[int, bytes]],
        arrived: float,
        end: float | None = None,
    ) -> Packet:
        times = np.array([row[0] for row in rows])
        if rows and self.stated is None and not self.came:
            check_no_unix_clock(times, self.unit, "the text")
        self.came |= bool(rows)
        cells = [[int(cell) for cell in row[1:]] for row in rows]
        address = np.array([(c[0], *c[1:3]) if len(c) == 3 else (c[0], 0, ALONE) for c in cells])
        x, y, p = address.reshape(-1, 3).astype(np.int64).T
        seen = self.size.channels(x, y, p)
        example = bad[0][1][:80].decode(errors="replace") if bad else ""
        return Packet(
            times,
            np.where(p == ALONE, x, seen),
            per_ms=PER_MS[self.unit],
            arrived=arrived,
            end=end,
            rubbish=(len(bad), example),
        )


def checked_unit(unit: str) -> Unit:
    """A unit of times; ParameterError if it is none."""
    one_of("times", "unit", unit, PER_MS)
    return cast(Unit, unit)


Reader = Callable[[bytes, float], Iterator[Packet]]
