"""Runs of an experiment and trials of a search on the terminal, while they go on."""

from collections.abc import Mapping
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from eventsim.cli.terminal import stderr
from eventsim.experiment import Ended
from eventsim.experiment.search import TrialLine
from eventsim.progress import bars
from eventsim.runs.settings import RunSettings
from eventsim.train.checkpoint import Metrics


class RunBars:
    """An observer of runs: one bar for all, one for each that runs now, a line at its end."""

    def __init__(self, progress: Progress, n_runs: int):
        self._progress = progress
        self._all = progress.add_task("all runs", total=n_runs, unit="runs")
        self._bars: dict[str, TaskID] = {}
        self._latest: dict[str, Metrics] = {}

    def started(self, spec: RunSettings) -> None:
        """Show a bar."""
        bar = self._progress.add_task(spec.label, total=spec.train.epochs, unit="epochs")
        self._bars[spec.label] = bar

    def advanced(self, spec: RunSettings, metrics: Metrics) -> None:
        """Move the bar to where the run is."""
        self._latest[spec.label] = metrics
        self._progress.update(self._bars[spec.label], completed=metrics["epoch"])

    def ended(self, spec: RunSettings, how: Ended) -> None:
        """Put a line in its place."""
        why = f" ({how.text})" if how.text else ""
        self._progress.remove_task(self._bars.pop(spec.label))
        done, text = how.kind == "done", f"{spec.label}: {how.kind}"
        self._progress.advance(self._all, done)
        latest = self._latest.get(spec.label, {})
        if done and "validation_accuracy" in latest:
            text += f", validation {latest['validation_accuracy']:.2%}"
        elif done and "validation_loss" in latest:
            text += f", validation loss {latest['validation_loss']:.4g}"
        _print(self._progress, text + why)


class TrialBars:
    """An observer of a search: a bar for each trial that is on its way, a line at its end."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._bars: dict[int, TaskID] = {}

    def trial_started(self, number: int, values: Mapping[str, Any], epochs: int) -> None:
        """Show a bar."""
        bar = self._progress.add_task(f"trial {number}", total=epochs, unit="epochs")
        self._bars[number] = bar

    def advanced(self, number: int, metrics: Metrics) -> None:
        """Move the bar to where the run is."""
        self._progress.advance(self._bars[number])

    def trial_ended(self, line: TrialLine) -> None:
        """Put a line in its place."""
        if line.number in self._bars:
            self._progress.remove_task(self._bars.pop(line.number))
        _print(self._progress, f"trial {line.number}: {_ending(line)}")


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {shown(value)}" for key, value in values.items())


def _ending(line: TrialLine) -> str:
    """State, value and settings of a trial that has ended."""
    value = "" if line.value is None else f" {line.value:.2%}"
    error = f": {line.error}" if line.error else ""
    return f"{line.state}{value} ({_values(line.values)}){error}"


def display() -> Progress:
    """A display on stderr for observers, to be entered."""
    return bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        console=stderr(),
    )


def _print(progress: Progress, line: str) -> None:
    progress.console.print(line, highlight=False, markup=False, soft_wrap=True)


def shown(value: object) -> str:
    """A setting as people read it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "-"
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
