"""Progress bars: live on a terminal, a text that is updated in a notebook.

Rich draws in a notebook by ipywidgets, and warns where that package is missing. Here the bars are
plain text in one output of the cell, which is replaced a few times per second; what is printed
beside them goes to the cell's standard output.
"""

import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn

WIDTH = 110  # characters of a line in a notebook
PERIOD = 0.25  # seconds between two updates there

_shown = set[Progress]()


def are_shown() -> bool:
    """Whether bars are shown now: others beside them would be drawn over them."""
    return bool(_shown)


def bars(
    *columns: str | ProgressColumn,
    console: Console | None = None,
    in_pipes: bool = True,
    transient: bool = False,
) -> Progress:
    """A display of bars, to be entered, drawn on standard error if there is no ``console``.

    With ``in_pipes`` a pipe or a file gets the bars, as they stand at the end. From a terminal
    ``transient`` ones go when they end. A notebook has a place of its own.
    """
    console = console or Console(stderr=True)
    if console.is_jupyter:
        return _NotebookBars(*columns)
    disable = not (in_pipes or console.is_terminal)
    return _Bars(*columns, console=console, disable=disable, transient=transient)


class _Bars(Progress):
    """Rich's bars, of which is known whether they are shown."""

    def start(self) -> None:
        """Show the bars, unless they are off."""
        if not self.disable:
            _shown.add(self)
        super().start()

    def stop(self) -> None:
        """Show how far they came."""
        super().stop()
        _shown.discard(self)


class _NotebookBars(Progress):
    """Bars as text in a notebook; Rich's own display is off, its bookkeeping is used."""

    def __init__(self, *columns: str | ProgressColumn):
        console = Console(force_jupyter=False, width=WIDTH, color_system=None)
        super().__init__(*columns, console=console, disable=True)
        self._handle: Any = None
        self._shown = 0.0  # when, in seconds of the monotonic clock

    def start(self) -> None:
        """Show the bars."""
        _shown.add(self)
        self._show()

    def stop(self) -> None:
        """Show how far they came."""
        for task in self.tasks:
            self.stop_task(task.id)  # their clocks
        self._show()
        _shown.discard(self)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As Rich's, and show it if it is time."""
        super().update(*args, **kwargs)
        self._show_if_due()

    def advance(self, *args: Any, **kwargs: Any) -> None:
        """As Rich's, and show it if it is time."""
        super().advance(*args, **kwargs)
        self._show_if_due()

    def _show_if_due(self) -> None:
        if self._handle is not None and time.monotonic() - self._shown >= PERIOD:
            self._show()

    def _show(self) -> None:
        from IPython.display import display

        with self.console.capture() as drawn:
            self.console.print(self.get_renderable())
        shown = {"text/plain": drawn.get().rstrip()}
        self._shown = time.monotonic()
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
