r"""Cross-entropy on the largest or the last voltage of a readout, exact in event time.

With a gain :math:`g` the logit of class :math:`c` is

.. math::
    z_c = g \max_{0 \le t \le T} V_c(t) \qquad\text{or}\qquad z_c = g\, V_c(T),

and :math:`L = -\log \mathrm{softmax}(z)_y`. The maximum is found between events in closed form,
its gradient follows by the envelope theorem: see :mod:`eventsim.adjoint.linear.voltage`.

Where the network has a linear decision behind the readout (:meth:`eventsim.Network.decide`), the
voltages :math:`V_u` of its neurons are what the decision hears, and there is no gain:

.. math:: z_c = b_c + \sum_u w_{uc}\, k_u V_u, \qquad
    \frac{\partial L}{\partial w_{uc}} = \sum_s k_u V_u (p_c - y_c), \qquad
    \frac{\partial L}{\partial V_u} = k_u \sum_c w_{uc} (p_c - y_c),

with factors :math:`k` of 1, or in training of dropout.

References
----------
Cramer et al. (2022), The Heidelberg spiking data sets, IEEE TNNLS 33:2744, for readouts by maximum
and by last value on a time grid.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

from eventsim.adjoint import DecisionSeed, Seed, VoltageSeed
from eventsim.adjoint.linear.voltage import (
    Probe,
    joined_voltages,
    readout_last,
    readout_maximum,
)
from eventsim.arrays import Floats, Ints, beside
from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Decision, Network
from eventsim.train.softmax import AbstractClassifier, Classified, require_positive, softmax_loss

Moment = Literal["maximum", "last"]


@dataclass(frozen=True, eq=False)
class VoltageCrossEntropy(AbstractClassifier):
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
    keep
        Factors on what the decision hears, [samples, readout neurons]; None for 1.

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
    keep: Floats | None = None

    def __post_init__(self) -> None:
        if self.at not in get_args(Moment):
            raise ParameterError(
                f"VoltageCrossEntropy: at is {self.at!r}, expected one of {get_args(Moment)}."
            )
        require_positive("VoltageCrossEntropy", "gain", self.gain)

    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Logits, shape [samples, classes]. New array."""
        return self._logits(net, joined_voltages(self._probes(net, tape)))

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and logits in one pass."""
        probes = self._probes(net, tape)
        voltages = joined_voltages(probes)
        logits = self._logits(net, voltages)
        value, d_logits = softmax_loss(logits, self.labels, "VoltageCrossEntropy")
        by_unit, seeds = self._back(net, voltages, d_logits)
        low = 0
        for probe in probes:
            high = low + probe.neurons.chosen.size
            seeds.append(VoltageSeed(probe, by_unit[:, low:high].reshape(-1, 1)))
            low = high
        return Classified(value, {self.readout: tuple(seeds)}, logits)

    def _logits(self, net: Network, voltages: Floats) -> Floats:
        decision = decision_behind(net, self.readout)
        if decision is not None:
            weights, bias = (beside(v, voltages) for v in (decision.weights, decision.bias))
            decided: Floats = self._heard(voltages) @ weights + bias
            return decided
        logits: Floats = self.gain * voltages
        return logits

    def _back(self, net: Network, voltages: Floats, d_logits: Floats) -> tuple[Floats, list[Seed]]:
        """Derivatives by every voltage, and the seed of the decision, if there is one."""
        decision = decision_behind(net, self.readout)
        if decision is None:
            return self.gain * d_logits, []
        by_weight = self._heard(voltages).T @ d_logits
        by_decision = {"decision.weights": by_weight, "decision.bias": d_logits.sum(axis=0)}
        by_unit = d_logits @ beside(decision.weights, d_logits).T
        return self._heard(by_unit), [DecisionSeed(by_decision)]

    def _heard(self, values: Floats) -> Floats:
        """Values of readout neurons times their factors."""
        if self.keep is None:
            return values
        if self.keep.shape != values.shape:
            raise ShapeError(
                f"VoltageCrossEntropy: keep has shape {self.keep.shape}, expected {values.shape}: "
                "samples, readout neurons."
            )
        kept: Floats = values * beside(self.keep, values)
        return kept

    def _probes(self, net: Network, tape: SpikeTape) -> Sequence[Probe]:
        require_readout("VoltageCrossEntropy", net, self.readout)
        if self.at == "maximum":
            return readout_maximum(net, tape, self.readout)
        return readout_last(net, tape, self.readout)


def decision_behind(net: Network, readout: str) -> Decision | None:
    """The decision, if it is behind this readout."""
    decision = net.decision
    return decision if decision is not None and decision.readout == readout else None


def require_readout(where: str, net: Network, name: str) -> None:
    """Raise NetworkError unless the population is a readout."""
    kind = net.population(name).kind
    if kind != "readout":
        raise NetworkError(f"{where}: population {name!r} is of kind {kind!r}, expected a readout.")
