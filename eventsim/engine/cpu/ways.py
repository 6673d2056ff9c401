"""Propagators of one neuron from arrival to arrival, several at once, side by side in vectors.

A neuron's ways do not depend on its state, so they are found before it goes them. They are those of
:func:`eventsim.engine.cpu.scalar.propagators`, to the bit.
"""

from collections.abc import Callable
from typing import Any

from eventsim.engine.cpu.compile import lean_inlined
from eventsim.engine.cpu.scalar import SMALL_Z, far_forward, near_forward

# Rows of an array of ways, [N_WAY, ways].
N_WAY = 4
H, X, Y, GAIN = range(N_WAY)


def finding(n_ways: int) -> Callable[..., None]:
    """The function that fills an array of so many ways; kernels alone call it."""
    near_ways, far_ways = _ways(near_forward, n_ways), _ways(far_forward, n_ways)

    @lean_inlined
    def find_ways(t, time, slow, gap, rate_mem, way):
        """The ways from ``t`` to the first of the times, and from each to the next."""
        m, real = min(n_ways, time.size), type(slow)
        longest = real(0.0)
        for k in range(m):
            way[H, k] = real(time[k] - t)
            t = time[k]
            longest = max(longest, way[H, k])
        for k in range(m, n_ways):
            way[H, k] = real(0.0)
        if (slow + abs(gap)) * longest <= real(SMALL_Z):
            near_ways(slow, gap, rate_mem, way)
        else:
            far_ways(slow, gap, rate_mem, way)

    found: Callable[..., None] = find_ways
    return found


def _ways(propagate: Any, n_ways: int) -> Any:
    @lean_inlined
    def ways(slow, gap, rate_mem, way):
        for k in range(n_ways):
            way[X, k], way[Y, k], way[GAIN, k] = propagate(way[H, k], slow, gap, rate_mem)

    return ways
