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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import MinLen

from eventsim.entries import Count, Settings
from eventsim.experiment.reading import Seeds


@dataclass(frozen=True, kw_only=True)
class Range(Settings):
    """Values that one setting may take: ``low`` .. ``high``, or ``choices``."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool | None = None
    choices: Annotated[tuple[Any, ...], MinLen(1), "a list of values"] | None = None

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
    """What is searched.

    Attributes
    ----------
    condition
        Whose settings are changed.
    space
        What may change, by the path of the setting.
    seeds
        Every trial trains with each; its value is the mean.
    trials
        How many, where nobody says.
    """

    condition: str
    space: Annotated[Mapping[str, Range], MinLen(1), "one key or more"]
    seeds: Seeds = 1
    trials: Count = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in self.space:
            good = key.partition(".")[0] in ("network", "train")
            good = good and not key.endswith((".", ".seed"))
            self.require("space", key, good, "a key such as network.tau_syn or train.gain")
