r"""Regression: a readout follows signals, in exact event time.

The output is the voltage of a readout at asked times; the loss is the mean squared error,

.. math::
    L = \frac{1}{n} \sum_{s, k, c} \big(V_c(t_{sk}) - y_{skc}\big)^2,

over the n targets y of samples s, times k and outputs c that are given; those that are NaN are left
out. How well a network follows says the coefficient of determination of every output,

.. math::
    R^2_c = 1 - \frac{\sum (V_c - y_c)^2}{\sum (y_c - \bar y_c)^2},

1 for a perfect answer, 0 for one as good as the mean of the targets, negative for a worse one.
Voltages are in the unit of the targets, times in ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eventsim.adjoint import Seeds, backward
from eventsim.adjoint.linear.voltage import Probe, joined_voltages, readout_at
from eventsim.arrays import Floats, Ints, Precision, to_host
from eventsim.engine import place, simulate
from eventsim.entries import Above0, Count, Natural, NotNegative, Settings
from eventsim.errors import ShapeError
from eventsim.events import EventStream, SpikeTape, StoredStream
from eventsim.events.doors import real_array
from eventsim.network import Network
from eventsim.summary import short_repr
from eventsim.train.config import Intrinsic
from eventsim.train.groups import select
from eventsim.train.optimiser import AdamSettings, AdamW, LearningRates, schedule
from eventsim.train.prediction import BATCH
from eventsim.train.readouts import voltage_seeds


@dataclass(frozen=True, eq=False)
class MeanSquaredError:
    """Mean squared error of the voltages of a readout at asked times; see the module.

    Parameters
    ----------
    targets
        Wanted voltages, [samples, times, outputs], or [samples, times] of one output; NaN where
        nothing is wanted.
    times
        ms, ascending: [times] for all samples, or [samples, times]; none after the end of a sample
        for which something is wanted.
    readout
        Name of the readout population; its neurons are the outputs.

    Raises
    ------
    ShapeError, NetworkError
        At once, or at the call if they do not fit the tape or the network.
    """

    targets: Floats
    times: Floats
    readout: str = "output"

    __repr__ = short_repr

    def __init__(self, targets: ArrayLike, times: ArrayLike, readout: str = "output") -> None:
        wanted, asked = np.asarray(targets, np.float64), real_array(times, "times")
        wanted = wanted[:, :, None] if wanted.ndim == 2 else wanted
        if wanted.ndim == 3 and asked.ndim == 1:
            asked = np.broadcast_to(asked, (wanted.shape[0], asked.size))
        if wanted.ndim != 3 or asked.shape != wanted.shape[:2]:
            raise ShapeError(
                f"MeanSquaredError: targets have shape {np.shape(targets)} and times "
                f"{np.shape(times)}, expected [samples, times, outputs], and [times] or [samples, "
                "times]."
            )
        if np.isinf(wanted).any() or (np.diff(asked, axis=1) < 0).any():
            raise ShapeError(
                "MeanSquaredError: targets are infinite or times descend, expected finite targets, "
                "or NaN, and ascending times."
            )
        for name, value in (("targets", wanted), ("times", asked), ("readout", readout)):
            object.__setattr__(self, name, value)

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        probes, error = self._errors(net, tape)
        n = max(int(np.isfinite(error).sum()), 1)
        error = np.nan_to_num(error)
        seeds = voltage_seeds(probes, (2.0 / n * error).transpose(0, 2, 1))
        return float((error**2).sum() / n), {self.readout: tuple(seeds)}

    def voltages(self, net: Network, tape: SpikeTape) -> Floats:
        """The answer, [samples, times, outputs]; NaN where nothing is wanted. New array."""
        _, error = self._errors(net, tape)
        found: Floats = error + self.targets
        return found

    def of(self, samples: Any) -> MeanSquaredError:
        """The same of some samples."""
        return MeanSquaredError(self.targets[samples], self.times[samples], self.readout)

    def check(self, net: Network, stream: EventStream | StoredStream) -> None:
        """Raise ShapeError or NetworkError unless they fit these recordings and the network."""
        net.readout(self.readout, "MeanSquaredError")
        expected = (stream.n_samples, self.times.shape[1], net.population(self.readout).size)
        if self.targets.shape != expected:
            raise ShapeError(
                f"MeanSquaredError: targets have shape {self.targets.shape}, expected {expected}: "
                f"samples, times, neurons of {self.readout!r}."
            )
        late = self.times > np.asarray(stream.duration)[:, None]
        wanted = late & ~np.isnan(self.targets).all(axis=2)
        if wanted.any() or (self.times < 0).any():
            sample = int(np.flatnonzero(wanted.any(axis=1) | (self.times < 0).any(axis=1))[0])
            raise ShapeError(
                f"MeanSquaredError, sample {sample}: a target lies outside the recording, which "
                f"lasts {float(stream.duration[sample]):g} ms. Make the recording longer, or the "
                "target NaN."
            )

    def _errors(self, net: Network, tape: SpikeTape) -> tuple[Sequence[Probe], Floats]:
        """Probes, and voltage minus target on the host."""
        self.check(net, tape.stream)
        times = np.minimum(self.times, tape.stream.duration[:, None])
        probes = readout_at(net, tape, self.readout, times)
        found: Floats = to_host(joined_voltages(probes)).transpose(0, 2, 1) - self.targets
        return probes, found


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


@dataclass(frozen=True, eq=False)
class RegressionResult:
    """Outcome of :func:`regress`: the trained network, and epoch and loss of every epoch."""

    net: Network
    history: list[dict[str, Any]]

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class RegressionEvaluation:
    """How well a network follows signals.

    Attributes
    ----------
    mean_squared_error
        In the unit of the targets, squared.
    r2
        Coefficient of determination of every output, [outputs]; NaN of one whose targets are all
        equal, or that has none.
    n_targets
        Targets that were compared; ``left_out`` are those that are NaN.
    predicted
        Voltages, [samples, times, outputs]; NaN where nothing was wanted.
    """

    mean_squared_error: float
    r2: Floats
    n_targets: int
    left_out: int
    predicted: Floats

    __repr__ = short_repr


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
        Told ``epoch`` and ``loss`` (mean over the steps of the epoch, before each of them).

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
    placed = place(net.copy(), backend=config.backend)
    settings = AdamSettings(
        rates=config.rates, weight_decay=config.weight_decay, clip_norm=config.clip_norm
    )
    optimiser = AdamW(placed, select(placed, ("weights", *config.bip)), settings)
    n_batches = -(-stream.n_samples // config.batch_size)
    ease_in, total = round(config.ease_in * n_batches), config.epochs * n_batches
    history: list[dict[str, Any]] = []
    for epoch in range(config.epochs):
        order = np.random.default_rng((config.seed, epoch)).permutation(stream.n_samples)
        values = []
        for batch, samples in enumerate(np.array_split(order, n_batches)):
            value, gradients = _gradients(placed, stream, loss, samples, config)
            factor = schedule(epoch * n_batches + batch, total=total, ease_in=ease_in)
            optimiser.step(gradients, factor=factor)
            values.append(value)
        history.append({"epoch": epoch + 1, "loss": float(np.mean(values))})
        if callback is not None:
            callback(history[-1])
    return RegressionResult(placed.to_host().copy(), history)


def _gradients(
    net: Network,
    stream: EventStream | StoredStream,
    loss: MeanSquaredError,
    samples: Ints,
    config: RegressionConfig,
) -> tuple[float, Any]:
    """Value of the loss of some samples, and its gradients."""
    tape = simulate(
        net, stream[samples], tail=0.0, backend=config.backend, precision=config.precision,
        resident=True,
    )  # fmt: skip
    value, seeds = loss.of(samples)(net, tape)
    return value, backward(net, tape, seeds).flat()


def evaluate_regression(
    net: Network,
    stream: EventStream | StoredStream,
    loss: MeanSquaredError,
    *,
    backend: str = "auto",
    precision: Precision = "single",
) -> RegressionEvaluation:
    """How well a network follows signals: mean squared error and R2.

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
    given = np.isfinite(loss.targets)
    squares = np.where(given, (predicted - loss.targets) ** 2, 0.0)
    n = given.sum(axis=(0, 1))
    mean = np.where(given, loss.targets, 0.0).sum(axis=(0, 1)) / np.maximum(n, 1)
    around = np.where(given, (loss.targets - mean) ** 2, 0.0).sum(axis=(0, 1))
    share = np.divide(
        squares.sum(axis=(0, 1)), around, out=np.full(n.size, np.nan), where=around > 0
    )
    return RegressionEvaluation(
        mean_squared_error=float(squares.sum() / max(int(n.sum()), 1)),
        r2=1.0 - share,
        n_targets=int(n.sum()),
        left_out=int(given.size - n.sum()),
        predicted=predicted,
    )
