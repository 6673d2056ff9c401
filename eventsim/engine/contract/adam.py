"""The arguments of a backend's own optimiser: trained arrays, and the bounds between them.

:class:`eventsim.train.AdamW` says what a step is. A backend whose arrays are on a device may take
it in a few launches.
"""

from dataclasses import dataclass
from typing import Protocol

from eventsim.arrays import Array
from eventsim.network import Population


@dataclass(frozen=True, eq=False)
class Trained:
    """An array that is trained."""

    values: Array  # Changed in place
    # rate, decay: Learning rate before its factor, and weight decay per unit of it
    rate: float
    decay: float
    logarithmic: bool  # Whether its logarithm is trained
    # least, most: Bounds of its values after a step
    least: float
    most: float


@dataclass(frozen=True, eq=False)
class Bounded:
    """A spiking population whose parameters bound each other."""

    population: Population  # Its arrays are changed in place
    self_weights: Array | None  # Of its self-recurrent projection, or None
    # Which of threshold, v_reset, v_leak and weights (the self-weights) are
    trained: frozenset[str]


@dataclass(frozen=True)
class AdamStep:
    """Numbers of one step."""

    factor: float  # Of all learning rates
    clip: float  # Largest norm of the gradient
    # beta1, beta2, epsilon: Of Adam
    beta1: float
    beta2: float
    epsilon: float
    number: int  # Of the step, counted from 1


class Adam(Protocol):
    """Steps over the same arrays; vectors have all their entries, one array after the other."""

    def step(self, step: AdamStep, gradient: Array, first: Array, second: Array) -> Array:
        """Take a step, in place, unless the norm of the gradient is not finite.

        Returns the square of the norm, [1], on the device.
        """

    def average(self, mean: Array, count: int) -> None:
        """Count the values as the ``count``-th of their mean, in place."""
