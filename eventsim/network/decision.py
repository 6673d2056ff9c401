r"""A linear decision: classes from one voltage of every readout neuron.

.. math:: z_c = b_c + \sum_u w_{uc}\, V_u

where :math:`V_u` is the voltage that the loss reads. The largest voltage in the sample is most
useful: then every readout neuron can detect a pattern of its own, at any position and time, and the
decision weighs these detections. It has no time and no events; its values are trained like all
others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Array, Floats, beside
from eventsim.checks import real_array, shaped
from eventsim.errors import ShapeError
from eventsim.network.domain import LARGEST, DomainCheck
from eventsim.network.parts import Population
from eventsim.summary import short_repr


@dataclass(frozen=True, eq=False)
class Decision:
    """A linear decision; see the module.

    Attributes
    ----------
    readout
        Name of the readout.
    weights
        Shape [readout neurons, classes], live.
    bias
        Shape [classes], live.
    """

    readout: str
    weights: Floats
    bias: Floats

    __repr__ = short_repr

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.bias.size)

    @property
    def parameters(self) -> dict[str, Floats]:
        """The live arrays, by their keys in :meth:`Network.parameters`."""
        return {"decision.weights": self.weights, "decision.bias": self.bias}

    def conditions(self) -> Iterator[DomainCheck]:
        """Conditions that the values must fulfil."""
        for key, values in self.parameters.items():
            yield DomainCheck(key, values, "a finite number", most=LARGEST)

    def check(self) -> None:
        """Raise ParameterError if a value is not finite."""
        for check in self.conditions():
            check.require("Decision", f"a value of {check.name}")

    def map(self, convert: Callable[[Array], Array]) -> "Decision":
        """The same decision, both arrays put through ``convert``."""
        return replace(self, weights=convert(self.weights), bias=convert(self.bias))


def make_decision(readout: Population, weights: ArrayLike, bias: ArrayLike) -> Decision:
    """Check and build a decision; see :meth:`Network.decide`."""
    values = np.array(real_array(weights, "Decision: weights"))
    offset = np.array(real_array(bias, "Decision: bias"))
    if values.ndim != 2 or values.shape[0] != readout.size or not values.shape[1]:
        raise ShapeError(
            "Decision",
            f"weights have shape {values.shape}",
            f"({readout.size}, classes): one row per neuron of {readout.name!r}",
        )
    classes = (values.shape[1],)
    shaped(
        "Decision", "bias", offset, (), classes, expected=f"one number or {classes}, one per class"
    )
    decision = Decision(readout.name, values, np.array(np.broadcast_to(offset, (values.shape[1],))))
    decision.check()
    return decision.map(lambda values: beside(values, readout.tau_mem))
