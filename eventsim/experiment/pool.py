"""The missing runs of an experiment, by an executor, several at a time; none stops another.

:mod:`eventsim.experiment.workers` says who executes them, and how parent and runs meet.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from eventsim.engine.contract.registry import set_threads
from eventsim.experiment.workers import Assignment, Capacity, Ended, Follower, employed
from eventsim.runs.execution import Execution, execute
from eventsim.runs.settings import RunSettings, check_same_run
from eventsim.train.folder import HISTORY, RESULT, RunFolder


class Observer(Follower[RunSettings], Protocol):
    """Observer of the runs, called in the thread that called :func:`run_all`."""


def missing(specs: Sequence[RunSettings], root: Path) -> list[RunSettings]:
    """Runs that are not done; the folder of a run is ``root / spec.label``.

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
    """Run everything that has no result; a run that fails does not stop the others.

    Parameters
    ----------
    specs
        The runs.
    root
        Folder of the experiment; each run has its own in it.
    observer
        Called at every step.
    jobs
        Processes at a time; 0: in this process, one after the other, where a debugger can follow.
    threads
        Of each run; None for an equal share of the cores here, for one with an executor.
    executor
        Executes the runs in place of ``jobs``, such as one of :func:`open_executor`; it is not shut
        down. Its workers must see ``root`` and import eventsim. A worker that dies fails all runs
        of a ``ProcessPoolExecutor``: they go on from their checkpoints when they are run again.

    Returns
    -------
    dict
        How each ended, by :attr:`RunSettings.label`.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, when all runs have left.
    """
    with employed(root, observer, Capacity(jobs, threads, executor)) as workers:
        workers.submit([_assignment(spec, root, workers.threads) for spec in specs])
        return {spec.label: how for spec, how in workers.follow()}


def _assignment(spec: RunSettings, root: Path, threads: int | None) -> Assignment[RunSettings]:
    folder = root / spec.label
    return Assignment(spec, folder, partial(_run, spec, threads), [folder / HISTORY])


def _run(spec: RunSettings, threads: int | None, folder: Path, how: Execution) -> None:
    """Execute a run, or what is left of it."""
    if (folder / RESULT).exists():
        return  # another worker, which counted as dead, has brought it to its end
    if threads is not None and spec.grid is None:
        set_threads(threads, backend=spec.train.backend)
    execute(spec, folder, replace(how, resume=RunFolder(folder).holds_run))
