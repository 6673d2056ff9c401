"""Runs by an executor: several at a time, those that are missing, none lost by another.

By default every run has a fresh process, so that its peak of memory is its own and a crash ends
nothing else. Any other :class:`concurrent.futures.Executor` takes the runs as well, on this machine
or on others that share the folder. Parent and runs meet in files only: the parent reads
``metrics.jsonl`` of each run, and the runs look after every batch for a file that asks them to
stop. They then write a checkpoint and leave.
"""

import fcntl
import json
import logging
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, Protocol

from eventsim.datasets.parallel import n_processors
from eventsim.engine.registry import set_threads
from eventsim.errors import ParameterError, StorageError
from eventsim.events.storage import write_atomically
from eventsim.runs.execution import Execution, execute
from eventsim.runs.settings import RunSettings, check_same_run
from eventsim.train import TrainEvent
from eventsim.train.checkpoint import Metrics
from eventsim.train.folder import ERROR, HISTORY, RESULT, RunFolder

# What libraries look at when they start.
THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
POLL_SECONDS = 0.5
LOCK, STOP = ".lock", ".stop"
End = Literal["done", "failed", "stopped"]


@dataclass(frozen=True)
class Ended:
    """How a run ended: ``text`` is the error of one that failed."""

    kind: End
    text: str = ""


class Observer(Protocol):
    """Who is told of the runs, in the thread that called :func:`run_all`."""

    def started(self, spec: RunSettings) -> None:
        """It is being executed."""

    def advanced(self, spec: RunSettings, metrics: Metrics) -> None:
        """An epoch is done: its line of metrics.jsonl, those of before a resumption included."""

    def ended(self, spec: RunSettings, how: Ended) -> None:
        """It is executed no longer."""


def missing(specs: Sequence[RunSettings], root: Path) -> list[RunSettings]:
    """Those that are not done; the folder of a run is ``root / spec.label``.

    Raises
    ------
    StorageError
        A folder holds a run of other settings, done or not: nothing should be started.
    """
    for spec in specs:
        check_same_run(root / spec.label, spec)
    return [spec for spec in specs if not (root / spec.label / RESULT).exists()]


def run_all(
    specs: Sequence[RunSettings],
    root: Path,
    observer: Observer,
    *,
    jobs: int = 1,
    threads: int | None = None,
    executor: Executor | None = None,
) -> dict[str, Ended]:
    """Run everything, and go on when one fails.

    Parameters
    ----------
    specs
        The runs.
    root
        Folder of the experiment; each run has its own in it.
    observer
        Told of every step.
    jobs
        Processes at a time; 0: in this process, one after the other, where a debugger can follow.
    threads
        Of each run; None for an equal share of the cores.
    executor
        Executes the runs in place of ``jobs``; it is not shut down. Its workers must see ``root``
        and import eventsim. A worker that dies fails all runs of a ``ProcessPoolExecutor``: they go
        on from their checkpoints when they are run again.

    Returns
    -------
    dict
        How each ended, by :attr:`RunSettings.label`.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, when all runs have left.
    """
    if jobs < 0 or (threads is not None and threads < 1):
        raise ParameterError(f"jobs is {jobs}, threads {threads}, expected jobs >= 0, threads >= 1")
    separate = executor is None and jobs > 0
    if separate:
        cores = int(os.environ.get("NUMBA_NUM_THREADS") or n_processors())
        threads = threads or max(cores // jobs, 1)
    # A process that dies breaks its executor: each run has one of its own, waited for by a thread.
    # Processes inherit the thread's mask: the terminal's interrupt is for this process alone.
    hold = partial(signal.pthread_sigmask, signal.SIG_BLOCK, [signal.SIGINT])
    own = ThreadPoolExecutor(max(jobs, 1), initializer=hold)
    work = _in_own_process if separate else _attempt
    (root / STOP).unlink(missing_ok=True)
    with (
        _environment(threads if separate else None),
        nullcontext(executor) if executor else own as pool,
    ):
        runs = _Runs(root, observer, {pool.submit(work, s, root, threads): s for s in specs})
        try:
            runs.follow()
        except BaseException:
            runs.stop()
            raise
    return runs.ended


def _in_own_process(spec: RunSettings, root: Path, threads: int | None) -> Ended:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_attempt, spec, root, threads, own_process=True).result()


def _attempt(
    spec: RunSettings, root: Path, threads: int | None, *, own_process: bool = False
) -> Ended:
    """Execute; what goes wrong becomes a text, here and in the run's folder."""
    folder = root / spec.label

    def leave_if_asked(event: TrainEvent | None = None) -> None:
        if (root / STOP).exists():
            raise KeyboardInterrupt

    if own_process:  # the terminal shows the bars of the parent; run.json and metrics.jsonl tell
        logging.getLogger("eventsim").setLevel(logging.ERROR)
    try:
        leave_if_asked()
        if threads is not None and spec.grid is None:
            set_threads(threads, backend=spec.train.backend)
        (folder / ERROR).unlink(missing_ok=True)
        going_on = RunFolder(folder).holds_run
        how = Execution(resume=going_on, callback=leave_if_asked, own_process=own_process)
        execute(spec, folder, how)
    except KeyboardInterrupt:
        return Ended("stopped")
    except Exception as error:  # whatever it is, it must not end the other runs
        write_atomically(folder / ERROR, traceback.format_exc())
        return Ended("failed", f"{type(error).__name__}: {error}")
    return Ended("done")


class _Runs:
    """The runs that an executor has, and how the others ended."""

    def __init__(
        self, root: Path, observer: Observer, running: dict["Future[Ended]", RunSettings]
    ) -> None:
        self.ended: dict[str, Ended] = {}
        self._root, self._observer, self._running = root, observer, running
        self._epochs: dict[str, int] = {}  # that the observer knows of, by label

    def follow(self) -> None:
        """Tell the observer of all that happens, until no run is left."""
        while self._running:
            wait(self._running, POLL_SECONDS, FIRST_COMPLETED)
            for future, spec in list(self._running.items()):
                if future.running() or future.done():
                    self._look(future, spec)

    def stop(self) -> None:
        """Ask the runs to leave, and wait until they have."""
        (self._root / STOP).touch()
        self._running = {f: spec for f, spec in self._running.items() if not f.cancel()}
        self.follow()
        (self._root / STOP).unlink()

    def _look(self, future: "Future[Ended]", spec: RunSettings) -> None:
        label, done = spec.label, future.done()
        if label not in self._epochs:
            self._epochs[label] = 0
            self._observer.started(spec)
        path = self._root / label / HISTORY
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        for line in lines[self._epochs[label] :]:
            self._epochs[label] += 1
            self._observer.advanced(spec, json.loads(line))
        if done:
            del self._running[future]
            self.ended[label] = how = self._how(future, self._root / label / ERROR)
            self._observer.ended(spec, how)

    def _how(self, future: "Future[Ended]", report: Path) -> Ended:
        error = future.exception()
        if error is None:
            return future.result()
        text = f"its process died; out of memory is one cause ({type(error).__name__}: {error})"
        write_atomically(report, text + "\n")
        return Ended("failed", text)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep the folder of an experiment for this process; the system lets it go when it ends.

    Raises
    ------
    StorageError
        Another process has it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with open(root / LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(
                f"{root}: another process runs this experiment ({error}). Wait until it has ended, "
                "or choose another --out."
            ) from error
        yield


@contextmanager
def _environment(threads: int | None) -> Iterator[None]:
    """Let processes that are started inside have so many threads."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)) if threads else {})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
