"""The glossary of measures: one name for each number that commands, pages and files show.

Every table and page takes the name from measures.toml, and the reference shows that list.
``instead_of`` are words for the same thing that eventsim does not use; a test looks for them.
NeuroBench's names are those of version 2.3.
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

# Of the normal distribution: 95 % of it lie within so many standard deviations.
_Z95 = 1.959963984540054


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share that was counted in ``n`` independent trials.

    Parameters
    ----------
    share
        In [0, 1]: successes by trials.
    n
        Trials.

    Returns
    -------
    tuple
        Low and high, in [0, 1]; (0, 1) without trials. Of few or related trials, such as recordings
        of one speaker, the truth is less sure than the interval says.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, J. Am.
    Stat. Assoc. 22:209-212.
    """
    if not n:
        return 0.0, 1.0
    z2 = _Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n * n)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)


INTERVAL = "95 % interval (Wilson; as if recordings were independent)"


def interval_text(share: float, n: int) -> str:
    """:func:`wilson` as people read it."""
    low, high = wilson(share, n)
    return f"{100.0 * low:.1f} to {100.0 * high:.1f} %"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Definition of a number that eventsim reports: name, unit, what it counts."""

    name: str  # For people
    unit: str  # Of the number; empty for a plain number
    counts: str  # What is counted
    leaves_out: str = ""  # What one might look for in it, and is not in it
    neurobench: str = ""  # NeuroBench's name of the same, with the difference if there is one
    keys: tuple[str, ...] = ()  # Names in JSON files and in Python
    instead_of: tuple[str, ...] = ()  # Other words for it, which are not used


LOSSES_DIFFER = (
    "The loss of training contains label smoothing and dropout where they are on, that of "
    "validation contains neither."
)


@functools.cache
def measures() -> Mapping[str, Measure]:
    """The measures by key, in the order in which the reference shows them."""
    text = files("eventsim").joinpath("measures.toml").read_text(encoding="utf-8")
    return {key: Measure(**_tuples(values)) for key, values in tomllib.loads(text).items()}


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}


def measure_name(key: str) -> str:
    """The one name of a measure."""
    return measures()[key].name
