"""Kernels that this process compiles: one line says that it takes a while, the first time.

Kernels are kept on disk, so most processes compile none and say nothing. The line is a record of
the logger ``eventsim.engine.compiling`` at level WARNING: without any configuration of logging it
appears on stderr. ``logging.getLogger("eventsim").setLevel("ERROR")`` silences it, and
``eventsim warm-up`` compiles everything beforehand.

Compiling is no part of what a computation takes: :func:`compile_seconds` counts it apart, and
:class:`Watch` is a clock that leaves it out.
"""

import logging
import time
from pathlib import Path

_LOGGER = logging.getLogger(__name__)
_COMPILED: list[str] = []
_SECONDS: list[float] = []


def note_compiling(kernel: str, folder: Path | None) -> None:
    """Note that a kernel is being compiled; the first one of a process is announced.

    Parameters
    ----------
    kernel
        Its name.
    folder
        Where it will be kept; None if it cannot be.
    """
    _COMPILED.append(kernel)
    if len(_COMPILED) == 1:
        kept = "which are not kept" if folder is None else f"kept in {folder}"
        _LOGGER.warning("eventsim: compiling kernels, once, up to a minute (%s)", kept)


def compiled_kernels() -> tuple[str, ...]:
    """Names of the kernels that this process has compiled so far, in order."""
    return tuple(_COMPILED)


def note_compiled(seconds: float) -> None:
    """Note how long the compiling of a kernel took."""
    _SECONDS.append(seconds)


def compile_seconds() -> float:
    """Seconds that this process has compiled kernels so far; kernels from a cache take none."""
    return sum(_SECONDS)


class Watch:
    """A clock that runs from when it is made, and stands still while kernels are compiled."""

    def __init__(self) -> None:
        self._began, self._compiled = time.perf_counter(), compile_seconds()

    def seconds(self) -> float:
        """How long it has run."""
        return time.perf_counter() - self._began - (compile_seconds() - self._compiled)
