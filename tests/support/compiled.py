"""Parts of kernels, called from Python."""

from numba import njit


def callable_part(part):
    """A compiled function that passes its arguments on to a part, which kernels alone may call."""
    return njit(lambda *arguments: part(*arguments))
