"""Runs of an experiment and trials of a search on the terminal, while they go on."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from eventsim.experiment import Ended, RunSettings
from eventsim.experiment.search import TrialLine
from eventsim.train import TrainEvent
from eventsim.train.checkpoint import Metrics


class ExperimentProgress:
    """All runs on the terminal: one bar for all, one for each that runs now, a line at its end."""

    def __init__(self, console: Console, n_runs: int):
        self._progress = _bars(console)
        self._all = self._progress.add_task("all runs", total=n_runs, unit="runs")
        self._bars: dict[str, TaskID] = {}
        self._latest: dict[str, Metrics] = {}

    def __enter__(self) -> "ExperimentProgress":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def started(self, spec: RunSettings) -> None:
        """Show a bar."""
        bar = self._progress.add_task(spec.label, total=spec.train.epochs, unit="epochs")
        self._bars[spec.label] = bar

    def advanced(self, spec: RunSettings, metrics: Metrics) -> None:
        """Move it."""
        self._latest[spec.label] = metrics
        self._progress.update(self._bars[spec.label], completed=metrics["epoch"])

    def ended(self, spec: RunSettings, how: Ended) -> None:
        """Put a line in its place."""
        self._progress.remove_task(self._bars.pop(spec.label))
        self._progress.advance(self._all, how.kind == "done")
        text = f"{spec.label}: {how.kind}"
        if how.kind == "done" and "validation_accuracy" in self._latest.get(spec.label, {}):
            text += f", validation {self._latest[spec.label]['validation_accuracy']:.2%}"
        if how.text:
            text += f" ({how.text})"
        self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)


class SearchProgress:
    """A search on the terminal: a bar for the running trial, a line for each that ended."""

    def __init__(self, console: Console):
        self._progress = _bars(console)
        self._bar = self._progress.add_task("trial", total=None, unit="batches")

    def __enter__(self) -> "SearchProgress":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def trial_started(self, number: int, values: Mapping[str, Any]) -> None:
        """Begin the bar anew."""
        del values
        self._progress.update(self._bar, description=f"trial {number}", completed=0)

    def advanced(self, event: TrainEvent) -> None:
        """Move it."""
        if event.kind == "batch":
            self._progress.update(
                self._bar,
                total=event.n_epochs * event.n_batches,
                completed=(event.epoch - 1) * event.n_batches + event.batch,
            )

    def trial_ended(self, line: TrialLine) -> None:
        """A line."""
        value = "" if line.value is None else f" {line.value:.2%}"
        values = ", ".join(f"{key} {shown(value)}" for key, value in line.values.items())
        error = f": {line.error}" if line.error else ""
        self._progress.console.print(
            f"trial {line.number}: {line.state}{value} ({values}){error}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        console=console,
    )


def shown(value: object) -> str:
    """A setting as people read it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "-"
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
