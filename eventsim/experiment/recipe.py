"""Recipes and tasks: what is compared, and on what.

A **recipe** lists conditions that differ in little. A **task** is a data set with the settings that
suit it, and a small size of all that runs in seconds. Any recipe goes with any task::

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

    [search]                   # of ``eventsim experiment search``, see eventsim.experiment.search
    condition = "plain"

    [search.space]
    "train.rates.weights" = { low = 1e-3, high = 1e-1, log = true }

A task::

    format = "eventsim-task"
    version = 1
    name = "mine"
    title = "My recordings"

    [data]                     # keys of DataSettings
    name = "shd"

    [network]                  # as in a recipe
    [train]

    [smoke.data]               # laid over everything for the small size; so are .network, .train
    train_samples = 50

Of a key that is given more than once the last one counts, in this order: task, recipe, condition,
small size, command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from eventsim.entries import Positive, Settings, Text, read
from eventsim.experiment.errors import RecipeError
from eventsim.experiment.reading import Name, Seeds, name_list, open_file
from eventsim.experiment.space import SearchSettings

Method = Literal["exact", "grid"]
Table = Mapping[str, Any]
OF_PLACE: Mapping[str, Any] = {"from_file": False}


@dataclass(frozen=True, kw_only=True)
class Condition(Settings):
    """One thing that is compared with others, as the recipe says it.

    Attributes
    ----------
    name, title
        For folders and options; for tables, the name by default.
    method
        ``exact`` time, or its fixed-step counterpart on a ``grid``.
    dt
        Time step of the grid, ms; None in exact time.
    same_parameters_as
        Condition whose number of trained parameters it shall have; None for its own.
    network, train
        Keys that differ from the recipe's.
    place
        In its file, for messages.
    """

    name: Name
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
class Recipe(Settings):
    """What is compared; see the module. ``home`` is the folder of a file of the user's own."""

    name: Name
    title: Text
    task: Text
    baseline: str
    condition: Annotated[tuple[Condition, ...], MinLen(1), "one table or more, each under [[..]]"]
    about: str = ""
    seeds: Seeds = 3
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)
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
    """What is laid over a task for its small size."""

    data: Table = field(default_factory=dict)
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Task(Settings):
    """A data set and the settings that suit it; see the module."""

    name: Name
    title: Text
    data: Table
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)
    smoke: Smoke = field(default_factory=Smoke)
    place: str = field(default="", metadata=OF_PLACE)


def recipe_names() -> tuple[str, ...]:
    """Recipes that come with eventsim."""
    return name_list("recipe")


def task_names() -> tuple[str, ...]:
    """Tasks that come with eventsim."""
    return name_list("task")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by its name, or one of your own by the path of its file.

    Raises
    ------
    RecipeError
        It is unknown or malformed: with the file, the key, what came and what was expected.
    """
    values, place, home = open_file("recipe", name_or_path)
    recipe = read(Recipe, values, place, RecipeError)
    conditions = tuple(
        replace(one, place=f"{place}, condition {one.name}") for one in recipe.condition
    )
    return replace(recipe, condition=conditions, place=place, home=home)


def load_task(name_or_path: str | Path, *, home: str = "") -> Task:
    """A task by its name, or one of your own by its path, which may be relative to ``home``.

    Raises
    ------
    RecipeError
        As :func:`load_recipe`.
    """
    if home and (Path(home) / name_or_path).is_file():
        name_or_path = Path(home) / name_or_path
    values, place, _ = open_file("task", name_or_path)
    return replace(read(Task, values, place, RecipeError), place=place)
