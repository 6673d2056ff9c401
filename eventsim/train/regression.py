r"""Regression: a readout follows signals, in exact event time.

The loss is that of :mod:`eventsim.train.values`. The coefficient of determination of each output
says how well a network follows:

.. math::
    R^2_c = 1 - \frac{\sum (V_c - y_c)^2}{\sum (y_c - \bar y_c)^2},

1 for a perfect answer, 0 for one as good as the mean of the targets, negative for a worse one.
Voltages are in the unit of the targets, times in ms.

**Scale.** Targets have any unit. With mean :math:`\bar y_c` and standard deviation :math:`s_c` of
every output c over the training part, the readout of a new network of a run gets the resistance
:math:`s_c R` and the resting potential :math:`s_c E + \bar y_c` (:func:`in_units`), so that its
voltage is in the unit of the targets; errors count in :math:`s_c`, unless ``loss.scale`` was
chosen. The loss of an epoch is thus a fraction of the variance; errors and R2 of the result are in
the unit of the targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Precision
from eventsim.engine import place, simulate
from eventsim.entries import Above0, Count, Natural, NotNegative, Settings
from eventsim.errors import NetworkError
from eventsim.events import AnyDataset, Dataset, EventStream, StoredStream
from eventsim.events.targets import Values, differ
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.summary import short_repr
from eventsim.train.config import Intrinsic, TrainConfig
from eventsim.train.loop import TrainEvent, train
from eventsim.train.loss_settings import ValuesLoss, features_of
from eventsim.train.optimiser import LearningRates
from eventsim.train.prediction import BATCH
from eventsim.train.values import MeanSquaredError


@dataclass(frozen=True, kw_only=True)
class RegressionConfig(Settings):
    """Settings of :func:`regress`; those of the same name are as in ``TrainConfig``.

    Attributes
    ----------
    epochs, batch_size
        Passes over the recordings, and recordings per step.
    seed
        Of the order of the recordings.
    bip
        Neuron parameters that are trained beside the weights.
    rates, weight_decay, clip_norm
        As in :class:`AdamSettings`.
    ease_in
        Epochs of linear growth of the learning rate, which then follows a cosine to 0.
    backend, precision
        Of the simulation.
    """

    epochs: Count = 50
    batch_size: Count = 16
    seed: Natural = 0
    bip: tuple[Intrinsic, ...] = ("tau_mem", "tau_syn")
    rates: LearningRates = field(default_factory=LearningRates)
    weight_decay: NotNegative = 0.0
    clip_norm: Above0 = 10.0
    ease_in: NotNegative = 1.0
    backend: str = "auto"
    precision: Precision = "single"

    def of(self, loss: MeanSquaredError) -> TrainConfig:
        """The settings of the training loop: nothing is held out, nothing done beside the loss."""
        plain = ValuesLoss(scale=tuple(loss.scale.tolist()))
        given: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        given |= {"validation_fraction": 0.0, "calibrate": 0.0, "initial_logits": 0.0}
        given |= {"silent_lift": 0.0, "rate_strength": 0.0}
        return TrainConfig(loss=plain, output=loss.readout, **given)


@dataclass(frozen=True, eq=False)
class RegressionResult:
    """Outcome of :func:`regress`: the trained network, and epoch and loss of every epoch."""

    net: Network
    history: list[dict[str, Any]]

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class RegressionEvaluation:
    """Errors of a network that follows signals.

    Attributes
    ----------
    mean_squared_error
        In the unit of the targets, squared; NaN where there is no target.
    r2
        Coefficient of determination of every output, [outputs]; NaN of one whose targets are all
        equal, or that has none.
    n_targets
        Targets that were compared; ``left_out`` are those that are NaN.
    predicted
        Voltages, [samples, times, outputs]; NaN where nothing was wanted.
    outputs
        Names of the outputs; empty where they have none.
    """

    mean_squared_error: float
    r2: Floats
    n_targets: int
    left_out: int
    predicted: Floats
    outputs: tuple[str, ...] = ()

    __repr__ = short_repr

    def described(self) -> dict[str, Any]:
        """As plain values; R2 is None of an output whose targets are all equal."""
        return {
            "samples": self.predicted.shape[0],
            "mean_squared_error": self.mean_squared_error,
            "r2": [float(one) if np.isfinite(one) else None for one in self.r2],
            "outputs": list(self.outputs or numbered(self.r2.size)),
            "targets": self.n_targets,
            "targets_left_out": self.left_out,
        }


def numbered(n: int) -> tuple[str, ...]:
    """Names of outputs that have none of their own."""
    return tuple(f"output {k}" for k in range(n))


def in_units(net: Network, mean: Floats, size: Floats) -> Network:
    """The network whose readout gives ``size * V + mean`` for its voltage V. A copy."""
    found = net.copy()
    readout = found.population(readout_of(found))
    readout.resistance[...] *= size
    readout.v_leak[...] = readout.v_leak * size + mean
    return found


def regress(
    net: Network,
    stream: EventStream | StoredStream,
    loss: MeanSquaredError,
    config: RegressionConfig | None = None,
    *,
    callback: Callable[[dict[str, Any]], None] | None = None,
) -> RegressionResult:
    """Train a network to follow signals.

    Parameters
    ----------
    net
        Where training starts; not changed. Neurons that never fire learn nothing: see
        :func:`eventsim.calibrate`.
    stream
        The recordings.
    loss
        What is wanted, of all recordings.
    config
        Settings; None for their defaults.
    callback
        Told ``epoch`` and ``loss`` (mean over the targets, before each step of the epoch).

    Returns
    -------
    RegressionResult
        No part of the recordings is held out: keep some for :func:`evaluate_regression`.

    Raises
    ------
    ShapeError, NetworkError
        Recordings, targets and network do not fit each other.
    """
    config = config or RegressionConfig()
    loss.check(net, stream)
    targets = Values(loss.targets, loss.times, tuple(map(str, range(loss.targets.shape[2]))))
    n = stream.n_samples
    data: AnyDataset = Dataset(stream, np.zeros(n, np.int64), ("0",), targets=targets)
    history: list[dict[str, Any]] = []

    def told(event: TrainEvent) -> None:
        if event.ends_epoch:
            history.append({key: event.metrics[key] for key in ("epoch", "loss")})
            if callback is not None:
                callback(history[-1])

    found = train(net, data, config.of(loss), callback=told).net
    found.set_answer(net.answer)
    return RegressionResult(found, history)


def evaluate_regression(
    net: Network,
    stream: EventStream | StoredStream,
    loss: MeanSquaredError,
    *,
    backend: str = "auto",
    precision: Precision = "single",
) -> RegressionEvaluation:
    """Errors of a network that follows signals: mean squared error and R2.

    Parameters
    ----------
    net
        The network; not changed.
    stream
        The recordings.
    loss
        What is wanted, of all recordings.
    backend, precision
        Of the simulation.

    Raises
    ------
    ShapeError, NetworkError
        As :func:`regress`.
    """
    loss.check(net, stream)
    placed = place(net, backend=backend)
    parts = [np.zeros((0, *loss.targets.shape[1:]))]
    for some in stream.batches(BATCH):
        tape = simulate(
            placed, stream[some], tail=0.0, backend=backend, precision=precision, resident=True
        )
        parts.append(loss.of(some).voltages(placed, tape))
    predicted = np.concatenate(parts)
    given = ~np.isnan(loss.targets)
    squares = np.where(given, (predicted - loss.targets) ** 2, 0.0)
    n = given.sum(axis=(0, 1))
    mean = np.where(given, loss.targets, 0.0).sum(axis=(0, 1)) / np.maximum(n, 1)
    around = np.where(given, (loss.targets - mean) ** 2, 0.0).sum(axis=(0, 1))
    known, unequal = np.full(n.size, np.nan), differ(loss.targets)
    share = np.divide(squares.sum(axis=(0, 1)), around, out=known, where=unequal)
    return RegressionEvaluation(
        mean_squared_error=float(squares.sum() / n.sum()) if n.any() else np.nan,
        r2=1.0 - share,
        n_targets=int(n.sum()),
        left_out=int(given.size - n.sum()),
        predicted=predicted,
    )


def evaluate_values(
    net: Network, data: AnyDataset, config: TrainConfig, *, names: tuple[str, ...] | None = None
) -> RegressionEvaluation:
    """:func:`evaluate_regression` of the targets of recordings, by the settings of a training.

    ``names`` are the outputs of the network in their order; None where nothing says them.
    """
    require("train", data, features_of(config.loss), where="evaluate")
    assert data.targets is not None
    targets = data.targets if names is None else data.targets.ordered(names, "evaluate")
    loss = MeanSquaredError(targets.values, targets.times, readout_of(net, config))
    how: dict[str, Any] = {"backend": config.backend, "precision": config.precision}
    return replace(evaluate_regression(net, data.stream, loss, **how), outputs=targets.names)


def predict_values(
    net: Network, stream: EventStream | StoredStream, times: Floats, config: TrainConfig
) -> Floats:
    """Answers at times, ms [samples, times]; [samples, times, outputs]. New array."""
    readout = readout_of(net, config)
    wanted = np.zeros((*times.shape, net.population(readout).size))
    loss = MeanSquaredError(wanted, times, readout)
    how: dict[str, Any] = {"backend": config.backend, "precision": config.precision}
    return evaluate_regression(net, stream, loss, **how).predicted


def readout_of(net: Network, config: TrainConfig | None = None) -> str:
    """The readout that answers: that of the settings, or the only one; NetworkError for others."""
    if config is not None and config.output in net.readouts:
        return config.output
    named = config is not None and config.output != TrainConfig().output
    if named or len(net.readouts) != 1:
        expected = f"expected {config.output!r}" if named and config is not None else "expected one"
        raise NetworkError(
            "Regression",
            f"the network has the readouts {', '.join(net.readouts) or 'none'}, {expected}",
            remedy="Name one: --set output=NAME; in Python as that of MeanSquaredError.",
        )
    return str(next(iter(net.readouts)))
