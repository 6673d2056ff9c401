"""Progress of a long run for a person, and about how long it still takes.

A bar appears on a terminal or in a notebook once a run has taken :data:`PATIENCE` seconds, and
goes when it ends. Loops on the processor say how far they are, in ms of all samples; another stage
counts when it ends. Spikes that found no room are computed again, and the bar goes back by them.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

from eventsim.compiled.library import watch, watched
from eventsim.plan import Plan

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 3.0  # seconds without a word


class _Bar:
    """The bar of a run of ``total`` ms of all samples and stages, once it has taken long."""

    def __init__(self, total: float):
        self.done = ctypes.c_double()
        self._total = total
        self._due = time.monotonic() + PATIENCE
        self._bars: Progress | None = None

    def look(self) -> None:
        """Show how far the run is, if it is time."""
        if self._bars is not None:
            done = min(self.done.value, self._total)
            self._bars.update(self._bars.task_ids[0], completed=done)
        elif time.monotonic() >= self._due:
            self._due = inf
            self._begin()

    def end(self) -> None:
        """Show nothing more."""
        if self._bars is not None:
            self._bars.stop()

    def _begin(self) -> None:
        # Rich is slow to import, and few runs show a bar.
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

        from eventsim.progress import are_shown, bars

        if are_shown():  # of what the run is a part of
            return
        self._bars = bars(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
            TimeRemainingColumn(), TextColumn("left"), in_pipes=False, transient=True,
        )  # fmt: skip
        self._bars.add_task("simulating", total=self._total)
        self._bars.start()
        self.look()


@contextmanager
def shown(total: float) -> Iterator[None]:
    """Show how far a run of ``total`` ms of all samples and stages is, if it takes long.

    Not where it is part of a run that is shown, outside the main thread, or in a process that
    another one started, to which the terminal belongs.
    """
    is_part = watch() is not None or multiprocessing.parent_process() is not None
    if is_part or current_thread() is not main_thread():
        yield
        return
    bar = _Bar(total)
    try:
        with watched(bar):
            yield
    finally:
        bar.end()


def n_stages(plan: Plan) -> int:
    """Stages of which a run is told: all that spike."""
    return sum(not stage.is_readout for stage in plan.stages)


@contextmanager
def stage(ms: float) -> Iterator[None]:
    """A stage of ``ms`` of all samples, which counts when it ends, whatever it says itself."""
    bar = watch()
    if bar is None:
        yield
        return
    before = bar.done.value
    yield
    bar.done.value = before + ms
