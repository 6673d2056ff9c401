"""What a loss hands to the backward pass: its derivatives by spikes and readouts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from eventsim.arrays import Floats
from eventsim.events import SpikeTape
from eventsim.network import Network


@dataclass(frozen=True, eq=False)
class SpikeSeed:
    """Derivatives by the spikes of a population, in the order of the tape.

    Attributes
    ----------
    time
        dL/dt per spike, shape [spikes], or None for zero.
    voltage
        A pseudo-gradient added to dL/dV just before every spike, shape [spikes], or None. Spike
        counts are piecewise constant and have no exact gradient; this is where a regulariser
        of counts may act: a negative value asks for more spikes.
    """

    time: Floats | None = None
    voltage: Floats | None = None


@dataclass(frozen=True, eq=False)
class ReadoutSeed:
    """Derivative by the weighted integral of a readout.

    Attributes
    ----------
    time_constant
        ms, as given to :func:`eventsim.readout_integral`.
    integral
        dL/d(integral), shape [samples, size].
    """

    time_constant: float
    integral: Floats


Seeds = Mapping[str, "Floats | SpikeSeed | ReadoutSeed"]


class Loss(Protocol):
    """Anything that turns a run into a number and its derivatives."""

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value, and seeds by population."""
