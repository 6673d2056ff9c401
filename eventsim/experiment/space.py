"""What a search may change, and within which bounds.

=====================================  ===========================================================
entry of ``[search.space]``            values
=====================================  ===========================================================
``{low = 1, high = 9}``                numbers between; whole ones if both bounds are whole
``{low = 1e-3, high = 1.0, log = true}``  the same, evenly in the logarithm
``{choices = [..]}``                   one of the list
=====================================  ===========================================================

Keys are paths such as ``network.tau_syn`` or ``train.rates.weights``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventsim.entries import Entry
from eventsim.experiment.errors import RecipeError
from eventsim.experiment.reading import seeds

SEARCH_KEYS = ("condition", "seeds", "trials", "space")
RANGE_KEYS = ("low", "high", "log", "choices")
DEFAULT_TRIALS = 30


@dataclass(frozen=True, kw_only=True)
class Range:
    """Values that one key may take: ``low`` .. ``high``, or ``choices``."""

    key: str
    low: float | int = 0
    high: float | int = 0
    log: bool = False
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What is searched.

    Attributes
    ----------
    condition
        Whose settings are changed.
    seeds
        Every trial trains with each; its value is the mean.
    trials
        How many, where nobody says.
    space
        What may change.
    """

    condition: str
    seeds: tuple[int, ...]
    trials: int
    space: tuple[Range, ...]


def read_search(entry: Entry, conditions: Sequence[str]) -> SearchSettings:
    """The table ``[search]`` of a recipe; RecipeError with the place of a mistake."""
    part = entry.table(SEARCH_KEYS, optional=("seeds", "trials"))
    trials = part["trials"].value if "trials" in part else DEFAULT_TRIALS
    if type(trials) is not int or trials < 1:
        raise part["trials"].wrong("a whole number >= 1")
    ranges = part["space"].mapping()
    if not ranges:
        raise part["space"].wrong("one key or more")
    return SearchSettings(
        condition=part["condition"].one_of(conditions),
        seeds=seeds(part["seeds"]) if "seeds" in part else (0,),
        trials=trials,
        space=tuple(_range(key, part["space"], ranges[key]) for key in ranges),
    )


def _range(key: str, space: Entry, value: Any) -> Range:
    entry = space.inner(key, value)
    if key.partition(".")[0] not in ("network", "train") or key.endswith((".", ".seed")):
        raise RecipeError(f"{entry.place}: expected a key such as network.tau_syn or train.gain.")
    part = entry.table(RANGE_KEYS, optional=RANGE_KEYS)
    if set(part) == {"choices"}:
        choices = part["choices"].value
        if not isinstance(choices, list) or not choices:
            raise part["choices"].wrong("a list of values")
        return Range(key=key, choices=tuple(choices))
    if not {"low", "high"} <= set(part) <= {"low", "high", "log"}:
        raise entry.wrong("low and high (and log), or choices")
    low, high, log = part["low"].value, part["high"].value, value.get("log", False)
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (low, high))
    if not numbers or not low < high:
        raise entry.wrong("two numbers, low < high")
    if not isinstance(log, bool) or (log and low <= 0):
        raise entry.wrong("log = true or false, and low > 0 for a logarithm")
    return Range(key=key, low=low, high=high, log=log)
