"""Recorder: live events as a file of recordings that every command reads."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from eventsim.events.labelled import BEGINS
from eventsim.events.stored import Recording, write_stored
from eventsim.live.gate import Passage


@dataclass
class Recorder:
    """Takes chunks as they come, keeps their events on disk, and writes the file at the end.

    A context: the file is written where the block is left, whatever ended it.
    """

    path: Path
    n_channels: int
    _files: ExitStack = field(default_factory=ExitStack)
    _ends: list[tuple[int, float, float]] = field(default_factory=list)
    _count: int = 0

    def __enter__(self) -> "Recorder":
        """Opens files without names for what comes; they go with the program."""
        self._times: Any = self._files.enter_context(TemporaryFile(dir=self.path.parent))
        self._channels: Any = self._files.enter_context(TemporaryFile(dir=self.path.parent))
        self._open: tuple[float, float] | None = None
        return self

    def take(self, piece: Passage) -> None:
        """Go on by a piece."""
        self._times.write(piece.times.astype("<f8").tobytes())
        self._channels.write(piece.channels.astype("<i4").tobytes())
        self._count += piece.times.size
        self._open = piece.end, piece.zero
        if piece.why is not None:
            self._end()

    def _end(self) -> None:
        if self._open is not None:
            self._ends.append((self._count, *self._open))
            self._open = None

    def __exit__(self, *_: object) -> None:
        """Writes the recordings, the one that is open as far as it came."""
        self._end()
        with self._files:
            if self._ends:
                begins = {BEGINS: np.array([zero for _, _, zero in self._ends])}
                write_stored(
                    self.path, self._recordings(), n_channels=self.n_channels, columns=begins
                )

    def _recordings(self) -> Iterator[Recording]:
        start = 0
        self._times.seek(0)
        self._channels.seek(0)
        for stop, duration, _ in self._ends:
            times = np.fromfile(self._times, "<f8", stop - start)
            channels = np.fromfile(self._channels, "<i4", stop - start)
            yield Recording(times, channels, duration)
            start = stop
