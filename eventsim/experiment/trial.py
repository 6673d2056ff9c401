"""One trial of a search, and the journal in which Optuna keeps all of them.

The parent draws values and says how a trial ended; the worker that trains reports the accuracy
after every epoch, and asks whether the trial is worth going on. Both do so in the journal, a file
that is only ever appended to, under Optuna's lock.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eventsim.engine.contract.registry import set_threads
from eventsim.experiment.reading import RecipeError
from eventsim.extras import load
from eventsim.runs.execution import Execution, train_run
from eventsim.runs.settings import RunSettings
from eventsim.train import TrainEvent
from eventsim.train.folder import HISTORY, RunFolder
from eventsim.train.loop import Callback

# Trials before any is given up, and epochs of each.
STARTUP_TRIALS, WARMUP_EPOCHS = 5, 2


@dataclass(frozen=True, eq=False)
class Trial:
    """The training of a trial's values, once per seed: what a worker does."""

    journal: Path  # file of the study
    number: int  # of the trial in it
    settings: RunSettings  # of the runs, but for the seed
    seeds: tuple[int, ...]  # one after the other, each in a folder of its own
    threads: int | None  # of the backend; None for those that the process has

    def histories(self, folder: Path) -> list[Path]:
        """Files of metrics, in the order of the seeds."""
        return [home / HISTORY for home in self._homes(folder)]

    def __call__(self, folder: Path, how: Execution) -> float | None:
        """Mean validation accuracy after the last epoch; None if the trial was given up."""
        optuna = import_optuna()
        if self.threads is not None and self.settings.grid is None:
            set_threads(self.threads, backend=self.settings.train.backend)
        study, data, found = _study(self.journal, "load_study"), self.settings.data, []
        trial = optuna.trial.Trial(study, study.trials[self.number]._trial_id)
        assert data is not None
        training = data.labelled("train")
        try:
            for turn, (seed, home) in enumerate(zip(self.seeds, self._homes(folder), strict=True)):
                chosen = replace(self.settings, train=replace(self.settings.train, seed=seed))
                report = _reporting(trial, turn * chosen.train.epochs, how.callback)
                resume = RunFolder(home).holds_run
                run = train_run(
                    chosen, home, training, replace(how, resume=resume, callback=report)
                )
                found.append(float(run.history[-1]["validation_accuracy"]))
        except optuna.TrialPruned:
            return None
        return sum(found) / len(found)

    def _homes(self, folder: Path) -> list[Path]:
        return [folder / f"seed-{seed}" for seed in self.seeds]


def _reporting(trial: Any, epochs_before: int, watch: Callback | None) -> Callback:
    from optuna import TrialPruned

    # A worker that died may have told of some already.
    known = set(trial.study.trials[trial.number].intermediate_values)

    def report(event: TrainEvent) -> None:
        if watch is not None:
            watch(event)
        if event.ends_epoch:
            step = epochs_before + event.epoch
            if step not in known:
                trial.report(event.metrics["validation_accuracy"], step)
            if trial.should_prune():
                raise TrialPruned

    return report


def make_study(journal: Path) -> Any:
    """The study of that journal, new or of before.

    Raises RecipeError (Optuna is missing).
    """
    import_optuna()
    _mend(journal)
    return _study(journal, "create_study", direction="maximize", load_if_exists=True)


def _study(journal: Path, how: str, **options: Any) -> Any:
    optuna = import_optuna()
    # Optuna's lock is a link to this path: a relative one would lead nowhere.
    backend = optuna.storages.journal.JournalFileBackend(str(journal.absolute()))
    pruner = optuna.pruners.MedianPruner(
        n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS
    )
    storage = optuna.storages.JournalStorage(backend)
    return getattr(optuna, how)(study_name="search", storage=storage, pruner=pruner, **options)


def _mend(journal: Path) -> None:
    """Take away a last line that a killed process wrote in part: Optuna would append to it."""
    from optuna.storages.journal import JournalFileSymlinkLock

    if not journal.exists():
        return
    lock = JournalFileSymlinkLock(str(journal.absolute()))
    lock.acquire()
    try:
        text = journal.read_bytes()
        if not text.endswith(b"\n"):
            os.truncate(journal, text.rfind(b"\n") + 1)
    finally:
        lock.release()


def import_optuna() -> Any:
    """Optuna, quiet: the observer tells of every trial; RecipeError if it is missing."""
    optuna = load("optuna", "search", "search", RecipeError)
    load("optuna.storages.journal", "search", "search", RecipeError)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
