"""What becomes of kernels after a fork: an error that says what to do, in place of a death.

GNU's OpenMP cannot go on in a child of a process in which it has threads. Numba ends such a child
with a signal, and whoever waits for its result waits for ever; so the child is told before. The
other layers survive a fork, but ``tbb`` is a package of its own, and ``workqueue`` does not survive
two threads of Python that call kernels at once.
"""

import os
from functools import update_wrapper
from typing import Any

import numba
from numba.np.ufunc.parallel import threading_layer

from eventsim.engine.cpu.threads import n_threads
from eventsim.errors import BackendError

_FORKED = False


class CompiledKernel:
    """A compiled kernel; every call from Python goes through here."""

    def __init__(self, compiled: Any):
        self._compiled = compiled
        update_wrapper(self, compiled.py_func)

    def __call__(self, *arguments: Any) -> Any:
        """Run it. Raises BackendError where OpenMP would end the process."""
        if _FORKED:
            raise BackendError(
                "Backend 'cpu': this process was forked from one in which kernels had started "
                "threads, where OpenMP cannot go on. Start processes with "
                "multiprocessing.get_context('spawn'), or fork before the first run."
            )
        numba.set_num_threads(min(n_threads(), numba.config.NUMBA_NUM_THREADS))
        return self._compiled(*arguments)

    @property
    def signatures(self) -> list[Any]:
        """Types for which it was compiled or loaded."""
        return list(self._compiled.signatures)


def _mark() -> None:
    """Remember, in a child, that its parent had threads."""
    global _FORKED
    try:
        _FORKED = _FORKED or threading_layer() == "omp"
    except ValueError:  # no layer was started
        return


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark)
