r"""Steps of time: step k of a sample covers :math:`[k \Delta, (k+1) \Delta)`.

A sample of length T has :math:`\lceil T / \Delta \rceil` steps. Times and steps are decimals that
floats only come close to: 0.3 ms belongs to step 3 of 0.1 ms, though 0.3 / 0.1 is
2.9999999999999996. So what lies within ``ROUNDING`` of a border is on it.
"""

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats

ROUNDING = 1e-9  # of a step; of long times relative, in last bits
LAST_BITS = 4.0 * np.finfo(np.float64).eps


def step_of(times: Floats, dt: float) -> NDArray[np.int64]:
    """Number of the step of ``dt`` ms in which each time, ms, lies. New array."""
    quotient = times / dt
    step: NDArray[np.int64] = np.floor(quotient + _rounding(quotient)).astype(np.int64)
    return step


def step_count(duration: Floats, dt: float) -> NDArray[np.int64]:
    """Steps of ``dt`` ms that each length, ms, has: the last may be shorter. New array."""
    quotient = duration / dt
    count: NDArray[np.int64] = np.ceil(quotient - _rounding(quotient)).astype(np.int64)
    return count


def step_within(times: Floats, end: Floats, dt: float) -> NDArray[np.int64]:
    """As :func:`step_of`, of times before the ``end`` of their samples: the last one at most."""
    return np.minimum(step_of(times, dt), step_count(end, dt) - 1)


def _rounding(quotient: Floats) -> Floats:
    found: Floats = np.maximum(ROUNDING, LAST_BITS * quotient)
    return found
