r"""Compares spikes of a simulator with a case: matched, misplaced, missing, or extra.

For each neuron the expected and the given times are aligned in order so that

.. math::
    \sum_{pairs} \min(|\Delta t|, W) + \tfrac{W}{2} \cdot (\text{spikes without a partner})

is smallest, with :math:`W` = ``PARTNER_WITHIN``. A pair within the tolerance is matched, any other
pair is misplaced. An expected spike without a partner is missing, a given one is extra. Differences
are computed exactly, in decimals: an expected time has 30 digits, a given time is a double.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Literal

from eventsim.conformance.case import Case

PARTNER_WITHIN = 5.0  # ms; as the comparison of simulators in bench/macro/w1.py

Kind = Literal["misplaced", "missing", "extra"]
Pair = tuple[int | None, int | None]


@dataclass(frozen=True)
class Mismatch:
    """A wrong, missing or extra spike; times in ms, None where there is no such spike."""

    kind: Kind
    population: str
    neuron: int
    expected: Decimal | None
    actual: float | None

    def __str__(self) -> str:
        place = f"{self.population}[{self.neuron}]"
        if self.expected is None:
            return f"{place}: extra spike at {self.actual!r} ms"
        if self.actual is None:
            return f"{place}: no spike at {self.expected:.15g} ms"
        return f"{place}: spike at {self.actual!r} ms, expected {self.expected:.15g}"


@dataclass(frozen=True)
class CaseComparison:
    """The spikes of a case, compared with the given ones.

    Attributes
    ----------
    worst_error
        Largest difference of a matched or misplaced spike in ms; 0 if there is no pair.
    mismatches
        In order of time.
    """

    n_expected: int
    n_matched: int
    worst_error: float
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        """Whether there is each expected spike, within the tolerance, and no other."""
        return not self.mismatches

    def count(self, kind: Kind) -> int:
        """Number of mismatches of a kind."""
        return [mismatch.kind for mismatch in self.mismatches].count(kind)


def find_fault(case: Case, spikes: Mapping[str, Sequence[Sequence[float]]]) -> str | None:
    """Why ``spikes`` is no valid answer to a case, or None."""
    for name, neurons in case.spikes.items():
        if name not in spikes:
            return f"no spikes of population {name!r}; there are {sorted(spikes)}"
        if len(spikes[name]) != len(neurons):
            return f"{len(spikes[name])} neurons of population {name!r}, expected {len(neurons)}"
        for neuron, times in enumerate(spikes[name]):
            bad = [time for time in times if not math.isfinite(time)]
            if bad:
                return f"a spike of {name}[{neuron}] at {bad[0]}, expected finite times in ms"
    return None


def compare(
    case: Case, spikes: Mapping[str, Sequence[Sequence[float]]], tolerance: float
) -> CaseComparison:
    """Compare a simulator's spikes with the exact ones.

    Parameters
    ----------
    case
        The case.
    spikes
        Per population and neuron the spike times in ms, in any order; without a fault by
        :func:`find_fault`. Other populations are ignored.
    tolerance
        ms; the largest error of a matched spike.
    """
    n_matched, worst, wrong = 0, 0.0, []
    for name, neurons in case.spikes.items():
        for neuron, expected in enumerate(neurons):
            actual = sorted(float(time) for time in spikes[name][neuron])
            for one, two in align(expected, actual):
                then = None if one is None else expected[one]
                now = None if two is None else actual[two]
                if then is None or now is None:
                    kind: Kind = "missing" if now is None else "extra"
                    wrong.append(Mismatch(kind, name, neuron, then, now))
                    continue
                error = difference(then, now)
                worst = max(worst, error)
                if error <= tolerance:
                    n_matched += 1
                else:
                    wrong.append(Mismatch("misplaced", name, neuron, then, now))
    wrong.sort(key=lambda found: float(found.expected or found.actual or 0.0))
    return CaseComparison(case.n_spikes, n_matched, worst, tuple(wrong))


def difference(expected: Decimal, actual: float) -> float:
    """Distance of two times in ms, rounded only once."""
    with localcontext() as context:
        context.prec = 60
        return float(abs(Decimal(actual) - expected))


def align(expected: Sequence[Decimal], actual: Sequence[float]) -> list[Pair]:
    """Pairs of indices, None for no partner, in order of time; as the module's formula."""
    n, m, half = len(expected), len(actual), PARTNER_WITHIN / 2.0
    cost = [[half * (j + k) for k in range(m + 1)] for j in range(n + 1)]
    for j in range(1, n + 1):
        for k in range(1, m + 1):
            pair = cost[j - 1][k - 1] + _gap(expected[j - 1], actual[k - 1])
            cost[j][k] = min(pair, cost[j - 1][k] + half, cost[j][k - 1] + half)
    found: list[Pair] = []
    j, k = n, m
    while j > 0 or k > 0:
        both = j > 0 and k > 0
        if both and cost[j][k] == cost[j - 1][k - 1] + _gap(expected[j - 1], actual[k - 1]):
            j, k = j - 1, k - 1
            found.append((j, k))
        elif j > 0 and cost[j][k] == cost[j - 1][k] + half:
            j -= 1
            found.append((j, None))
        else:
            k -= 1
            found.append((None, k))
    return found[::-1]


def _gap(expected: Decimal, actual: float) -> float:
    gap = difference(expected, actual)
    return gap if gap < PARTNER_WITHIN else math.inf
