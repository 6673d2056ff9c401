"""Sizes of a stretch of arrivals and of its polynomials, the same on every backend.

See ``eventsim/kernels/neuron/stretch.hpp``.
"""

import numpy as np

from eventsim.arrays import Floats

# Most items of a stretch, and most that the fastest rate makes from its first to its last.
ITEMS = 4
SPAN = 0.25

# Degrees of the polynomials, and of the series of Taylor that they are made from.
DEGREE_SINGLE, SERIES_SINGLE = 4, 7
DEGREE_DOUBLE, SERIES_DOUBLE = 8, 12


def shorter() -> Floats:
    """Row q: coefficients of the shifted Chebyshev polynomial of degree q over its leading one.

    They are whole numbers over powers of two, exact in both types.
    """
    table = np.zeros((SERIES_DOUBLE + 1, SERIES_DOUBLE + 1))
    for q in range(1, SERIES_DOUBLE + 1):
        basis = np.polynomial.Chebyshev.basis(q, domain=[0.0, 1.0])
        found = basis.convert(kind=np.polynomial.Polynomial).coef
        table[q, : q + 1] = np.rint(found) / 2.0 ** (2 * q - 1)
    return table
