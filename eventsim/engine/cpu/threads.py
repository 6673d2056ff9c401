"""Number of threads of the cpu backend.

As :func:`set_threads` says; else as the variable ``EVENTSIM_THREADS``; else as many as processors
that this process may use.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from eventsim.arrays import Ints
from eventsim.engine.contract.job import Job
from eventsim.processors import checked_threads, threads_asked

# Neuron-events below which one thread is used. In the network of bench/macro/w1.py, with fewer
# neurons, two threads took 1.2 times as long as one for 100,000 of them, 0.9 times for 400,000.
SMALL_WORK = 300_000

# The same of events, for calls that do little with each. To wake a thread takes some 0.1 ms, in
# which one goes through 5,000 to 30,000 of them.
SMALL_EVENTS = 50_000

_chosen: int | None = None
_alone = ContextVar("alone", default=False)  # of each thread of Python


@contextmanager
def threads_for(job: Job) -> Iterator[None]:
    """Run a small job on one thread: waking others takes longer than its work."""
    work = job.stage.population.size * sum(source.times.size for source in job.sources)
    token = _alone.set(_alone.get() or work < SMALL_WORK)
    try:
        yield
    finally:
        _alone.reset(token)


def dealt(work: Ints) -> Ints:
    """Order of tasks in which the threads of now, which take equal runs of them, have equal work.

    The longest come first and are dealt out to and fro. ``work`` is that of every task. Of 32
    recordings of spoken digits, 8 threads have 7 % more than the mean at most, not 27 %.
    """
    n = n_threads()
    if n == 1 or work.size <= n:
        return np.arange(work.size)
    rounds = -(-work.size // n)
    hands = np.full((rounds, n), -1)
    hands.reshape(-1)[: work.size] = np.argsort(-work, kind="stable")
    hands[1::2] = hands[1::2, ::-1].copy()
    order: Ints = hands.T.ravel()
    return order[order >= 0]


def threads_through(n_events: int) -> int:
    """Number of threads of a call that goes through so many events once."""
    return 1 if n_events < SMALL_EVENTS else n_threads()


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
