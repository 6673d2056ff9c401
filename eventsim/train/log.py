"""A training run as plain lines in a file, for runs that nobody watches on a terminal.

.. code-block:: text

    2026-11-27 12:33:02  training begins: epoch 1/55, 130 batches an epoch
    2026-11-27 12:33:32  epoch 1/55  batch 61/130  loss 3.1064  accuracy 10.45%  left 0:58:01
    2026-11-27 12:34:07  epoch 1/55  done  loss 2.9441  accuracy 14.83%  validation 21.50%  left ..
    2026-11-27 13:30:15  training ends

Every epoch has a line; within an epoch there is a line at most every half minute.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from eventsim.errors import StorageError
from eventsim.train.checkpoint import Metrics
from eventsim.train.loop import TrainEvent

PERIOD = 30.0  # seconds between two lines that could wait


class Log:
    """A file to which lines with the time before them are added; opened with the first one.

    What it holds stays; folders are made. ``period`` are the seconds between two lines of
    :meth:`maybe`. Raises StorageError where the path is a folder, or with the first line where the
    file cannot be written.
    """

    def __init__(self, path: str | Path, *, period: float = PERIOD):
        self.path, self._period = Path(path), period
        if self.path.is_dir():
            raise StorageError(self.path, "is a folder", "the file of a log", "Name one.")
        self._file: TextIO | None = None
        self._last = time.monotonic()

    def line(self, text: str) -> None:
        """Add a line."""
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - see close
            self._file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}\n")
            self._file.flush()
        except OSError as error:
            raise StorageError(
                self.path,
                f"the log cannot be written ({error})",
                remedy="Name another file by --log.",
            ) from error
        self._last = time.monotonic()

    def maybe(self, text: Callable[[], str]) -> None:
        """Add a line if none was added for so long."""
        if time.monotonic() - self._last >= self._period:
            self.line(text())

    def close(self) -> None:
        """Close the file; another line would open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


def opened(path: Path | None) -> AbstractContextManager[Log | None]:
    """A log, closed at the end of the context; None where there is no path."""
    return nullcontext() if path is None else closing(Log(path))


class LogFile:
    """A callback of :func:`eventsim.train.train`: plain lines in a file; see the module.

    Parameters
    ----------
    path, period
        As :class:`Log`: the file, and seconds between two lines within an epoch.

    Examples
    --------
    >>> import eventsim as es
    >>> log = es.loggers.LogFile("a.log")
    >>> es.train(net, data, config, callback=log)  # writes files  # doctest: +SKIP
    """

    def __init__(self, path: str | Path, *, period: float = PERIOD):
        self._log, self._left = Log(path, period=period), TimeLeft()
        self._begun = False

    def __enter__(self) -> "LogFile":
        self._left, self._begun = TimeLeft(), False
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        if self._begun:
            self._log.line("training ends" if kind is None else f"stopped by {kind.__name__}")
        self._log.close()

    def __call__(self, event: TrainEvent) -> None:
        """Write one event, or let it go by."""
        if not self._begun:
            self._begun = True
            text = f"training begins: epoch {event.epoch}/{event.n_epochs}"
            self._log.line(f"{text}, {event.n_batches} batches an epoch")
        left = self._left(event.step, event.n_epochs * event.n_batches)
        place = f"epoch {event.epoch}/{event.n_epochs}"
        if event.ends_epoch:
            self._log.line(f"{place}  done  {told(event.metrics)}{left}")
            return
        place += f"  batch {event.batch}/{event.n_batches}"
        self._log.maybe(lambda: f"{place}  {told(event.metrics)}{left}")


class TimeLeft:
    """How long it still takes, from how long it took since the first call."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> str:
        """``  left H:MM:SS``, or nothing as long as nobody can know."""
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now)
        before, began = self._first
        if done <= before:
            return ""
        seconds = (now - began) / (done - before) * (total - done)
        return f"  left {timedelta(seconds=round(seconds))}"


def told(metrics: Metrics) -> str:
    """Loss and accuracies of an epoch, or of the part of it that is done."""
    text = f"loss {metrics['loss']:.4f}"
    for key, name in (("accuracy", "accuracy"), ("validation_accuracy", "validation")):
        text += f"  {name} {metrics[key]:.2%}" if key in metrics else ""
    if "accuracy" not in metrics and "validation_loss" in metrics:
        text += f"  validation {metrics['validation_loss']:.4f}"
    return text
