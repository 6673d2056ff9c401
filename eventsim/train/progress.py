"""A training run on the terminal: a progress bar, and one line per epoch."""

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from eventsim.train.loop import TrainEvent


class RichProgress:
    """A callback of :func:`eventsim.train.train`, to be used as a context manager.

    Parameters
    ----------
    console
        Where to write; standard error if None, so that standard output stays free for results.
    """

    def __init__(self, console: Console | None = None):
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("batches"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._task = self._progress.add_task("training", total=None)

    def __enter__(self) -> "RichProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, event: TrainEvent) -> None:
        """Show one event."""
        metrics = event.metrics
        if event.kind == "batch":
            self._progress.update(
                self._task,
                total=event.n_epochs * event.n_batches,
                completed=(event.epoch - 1) * event.n_batches + event.batch,
                description=f"epoch {event.epoch}/{event.n_epochs} loss {metrics['loss']:.3f}",
            )
            return
        text = (
            f"epoch {event.epoch:3d}  loss {metrics['loss']:.4f}  "
            f"accuracy {metrics['accuracy']:7.2%}"
        )
        if "validation_accuracy" in metrics:
            text += (
                f"  validation {metrics['validation_accuracy']:7.2%} "
                f"(loss {metrics['validation_loss']:.4f})"
            )
        rates = ", ".join(f"{name} {rate:.1f}" for name, rate in metrics["rates"].items())
        self._progress.console.print(
            f"{text}  spikes/s {rates}  {metrics['seconds']:.1f} s", highlight=False
        )
