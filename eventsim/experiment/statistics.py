r"""Are two conditions different, or only their seeds? Tests on pairs of one seed each.

With the differences :math:`d_s` of two conditions at seed s, n of them:

* **t**: the paired t-test, two-sided. Right if the differences are normal.
* **signs**: if the conditions were alike, every :math:`d_s` would be as likely with the other
  sign. All :math:`2^n` choices of signs are tried; p is the share of those whose mean is at least
  as far from zero. Nothing is assumed of the distribution; but p cannot be below
  :math:`2^{1-n}`: three seeds give 0.25 at best, six 0.03.

p values of several conditions against one baseline are also given as Holm corrects them: sorted,
the k-th smallest of m times m - k + 1, and never below the one before.

References
----------
Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from eventsim.arrays import Floats

TIE_DECIMALS = 12
MOST_SEEDS = 20  # a million choices of signs; with more seeds the t-test has to do


@dataclass(frozen=True)
class Summary:
    """Mean, standard deviation (of a sample; None of a single value) and their number."""

    mean: float
    deviation: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        """Those of some values, one or more."""
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), spread, len(values))


@dataclass(frozen=True)
class Comparison:
    """Two conditions.

    Attributes
    ----------
    difference
        Mean of condition minus baseline over the common seeds.
    n
        Common seeds.
    p_t, p_signs
        See the module; None where a test says nothing: both of a single pair, t where all
        differences are equal, signs of more than ``MOST_SEEDS`` pairs.
    """

    difference: float
    n: int
    p_t: float | None
    p_signs: float | None


def compare(condition: Sequence[float], baseline: Sequence[float]) -> Comparison:
    """Test pairs of values against each other.

    Parameters
    ----------
    condition, baseline
        One value per seed, in the same order; at least one.
    """
    differences = np.asarray(condition, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    n, mean = differences.size, float(differences.mean())
    if n < 2:
        return Comparison(mean, n, None, None)
    # Shares of a test part are multiples of one number: equal differences are equal but for this.
    varies = np.ptp(differences) > 1e-12
    p_t = float(scipy.stats.ttest_1samp(differences, 0.0).pvalue) if varies else None
    return Comparison(mean, n, p_t, _sign_flips(differences))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Values of p corrected for their number; None stays None and does not count."""
    order = sorted((p, i) for i, p in enumerate(values) if p is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(p * (len(order) - rank), 1.0))
        corrected[index] = largest
    return corrected


def _sign_flips(differences: Floats) -> float | None:
    if differences.size > MOST_SEEDS:
        return None
    found = scipy.stats.permutation_test(
        (differences,),
        _rounded_mean,
        permutation_type="samples",
        n_resamples=math.inf,  # every choice
        batch=2**14,
        vectorized=True,
    )
    return float(found.pvalue)


def _rounded_mean(values: Floats, axis: int = -1) -> Floats:
    """Means that are equal but for rounding become equal: a choice of signs that ties counts."""
    return np.asarray(np.round(np.mean(values, axis=axis), TIE_DECIMALS), dtype=np.float64)
