"""Files that cannot be read: all of them are named at once, or left out by ``--skip-damaged``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from eventsim import datasets
from eventsim.cli.readers import Events
from eventsim.errors import DataError, EventSimError

SkipDamagedOption = Annotated[
    bool,
    typer.Option(
        "--skip-damaged",
        help="Leave out files that are missing or damaged, by name, in place of an error.",
    ),
]


@dataclass(frozen=True)
class Damaged:
    """A file that is missing or cannot be read, and why."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


def read_files(
    places: Sequence[str],
    read: Callable[[str], Events],
    *,
    skip: bool,
    where: Mapping[str, str] | None = None,
) -> tuple[dict[str, Events], list[Damaged]]:
    """Read every file once, and say of each that cannot be read why.

    Parameters
    ----------
    places
        Files, or names of data sets.
    read
        Reads one of them.
    skip
        Leave out what cannot be read.
    where
        Where a file was named, such as a line of a table; for messages.

    Returns
    -------
    tuple
        What was read, in the order of ``places``, and what was not.

    Raises
    ------
    DataError
        With all files that cannot be read, unless they are to be skipped; if none can be read,
        also then.
    """
    found: dict[str, Events] = {}
    bad: list[Damaged] = []
    for place in dict.fromkeys(places):
        named = (where or {}).get(place)
        try:
            if len(places) > 1 and place not in datasets.DATASETS and not Path(place).exists():
                raise DataError("there is no such file.")
            found[place] = read(place)
        except (EventSimError, OSError) as error:
            if len(places) == 1:
                raise
            reason = str(error).removeprefix(f"{place}: ")
            bad.append(Damaged(place, reason if named is None else f"{reason} ({named})"))
    if bad and not (skip and found):
        remedy = "" if skip else " --skip-damaged leaves them out."
        lines = "".join(f"\n  {one}" for one in bad)
        n_files = len(found) + len(bad)
        raise DataError(f"{len(bad):,} of {n_files:,} files are missing or damaged.{remedy}{lines}")
    return found, bad
