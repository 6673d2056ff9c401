r"""Are two conditions different, or only their repeats? Tests on pairs of one repeat each.

A **repeat** is a seed of one division into a training and a test part, or a fold: a division of its
own, in which other groups (speakers) are tested. With the differences :math:`d_r` of two conditions
at repeat r, n of them, their mean :math:`\bar d` and variance :math:`s^2`:

* **t, over seeds**: the paired t-test, two-sided. Right if the differences are normal. All seeds
  test the same recordings: the result holds for other seeds, and says nothing about other
  recordings or speakers.
* **t, over folds**: folds are not independent, since any two of them share most training
  recordings; the p values of the plain test are too small. The corrected one (Nadeau and Bengio) is

  .. math:: t = \frac{\bar d}{\sqrt{(1/n + q)\, s^2}}, \qquad n - 1 \text{ degrees of freedom,}

  with q the recordings of a test part over those of its training part, mean over the folds. It is
  an approximation; with few folds only large differences are significant.
* **signs**: if the conditions were alike, every :math:`d_r` would be as likely with the other
  sign. All :math:`2^n` choices of signs are tried; p is the share of those whose mean is at least
  as far from zero. No distribution is assumed, but p cannot be below
  :math:`2^{1-n}`: three repeats give 0.25 at best, six 0.03. Over folds it assumes that they are
  independent.

p values of several conditions against one baseline are also given as Holm corrects them: sorted,
the k-th smallest of m times m - k + 1, and never below the one before.

References
----------
Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6.
Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from eventsim.arrays import Floats

TIE_DECIMALS = 12  # of the largest value that is compared
MOST_SEEDS = 20  # a million choices of signs; with more seeds the t-test has to do


@dataclass(frozen=True)
class Summary:
    """Mean, standard deviation (of a sample; None of a single value) and their number."""

    mean: float
    deviation: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        """Summary of one value or more."""
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), spread, len(values))


@dataclass(frozen=True)
class Comparison:
    """Two conditions.

    Attributes
    ----------
    difference
        Mean of condition minus baseline over the common repeats.
    n
        Common repeats: seeds or folds.
    p_t, p_signs
        See the module; None where a test says nothing: both of a single pair, t where all
        differences are equal, signs of more than ``MOST_SEEDS`` pairs.
    """

    difference: float
    n: int
    p_t: float | None
    p_signs: float | None


def compare(
    condition: Sequence[float], baseline: Sequence[float], *, overlap: float = 0.0
) -> Comparison:
    """Test pairs of values against each other.

    Parameters
    ----------
    condition, baseline
        One value per repeat, in the same order; at least one.
    overlap
        Of folds, the recordings of a test part over those of its training part: the correction of
        Nadeau and Bengio. 0 for seeds of one division.
    """
    differences = np.asarray(condition, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    n, mean = differences.size, float(differences.mean())
    if n < 2:
        return Comparison(mean, n, None, None)
    # Both tests are the same in any unit, in that of an error too.
    unit = max(float(np.abs(values).max()) for values in (condition, baseline)) or 1.0
    differences = differences / unit
    # Shares of a test part are multiples of one number: equal differences are equal but for this.
    p_t = None
    if np.ptp(differences) > 10.0**-TIE_DECIMALS:
        width = math.sqrt((1.0 / n + overlap) * np.var(differences, ddof=1))
        p_t = float(2.0 * scipy.stats.t.sf(abs(differences.mean()) / width, n - 1))
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
