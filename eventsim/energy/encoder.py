"""The cost of making the input's events from a signal on the chip, apart from the network.

A sensor with events of its own (a silicon cochlea, an event camera) has no such cost. If a program
encoded audio, a chip with a microphone would have to do the same. Multiply-adds have the figure
``mac``, additions and comparisons the figure ``ac``. No chip here has a figure for powers and
quotients; memory of the encoder is not counted. Both are named as missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.chips import ENERGY_TERMS, Chip
from eventsim.energy.counts import Counts
from eventsim.energy.missing import NO_FIGURE, NOT_COUNTED, Missing
from eventsim.energy.terms import TermCost
from eventsim.events import EncoderOperations
from eventsim.summary import short_repr

_PRICED_AS = {"multiply_adds": "mac", "additions": "ac", "functions": None}
WORDS = {
    "multiply_adds": "multiply-adds",
    "additions": "additions and comparisons",
    "functions": "powers and quotients",
}


@dataclass(frozen=True, eq=False)
class EncoderCost:
    """Operations of an encoder, and their energy on a chip.

    Attributes
    ----------
    operations
        By name, as :meth:`eventsim.events.EncoderOperations.of` gives them. [samples]
    terms
        The sum.
    missing
        What the sum lacks.
    """

    operations: Mapping[str, Floats]
    terms: tuple[TermCost, ...]
    missing: tuple[Missing, ...]

    __repr__ = short_repr

    @property
    def total_pj(self) -> float:
        """Mean energy of a sample."""
        return sum(float(cost.energy_pj.mean()) for cost in self.terms)

    def to_dict(self) -> dict[str, Any]:
        """Means over the samples, for JSON."""
        return {
            "operations_per_sample": means_of(self.operations),
            "terms": [cost.to_dict() for cost in self.terms],
            "missing": [missing.to_dict() for missing in self.missing],
            "lower_bound": {"energy_pj_per_sample": bool(self.missing)},
            "energy_pj_per_sample": self.total_pj,
        }


def means_of(operations: Mapping[str, Floats]) -> dict[str, float]:
    """Mean of every kind of operation over the samples."""
    return {name: float(values.mean()) for name, values in operations.items()}


def encoder_cost(operations: EncoderOperations, counts: Counts, chip: Chip) -> EncoderCost:
    """Price an encoder that runs for the time of every sample, and makes its input events.

    Parameters
    ----------
    operations
        Of the encoder.
    counts
        Of :func:`eventsim.energy.count`.
    chip
        Of :func:`eventsim.chips.load_chip`.
    """
    done = operations.of(counts.duration, counts.events_in)
    terms, missing = [], []
    for name, values in done.items():
        price = _PRICED_AS[name]
        if price is not None and price in chip.energy:
            figure = chip.energy[price]
            term = ENERGY_TERMS[price]
            terms.append(TermCost(term, "exact", values, figure, values * figure.value))
        elif np.any(values):
            missing.append(_lacking(name, WORDS[name], NO_FIGURE, float(values.mean())))
    missing.append(_lacking("memory", "memory", NOT_COUNTED, None))
    return EncoderCost(done, tuple(terms), tuple(missing))


def _lacking(name: str, words: str, reason: str, count: float | None) -> Missing:
    what = f"{words} of the encoder"
    return Missing(name=f"encoder_{name}", what=what, reason=reason, count=count)
