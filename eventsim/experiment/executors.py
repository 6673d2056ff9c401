"""Executors by name: where the runs of an experiment are executed.

====================================  ========================================================
name                                  executor
====================================  ========================================================
``local``                             processes of this machine
``dask://HOST:PORT``                  the workers of a cluster of dask, by its scheduler
``slurm``, ``slurm?KEY=VALUE&...``    jobs of Slurm, one array for all runs, by submitit. The keys
                                      are parameters of ``submitit.AutoExecutor``, such as
                                      ``timeout_min``, ``mem_gb``, ``slurm_partition``;
                                      ``cluster=local`` tries it out without Slurm
====================================  ========================================================

The packages are extras. Each executor is closed when the context of :func:`open_executor` ends.
"""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from eventsim.errors import BackendError, ParameterError
from eventsim.extras import load

LOCAL, JOBS = "local", ".slurm"
NAMES = "local, dask://HOST:PORT, slurm or slurm?KEY=VALUE&..."
CLUSTER = "Is this a machine of the cluster, and are the parameters behind slurm? those it takes?"
CONNECT_SECONDS = 20
SLURM_POLL_SECONDS = 1.0
# Of a job of Slurm, unless the name says another; how often it may reach it and go on.
SLURM_MINUTES, SLURM_TIMEOUTS = 240, 50


@contextmanager
def open_executor(
    name: str, root: Path, *, threads: int | None = None
) -> Iterator[Executor | None]:
    """The executor of that name, for :func:`eventsim.experiment.run_all`.

    Parameters
    ----------
    name
        ``local``, ``dask://HOST:PORT`` or ``slurm``: see
        :mod:`eventsim.experiment.executors`.
    root
        Folder of the experiment or search. Jobs of Slurm are described, and write their logs, in
        its folder ``.slurm``.
    threads
        Cores that a job of Slurm asks for; None for one.

    Yields
    ------
    Executor or None
        None for ``local``: :func:`eventsim.experiment.run_all` has processes of its own.

    Raises
    ------
    ParameterError
        There is no such executor, or it does not take these parameters.
    BackendError
        A package is missing, or the cluster cannot be reached.
    """
    found = urlsplit(name)
    if name == LOCAL:
        yield None
    elif found.netloc and name.rstrip("/") == f"dask://{found.netloc}":
        with _dask(found.netloc) as executor:
            yield executor
    elif found.path == "slurm" and not found.scheme:
        with _slurm(found, root / JOBS, threads or 1) as executor:
            yield executor
    else:
        raise ParameterError("open_executor", f"executor is {name!r}", NAMES)


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    Client = load("distributed", "dask", "executor dask://", BackendError).Client
    try:
        client = Client(f"tcp://{address}", timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BackendError(
            f"dask://{address}",
            f"no scheduler of dask answers there ({error})",
            remedy="Start one: dask scheduler; its address is in its log.",
        ) from error
    with client:
        threads = client.nthreads()
        for worker, count in threads.items():
            if count > 1:
                raise ParameterError(
                    f"dask://{address}",
                    f"worker {worker} has {count} threads",
                    "1, so that a process has one run at a time",
                    "Start it with: dask worker --nthreads 1 --nworkers N.",
                )
        if not threads:
            logging.getLogger("eventsim").warning(
                "dask://%s has no worker yet; the runs wait until one comes.", address
            )
        executor = client.get_executor(pure=False)
        yield executor
        executor.shutdown()


@contextmanager
def _slurm(name: SplitResult, folder: Path, threads: int) -> Iterator["SlurmExecutor"]:
    submitit = load("submitit", "slurm", "executor slurm", BackendError)
    parameters = {"name": "eventsim", "timeout_min": SLURM_MINUTES, "cpus_per_task": threads}
    parameters |= {key: _value(text) for key, text in parse_qsl(name.query, True)}
    cluster = parameters.pop("cluster", "slurm")
    try:
        jobs = submitit.AutoExecutor(folder, cluster=cluster, slurm_max_num_timeout=SLURM_TIMEOUTS)
        jobs.update_parameters(**parameters)
    except RuntimeError as error:
        raise BackendError(name.geturl(), error, remedy=CLUSTER) from error
    # What submitit raises for a parameter that is unknown or has another type.
    except (NameError, AssertionError, ValueError, TypeError) as error:
        raise ParameterError(name.geturl(), error, "parameters that submitit knows") from error
    executor = SlurmExecutor(jobs)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False)


def _value(text: str) -> Any:
    """A number or a truth value, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


class SlurmExecutor(Executor):
    """The jobs of an executor of submitit as futures.

    A future is done when its job is done; it does not report that the job runs. Cancelling it
    cancels the job. A job that reaches its time limit, or is preempted, is queued again and called
    again.
    """

    def __init__(self, jobs: Any):
        self._jobs = jobs
        self._batch: dict[Future[Any], Any] | None = None
        self._watched: dict[Future[Any], Any] = {}
        self._over = Event()
        self._watcher = Thread(target=self._watch, name="slurm", daemon=True)
        self._watcher.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """As :meth:`concurrent.futures.Executor.submit`; BackendError if Slurm does not take it."""
        future: Future[Any] = Future()
        with _taken():
            job = self._jobs.submit(_Requeued(fn), *args, **kwargs)
        # submitit tells nothing of a job before its batch has ended.
        (self._watched if self._batch is None else self._batch)[future] = job
        return future

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Submit the jobs of the context as one array job at its end, or raise BackendError."""
        self._batch = {}
        try:
            with _taken(), self._jobs.batch():
                yield
            self._watched.update(self._batch)
        finally:
            self._batch = None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As :meth:`concurrent.futures.Executor.shutdown`."""
        if cancel_futures:
            for future in list(self._watched):
                future.cancel()
        if wait:
            wait_for(list(self._watched))
        self._over.set()
        self._watcher.join()
        self._look()  # some may have been cancelled since

    def _watch(self) -> None:
        while not self._over.wait(SLURM_POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        for future, job in list(self._watched.items()):
            if future.cancelled():
                future.set_running_or_notify_cancel()
                job.cancel(check=False)
            elif not job.done():
                continue
            elif future.set_running_or_notify_cancel():
                _hand_over(job, future)
            del self._watched[future]


@contextmanager
def _taken() -> Iterator[None]:
    """Say it in one way if Slurm does not take what is submitted inside."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        yield
    except (FailedJobError, FailedSubmissionError) as error:
        raise BackendError("slurm", f"does not take the jobs: {error}", remedy=CLUSTER) from error


def _hand_over(job: Any, future: "Future[Any]") -> None:
    """Result or error of a job that is done."""
    try:
        error = job.exception()
        if error is None:
            future.set_result(job.result())
            return
    except Exception as failed:  # whatever it is, the parent waits for the future
        error = failed
    future.set_exception(error)


@dataclass(frozen=True)
class _Requeued:
    """A function that may be called again: what it wrote by then is what it goes on from."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def checkpoint(self, *args: Any, **kwargs: Any) -> Any:
        """The submission that submitit queues again when the time is over."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *args, **kwargs)
