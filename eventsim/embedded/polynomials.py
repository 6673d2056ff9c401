r"""The polynomials of a stretch for each neuron, to the bit of ``kernels/neuron/stretch.hpp``.

An arrival of weight 1 that comes :math:`u L` ms before the end changes v and j there by polynomials
in u, whose coefficients are :func:`answers`. They are computed when the network is exported,
because a small processor would have to compute them at each start.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.contract.series import DEGREE_SINGLE, SERIES_SINGLE, shorter

Singles = NDArray[np.float32]


def fused(a: Singles, b: Any, c: Singles) -> Singles:
    """A b + c with one rounding.

    The product is exact in double precision. The sum is rounded to odd, so that a second rounding
    gives the result of one rounding (Boldo and Melquiond, 2008).
    """
    product, c64 = a.astype(np.float64) * np.float64(b), c.astype(np.float64)
    total = product + c64
    part = total - product
    rest = (product - (total - part)) + (c64 - part)
    bits = total.view(np.int64)
    inexact = (rest != 0.0) & (bits & 1 == 0)
    step = np.where((rest > 0.0) == (total > 0.0), 1, -1)
    odd: NDArray[np.float64] = np.where(inexact, bits + step, bits).view(np.float64)
    return odd.astype(np.float32)


def answers(rate_mem: Singles, rate_syn: Singles, longest: np.float32) -> Singles:
    """Coefficients of v's, then of j's answer, from u on, [neurons, 2 DEGREE]."""
    rows = shorter()
    a, b = rate_mem * longest, rate_syn * longest
    v, j = [np.zeros_like(a)], [np.ones_like(a)]
    for q in range(1, SERIES_SINGLE + 1):
        v.append(a * (j[q - 1] - v[q - 1]) / np.float32(q))
        j.append(-(b * j[q - 1]) / np.float32(q))
    for q in range(SERIES_SINGLE, DEGREE_SINGLE, -1):
        for k in range(1, q):
            v[k] = fused(-v[q], np.float32(rows[q, k]), v[k])
            j[k] = fused(-j[q], np.float32(rows[q, k]), j[k])
    found: Singles = np.stack(v[1 : DEGREE_SINGLE + 1] + j[1 : DEGREE_SINGLE + 1], axis=1)
    return found
