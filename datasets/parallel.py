"""A function of many items, on all processors this process may use.

Threads, not processes: what takes the time (transforms, filters, powers of arrays) lets other
threads run, and threads need neither a fork, which is unsafe beside the threads of a simulation,
nor a main module that can be imported.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from eventsim.processors import n_processors

A = TypeVar("A")
B = TypeVar("B")


def mapped(function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """``function`` of every item, in order; few results are held that nobody has taken."""
    workers = n_processors()
    waiting: deque[Future[B]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
