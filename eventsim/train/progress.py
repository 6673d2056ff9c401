"""A training run as a person watches it: a progress bar, and one line per epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventsim.engine.contract.compiling import SHOWN
from eventsim.train.loop import TrainEvent

if TYPE_CHECKING:
    from rich.console import Console


class Progress:
    """A callback of :func:`eventsim.train.train`: a bar for the run, a line for every epoch.

    In a notebook the bar is plain text that is updated in place; ipywidgets is not needed.

    Parameters
    ----------
    console
        Where to write; standard error if None, so that standard output stays free for results. In
        a notebook the output of the cell, whatever is given.

    Examples
    --------
    >>> es.train(net, data, config, callback=es.loggers.Progress())  # your data  # doctest: +SKIP
    """

    def __init__(self, console: Console | None = None):
        # Rich is slow to import, and few processes show a bar.
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        from eventsim.progress import bars

        self._bars = bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("batches"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bars.add_task("training", total=None)

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def __call__(self, event: TrainEvent) -> None:
        """Show one event."""
        metrics = event.metrics
        if not event.ends_epoch:
            self._bars.update(
                self._task,
                total=event.n_epochs * event.n_batches,
                completed=event.step,
                description=f"epoch {event.epoch}/{event.n_epochs} loss {metrics['loss']:.3f}",
            )
            return
        text = f"epoch {event.epoch:3d}  loss {metrics['loss']:.4f}"
        if "accuracy" in metrics:
            text += f"  accuracy {metrics['accuracy']:7.2%}"
        if "validation_loss" in metrics:
            right = metrics.get("validation_accuracy")
            share = "" if right is None else f" {right:7.2%}"
            text += f"  validation{share} (loss {metrics['validation_loss']:.4f})"
        rates = ", ".join(f"{name} {rate:.1f}" for name, rate in metrics["rates"].items())
        silent = "".join(f"  silent: {name}" for name in metrics.get("silent", ()))
        skipped = metrics.get("skipped_steps", 0)
        silent += f"  skipped steps: {skipped} of {event.n_batches}" if skipped else ""
        compiling = metrics.get("compile_seconds", 0.0)
        apart = f" and {compiling:.1f} s of compiling" if compiling >= SHOWN else ""
        self._bars.console.print(
            f"{text}  spikes/s {rates}{silent}  {metrics['seconds']:.1f} s{apart}",
            highlight=False,
            soft_wrap=True,
        )
