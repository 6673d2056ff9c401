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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from eventsim.entries import Entry
from eventsim.experiment.errors import RecipeError
from eventsim.experiment.reading import names, read, seeds, tables, word
from eventsim.experiment.space import SearchSettings, read_search

Method = Literal["exact", "grid"]
Table = Mapping[str, Any]

DEFAULT_SEEDS = (0, 1, 2)
RECIPE_KEYS = (
    "name", "title", "about", "task", "seeds", "baseline", "network", "train", "condition",
    "search",
)  # fmt: skip
CONDITION_KEYS = ("name", "title", "method", "dt", "same_parameters_as", "network", "train")
TASK_KEYS = ("name", "title", "data", "network", "train", "smoke")
SMOKE_KEYS = ("data", "network", "train")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that is compared with others, as the recipe says it.

    Attributes
    ----------
    name, title
        For folders and options; for tables.
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

    name: str
    title: str
    method: Method = "exact"
    dt: float | None = None
    same_parameters_as: str | None = None
    network: Table = field(default_factory=dict)
    train: Table = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is compared; see the module. ``home`` is the folder of a file of the user's own."""

    name: str
    title: str
    about: str
    task: str
    seeds: tuple[int, ...]
    baseline: str
    conditions: tuple[Condition, ...]
    network: Table
    train: Table
    search: SearchSettings | None
    place: str
    home: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set and the settings that suit it; see the module."""

    name: str
    title: str
    data: Table
    network: Table
    train: Table
    smoke: Mapping[str, Table]
    place: str


def recipe_names() -> tuple[str, ...]:
    """Recipes that come with eventsim."""
    return names("recipe")


def task_names() -> tuple[str, ...]:
    """Tasks that come with eventsim."""
    return names("task")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by its name, or one of your own by the path of its file.

    Raises
    ------
    RecipeError
        It is unknown or malformed: with the file, the key, what came and what was expected.
    """
    entry, home = read("recipe", name_or_path)
    optional = ("about", "seeds", "network", "train", "search")
    part = entry.table(RECIPE_KEYS, optional=optional)
    conditions = [_condition(one) for one in tables(part["condition"])]
    known = [one.name for one in conditions]
    for one in conditions:
        if known.count(one.name) > 1:
            raise RecipeError(f"{one.place}: there is more than one condition of this name.")
        if one.same_parameters_as is not None:
            _check_model(one, conditions)
    return Recipe(
        name=word(part["name"]),
        title=part["title"].text(),
        about=part["about"].text() if "about" in part else "",
        task=part["task"].text(),
        seeds=seeds(part["seeds"]) if "seeds" in part else DEFAULT_SEEDS,
        baseline=part["baseline"].one_of(known),
        conditions=tuple(conditions),
        network=part["network"].mapping() if "network" in part else {},
        train=part["train"].mapping() if "train" in part else {},
        search=read_search(part["search"], known) if "search" in part else None,
        place=entry.place,
        home=home,
    )


def load_task(name_or_path: str | Path, *, home: str = "") -> Task:
    """A task by its name, or one of your own by its path, which may be relative to ``home``.

    Raises
    ------
    RecipeError
        As :func:`load_recipe`.
    """
    if home and (Path(home) / name_or_path).is_file():
        name_or_path = Path(home) / name_or_path
    entry, _ = read("task", name_or_path)
    part = entry.table(TASK_KEYS, optional=("network", "train", "smoke"))
    smoke = part["smoke"].table(SMOKE_KEYS, optional=SMOKE_KEYS) if "smoke" in part else {}
    return Task(
        name=word(part["name"]),
        title=part["title"].text(),
        data=part["data"].mapping(),
        network=part["network"].mapping() if "network" in part else {},
        train=part["train"].mapping() if "train" in part else {},
        smoke={key: smoke[key].mapping() if key in smoke else {} for key in SMOKE_KEYS},
        place=entry.place,
    )


def _condition(entry: Entry) -> Condition:
    part = entry.table(CONDITION_KEYS, optional=[key for key in CONDITION_KEYS if key != "name"])
    name = word(part["name"])
    method: Method = part["method"].one_of(get_args(Method)) if "method" in part else "exact"
    if (method == "grid") != ("dt" in part):
        need = "a time step, dt" if method == "grid" else "no dt"
        raise RecipeError(f"{entry.place}: is of method {method!r}, which needs {need}.")
    twin = part.get("same_parameters_as")
    return Condition(
        name=name,
        title=part["title"].text() if "title" in part else name,
        method=method,
        dt=part["dt"].number("positive") if "dt" in part else None,
        same_parameters_as=None if twin is None else twin.text(),
        network=part["network"].mapping() if "network" in part else {},
        train=part["train"].mapping() if "train" in part else {},
        place=entry.place,
    )


def _check_model(one: Condition, conditions: list[Condition]) -> None:
    free = {other.name for other in conditions if other.same_parameters_as is None}
    if one.same_parameters_as not in free - {one.name}:
        raise RecipeError(
            f"{one.place}, same_parameters_as: is {one.same_parameters_as!r}, expected another "
            f"condition whose widths are its own: {', '.join(sorted(free - {one.name}))}."
        )
    if "hidden" in one.network:
        raise RecipeError(
            f"{one.place}: network.hidden is computed with same_parameters_as; leave one out."
        )
