"""Search for settings with Optuna: on validation data only, resumable, pruned by epoch.

A trial trains the recipe's ``[search]`` condition with values drawn from ``[search.space]``, once
per seed. Its value is the accuracy on the validation part, which training holds out of the
training data, after the last epoch, averaged over the seeds. The test part is never opened. After
every epoch the accuracy so far is reported; a trial that is below the median of the others at that
epoch is stopped. Several trials may run at a time, on workers of
:mod:`eventsim.experiment.workers`: Optuna draws the values of each from the results so far.

A search lives in one folder:

===================  =======================================================================
file                 content
===================  =======================================================================
study.journal        every trial, in Optuna's journal format; written as trials go on
trials/HASH/seed-n   the training run of those values, as :mod:`eventsim.train.folder` keeps it
search.json          best values and all trials, written when the search ends or is stopped
===================  =======================================================================

A search that was stopped or killed can be continued. The trials that were running count as failed;
new trials first take their values and continue from their checkpoints. ``trials`` includes finished
and pruned trials of before.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from eventsim.entries import check_same, flat, parse_json
from eventsim.errors import EventSimError, StorageError
from eventsim.events.storage import write_json
from eventsim.experiment.reading import RecipeError, merged, nested, seed_list
from eventsim.experiment.recipe import Range, Recipe, SearchSettings, Task
from eventsim.experiment.resolve import Selection, resolve, small_size_of
from eventsim.experiment.statistics import TIE_DECIMALS
from eventsim.experiment.trial import Trial, import_optuna, make_study
from eventsim.experiment.workers import Assignment, Capacity, Ended, Workers, employed
from eventsim.runs.settings import RunSettings, Shape
from eventsim.train.checkpoint import Metrics
from eventsim.train.config import with_defaults
from eventsim.train.parts import By

JOURNAL, RESULT = "study.journal", "search.json"
AGAIN = "it was stopped; another trial takes its values up"
Values = dict[str, Any]


@dataclass(frozen=True)
class TrialLine:
    """A trial in words and numbers.

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

    condition: str  # whose settings were changed
    # Over which a value is the mean: of the validation accuracy after the last epoch
    seeds: tuple[int, ...]
    validated_by: By  # whether validation hears groups that are learned (recording) or not (group)
    # As above
    trials: tuple[TrialLine, ...]
    best: TrialLine | None
    tied: int  # trials that reached the value of the best one, which is the earliest of them
    small_size: str | None = None  # as of :class:`eventsim.experiment.Experiment`


class SearchObserver(Protocol):
    """Observer of a search, called in the thread that called :func:`search`."""

    def trial_started(self, number: int, values: Values, epochs: int) -> None:
        """Values were drawn; they are trained for so many epochs, those of all seeds together."""

    def advanced(self, number: int, metrics: Metrics) -> None:
        """An epoch of a trial is done: its line of metrics.jsonl."""

    def trial_ended(self, line: TrialLine) -> None:
        """A trial came to its end, was given up, or failed."""


@dataclass(frozen=True, eq=False)
class _Search:
    """Settings that stay the same during a search."""

    recipe: Recipe
    task: Task
    selection: Selection
    settings: SearchSettings
    shape: Shape
    folder: Path

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
        return resolve(recipe, self.task, selection, self.shape).specs()[0]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of every trial."""
        return tuple(seed_list(self.settings.seeds))


class _Trials:
    """Draws trials, gives them to the workers, and tells the study how they ended."""

    def __init__(self, this: _Search, study: Any, observer: SearchObserver, left: int):
        self._this, self._study, self._observer, self._left = this, study, observer, left
        self._workers: Workers[int]

    def start(self, workers: Workers[int], at_a_time: int) -> None:
        """Let so many be on their way, as long as some are left."""
        self._workers = workers
        for _ in range(at_a_time):
            self._start_one()

    def _start_one(self) -> None:
        """Draw values and have them trained; others if no network can have these."""
        while self._left > 0:
            self._left -= 1
            trial = self._study.ask()
            values = {k: _suggest(trial, k, one) for k, one in self._this.settings.space.items()}
            try:
                variant = self._this.variant(values)
            except EventSimError as error:
                self._tell(trial.number, Ended("failed", f"{type(error).__name__}: {error}"))
                continue
            epochs = len(self._this.seeds) * variant.train.epochs
            self._observer.trial_started(trial.number, values, epochs)
            self._workers.submit([self._assignment(trial.number, values, variant)])
            return

    def _assignment(self, number: int, values: Values, variant: RunSettings) -> Assignment[int]:
        this = self._this
        folder = this.folder / "trials" / _digest(values)
        journal = (this.folder / JOURNAL).absolute()
        work = Trial(journal, number, variant, this.seeds, self._workers.threads)
        return Assignment(number, folder, work, work.histories(folder))

    def started(self, number: int) -> None:
        """Nothing: it was told when the values were drawn."""

    def advanced(self, number: int, metrics: Metrics) -> None:
        """Hand on."""
        self._observer.advanced(number, metrics)

    def ended(self, number: int, how: Ended) -> None:
        """Tell the study, and start another one."""
        self._tell(number, how)
        if not self._workers.stopping:
            self._start_one()

    def _tell(self, number: int, how: Ended) -> None:
        if how.kind == "stopped":
            _try_again(self._study, self._study.trials[number])
        elif how.failed:
            _fail(self._study, self._study.trials[number], how.text)
        elif how.value is None:
            self._study.tell(number, state=import_optuna().trial.TrialState.PRUNED)
        else:
            self._study.tell(number, how.value)
        self._observer.trial_ended(_line(self._study.trials[number]))


def search(
    recipe: Recipe,
    task: Task,
    selection: Selection,
    folder: Path,
    observer: SearchObserver,
    *,
    trials: int | None = None,
    capacity: Capacity | None = None,
) -> SearchResult:
    """Try values until this number of trials is finished or pruned.

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
    capacity
        Who trains, and how many trials at a time; None for one at a time in a process of its own.

    Raises
    ------
    RecipeError
        The recipe has nothing to search, a setting does not fit, or Optuna is missing.
    StorageError
        The folder holds another search.
    KeyboardInterrupt
        After an interrupt; the search can go on.
    """
    import_optuna()
    capacity = capacity or Capacity()
    this = _prepared(recipe, task, selection, folder)
    folder.mkdir(parents=True, exist_ok=True)
    study = make_study(folder / JOURNAL)
    # A search that goes on must not draw the same again.
    study.sampler = import_optuna().samplers.TPESampler(seed=len(study.trials))
    _check_same(study, this)
    # Trials that were running when it was killed are tried again, first of all.
    for trial in study.trials:
        if trial.state.name == "RUNNING":
            _try_again(study, trial)
    ended = sum(one.state.name in ("COMPLETE", "PRUNED") for one in study.trials)
    going_on = _Trials(this, study, observer, (trials or this.settings.trials) - ended)
    try:
        with employed(folder, going_on, capacity) as workers:
            going_on.start(workers, max(capacity.jobs, 1))
            workers.follow()
    finally:
        result = _result(study, this)
        write_json(folder / RESULT, asdict(result))
    return result


def as_toml(condition: str, values: Values) -> str:
    """The values as lines of a recipe's condition."""
    lines = ["[[condition]]", f"name = {json.dumps(condition)}"]
    return "\n".join([*lines, *(f"{key} = {json.dumps(values[key])}" for key in sorted(values))])


def _prepared(recipe: Recipe, task: Task, selection: Selection, folder: Path) -> _Search:
    if recipe.search is None:
        remedy = "Add its ranges, as in eventsim experiment show architectures --toml."
        raise RecipeError(recipe.place, "has no table [search]", remedy=remedy)
    settings = recipe.search
    if selection.conditions:
        settings = replace(settings, condition=selection.conditions[0])
    if selection.seeds:
        settings = replace(settings, seeds=selection.seeds)
    plain = resolve(recipe, task, replace(selection, conditions=(settings.condition,)))
    if plain.data.held_out or plain.data.folds is not None:
        raise RecipeError(
            task.place,
            "holds out groups in turn",
            remedy="Search on a task without held_out and folds: with them, what is a test part "
            "in one turn would be validation data in another.",
        )
    if plain.fits_values:
        raise RecipeError(
            task.place,
            "has values (targets), but a search compares trials by accuracy, which values have not",
            remedy="Compare settings by a sweep: eventsim experiment RECIPE.",
        )
    if plain.variants[0].train.validation_fraction == 0:
        raise RecipeError(
            f"{recipe.place} on {task.place}",
            "train.validation_fraction is 0",
            "a value > 0 for a search",
        )
    data = replace(plain.data, repeats=1).labelled("train")
    found = _Search(recipe, task, selection, settings, Shape.of(data), folder)
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
                f"{this.recipe.place}, search, space, {key}",
                f"{value} does not become the setting, which is {used.get(key)}",
                remedy="Leave out the option of the command that decides it, or the range.",
            )


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
        "train": variant.train.to_dict()
        | {"backend": None, "seed": 0, "validate": variant.validated_by},
    }
    now = json.loads(json.dumps(now))
    before = study.user_attrs.get("search")
    if before is None:
        study.set_user_attr("search", now)
        return
    before = before | {"train": with_defaults(before["train"], now["train"])}
    check_same(f"{this.folder}, a search", before, now)


def _try_again(study: Any, trial: Any) -> None:
    # In this order, so that a kill between the two loses nothing.
    study.enqueue_trial(trial.params)
    _fail(study, trial, AGAIN)


def _fail(study: Any, trial: Any, why: str) -> None:
    study._storage.set_trial_user_attr(trial._trial_id, "error", why)
    study.tell(trial.number, state=import_optuna().trial.TrialState.FAIL)


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
    lines, tied = ranked(lines)
    best = lines[0] if tied else None
    validated_by = this.variant({}).validated_by
    small = small_size_of(this.task, this.selection)
    condition = this.settings.condition
    return SearchResult(condition, this.seeds, validated_by, tuple(lines), best, tied, small)


def ranked(lines: Sequence[TrialLine]) -> tuple[list[TrialLine], int]:
    """Trials, best first, of equal ones the earliest, and how many have the value of the best.

    Means over seeds that have one sum may differ in their last bit: they are equal.
    """

    def value(one: TrialLine) -> float:
        return -1.0 if one.value is None else round(one.value, TIE_DECIMALS)

    found = sorted(lines, key=lambda one: (-value(one), one.number))
    done = [one for one in found if one.value is not None]
    return found, sum(value(one) == value(done[0]) for one in done)


def _digest(values: Values) -> str:
    text = json.dumps(values, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
