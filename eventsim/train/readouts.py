r"""Cross-entropy on the largest or the last voltage of a readout, exact in event time.

With a gain :math:`g` the logit of class :math:`c` is

.. math::
    z_c = g \max_{0 \le t \le T} V_c(t) \qquad\text{or}\qquad z_c = g\, V_c(T),

and :math:`L = -\log \mathrm{softmax}(z)_y`. Where a class has several readout neurons, one behind
the other, the logit is the mean of theirs: each of them can wait for a part of what the class
sounds or looks like, whenever it comes. The maximum is found between events in closed form,
its gradient follows by the envelope theorem: see :mod:`eventsim.train.voltage`. Gradients come from
:func:`eventsim.train.gradient`; the adjoint alone refuses these losses.

References
----------
Cramer et al. (2022), The Heidelberg spiking data sets, IEEE TNNLS 33:2744, for readouts by maximum
and by last value on a time grid.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Network
from eventsim.train.gradient import AnySeeds, VoltageSeed, VoltageTerm
from eventsim.train.linear import silent_parts
from eventsim.train.softmax import Classified, predicted, require_positive, softmax_loss
from eventsim.train.voltage import PeakProbe, VoltageProbe, readout_maximum

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Moment = Literal["maximum", "last"]


@dataclass(frozen=True, eq=False)
class VoltageCrossEntropy:
    """Softmax cross-entropy on one voltage of every readout neuron; see the module.

    Parameters
    ----------
    labels
        As :class:`eventsim.train.CrossEntropy`.
    at
        ``maximum`` over the sample, or the ``last`` voltage.
    readout
        Name of the readout population.
    gain
        :math:`g`, > 0: voltage to logit.
    units_per_class
        Readout neurons of every class: class c has c times their number and those behind it.

    Raises
    ------
    ParameterError, ShapeError, NetworkError
        At once, or at the call if labels or network do not fit the tape.
    """

    labels: Ints | Floats
    _: KW_ONLY
    at: Moment = "maximum"
    readout: str = "output"
    gain: float = 5.0
    units_per_class: int = 1

    def __post_init__(self) -> None:
        if self.at not in get_args(Moment):
            raise ParameterError(
                f"VoltageCrossEntropy: at is {self.at!r}, expected one of {get_args(Moment)}."
            )
        require_positive("VoltageCrossEntropy", "gain", self.gain)
        units = self.units_per_class
        if not isinstance(units, int) or units < 1:
            raise ParameterError(
                f"VoltageCrossEntropy: units_per_class is {units}, expected a whole number >= 1."
            )

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, AnySeeds]:
        """Value and seeds."""
        result = self.classify(net, tape)
        return result.value, result.seeds

    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Logits, shape [samples, classes]. New array."""
        return self._logits(self._probes(net, tape))

    def predictions(self, net: Network, tape: SpikeTape) -> Ints:
        """Predicted class of every sample. New array."""
        return predicted(self.logits(net, tape))

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and logits in one pass."""
        probes = self._probes(net, tape)
        logits = self._logits(probes)
        value, d_logits = softmax_loss(logits, self.labels, "VoltageCrossEntropy")
        share = self.gain / self.units_per_class
        by_unit = share * d_logits.repeat(self.units_per_class, axis=1)
        terms, low = [], 0
        for probe in probes:
            high = low + probe.neurons.chosen.size
            terms.append(VoltageTerm(probe, by_unit[:, low:high].reshape(-1, 1)))
            low = high
        return Classified(value, {self.readout: VoltageSeed(tuple(terms))}, logits)

    def _logits(self, probes: Sequence[VoltageProbe | PeakProbe]) -> Floats:
        xp = probes[0].neurons.xp
        parts = [probe.value.reshape(-1, probe.neurons.chosen.size) for probe in probes]
        largest = xp.concatenate(parts, axis=1)
        units = largest.reshape(len(largest), -1, self.units_per_class)
        logits: Floats = self.gain * units.mean(axis=2)
        return logits

    def _probes(self, net: Network, tape: SpikeTape) -> Sequence[VoltageProbe | PeakProbe]:
        require_readout("VoltageCrossEntropy", net, self.readout)
        size = net.population(self.readout).size
        if size % self.units_per_class:
            raise ShapeError(
                f"VoltageCrossEntropy: readout {self.readout!r} has {size} neurons, expected a "
                f"multiple of units_per_class = {self.units_per_class}."
            )
        if self.at == "maximum":
            return readout_maximum(net, tape, self.readout)
        parts = silent_parts(net, tape, self.readout)
        return [VoltageProbe.at(part, part.ends()[:, None]) for part in parts]


def require_readout(where: str, net: Network, name: str) -> None:
    """Raise NetworkError unless the population is a readout."""
    kind = net.population(name).kind
    if kind != "readout":
        raise NetworkError(f"{where}: population {name!r} is of kind {kind!r}, expected a readout.")
