"""Time of compiling, which is no part of what a computation takes.

Kernels of a GPU are compiled when they first run, and kept on disk. :func:`compile_seconds` counts
that apart, and :class:`Watch` is a clock that leaves it out. Kernels of the CPU are compiled when
eventsim is built.
"""

import time

# Seconds from which compiling is told beside the time of a run.
SHOWN = 0.05

_SECONDS: list[float] = []


def note_compiled(seconds: float) -> None:
    """Note how long the compiling of kernels took."""
    _SECONDS.append(seconds)


def compile_seconds() -> float:
    """Seconds that this process has compiled kernels so far; kernels from a cache take none."""
    return sum(_SECONDS)


class Watch:
    """A clock that runs from when it is made, and stands still while kernels are compiled."""

    def __init__(self) -> None:
        self._began, self._compiled = time.perf_counter(), compile_seconds()

    def seconds(self) -> float:
        """Seconds since the start, without those of compiling."""
        return time.perf_counter() - self._began - (compile_seconds() - self._compiled)
