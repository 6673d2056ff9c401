"""Number of threads of the cpu backend."""

import numba

from eventsim.errors import ParameterError


def set_threads(n: int) -> None:
    """Let kernels use ``n`` threads, 1 to the number that Numba started with."""
    limit = numba.config.NUMBA_NUM_THREADS
    if not 1 <= n <= limit:
        raise ParameterError(
            f"threads is {n}, expected 1 to {limit}, the number of cores. Set "
            "NUMBA_NUM_THREADS before the start for more."
        )
    numba.set_num_threads(n)
