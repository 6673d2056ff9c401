"""Runs in processes of their own: several at a time, those that are missing, none lost by another.

Every run has a fresh process, so that its peak of memory is its own and a crash ends nothing else.
An interrupt is for this process alone (the others are no part of the terminal's group): it passes
it on once, they end their batch, write a checkpoint and leave; a second interrupt is passed on too,
and stops them at once.
"""

import fcntl
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Literal, Protocol

from eventsim.engine.registry import set_threads
from eventsim.errors import ParameterError, StorageError
from eventsim.events.storage import write_atomically
from eventsim.runs.execution import Execution, execute
from eventsim.runs.settings import RunSettings, check_same_run
from eventsim.train import TrainEvent
from eventsim.train.folder import ERROR, RESULT, RunFolder
from eventsim.train.loop import Callback

# What libraries look at when they start.
THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
POLL_SECONDS = 0.5
LOCK = ".lock"
End = Literal["done", "failed", "stopped"]


@dataclass(frozen=True)
class Ended:
    """How a run ended: ``text`` is the error of one that failed."""

    kind: End
    text: str = ""


class Observer(Protocol):
    """Who is told of the runs."""

    def started(self, spec: RunSettings) -> None:
        """Its process was started."""

    def advanced(self, spec: RunSettings, event: TrainEvent) -> None:
        """A batch or an epoch is done."""

    def ended(self, spec: RunSettings, how: Ended) -> None:
        """Its process is gone."""


def folder_of(root: Path, spec: RunSettings) -> Path:
    """Where a run lives."""
    return root / spec.label


def missing(specs: Sequence[RunSettings], root: Path) -> list[RunSettings]:
    """Those that are not done.

    Raises
    ------
    StorageError
        A folder holds a run of other settings, done or not: nothing should be started.
    """
    for spec in specs:
        check_same_run(folder_of(root, spec), spec)
    return [spec for spec in specs if not (folder_of(root, spec) / RESULT).exists()]


def run_all(
    specs: Sequence[RunSettings],
    root: Path,
    observer: Observer,
    *,
    jobs: int = 1,
    threads: int | None = None,
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
        Of each process; None for an equal share of the cores.

    Returns
    -------
    dict
        How each ended, by :attr:`RunSettings.label`.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, when all processes have left.
    """
    if jobs < 0 or (threads is not None and threads < 1):
        raise ParameterError(f"jobs is {jobs}, threads {threads}, expected jobs >= 0, threads >= 1")
    if jobs == 0:
        return _run_here(specs, root, observer)
    share = threads or max(_cores() // jobs, 1)
    pool = _Pool(root, observer, share)
    waiting = list(specs)
    try:
        while waiting or pool.running:
            while waiting and len(pool.running) < jobs:
                pool.start(waiting.pop(0))
            pool.listen()
    except KeyboardInterrupt:
        pool.stop()
        raise
    return pool.ended


def _run_here(specs: Sequence[RunSettings], root: Path, observer: Observer) -> dict[str, Ended]:
    found = {}
    for spec in specs:
        observer.started(spec)
        callback = partial(observer.advanced, spec)
        how = _attempt(spec, folder_of(root, spec), callback, own_process=False)
        observer.ended(spec, how)
        if how.kind == "stopped":
            raise KeyboardInterrupt
        found[spec.label] = how
    return found


def _attempt(spec: RunSettings, folder: Path, callback: Callback, *, own_process: bool) -> Ended:
    """Execute; what goes wrong becomes a text, here and in the run's folder."""
    try:
        (folder / ERROR).unlink(missing_ok=True)
        going_on = RunFolder(folder).holds_run
        how = Execution(resume=going_on, callback=callback, own_process=own_process)
        execute(spec, folder, how)
    except KeyboardInterrupt:
        return Ended("stopped")
    except Exception as error:  # whatever it is, it must not end the other runs
        write_atomically(folder / ERROR, traceback.format_exc())
        return Ended("failed", f"{type(error).__name__}: {error}")
    return Ended("done")


class _Pool:
    """The processes that run now, and how the others ended."""

    def __init__(self, root: Path, observer: Observer, threads: int):
        self.running: dict[Connection, tuple[RunSettings, SpawnProcess]] = {}
        self.ended: dict[str, Ended] = {}
        self._root, self._observer, self._threads = root, observer, threads
        self._context = get_context("spawn")

    def start(self, spec: RunSettings) -> None:
        """Start the process of a run."""
        ours, theirs = self._context.Pipe(duplex=False)
        folder = folder_of(self._root, spec)
        process = self._context.Process(
            target=_work, args=(spec, folder, self._threads, theirs), daemon=True
        )
        with _environment(self._threads), _without_interrupts():
            process.start()
        theirs.close()
        self.running[ours] = spec, process
        self._observer.started(spec)

    def listen(self) -> None:
        """Hear what the processes tell, for a moment."""
        for ours in wait(list(self.running), timeout=POLL_SECONDS):
            assert isinstance(ours, Connection)
            spec, process = self.running[ours]
            try:
                told = ours.recv()
            except EOFError:
                process.join()
                self._end(ours, Ended("failed", _died(process.exitcode)))
                continue
            if isinstance(told, Ended):
                process.join()
                self._end(ours, told)
            else:
                self._observer.advanced(spec, told)

    def stop(self) -> None:
        """Pass an interrupt on, and wait until all have written their state and left."""
        while self.running:
            for _, process in self.running.values():
                if process.pid is not None and process.is_alive():
                    os.kill(process.pid, signal.SIGINT)
            try:
                while self.running:
                    self.listen()
            except KeyboardInterrupt:
                continue

    def _end(self, ours: Connection, how: Ended) -> None:
        spec, _ = self.running.pop(ours)
        ours.close()
        if how.kind == "failed" and not (folder_of(self._root, spec) / ERROR).exists():
            write_atomically(folder_of(self._root, spec) / ERROR, how.text + "\n")
        self.ended[spec.label] = how
        self._observer.ended(spec, how)


def _work(spec: RunSettings, folder: Path, threads: int, parent: Connection) -> None:
    """What a process does."""
    os.setpgrp()
    # A terminal's interrupt that came before is met here, once there is somebody to tell.
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        if spec.grid is None:
            set_threads(threads, backend=spec.train.backend)
        how = _attempt(spec, folder, partial(_tell, parent), own_process=True)
    except KeyboardInterrupt:
        how = Ended("stopped")
    parent.send(how)


def _tell(parent: Connection, event: TrainEvent) -> None:
    """Pass an event on, without the network: it would be copied after every batch."""
    parent.send(replace(event, net=None))


def _died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}; out of memory is one cause of SIGKILL"
    return f"its process left with code {code} and told nothing"


def _cores() -> int:
    """Those that this process may use, or fewer if Numba was told so."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(found or 1, int(told)) if told.isdigit() else found or 1


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
def _environment(threads: int) -> Iterator[None]:
    """Let processes that are started inside have so many threads."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold interrupts back: processes that are started inside begin so."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
