"""Division of a job's work among the threads of kernels."""

from contextlib import AbstractContextManager

import numpy as np

from eventsim.arrays import Ints
from eventsim.engine.contract.job import Job
from eventsim.processors import n_threads, one_thread

# Neuron-events below which one thread is used. In the network of bench/macro/w1.py, with fewer
# neurons, two threads took 1.2 times as long as one for 100,000 of them, 0.9 times for 400,000.
SMALL_WORK = 300_000


def threads_for(job: Job) -> AbstractContextManager[None]:
    """Run a small job on one thread: waking others takes longer than its work."""
    work = job.stage.population.size * sum(source.times.size for source in job.sources)
    return one_thread(work < SMALL_WORK)


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
