r"""Mean squared error: a readout follows signals, in exact event time.

The output is the voltage of a readout at asked times; the loss is

.. math::
    L = \frac{1}{n} \sum_{s, k, c} \Big(\frac{V_c(t_{sk}) - y_{skc}}{u_c}\Big)^2,

over the n targets y of samples s, times k and outputs c that are given; those that are NaN are left
out. Errors of an output count in its unit :math:`u_c`, which is 1 unless it is said. Voltages are
in the unit of the targets, times in ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eventsim.adjoint import Seeds
from eventsim.adjoint.linear.voltage import Probe, joined_voltages, readout_at
from eventsim.arrays import Floats, Ints, to_host
from eventsim.checks import real_array, shaped
from eventsim.errors import ShapeError
from eventsim.events import EventStream, SpikeTape, StoredStream
from eventsim.network import Network
from eventsim.summary import short_repr
from eventsim.train.readouts import voltage_seeds
from eventsim.train.softmax import Classified


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
    scale
        Unit of each output in which its errors count, [outputs]; 1 if it is empty.

    Raises
    ------
    ShapeError, NetworkError
        At once, or at the call if they do not fit the tape or the network.
    """

    targets: Floats
    times: Floats
    readout: str
    scale: Floats

    __repr__ = short_repr

    def __init__(
        self,
        targets: ArrayLike,
        times: ArrayLike,
        readout: str = "output",
        scale: ArrayLike = (),
    ) -> None:
        wanted, asked = np.asarray(targets, np.float64), real_array(times, "times")
        wanted = wanted[:, :, None] if wanted.ndim == 2 else wanted
        if wanted.ndim == 3 and asked.ndim == 1:
            asked = np.broadcast_to(asked, (wanted.shape[0], asked.size))
        if wanted.ndim != 3 or asked.shape != wanted.shape[:2]:
            raise ShapeError(
                "MeanSquaredError",
                f"targets have shape {np.shape(targets)} and times {np.shape(times)}",
                "[samples, times, outputs], and [times] or [samples, times]",
            )
        if np.isinf(wanted).any() or (np.diff(asked, axis=1) < 0).any():
            raise ShapeError(
                "MeanSquaredError",
                "targets are infinite or times descend",
                "finite targets, or NaN, and ascending times",
            )
        size = np.asarray(scale, np.float64)
        size = size if size.size else np.ones(wanted.shape[2])
        shaped(
            "MeanSquaredError",
            "scale",
            size,
            wanted.shape[2:],
            expected=f"{wanted.shape[2:]}, a unit per output",
        )
        given = {"targets": wanted, "times": asked, "readout": readout, "scale": size}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        probes, error = self._errors(net, tape)
        given = ~np.isnan(self.targets)
        n = max(int(given.sum()), 1)
        error = np.where(given, error, 0.0) / self.scale
        seeds = voltage_seeds(probes, (2.0 / n * error / self.scale).transpose(0, 2, 1))
        return float((error**2).sum() / n), {self.readout: tuple(seeds)}

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value and seeds as training takes them; there is no class."""
        value, seeds = self(net, tape)
        nothing = self.predictions(net, tape)
        return Classified(value, seeds, np.zeros((nothing.size, 1)), nothing)

    def predictions(self, net: Network, tape: SpikeTape) -> Ints:
        """No class: 0 of every sample."""
        return np.zeros(self.targets.shape[0], np.int64)

    def voltages(self, net: Network, tape: SpikeTape) -> Floats:
        """The answer, [samples, times, outputs]; NaN where nothing is wanted. New array."""
        _, error = self._errors(net, tape)
        found: Floats = error + self.targets
        return found

    def from_rest(self, net: Network, tape: SpikeTape) -> tuple[float, float, float]:
        """Root mean squares in units of the loss: how far answers and targets lie from rest.

        Rest is the resting voltage of the readout. The third is of answers from targets. All are 0
        where nothing is wanted.
        """
        answers, rest = self.voltages(net, tape), to_host(net.population(self.readout).v_leak)
        given = np.isfinite(self.targets)
        found = []
        for distance in (answers - rest, self.targets - rest, answers - self.targets):
            squares = np.where(given, distance / self.scale, 0.0) ** 2
            found.append(float(np.sqrt(squares.sum() / max(int(given.sum()), 1))))
        return found[0], found[1], found[2]

    def of(self, samples: Any) -> MeanSquaredError:
        """The same of some samples."""
        chosen = (self.targets[samples], self.times[samples])
        return MeanSquaredError(*chosen, self.readout, self.scale)

    def check(self, net: Network, stream: EventStream | StoredStream) -> None:
        """Raise ShapeError or NetworkError unless they fit these recordings and the network."""
        net.readout(self.readout, "MeanSquaredError")
        expected = (stream.n_samples, self.times.shape[1], net.population(self.readout).size)
        words = f"{expected}: samples, times, neurons of {self.readout!r}"
        shaped("MeanSquaredError", "targets", self.targets, expected, expected=words)
        late = self.times > np.asarray(stream.duration)[:, None]
        wanted = late & ~np.isnan(self.targets).all(axis=2)
        if wanted.any() or (self.times < 0).any():
            sample = int(np.flatnonzero(wanted.any(axis=1) | (self.times < 0).any(axis=1))[0])
            raise ShapeError(
                f"MeanSquaredError, sample {sample}",
                "a target lies outside the recording, which lasts "
                f"{float(stream.duration[sample]):g} ms",
                remedy="Make the recording longer, or the target NaN.",
            )

    def _errors(self, net: Network, tape: SpikeTape) -> tuple[Sequence[Probe], Floats]:
        """Probes, and voltage minus target on the host."""
        self.check(net, tape.stream)
        times = np.minimum(self.times, tape.stream.duration[:, None])
        probes = readout_at(net, tape, self.readout, times)
        found: Floats = to_host(joined_voltages(probes)).transpose(0, 2, 1) - self.targets
        return probes, found
