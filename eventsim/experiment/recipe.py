"""Recipes and tasks: what is compared, and on which data.

A **recipe** lists conditions that differ in a few settings. A **task** is a data set with suitable
settings, and a small size that runs in seconds. Any recipe goes with any task::

    format = "eventsim-recipe"
    version = 1
    name = "mine"
    title = "Do skips help?"
    about = "What it shows, in a sentence or two."
    task = "fsdd"              # where no other one is asked for: a name, or a file beside this one
    seeds = 5                  # 0 .. 4, or a list; 3 by default
    baseline = "plain"         # the condition that the others are tested against

    [network]                  # of all conditions: keys of NetworkSettings
    tau_syn = 10.0

    [train]                    # of all conditions: keys of TrainConfig
    epochs = 20
    bip = []

    [[condition]]
    name = "plain"
    title = "plain"            # for the table; the name by default
    network = { skip = false, self_recurrent = false }

    [[condition]]
    name = "lateral"
    network = { model = "rsnn" }
    same_parameters_as = "plain"   # widths are computed

    [[condition]]
    name = "grid"
    method = "grid"            # the fixed-step counterpart; "exact" by default
    dt = 1.0                   # ms

    [[sweep]]                  # conditions ``pruned-0_5`` and ``pruned-0_9``
    name = "pruned"
    title = "pruned"

    [sweep.axes]               # every combination of the values of all axes
    "train.sparse.sparsity" = [0.5, 0.9]

    [search]                   # of ``eventsim experiment search``, see eventsim.experiment.search
    condition = "plain"

    [search.space]
    "train.rates.weights" = { low = 1e-3, high = 1e-1, log = true }
    "network.hidden" = { choices = [[64], [128]] }

A task::

    format = "eventsim-task"
    version = 1
    name = "mine"
    title = "My recordings"
    based_on = "fsdd"          # optional: what this one does not say is as there; name or file

    [data]                     # keys of DataSettings
    name = "shd"

    [network]                  # as in a recipe
    [train]

    [smoke.data]               # the small size, below what a condition says; .network, .train too
    train_samples = 50

Of a key that is given more than once the last one counts, in this order: task, recipe, small
size, condition, command line.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from eventsim.entries import Bounds, Count, Positive, Settings, Text, read
from eventsim.errors import ParameterError
from eventsim.experiment import reading

Method = Literal["exact", "grid"]
Table = Mapping[str, Any]
AxisValues = Annotated[tuple[Any, ...], Bounds(min_length=1), "a list of values"]
OF_PLACE: Mapping[str, Any] = {"from_file": False}


@dataclass(frozen=True, kw_only=True)
class Condition(Settings):
    """A condition that is compared with others, as the recipe says it.

    Attributes
    ----------
    name, title
        For folders and options; for tables, the name by default.
    method
        ``exact`` time, or its fixed-step counterpart on a ``grid``.
    dt
        Time step of the grid, ms; None in exact time.
    same_parameters_as
        Condition whose number of trained parameters it gets; None for its own.
    network, train
        Keys that differ from the recipe's.
    place
        In its file, for messages.
    """

    name: reading.Name
    title: str = ""
    method: Method = "exact"
    dt: Positive | None = None
    same_parameters_as: str | None = None
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)
    place: str = field(default="", metadata=OF_PLACE)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "title", self.title or self.name)
        need = "a time step in ms" if self.method == "grid" else "none"
        fits = (self.method == "grid") == (self.dt is not None)
        self.require("dt", self.dt, fits, f"{need} with the method {self.method!r}")


@dataclass(frozen=True, kw_only=True)
class Sweep(Settings):
    """Conditions by the values of axes: one for every combination.

    Attributes
    ----------
    name
        The names of its conditions begin with it; the values follow.
    title
        Likewise of the titles, in which the settings stand beside their values.
    axes
        Values by the path of the setting, such as ``train.sparse.sparsity``.
    method, dt, network, train
        Of all its conditions, as in :class:`Condition`.
    """

    name: reading.Name
    title: str = ""
    axes: Annotated[Mapping[str, AxisValues], Bounds(min_length=1), "one setting or more"]
    method: Method = "exact"
    dt: Positive | None = None
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in self.axes:
            self.require("axes", key, _is_setting(key), SETTING)

    def conditions(self) -> tuple[Condition, ...]:
        """Conditions of the sweep, the values of the last axis changing first."""
        return tuple(map(self._condition, itertools.product(*self.axes.values())))

    def _condition(self, values: tuple[Any, ...]) -> Condition:
        chosen = dict(zip(self.axes, values, strict=True))
        told = ", ".join(
            f"{key.partition('.')[2].replace('_', ' ')} {_said(value)}"
            for key, value in chosen.items()
        )
        # In a name 0.5 is 0_5.
        plain = (_said(value).replace(" ", "-").replace("+", "") for value in values)
        return Condition(
            name="-".join([self.name, *(re.sub(r"[^A-Za-z0-9-]+", "_", one) for one in plain)]),
            title=f"{self.title}: {told}" if self.title else told,
            method=self.method,
            dt=self.dt,
            network=reading.merged(self.network, reading.nested(chosen, "network")),
            train=reading.merged(self.train, reading.nested(chosen, "train")),
        )


def _said(value: Any) -> str:
    """A value of an axis as people read it."""
    if isinstance(value, list | tuple):
        return " ".join(map(_said, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_setting(key: str) -> bool:
    """Whether a path leads into the tables of a condition, and not to its seed."""
    return key.partition(".")[0] in ("network", "train") and not key.endswith((".", ".seed"))


SETTING = "a key such as network.tau_syn or train.gain"


@dataclass(frozen=True, kw_only=True)
class Range(Settings):
    """Values that one setting may take: ``low`` .. ``high``, or ``choices``.

    They are whole if both bounds are; ``log`` spreads them evenly in the logarithm.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool | None = None
    choices: Annotated[tuple[Any, ...], Bounds(min_length=1), "a list of values"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds = (self.low, self.high, self.log)
        if self.choices is not None:
            alone = bounds == (None, None, None)
            self.require("choices", self.choices, alone, "no low, high or log beside them")
            return
        self.require("low, high", bounds[:2], None not in bounds[:2], "both, or choices")
        assert self.low is not None
        assert self.high is not None
        self.require("low, high", bounds[:2], self.low < self.high, "two numbers, low < high")
        positive = not self.log or self.low > 0
        self.require("low", self.low, positive, "a number > 0 for a logarithm")


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Settings):
    """Settings of a search.

    Attributes
    ----------
    condition
        Whose settings are changed.
    space
        What may change, by the path of the setting, such as ``train.rates.weights``.
    seeds
        Every trial trains with each; its value is the mean.
    trials
        Number of trials, unless another is given.
    """

    condition: str
    space: Annotated[Mapping[str, Range], Bounds(min_length=1), "one key or more"]
    seeds: reading.Seeds = 1
    trials: Count = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in self.space:
            self.require("space", key, _is_setting(key), SETTING)


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """Conditions that are compared, and their common settings; see the module.

    ``condition`` holds those of the sweeps too once the recipe was loaded, ``sweep`` none then.
    ``home`` is the folder of a file of the user's own.
    """

    name: reading.Name
    title: Text
    task: Text
    baseline: str
    condition: Annotated[
        tuple[Condition, ...], Bounds(min_length=1), "one table or more, each under [[..]]"
    ]
    about: str = ""
    seeds: reading.Seeds = 3
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)
    sweep: tuple[Sweep, ...] = ()
    search: SearchSettings | None = None
    place: str = field(default="", metadata=OF_PLACE)
    home: str = field(default="", metadata=OF_PLACE)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [one.name for one in self.condition]
        known = f"one of {', '.join(names)}"
        twice = next((name for name in names if names.count(name) > 1), "")
        self.require("condition", twice, not twice, "conditions of different names")
        self.require("baseline", self.baseline, self.baseline in names, known)
        if self.search is not None:
            searched = self.search.condition
            self.require("search, condition", searched, searched in names, known)
        for number, one in enumerate(self.condition):
            self._check_model(number, one)

    def only(self, name: str) -> "Recipe":
        """The recipe with that condition alone, which is its baseline, and nothing to search."""
        own = tuple(one for one in self.condition if one.name == name)
        return replace(self, condition=own, baseline=name, search=None)

    def swept(self, *sweeps: Sweep) -> "Recipe":
        """The recipe with the conditions of these sweeps after its own; RecipeError as its file.

        A sweep's condition that the recipe has already is refused.
        """
        try:
            added = [one for sweep in sweeps for one in sweep.conditions()]
            placed = (replace(one, place=f"{self.place}, condition {one.name}") for one in added)
            return replace(self, condition=(*self.condition, *placed), sweep=())
        except ParameterError as error:
            raise error.seen_from(self.place, reading.RecipeError) from error

    def _check_model(self, number: int, one: Condition) -> None:
        """A condition that takes its widths from another one."""
        if one.same_parameters_as is None:
            return
        free = {two.name for two in self.condition if two.same_parameters_as is None} - {one.name}
        self.require(
            f"condition {one.name}, same_parameters_as",
            one.same_parameters_as,
            one.same_parameters_as in free,
            f"another condition whose widths are its own: {', '.join(sorted(free))}",
        )
        own = one.network.get("hidden")
        expected = "none with same_parameters_as, which computes it"
        self.require(f"condition {one.name}, network.hidden", own, own is None, expected)


@dataclass(frozen=True, kw_only=True)
class Smoke(Settings):
    """Settings that replace those of a task for its small size."""

    data: Table = field(default_factory=dict)
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Task(Settings):
    """A data set and the settings that suit it; see the module."""

    name: reading.Name
    title: Text
    based_on: str | None = None
    data: Table = field(default_factory=dict)
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)
    smoke: Smoke = field(default_factory=Smoke)
    place: str = field(default="", metadata=OF_PLACE)


def recipe_names() -> tuple[str, ...]:
    """Recipes that come with eventsim."""
    return reading.name_list("recipe")


def task_names() -> tuple[str, ...]:
    """Tasks that come with eventsim."""
    return reading.name_list("task")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by its name, or one of your own by the path of its file.

    Raises
    ------
    RecipeError
        It is unknown or malformed: with the file, the key, what came and what was expected.
    """
    values, place, home = reading.open_file("recipe", name_or_path)
    recipe = read(Recipe, values, place, reading.RecipeError)
    conditions = tuple(
        replace(one, place=f"{place}, condition {one.name}") for one in recipe.condition
    )
    plain = replace(recipe, condition=conditions, place=place, home=home)
    return plain.swept(*recipe.sweep)


def load_task(name_or_path: str | Path, *, home: str = "") -> Task:
    """A task by its name, or one of your own by its path, which may be relative to ``home``.

    Raises
    ------
    RecipeError
        As :func:`load_recipe`.
    """
    if home and (Path(home) / name_or_path).is_file():
        name_or_path = Path(home) / name_or_path
    values, place, folder = reading.open_file("task", name_or_path)
    values = _with_base(values, place, folder, (str(name_or_path),))
    return replace(read(Task, values, place, reading.RecipeError), place=place)


def _with_base(
    values: dict[str, Any], place: str, home: str, above: tuple[str, ...]
) -> dict[str, Any]:
    """A task's table laid over that of the one which it is based on, if it names one."""
    base = values.get("based_on")
    if base is None:
        return values
    expected = "the name of a task, or the file of one beside this one"
    if not isinstance(base, str):
        raise reading.RecipeError(f"{place}, based_on", f"got {base!r}", expected)
    if home and (Path(home) / base).is_file():
        base = str(Path(home) / base)
    if Path(base).resolve() in {Path(one).resolve() for one in above}:
        chain = " is based on ".join((*above, base))
        raise reading.RecipeError(
            f"{place}, based_on", chain, remedy="Let one of them stand alone."
        )
    try:
        found, below_place, below_home = reading.open_file("task", base)
    except reading.RecipeError as error:
        raise error.seen_from(f"{place}, based_on", reading.RecipeError) from error
    below = _with_base(found, below_place, below_home, (*above, base))
    return reading.merged({k: v for k, v in below.items() if k not in ("name", "title")}, values)
