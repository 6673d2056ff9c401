"""Loggers: callbacks that show a training run, or write it for TensorBoard or Weights & Biases.

A callback of :func:`eventsim.train.train` is any function of one
:class:`~eventsim.train.TrainEvent`. One that is a context manager too is entered when training
begins and left when it ends, however it ends. :func:`scalars` and :func:`histograms` make of an
event what trackers take, so that a logger of one's own is short:

>>> def to_mlflow(event):
...     mlflow.log_metrics(scalars(event), step=event.step)

All loggers here count the x-axis in batches since the start of the run (``event.step``). What is
written under ``batch/`` are means of the running epoch so far, under ``epoch/`` those of a whole
epoch, with validation where there is any.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from eventsim.arrays import Floats
from eventsim.errors import ParameterError
from eventsim.extras import load
from eventsim.train.loop import Callback, TrainEvent
from eventsim.train.progress import Progress

__all__ = ["Progress", "Several", "TensorBoard", "WandB", "histograms", "scalars"]


def scalars(event: TrainEvent) -> dict[str, float]:
    """Numbers of an event by name, such as ``epoch/validation_accuracy``.

    Firing rates, in spikes per neuron and second, are ``epoch/rates/POPULATION``. ``epoch`` is the
    number of the epoch, counted from 1.
    """
    found: dict[str, float] = {"epoch": event.epoch}
    for name, value in event.metrics.items():
        if isinstance(value, Mapping):
            found |= {f"{event.kind}/{name}/{key}": float(one) for key, one in value.items()}
        elif name != "epoch":
            found[f"{event.kind}/{name}"] = float(value)
    return found


def histograms(event: TrainEvent) -> dict[str, Floats]:
    """Trainable values of the network by name, after an epoch; nothing after a batch.

    Returns
    -------
    dict
        ``hidden/tau_mem``, ``hidden/threshold`` .. of every spiking population and readout, each
        float64 [neurons], and ``input->hidden/weights`` of every projection, float64 [synapses].
        New arrays.
    """
    if not event.ends_epoch or event.net is None:
        return {}
    net = event.net.to_host()
    found = {
        f"{population.name}/{name}": values.copy()
        for population in net.populations.values()
        for name, values in population.parameters.items()
    }
    return found | {
        f"{projection.name}/weights": projection.values.flatten()
        for projection in net.projections.values()
    }


class Several:
    """Several callbacks as one, told one after the other.

    Parameters
    ----------
    callbacks
        Functions of a :class:`~eventsim.train.TrainEvent`.

    Examples
    --------
    >>> import eventsim as es
    >>> log = es.loggers.Several(es.loggers.Progress(), lambda event: print(event.metrics))
    """

    def __init__(self, *callbacks: Callback):
        self._callbacks = callbacks
        self._entered = ExitStack()

    def __enter__(self) -> "Several":
        with ExitStack() as entered:  # leaves those that were entered if one cannot be
            for callback in self._callbacks:
                if isinstance(callback, AbstractContextManager):
                    entered.enter_context(callback)
            self._entered = entered.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._entered.__exit__(*error)

    def __call__(self, event: TrainEvent) -> None:
        """Tell all of them."""
        for callback in self._callbacks:
            callback(event)


class TensorBoard:
    """Write scalars and histograms for TensorBoard.

    Needs the package tensorboardX, the extra ``tensorboard`` of eventsim; TensorBoard itself only
    where the files are looked at: ``tensorboard --logdir FOLDER``.

    A run that is resumed, or begun again, in the same folder goes on from its step there: what was
    written for later steps is no longer shown.

    Parameters
    ----------
    folder
        Where the event files go; made if it does not exist.
    histograms
        Whether the values of :func:`histograms` are written after every epoch.

    Raises
    ------
    ParameterError
        tensorboardX is not installed.

    Examples
    --------
    >>> log = es.loggers.TensorBoard("runs/digits/tensorboard")  # writes files  # doctest: +SKIP
    >>> es.train(net, data, config, callback=log)  # writes files  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path, *, histograms: bool = True):
        SummaryWriter = load(
            "tensorboardX", "tensorboard", "loggers.TensorBoard", ParameterError
        ).SummaryWriter
        self._open, self._folder, self._histograms = SummaryWriter, folder, histograms
        self._writer: Any = None

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __call__(self, event: TrainEvent) -> None:
        """Write one event."""
        if self._writer is None:
            # The suffix: names tell seconds, and a file of the same name would be replaced.
            self._writer = self._open(
                str(self._folder), purge_step=event.step, filename_suffix=f".{event.step}"
            )
        for name, value in scalars(event).items():
            self._writer.add_scalar(name, value, event.step)
        if self._histograms:
            for name, values in histograms(event).items():
                self._writer.add_histogram(name, values, event.step)
        if event.ends_epoch:
            self._writer.flush()


class WandB:
    """Log scalars and histograms to Weights & Biases.

    Needs the package wandb, the extra ``wandb`` of eventsim. The run begins with training and is
    finished with it, as failed if an exception ends it.

    Parameters
    ----------
    project
        Name of the project; None as ``wandb.init`` chooses it.
    init
        Further arguments of ``wandb.init``, such as ``{"name": "bip", "mode": "offline", "config":
        config.to_dict()}``.
    histograms
        Whether the values of :func:`histograms` are logged after every epoch.

    Raises
    ------
    ParameterError
        wandb is not installed.

    Examples
    --------
    >>> log = es.loggers.WandB("digits", init={"name": "a"})  # extra wandb  # doctest: +SKIP
    >>> es.train(net, data, config, callback=log)  # writes files  # doctest: +SKIP
    """

    def __init__(
        self,
        project: str | None = None,
        *,
        init: Mapping[str, Any] | None = None,
        histograms: bool = True,
    ):
        wandb = load("wandb", "wandb", "loggers.WandB", ParameterError)
        self._wandb, self._histograms = wandb, histograms
        self._init = {"project": project, **(init or {})}
        self._run: Any = None

    def __enter__(self) -> "WandB":
        self._run = self._wandb.init(**self._init)
        self._run.define_metric("epoch/*", step_metric="epoch")
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        self._run.finish(exit_code=0 if kind is None else 1)
        self._run = None

    def __call__(self, event: TrainEvent) -> None:
        """Log one event."""
        values: dict[str, Any] = dict(scalars(event))
        if self._histograms:
            found = histograms(event)
            values |= {name: self._wandb.Histogram(each) for name, each in found.items()}
        self._run.log(values, step=event.step)
