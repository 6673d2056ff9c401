"""Work in folders, done by an executor here or elsewhere, and observed through files.

By default every piece of work has a fresh process, so that its peak of memory is its own and a
crash ends nothing else. Any other :class:`concurrent.futures.Executor` takes the work as well, on
this machine or on others that share the folder: see :mod:`eventsim.experiment.executors`.

Parent and workers communicate by files only, because an executor need not report what has begun,
and its ``cancel`` need not stop what is running:

===================  =======================================================================
file                 who writes it, and what it says
===================  =======================================================================
ROOT/.stop           the parent: stop. Workers look for it after every batch, write a
                     checkpoint and stop
FOLDER/.lock         the worker, as long as it works there: nobody else may. Its lines are the
                     call of the parent for which it works, so that the parent knows what has
                     begun, and host and process of the worker
FOLDER/error.txt     the worker, or the parent if the worker died: what went wrong
FOLDER/.../          the worker: one line for every epoch, which the parent tells its observer
metrics.jsonl
===================  =======================================================================

The lock is that of :mod:`eventsim.folders`. A worker that finds the folder locked waits: an
executor may have given the work of a slow worker to a second one, and workers of a killed command
may still run.
"""

import json
import logging
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
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
from typing import Generic, Literal, Protocol, TypeVar
from uuid import uuid4

from eventsim.errors import ParameterError, StorageError
from eventsim.events.storage import write_atomically
from eventsim.experiment.executors import SlurmExecutor
from eventsim.folders import LOCK, locked
from eventsim.processors import threads_asked
from eventsim.runs.execution import Execution
from eventsim.train import TrainEvent
from eventsim.train.checkpoint import Metrics
from eventsim.train.folder import ERROR

# What libraries look at when they start.
THREAD_VARIABLES = (
    "EVENTSIM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
POLL_SECONDS = 0.5
STOP = ".stop"
End = Literal["done", "failed", "stopped"]
Work = Callable[[Path, Execution], float | None]
"""What is done in a folder, by a process that unpickles it; its value comes back."""
Key = TypeVar("Key")
KeyToTell = TypeVar("KeyToTell", contravariant=True)


@dataclass(frozen=True)
class Ended:
    """End of a piece of work: ``text`` is the error of one that failed, ``value`` its value."""

    kind: End
    text: str = ""
    value: float | None = None

    @property
    def failed(self) -> bool:
        """Whether an error ended it, also one without a text."""
        return self.kind == "failed"


class Follower(Protocol[KeyToTell]):
    """Observer of the work, called in the thread that follows it."""

    def started(self, key: KeyToTell, /) -> None:
        """The work is being executed."""

    def advanced(self, key: KeyToTell, metrics: Metrics, /) -> None:
        """An epoch is done: its line of metrics.jsonl, those of before a resumption included."""

    def ended(self, key: KeyToTell, how: Ended, /) -> None:
        """The work is executed no longer."""


@dataclass(frozen=True, eq=False)
class Assignment(Generic[Key]):
    """A piece of work."""

    key: Key  # what the follower knows it by
    folder: Path  # its own
    work: Work  # called with the folder and how to execute; picklable
    histories: Sequence[Path]  # its files of metrics, in the order in which they are written


@dataclass(frozen=True)
class _Command:
    """Values that all workers of one call of the parent share."""

    token: str
    root: Path
    home: Path  # the folder in which the command was typed: relative paths of settings mean it
    own_process: bool


@dataclass(frozen=True)
class Capacity:
    """Processes or an executor for the work.

    Attributes
    ----------
    jobs
        Processes at a time; 0: this process, one piece after the other, where a debugger can
        follow. Of a search also with an executor: trials at a time.
    threads
        Of each process; None for an equal share of the cores here, for one with an executor.
    executor
        Does the work in place of processes of this machine; it is not shut down.
    """

    jobs: int = 1
    threads: int | None = None
    executor: Executor | None = None

    def __post_init__(self) -> None:
        if self.jobs < 0 or (self.threads is not None and self.threads < 1):
            came = f"(jobs, threads) is {(self.jobs, self.threads)}"
            raise ParameterError("Capacity", came, "jobs >= 0, threads >= 1")


@contextmanager
def employed(root: Path, follower: Follower[Key], capacity: Capacity) -> Iterator["Workers[Key]"]:
    """Workers in the folder ``root``, as long as the context lasts; an exception ends them."""
    jobs, threads, executor = capacity.jobs, capacity.threads, capacity.executor
    separate = executor is None and jobs > 0
    if separate:
        threads = threads or max(threads_asked() // jobs, 1)
    elif executor is not None:
        threads = threads or 1
    fresh = separate or isinstance(executor, SlurmExecutor)
    # A process that dies breaks its executor: each run has one of its own, waited for by a thread.
    # Processes inherit the thread's mask: the terminal's interrupt is for this process alone.
    hold = partial(signal.pthread_sigmask, signal.SIG_BLOCK, [signal.SIGINT])
    own = ThreadPoolExecutor(max(jobs, 1), initializer=hold)
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    (root / STOP).unlink(missing_ok=True)
    call = _Command(uuid4().hex, root, Path.cwd(), fresh)
    with (
        _environment(threads if fresh else None),
        nullcontext(executor) if executor else own as pool,
    ):
        attempt = _in_own_process if separate else _attempt
        workers = Workers(pool, follower, call, threads, attempt)
        try:
            yield workers
        except BaseException:
            workers.stop()
            raise


class Workers(Generic[Key]):
    """Work of an executor: what is left, and how the rest ended; made by :func:`employed`.

    After ``stopping``, when the workers were asked to leave, nothing more may be submitted.
    """

    def __init__(
        self,
        pool: Executor,
        follower: Follower[Key],
        call: _Command,
        threads: int | None,
        attempt: Callable[[Work, Path, _Command], Ended],
    ):
        self.threads, self.stopping = threads, False
        self._pool, self._follower, self._call, self._attempt = pool, follower, call, attempt
        self._running: dict[Future[Ended], Assignment[Key]] = {}
        self._epochs: dict[Future[Ended], int] = {}  # that the follower knows of
        self._ended: list[tuple[Key, Ended]] = []

    def submit(self, assignments: Sequence[Assignment[Key]]) -> None:
        """Give them to the executor; to Slurm as one array job."""
        with self._pool.batch() if isinstance(self._pool, SlurmExecutor) else nullcontext():
            for one in assignments:
                folder = one.folder.absolute()
                future = self._pool.submit(self._attempt, one.work, folder, self._call)
                self._running[future] = one

    def follow(self) -> list[tuple[Key, Ended]]:
        """Tell the follower of all that happens, until no work is left.

        Returns
        -------
        list
            How every piece of work ended, by its key, in this order.
        """
        while self._running:
            wait(self._running, POLL_SECONDS, FIRST_COMPLETED)
            for future, one in list(self._running.items()):
                if future.running() or future.done() or self._begun(one):
                    self._look(future, one)
        return self._ended

    def stop(self) -> None:
        """Ask the workers to leave, and wait until they have."""
        self.stopping = True
        stop = self._call.root / STOP
        stop.touch()
        for future, one in list(self._running.items()):
            # The futures of dask can be cancelled while their work goes on.
            if not self._begun(one) and future.cancel():
                del self._running[future]
        self.follow()
        stop.unlink(missing_ok=True)

    def _begun(self, one: Assignment[Key]) -> bool:
        """Whether a worker has taken the folder for this call."""
        try:
            return (one.folder / LOCK).read_text("utf-8").startswith(self._call.token)
        except FileNotFoundError:
            return False

    def _look(self, future: "Future[Ended]", one: Assignment[Key]) -> None:
        done = future.done()
        if future not in self._epochs:
            self._epochs[future] = 0
            self._follower.started(one.key)
        lines = [
            line
            for path in one.histories
            if path.exists()
            for line in path.read_text("utf-8").splitlines()
        ]
        for line in lines[self._epochs[future] :]:
            self._epochs[future] += 1
            self._follower.advanced(one.key, json.loads(line))
        if done:
            del self._running[future], self._epochs[future]
            how = self._how(future, one.folder / ERROR)
            self._ended.append((one.key, how))
            self._follower.ended(one.key, how)

    def _how(self, future: "Future[Ended]", report: Path) -> Ended:
        if future.cancelled():
            text = more = "its executor gave it up: the cluster was closed, or cannot be reached"
        elif (error := future.exception()) is not None:
            more = f"{type(error).__name__}: {error}"
            text = f"its process died; out of memory is one cause ({more.splitlines()[0]})"
        else:
            return future.result()
        write_atomically(report, f"{text}\n{more}\n")
        return Ended("failed", text)


def _in_own_process(work: Work, folder: Path, call: _Command) -> Ended:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_attempt, work, folder, call).result()


def _attempt(work: Work, folder: Path, call: _Command) -> Ended:
    """Do the work; what goes wrong becomes a text, here and in the folder."""

    def leave_if_asked(event: TrainEvent | None = None) -> None:
        if (call.root / STOP).exists():
            raise KeyboardInterrupt

    if call.own_process:  # the terminal shows the bars of the parent; files tell the rest
        logging.getLogger("eventsim").setLevel(logging.ERROR)
    try:
        _settle(call)
        leave_if_asked()
        with locked(folder, token=call.token, busy=leave_if_asked):
            (folder / ERROR).unlink(missing_ok=True)
            how = Execution(callback=leave_if_asked, own_process=call.own_process)
            return Ended("done", value=work(folder, how))
    except KeyboardInterrupt:
        return Ended("stopped")
    except Exception as error:  # whatever it is, it must not end the other work
        if call.root.is_dir():
            write_atomically(folder / ERROR, traceback.format_exc())
        return Ended("failed", f"{type(error).__name__}: {error}")


def _settle(call: _Command) -> None:
    """Go where the parent is; StorageError if this machine does not see the folder of the work."""
    if not call.root.is_dir():
        raise StorageError(
            socket.gethostname(),
            f"there is no folder {call.root}",
            remedy="A worker on another machine must see it under the same path: choose --out in "
            "a file system that they share.",
        )
    if Path.cwd() != call.home and call.home.is_dir():
        os.chdir(call.home)


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
