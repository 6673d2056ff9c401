"""Silent populations: when a warning is due, and what it says.

A population is called silent if its neurons fire less than 0.1 times per second on average, or if
more than 90 % of them never fire. Time before the first event of a recording does not count: a
network cannot fire there. Exact gradients do not reach a neuron without a spike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats

LEAST_RATE = 0.1  # spikes per neuron and second
MOST_SILENT = 0.9  # fraction of the neurons


@dataclass(frozen=True)
class Silent:
    """A silent population; its text is a warning that says what to do."""

    population: str  # name
    rate: float  # mean rate, spikes per neuron and second
    # Fraction of its neurons that never fired, in [0, 1]; None where only the mean is known
    fraction: float | None = None

    def __str__(self) -> str:
        never = "" if self.fraction is None else f", {self.fraction:.0%} of them never"
        return (
            f"population {self.population!r} is silent: its neurons fire {self.rate:.2g} times per "
            f"second{never}. It passes on little and hardly learns. Start from "
            "es.calibrate(net, stream), from larger weights (mean and spread of the builder), or "
            "train with near_miss_strength > 0."
        )


def silent_populations(
    rates: Mapping[str, Floats | float], *, heard: float = 1.0
) -> tuple[Silent, ...]:
    """The silent populations, by spikes per neuron and second, [size] or the mean alone.

    ``heard`` is the share of that time in which there was something to hear: rates count in it.
    """
    found = []
    for name, rate in rates.items():
        mean, fraction = float(np.mean(rate)) / heard, None
        if np.ndim(rate):
            fraction = float(np.mean(np.asarray(rate) == 0.0))
        if mean < LEAST_RATE or (fraction is not None and fraction > MOST_SILENT):
            found.append(Silent(name, mean, fraction))
    return tuple(found)
