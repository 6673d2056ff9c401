"""Events as lines of text: ``time,channel``, or ``time,x,y,polarity`` of a camera.

A line ``TIME,end`` ends a recording; the times of the next one count from 0 again. Empty lines say
nothing. A first line of words names the columns, in any order, and perhaps the unit of the times; a
remark (``#``) above the first event may say the unit, too: what they mean is in
:mod:`eventsim.datasets.text_columns`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import one_of
from eventsim.datasets.dataset import check_no_unix_clock
from eventsim.datasets.text_columns import are_numbers, read_names, role_of, unit_of_remarks
from eventsim.errors import DataError
from eventsim.live.packets import Packet

Unit = Literal["s", "ms", "us"]
PER_MS: Final[dict[Unit, float]] = {"s": 1e-3, "ms": 1.0, "us": 1e3}
END: Final = "end"
ALONE: Final = -2  # in place of a polarity, where a line has a channel
LONGEST_LINE: Final = 1000  # bytes; what is longer is no event
MOST_REMARKS: Final = 1000  # above the first event, that are looked at
_COLUMNS: Final = {2: ("time", "channel"), 4: ("time", "x", "y", "p")}  # by how many there are


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
            time = float(line.split(b",")[0])
        except ValueError:
            return self._packet([], [(1, line)], arrived)
        return self._packet([], [], arrived, end=time if math.isfinite(time) else None)

    def _packets(self, lines: Sequence[bytes], arrived: float) -> Iterator[Packet]:
        rows, bad = list[list[float]](), list[tuple[int, bytes]]()
        for line in lines:
            text = line.strip()
            if not text or text.startswith(b"#"):
                self._remark(text)
                continue
            try:
                row = self._put([float(cell) for cell in text.split(b",")])
                good = len(row) in (2, 4) and all(cell == int(cell) for cell in row[1:])
            except (ValueError, OverflowError):
                good = False
            if good:
                rows.append(row)
            elif self.begun or not self._names(text):
                bad.append((1, text))
            self._begin()
        if rows or bad:
            yield self._packet(rows, bad, arrived)

    def _put(self, row: list[float]) -> list[float]:
        """The cells of a line in our order."""
        return [row[k] for k in self.order] if len(row) == len(self.order) else row

    def _remark(self, text: bytes) -> None:
        if text and not self.begun and len(self.remarks) < MOST_REMARKS:
            self.remarks.append(text.decode(errors="replace"))

    def _begin(self) -> None:
        """Behind the first line that is no remark: what remarks say of the unit."""
        if not self.begun:
            self._state(unit_of_remarks(self.remarks, "a remark above the events"), "a remark")
        self.begun, self.remarks = True, []

    def _state(self, unit: Unit | None, where: str) -> None:
        if None not in (unit, self.stated) and unit != self.stated:
            came = f"says that times are in {unit}, and they are named in {self.stated}"
            remedy = "Leave the unit out (--unit), or correct the text."
            raise DataError(where, came, remedy=remedy)
        self.stated = self.stated or unit

    def _names(self, text: bytes) -> bool:
        """Whether this line names columns, which then are taken from it."""
        line = text.decode(errors="replace")
        cells = [cell.strip() for cell in line.split(",")]
        named = any(role_of(cell) is not None for cell in cells)
        if not named or any(are_numbers([cell]) for cell in cells):
            return False
        wanted, unit = _COLUMNS.get(len(cells), ()), None
        try:
            columns, unit = read_names(cells, "the first line", line)
        except DataError:
            columns = {}
        if not columns or columns.keys() != {*wanted}:
            expected = (
                "names of columns in any order, time,channel or time,x,y,polarity, with times in "
                "s, ms or us"
            )
            raise DataError("the first line", f"is {','.join(cells)!r}", expected)
        self.order = [columns[name] for name in wanted]
        self._state(unit, "the first line")
        return True

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
