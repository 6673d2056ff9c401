"""Looking for settings with Optuna: on validation data only, resumable, pruned by epoch.

A trial trains the recipe's ``[search]`` condition with values drawn from ``[search.space]``, once
per seed. Its value is the accuracy on the validation part, which training holds out of the
training data, after the last epoch, averaged over the seeds. The test part is never opened. After
every epoch the accuracy so far is reported; a trial that is below the median of the others at that
epoch is given up.

A search lives in one folder:

===================  =======================================================================
file                 content
===================  =======================================================================
study.journal        every trial, in Optuna's journal format; written as trials go on
trials/HASH/seed-n   the training run of those values, as :mod:`eventsim.train.loop` keeps it
search.json          best values and all trials, written when the search ends or is stopped
===================  =======================================================================

A search that was stopped goes on: the trial that was running is taken up at its checkpoint, and
``trials`` counts those of before.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from eventsim.entries import check_same, flat, parse_json
from eventsim.errors import EventSimError, StorageError
from eventsim.events import AnyDataset
from eventsim.events.storage import write_json
from eventsim.experiment.reading import RecipeError, merged, seed_list
from eventsim.experiment.recipe import Range, Recipe, SearchSettings, Task
from eventsim.experiment.resolve import Selection, resolve
from eventsim.extras import install_hint
from eventsim.runs.execution import Execution, train_run
from eventsim.runs.settings import RunSettings, Shape
from eventsim.train import TrainEvent
from eventsim.train.config import with_defaults
from eventsim.train.folder import RunFolder
from eventsim.train.loop import Callback

JOURNAL, RESULT = "study.journal", "search.json"
# Trials before any is given up, and epochs of each.
STARTUP_TRIALS, WARMUP_EPOCHS = 5, 2
Values = dict[str, Any]


@dataclass(frozen=True)
class TrialLine:
    """A trial as people see it.

    ``value`` is None unless it came to its end; ``error`` says why it failed.
    """

    number: int
    state: str
    value: float | None
    epochs: int
    values: Values
    error: str = ""


@dataclass(frozen=True)
class SearchResult:
    """All trials, best first, and the settings of the best one, None if none came to its end."""

    condition: str
    trials: tuple[TrialLine, ...]
    best: TrialLine | None


class SearchObserver(Protocol):
    """Who is told."""

    def trial_started(self, number: int, values: Values) -> None:
        """Values were drawn."""

    def advanced(self, event: TrainEvent) -> None:
        """A batch or an epoch of the running trial is done."""

    def trial_ended(self, line: TrialLine) -> None:
        """It came to its end, was given up, or failed."""


@dataclass(frozen=True, eq=False)
class _Search:
    """What stays the same during a search."""

    recipe: Recipe
    task: Task
    selection: Selection
    settings: SearchSettings
    data: AnyDataset
    folder: Path
    observer: SearchObserver

    def variant(self, values: Values) -> RunSettings:
        """The condition with these values."""
        name = self.settings.condition
        conditions = tuple(
            replace(
                one,
                network=merged(one.network, nested(values, "network")),
                train=merged(one.train, nested(values, "train")),
            )
            if one.name == name
            else one
            for one in self.recipe.condition
        )
        recipe = replace(self.recipe, condition=conditions)
        selection = replace(self.selection, conditions=(name,))
        return resolve(recipe, self.task, selection, Shape.of(self.data)).specs()[0]

    def objective(self, trial: Any) -> float:
        """Mean validation accuracy after the last epoch."""
        values = {key: _suggest(trial, key, one) for key, one in self.settings.space.items()}
        self.observer.trial_started(trial.number, values)
        try:
            return self._value(trial, values)
        except KeyboardInterrupt:
            # The first one when the search goes on.
            trial.study.enqueue_trial(trial.params)
            raise
        except EventSimError as error:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
            raise

    def _value(self, trial: Any, values: Values) -> float:
        variant, found = self.variant(values), []
        for turn, seed in enumerate(seed_list(self.settings.seeds)):
            chosen = replace(variant, train=replace(variant.train, seed=seed))
            home = self.folder / "trials" / _digest(values) / f"seed-{seed}"
            callback = self._reporting(trial, turn * variant.train.epochs)
            how = Execution(resume=RunFolder(home).holds_run, callback=callback)
            run = train_run(chosen, home, self.data, how)
            found.append(float(run.history[-1]["validation_accuracy"]))
        return sum(found) / len(found)

    def _reporting(self, trial: Any, epochs_before: int) -> Callback:
        import optuna

        def report(event: TrainEvent) -> None:
            self.observer.advanced(event)
            if event.kind == "epoch":
                trial.report(event.metrics["validation_accuracy"], epochs_before + event.epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned

        return report


def search(
    recipe: Recipe,
    task: Task,
    selection: Selection,
    folder: Path,
    observer: SearchObserver,
    *,
    trials: int | None = None,
) -> SearchResult:
    """Try values until so many trials came to an end or were given up.

    Parameters
    ----------
    recipe, task, selection
        As :func:`eventsim.experiment.resolve`; ``selection.conditions`` may name the condition, and
        ``selection.seeds`` the seeds, in place of the recipe's.
    folder
        Of the search; one that was stopped goes on.
    observer
        Told of every step.
    trials
        In all, those of before included; None for the recipe's number.

    Raises
    ------
    RecipeError
        The recipe has nothing to search, a setting does not fit, or Optuna is missing.
    StorageError
        The folder holds another search.
    KeyboardInterrupt
        After an interrupt; the search can go on.
    """
    optuna = _optuna()
    this = _prepared(recipe, task, selection, folder, observer)
    study = _study(optuna, folder)
    _check_same(study, this)
    _take_up(study, optuna)
    wanted = (trials or this.settings.trials) - sum(
        one.state.name in ("COMPLETE", "PRUNED") for one in study.trials
    )
    try:
        if wanted > 0:
            study.optimize(
                this.objective,
                n_trials=wanted,
                catch=(EventSimError,),
                callbacks=[lambda _, trial: observer.trial_ended(_line(trial))],
            )
    finally:
        result = _result(study, this)
        write_json(folder / RESULT, asdict(result))
    return result


def nested(values: Mapping[str, Any], top: str) -> dict[str, Any]:
    """Values by paths such as ``train.rates.taus``, those under ``top``, as nested tables."""
    tables = []
    for path, value in values.items():
        first, *rest = path.split(".")
        for key in reversed(rest):
            value = {key: value}
        if first == top:
            tables.append(value)
    return merged(*tables)


def as_toml(condition: str, values: Values) -> str:
    """The values as lines of a recipe's condition."""
    lines = ["[[condition]]", f"name = {json.dumps(condition)}"]
    return "\n".join([*lines, *(f"{key} = {json.dumps(values[key])}" for key in sorted(values))])


def _prepared(
    recipe: Recipe, task: Task, selection: Selection, folder: Path, observer: SearchObserver
) -> _Search:
    if recipe.search is None:
        raise RecipeError(f"{recipe.place}: has no table [search], so there is nothing to search.")
    settings = recipe.search
    if selection.conditions:
        settings = replace(settings, condition=selection.conditions[0])
    if selection.seeds:
        settings = replace(settings, seeds=selection.seeds)
    plain = resolve(recipe, task, replace(selection, conditions=(settings.condition,)))
    if plain.data.held_out:
        raise RecipeError(
            f"{task.place}: holds out groups in turn. Search on a task without held_out: with it, "
            "what is a test part in one turn would be validation data in another."
        )
    if plain.variants[0].train.validation_fraction == 0:
        raise RecipeError(
            f"{recipe.place} on {task.place}: train.validation_fraction is 0, expected a value > 0 "
            "for a search."
        )
    data = replace(plain.data, repeats=1).labelled("train")
    found = _Search(recipe, task, selection, settings, data, folder, observer)
    _check_space(found)
    return found


def _check_space(this: _Search) -> None:
    """Raise RecipeError unless every key exists, and its value is the one that is used."""
    values = {
        key: one.choices[0] if one.choices else one.low for key, one in this.settings.space.items()
    }
    variant = this.variant(values)
    used = flat(json.loads(json.dumps(variant.deciding())))
    for key, value in values.items():
        if used.get(key) != value:
            raise RecipeError(
                f"{this.recipe.place}, search, space, {key}: {value} does not become the setting, "
                f"which is {used.get(key)}: the small size or an option of the command decides it."
            )


def _study(optuna: Any, folder: Path) -> Any:
    """The study of that folder, new or of before."""
    folder.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    pruner = optuna.pruners.MedianPruner(
        n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS
    )
    study = optuna.create_study(
        study_name="search",
        direction="maximize",
        storage=optuna.storages.JournalStorage(backend),
        pruner=pruner,
        load_if_exists=True,
    )
    # A search that goes on must not draw the same again.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    return study


def _suggest(trial: Any, key: str, one: Range) -> Any:
    if one.choices:
        # Optuna keeps texts, numbers and truth values; lists travel as JSON.
        return json.loads(trial.suggest_categorical(key, [json.dumps(c) for c in one.choices]))
    if isinstance(one.low, int) and isinstance(one.high, int):
        return trial.suggest_int(key, one.low, one.high, log=bool(one.log))
    return trial.suggest_float(key, one.low, one.high, log=bool(one.log))


def _check_same(study: Any, this: _Search) -> None:
    """Raise StorageError if the study is that of another search."""
    variant = this.variant({})
    now = {
        "condition": this.settings.condition,
        "seeds": list(seed_list(this.settings.seeds)),
        "space": [
            {"key": key, "low": 0, "high": 0, "log": False, "choices": ()}
            | {name: value for name, value in asdict(one).items() if value is not None}
            for key, one in this.settings.space.items()
        ],
        "task": this.task.name,
        "network": variant.about()["network"],
        "train": variant.train.to_dict() | {"backend": None, "seed": 0},
    }
    now = json.loads(json.dumps(now))
    before = study.user_attrs.get("search")
    if before is None:
        study.set_user_attr("search", now)
        return
    before = before | {"train": with_defaults(before["train"], now["train"])}
    check_same(f"{this.folder}, a search", before, now)


def _take_up(study: Any, optuna: Any) -> None:
    """Trials that were running when a search was killed are tried again, first of all."""
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)


def _line(trial: Any) -> TrialLine:
    state, reached = trial.state.name.lower(), max(trial.intermediate_values, default=0)
    values = {
        key: parse_json(value, f"trial {trial.number}, {key}", StorageError)
        if isinstance(value, str)
        else value
        for key, value in trial.params.items()
    }
    value = trial.value if state == "complete" else None
    error = trial.user_attrs.get("error", "")
    return TrialLine(trial.number, state, value, reached, values, error)


def _result(study: Any, this: _Search) -> SearchResult:
    lines = [_line(trial) for trial in study.trials if trial.state.is_finished()]
    lines.sort(key=lambda one: -1.0 if one.value is None else one.value, reverse=True)
    best = lines[0] if lines and lines[0].value is not None else None
    return SearchResult(this.settings.condition, tuple(lines), best)


def _digest(values: Values) -> str:
    text = json.dumps(values, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _optuna() -> Any:
    try:
        import optuna
        import optuna.storages.journal
    except ImportError as error:
        raise RecipeError(
            f"search needs Optuna: {install_hint('search')} (import failed: {error})."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # the observer tells of every trial
    return optuna
