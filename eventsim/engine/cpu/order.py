"""Where a number stands among ascending ones, within kernels: as ``kernels/cpu/order``."""

from eventsim.engine.cpu.compile import lean


@lean
def first_at_least(ascending, low, high, n):
    """First of the entries low : high that is n or more."""
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < n:
            low = middle + 1
        else:
            high = middle
    return low
