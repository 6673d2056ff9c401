"""Events as lines of text: ``time,channel``, or ``time,x,y,polarity`` of a camera.

A line ``TIME,end`` ends a recording; the times of the next one count from 0 again. Lines that are
empty or begin with ``#`` say nothing; a first line of words is a header.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import ParameterError
from eventsim.live.packets import Packet

Unit = Literal["s", "ms", "us"]
PER_MS: Final[dict[Unit, float]] = {"s": 1e-3, "ms": 1.0, "us": 1e3}
END: Final = "end"
ALONE: Final = -2  # in place of a polarity, where a line has a channel
LONGEST_LINE: Final = 1000  # bytes; what is longer is no event


@dataclass(frozen=True)
class Size:
    """Of a sensor, and with it the channel of an address: ``(p * height + y) * width + x``."""

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
    """Bytes of text to packets; what has no end of line yet is carried."""

    size: Size
    unit: Unit = "ms"
    left: bytes = b""
    begun: bool = False

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
        """Of the line that ends a recording."""
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
                continue
            try:
                row = [float(cell) for cell in text.split(b",")]
                good = len(row) in (2, 4) and all(cell == int(cell) for cell in row[1:])
            except (ValueError, OverflowError):
                good = False
            if good:
                rows.append(row)
            elif self.begun or b"," not in text:
                bad.append((1, text))
            self.begun = True
        if rows or bad:
            yield self._packet(rows, bad, arrived)

    def _packet(
        self,
        rows: Sequence[Sequence[float]],
        bad: Sequence[tuple[int, bytes]],
        arrived: float,
        end: float | None = None,
    ) -> Packet:
        times = np.array([row[0] for row in rows])
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
    for known in PER_MS:
        if unit == known:
            return known
    raise ParameterError(f"unit is {unit!r}, expected {', '.join(PER_MS)}.")


Reader = Callable[[bytes, float], Iterator[Packet]]
