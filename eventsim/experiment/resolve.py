"""From a recipe and a task to an experiment, all of whose settings are known and checked."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eventsim.checks import known, seen_from
from eventsim.clocked import Grid
from eventsim.entries import Count, Share, flat, read
from eventsim.entries.described import described, setting
from eventsim.errors import DataError, ParameterError
from eventsim.experiment.reading import RecipeError, Seeds, merged, seed_list
from eventsim.experiment.recipe import Condition, Recipe, Smoke, Task
from eventsim.matrix import require
from eventsim.runs.data import DataSettings
from eventsim.runs.division import Folds
from eventsim.runs.networks import ONLY_OF, NetworkSettings
from eventsim.runs.recordings import Division
from eventsim.runs.settings import RunSettings, Shape
from eventsim.train import TrainConfig
from eventsim.train.config import Validate

SMOKE_SEEDS = 2
LEFT_OUT = "Or leave out the condition (--condition NAME takes others)."


@dataclass(frozen=True, kw_only=True)
@described
class Selection:
    """Selection from a recipe and a task, and settings in place of theirs."""

    conditions: tuple[str, ...] = setting((), "Only these conditions; empty for all.")
    seeds: Seeds | None = setting(
        None, "Number of seeds, 0 .. n - 1 (in Python also a list); by default the recipe's."
    )
    epochs: Count | None = setting(None, "Epochs, in place of the task's.")
    backend: str | None = setting(None, "Backend of runs in exact time, as in eventsim train.")
    held_out: tuple[str, ...] = setting(
        (),
        "Test on this group (speaker, writer), train on all others; repeat to take several in "
        "turn.",
    )
    file: str | None = setting(None, "File or folder of the data set.")
    divide: Division | None = setting(
        None,
        "How recordings are divided into a training and a test part, in place of the task's: by "
        "group (whole groups, such as speakers, are tested), by recording (single utterances of "
        "every class), or auto (as the data say, else by group where there are groups).",
    )
    test_fraction: Share | None = setting(
        None, "Fraction of the recordings that is the test part, if they are divided by divide."
    )
    validate: Validate | None = setting(
        None,
        "What is held out for validation, in place of the task's: by group (validation has "
        "other speakers than training), by recording, or auto (as the test part is divided).",
    )
    folds: Folds | None = setting(
        None,
        "Folds over groups: number of divisions, each with other groups as the test part, so "
        "that every group is tested once; each for one fold per group. Mean, spread and tests "
        "are then over folds.",
    )
    smoke: bool = setting(
        False,
        "Small size of the task, and the first two seeds: shows in seconds that everything "
        "works. Settings of a condition, or of an axis of a sweep, are kept.",
    )


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A recipe on a task, every setting known.

    Attributes
    ----------
    name, title
        For folders; for people.
    baseline
        Condition that the others are tested against.
    data
        The recordings.
    seeds
        Every condition runs with each.
    variants
        The conditions, each with all its settings.
    small_size
        What the small size is and that its accuracies mean nothing, in words; None at full size.
    """

    name: str
    title: str
    about: str
    baseline: str
    data: DataSettings
    seeds: tuple[int, ...]
    variants: tuple[RunSettings, ...]
    small_size: str | None = None

    @property
    def fits_values(self) -> bool:
        """Whether its networks are fitted to values: it is compared by R2, not by accuracy."""
        return self.data.targets

    def specs(self) -> list[RunSettings]:
        """All runs: seed by seed, so that early results are of all conditions."""
        return [
            replace(variant, train=replace(variant.train, seed=seed), data=_data_of(variant, data))
            for seed in self.seeds
            for data in self.data.turns
            for variant in self.variants
        ]


def _data_of(variant: RunSettings, data: DataSettings) -> DataSettings:
    """The recordings of a run: none twice where some are held out for validation."""
    once = data.repeats > 1 and variant.train.validation_fraction > 0
    return replace(data, repeats=1) if once else data


def resolve(
    recipe: Recipe, task: Task, selection: Selection, shape: Shape | None = None
) -> Experiment:
    """Every setting of every run.

    Parameters
    ----------
    recipe, task, selection
        What is compared, on what, and what is asked for beside.
    shape
        Of the data; None for what the data set's description says.

    Raises
    ------
    RecipeError
        A setting is unknown or out of its domain: with the file and the condition.
    """
    data = _data(task, selection)
    shape = shape or Shape.described(data)
    chosen = _chosen(recipe, selection.conditions)
    found: dict[str, RunSettings] = {}
    for condition in sorted(recipe.condition, key=lambda one: one.same_parameters_as is not None):
        variant = _variant(condition, recipe, task, selection)
        if condition.same_parameters_as is not None:
            variant = matched(variant, found[condition.same_parameters_as], shape)
        found[condition.name] = variant
        if condition.name in chosen:
            place = f"{condition.place} on {task.place}"
            with seen_from(place, DataError, error=RecipeError, remedy=LEFT_OUT):
                require("train", variant.train, data, where="")
    seeds = seed_list(selection.seeds or recipe.seeds)
    if selection.smoke and selection.seeds is None:
        seeds = seeds[:SMOKE_SEEDS]
    small = "-smoke" if selection.smoke else ""
    division = "-held-out" if selection.held_out else ""
    if selection.divide in ("group", "recording"):
        division = f"-by-{selection.divide}"
    if selection.folds is not None:
        division = f"-folds-{selection.folds}"
    return Experiment(
        name=f"{recipe.name}-{task.name}{division}{small}",
        title=f"{recipe.title}: {task.title}{', small size' if selection.smoke else ''}",
        about=recipe.about,
        baseline=recipe.baseline,
        data=data,
        seeds=seeds,
        variants=tuple(found[name] for name in chosen),
        small_size=small_size_of(task, selection),
    )


def small_size_of(task: Task, selection: Selection) -> str | None:
    """Warning of the small size and its settings, where it is selected."""
    if not selection.smoke:
        return None
    small = flat({key: getattr(task.smoke, key) for key in ("data", "network", "train")})
    told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in small.items())
    return (
        f"Small size (--smoke): accuracies and what is compared by them mean nothing. It sets "
        f"{told or 'nothing but fewer seeds'}, where no condition and no option sets it."
    )


def matched(variant: RunSettings, model: RunSettings, shape: Shape) -> RunSettings:
    """``variant`` with the widths that bring its number of parameters closest to the model's.

    The ratios of the widths stay those of the model's hidden populations.
    """
    assert model.network is not None
    assert variant.network is not None
    wanted, widths, network = model.count_parameters(shape), model.network.hidden, variant.network
    if not widths:
        raise RecipeError(
            f"condition {variant.name!r}, same_parameters_as",
            f"{model.name!r} has no hidden populations",
            "a network whose widths can be scaled",
        )

    def scaled(first: int) -> RunSettings:
        hidden = tuple(max(round(size * first / widths[0]), 1) for size in widths)
        return replace(variant, network=replace(network, hidden=hidden))

    def excess(first: int) -> int:
        return scaled(first).count_parameters(shape) - wanted

    low, high = 1, 2
    while excess(high) < 0:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return scaled(min((low, high), key=lambda first: abs(excess(first))))


def _data(task: Task, selection: Selection) -> DataSettings:
    small = task.smoke.data if selection.smoke else {}
    asked: dict[str, Any] = {"held_out": selection.held_out} if selection.held_out else {}
    if selection.file is not None:
        asked["file"] = str(Path(selection.file).resolve())
    given = {key: getattr(selection, key) for key in ("divide", "test_fraction", "folds")}
    asked |= {key: value for key, value in given.items() if value is not None}
    return read(DataSettings, merged(task.data, small, asked), f"{task.place}, data", RecipeError)


def _variant(condition: Condition, recipe: Recipe, task: Task, selection: Selection) -> RunSettings:
    small = [task.smoke] if selection.smoke else []
    # A condition keeps what it names: its title and its label say it.
    parts: list[Task | Recipe | Smoke | Condition] = [task, recipe, *small, condition]
    layers = [(part.network, part.train) for part in parts]
    network = merged(*(layer[0] for layer in layers))
    if condition.same_parameters_as is not None:
        network.pop("hidden", None)
    train = merged(*(layer[1] for layer in layers))
    given = {key: getattr(selection, key) for key in ("epochs", "backend", "validate")}
    train |= {key: value for key, value in given.items() if value is not None}
    if selection.backend == "reference":
        train["precision"] = "double"  # it has no other
    place = f"{condition.place} on {task.place}"
    if "seed" in train:
        raise RecipeError(f"{place}, train", "has a key seed", "none: the recipe's seeds decide")
    network = _of_model(network, condition.network)
    try:
        variant = RunSettings(
            name=condition.name,
            title=condition.title,
            grid=None if condition.dt is None else Grid(dt=condition.dt),
            network=NetworkSettings.from_options(network),
            train=TrainConfig.from_dict(train),
        )
        variant.method.check(variant.train)
    except ParameterError as error:
        raise error.seen_from(place, RecipeError) from error
    return variant


def _of_model(network: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys of other models that come from task or recipe."""
    model = network.get("model", "scsr")
    foreign = {key for key, models in ONLY_OF.items() if model not in models}
    return {key: value for key, value in network.items() if key not in foreign or key in own}


def _chosen(recipe: Recipe, wanted: Collection[str]) -> list[str]:
    """Names of the conditions that are asked for, in the recipe's order."""
    names = [one.name for one in recipe.condition]
    for name in wanted:
        known(recipe.place, "condition", name, names, error=RecipeError)
    return [name for name in names if not wanted or name in wanted]
