"""How many processors this process may use, and how many threads it is to have."""

import os
import warnings

from eventsim.errors import ParameterError

# More than any machine of now has processors.
MOST_THREADS = 1024

# Read in its place where it is set: in this version for the last time.
_OLD = "NUMBA_NUM_THREADS"


def n_processors() -> int:
    """Number of processors this process may use."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_asked() -> int:
    """Number of threads that ``EVENTSIM_THREADS`` asks for; where it is not set, of processors.

    Raises ParameterError (it is no number of threads).
    """
    name = next((name for name in ("EVENTSIM_THREADS", _OLD) if os.environ.get(name)), None)
    if name is None:
        return n_processors()
    if name == _OLD:
        warnings.warn(
            f"{_OLD} is {os.environ[_OLD]!r}: eventsim takes as many threads, in this version for "
            "the last time, since it is without Numba. Set EVENTSIM_THREADS in its place.",
            FutureWarning,
            stacklevel=2,
        )
    return checked_threads(os.environ[name], name)


def checked_threads(n: int | str, name: str) -> int:
    """``n``, a number of threads that was given under this name.

    Raises ParameterError (it is no whole number, or out of range).
    """
    try:
        found = int(n)
    except ValueError:
        found = 0
    if not 1 <= found <= MOST_THREADS:
        raise ParameterError(f"{name} is {n}, expected a whole number from 1 to {MOST_THREADS}.")
    return found
