r"""Lateral patterns: connections between neurons of the same population.

A pattern draws, target by target, the sources that project onto it; a neuron is never its own
source. Neurons that have a position are at unit distance, on a ring (neuron i at i) or on a sheet
(row by row) whose opposite edges are joined, so that no neuron is at an edge. With the shorter
distance d of two neurons, they are joined with probability

.. math::
    p(d) = p_0\, e^{-d^2 / 2\lambda^2} \;\text{(gaussian)}, \qquad
    p(d) = p_0\, e^{-d / \lambda} \;\text{(exponential)}.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.entries import Bounds, Count, Positive, Settings
from eventsim.errors import ParameterError

Layout = Literal["ring", "sheet"]
Profile = Literal["gaussian", "exponential"]
# Neurons whose sources are drawn before they are put away in 32 bits.
DRAWN = 1024

Probability = Annotated[float, Bounds(gt=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class RandomLateral(Settings):
    """Sources drawn without regard to place: give one of the two.

    Attributes
    ----------
    probability
        With which any neuron projects onto any other, in (0, 1].
    in_degree
        How many distinct sources every neuron has, 1 .. size - 1.
    """

    probability: Probability | None = None
    in_degree: Count | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        one = (self.probability is None) != (self.in_degree is None)
        self.require("in_degree", self.in_degree, one, "exactly one of it and probability")

    def sources(self, rng: np.random.Generator, target: int, size: int) -> Ints:
        """Sources of one target, ascending."""
        if self.in_degree is None:
            return _drawn(rng, np.full(size, self.probability), target)
        if self.in_degree >= size:
            raise ParameterError(
                "RandomLateral",
                f"in_degree is {self.in_degree}, but a neuron of a population of {size} has "
                f"{size - 1} others",
                remedy="Lower in_degree, or use 'dense'.",
            )
        chosen = rng.choice(size - 1, self.in_degree, replace=False)
        return np.sort(chosen + (chosen >= target))


@dataclass(frozen=True, kw_only=True)
class DistanceLateral(Settings):
    r"""Near neurons project onto each other more often than far ones; see the module.

    Attributes
    ----------
    layout
        ``ring``, or ``sheet``: as many rows as the largest divisor of the size up to its root; a
        prime number of neurons above 3 has no sheet.
    profile
        How the probability falls with distance.
    scale
        :math:`\lambda` > 0, in distances between neighbours.
    peak
        :math:`p_0` in (0, 1].
    """

    layout: Layout = "ring"
    profile: Profile = "gaussian"
    scale: Positive = 8.0
    peak: Probability = 1.0

    def sources(self, rng: np.random.Generator, target: int, size: int) -> Ints:
        """As :meth:`RandomLateral.sources`."""
        ratio = self.distances(target, size) / self.scale
        fall = np.exp(-0.5 * np.square(ratio)) if self.profile == "gaussian" else np.exp(-ratio)
        return _drawn(rng, self.peak * fall, target)

    def distances(self, target: int, size: int) -> Floats:
        """Distance of every neuron from ``target``, float64 [size]."""
        rows = sheet_rows(size) if self.layout == "sheet" else 1
        columns, index = size // rows, np.arange(size)
        along = _round_trip(index % columns - target % columns, columns)
        across = _round_trip(index // columns - target // columns, rows)
        return np.hypot(along, across)


Lateral = Literal["dense"] | RandomLateral | DistanceLateral


def sheet_rows(size: int) -> int:
    """Rows of the sheet that holds so many neurons: its most square division."""
    rows = next(rows for rows in range(math.isqrt(size), 0, -1) if size % rows == 0)
    if rows == 1 and size > 3:
        raise ParameterError(
            "DistanceLateral",
            f"layout is 'sheet', but {size} is a prime number: its only sheet has one row, which "
            "is a ring",
            remedy="Choose another number of neurons, or the layout 'ring'.",
        )
    return rows


def draw_pattern(lateral: Lateral, size: int, rng: np.random.Generator) -> Any:
    """Synapses of a population onto itself as ones, [source, target], sorted, no diagonal."""
    from scipy import sparse

    if lateral != "dense" and not isinstance(lateral, RandomLateral | DistanceLateral):
        raise ParameterError(
            "rsnn", f"lateral is {lateral!r}", "'dense', a RandomLateral or a DistanceLateral"
        )
    blocks, counts = [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
    for low in range(0, size, DRAWN):
        columns = [
            _others(size, target) if lateral == "dense" else lateral.sources(rng, target, size)
            for target in range(low, min(low + DRAWN, size))
        ]
        blocks.append(np.concatenate(columns).astype(np.int32))
        counts.append(np.array([len(sources) for sources in columns]))
    sources, starts = np.concatenate(blocks), np.cumsum(np.concatenate(counts))
    del blocks
    index = np.int32 if sources.size <= np.iinfo(np.int32).max else np.int64
    entries = (np.ones(sources.size, np.int8), sources, starts.astype(index))
    pattern = sparse.csr_array(sparse.csc_array(entries, shape=(size, size)))
    pattern.sort_indices()
    return pattern


def _others(size: int, target: int) -> Ints:
    return np.delete(np.arange(size), target)


def _drawn(rng: np.random.Generator, probability: Floats, target: int) -> Ints:
    joined = rng.random(probability.size) < probability
    joined[target] = False
    return np.flatnonzero(joined)


def _round_trip(difference: Ints, length: int) -> Ints:
    direct = np.abs(difference)
    shorter: Ints = np.minimum(direct, length - direct)
    return shorter
