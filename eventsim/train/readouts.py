r"""Cross-entropy on the largest or the last voltage of a readout, exact in event time.

With a gain :math:`g` the logit of class :math:`c` is

.. math::
    z_c = g \max_{0 \le t \le T} V_c(t) \qquad\text{or}\qquad z_c = g\, V_c(T),

and :math:`L = -\log \mathrm{softmax}(z)_y`. The maximum is found between events in closed form,
its gradient follows by the envelope theorem: see :mod:`eventsim.adjoint.linear.voltage`.

Where the network has a linear decision behind the readout (:meth:`eventsim.Network.decide`), the
voltages :math:`V_u` of its neurons are the inputs of the decision, and there is no gain:

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
from eventsim.adjoint.linear.voltage import Probe, joined_voltages, readout_last, readout_maximum
from eventsim.arrays import Floats, Ints, beside, namespace
from eventsim.checks import in_domain, one_of, shaped
from eventsim.entries import Above0
from eventsim.events import SpikeTape
from eventsim.network import Decision, Network
from eventsim.train.softmax import AbstractClassifier, Classified, softmax_loss

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
        Factors on the inputs of the decision, [samples, readout neurons]; None for 1.

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
        one_of("VoltageCrossEntropy", "at", self.at, get_args(Moment))
        in_domain("VoltageCrossEntropy", "gain", self.gain, Above0)

    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Logits, shape [samples, classes]. New array."""
        heard = self._heard(net, joined_voltages(self._probes(net, tape))[:, :, 0])
        return logits_of(net, self.readout, heard, gain=self.gain)

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and logits in one pass."""
        probes, gain = self._probes(net, tape), self.gain
        heard = self._heard(net, joined_voltages(probes)[:, :, 0])
        logits = logits_of(net, self.readout, heard, gain=gain)
        value, d_logits = softmax_loss(logits, self.labels, "VoltageCrossEntropy")
        by_heard, seeds = logits_back(net, self.readout, heard, d_logits, gain=gain)
        seeds += voltage_seeds(probes, self._heard(net, by_heard)[:, :, None])
        return Classified(value, {self.readout: tuple(seeds)}, logits)

    def _heard(self, net: Network, values: Floats) -> Floats:
        """Values of readout neurons times their factors, if a decision hears them."""
        if self.keep is None or decision_behind(net, self.readout) is None:
            return values
        words = f"{values.shape}: samples, readout neurons"
        shaped("VoltageCrossEntropy", "keep", self.keep, values.shape, expected=words)
        kept: Floats = values * beside(self.keep, values)
        return kept

    def _probes(self, net: Network, tape: SpikeTape) -> Sequence[Probe]:
        net.readout(self.readout, "VoltageCrossEntropy")
        if self.at == "maximum":
            return readout_maximum(net, tape, self.readout)
        return readout_last(net, tape, self.readout)


def decision_behind(net: Network, readout: str) -> Decision | None:
    """The decision, if it is behind this readout."""
    decision = net.decision
    return decision if decision is not None and decision.readout == readout else None


def logits_of(net: Network, readout: str, voltages: Floats, *, gain: float) -> Floats:
    """Logits [.., classes] of voltages [.., neurons]: by the decision, or each times a gain."""
    decision = decision_behind(net, readout)
    if decision is None:
        return gain * voltages
    weights, bias = (beside(v, voltages) for v in (decision.weights, decision.bias))
    # No product of matrices: BLAS sums a row in an order that depends on the number of rows.
    xp = namespace(voltages)
    logits: Floats = xp.einsum("...u,uc->...c", xp.ascontiguousarray(voltages), weights) + bias
    return logits


def logits_back(
    net: Network, readout: str, voltages: Floats, by_logit: Floats, *, gain: float
) -> tuple[Floats, list[Seed]]:
    """Derivatives by the voltages of :func:`logits_of`, and the seed of a decision."""
    decision = decision_behind(net, readout)
    if decision is None:
        return gain * by_logit, []
    heard, by = (values.reshape(-1, values.shape[-1]) for values in (voltages, by_logit))
    by_decision = {"decision.weights": heard.T @ by, "decision.bias": by.sum(axis=0)}
    return by_logit @ beside(decision.weights, by_logit).T, [DecisionSeed(by_decision)]


def voltage_seeds(probes: Sequence[Probe], by_voltage: Floats) -> list[Seed]:
    """Seeds of probes, parts one behind the other, from [samples, neurons, asked times]."""
    found, low = list[Seed](), 0
    for probe in probes:
        high = low + probe.neurons.chosen.size
        by = by_voltage[:, low:high].reshape(probe.value.shape)
        found.append(VoltageSeed(probe, beside(by, probe.value)))
        low = high
    return found
