"""How many processors this process may use, and how many threads compiled kernels use.

As many as :func:`set_threads` says; else as the variable ``EVENTSIM_THREADS``; else as many as
processors that this process may use.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from eventsim.errors import ParameterError

# More than any machine of now has processors.
MOST_THREADS = 1024

# Read in its place where it is set: in this version for the last time.
_OLD = "NUMBA_NUM_THREADS"

# Events below which a call that does little with each runs on one thread. To wake a thread takes
# some 0.1 ms, in which one goes through 5,000 to 30,000 of them.
SMALL_EVENTS = 50_000

_chosen: int | None = None
_alone = ContextVar("alone", default=False)  # of each thread of Python


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


def n_threads() -> int:
    """Number of threads that kernels use now.

    Raises ParameterError (``EVENTSIM_THREADS`` is no number of threads).
    """
    if _alone.get():
        return 1
    return threads_asked() if _chosen is None else _chosen


def set_threads(n: int) -> None:
    """Let kernels use ``n`` threads from now on, in all threads of this process."""
    global _chosen
    _chosen = checked_threads(n, "threads")


def threads_through(n_events: int) -> int:
    """Number of threads of a call that goes through so many events once."""
    return 1 if n_events < SMALL_EVENTS else n_threads()


@contextmanager
def one_thread(wanted: bool) -> Iterator[None]:
    """Let kernels that are called from this thread use one thread, if that is wanted."""
    token = _alone.set(_alone.get() or wanted)
    try:
        yield
    finally:
        _alone.reset(token)
