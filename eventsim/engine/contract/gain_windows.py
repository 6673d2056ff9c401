r"""Windows of the time that is left to an arrival at a readout; in each its gain is a polynomial.

An arrival at time t, with :math:`L = T - t` left, gains :math:`e^{-\mu t} K(L)` of the readout's
integral (:mod:`eventsim.engine.reference.readout`). K is smooth, and the same for all samples. So
:math:`x = 16 + c L` is divided into windows: 16 to each power of two, of width 1 for x from 16 to
32, 2 up to 64, and so on. With c = 4 times the fastest rate, windows are short where K bends, near
the end of a sample, and at most an eighth of the time left elsewhere: 75 of them for 1 s and 10 ms.
Within a window K, its derivatives and its slope are Taylor polynomials in the place u of x, from
-1/2 to 1/2. Those left out are below 3e-8 (single precision) and 1e-15 (double) of the largest
value in the window. K begins with the square of L. So where all samples would end within the first
window, of which they may be a small part, c is larger by a power of two.

The number of a window and u are the leading and the other bits of x.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import fastest_rate

# Rows of the table: gain, its derivatives by both rates, and its slope in time.
N_GAIN = 4
# Coefficients of every polynomial.
TERMS_SINGLE, TERMS_DOUBLE = 6, 11

WINDOW_BITS = 4  # leading bits of the mantissa that number a window inside its power of two
FIRST_WINDOW = 1 << WINDOW_BITS
WINDOWS_PER_RATE = 4.0
ROUNDING = 1e-12

# Windows of the longest sample where it would end within the first: up to 16, of at most 2^-64.
LEAST_BITS, MOST_BITS = 4, 64


def terms_of(real: type[np.floating[Any]]) -> int:
    """Coefficients of a polynomial in that precision."""
    return TERMS_SINGLE if real == np.float32 else TERMS_DOUBLE


def windows_per_ms(job: Job, rate: float) -> float:
    """The factor c, for an integral with the weight exp(-rate t)."""
    per_ms = WINDOWS_PER_RATE * (fastest_rate(job) + rate)
    longest = per_ms * float(np.max(job.duration, initial=0.0))
    if 0.0 < longest < 1.0:
        per_ms = math.ldexp(per_ms, min(LEAST_BITS - math.frexp(longest)[1], MOST_BITS))
    return per_ms


def count_windows(job: Job, per_ms: float) -> int:
    """Windows from the end of a sample to the beginning of the longest, also where x is rounded."""
    longest = float(np.max(job.duration, initial=0.0)) * (1.0 + ROUNDING)
    ends = FIRST_WINDOW + per_ms * np.array([0.0, longest])
    numbers: NDArray[np.int64] = ends.view(np.int64) >> (52 - WINDOW_BITS)
    return int(numbers[1] - numbers[0]) + 1
