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
        help="Leave out missing or damaged files and name them; without this they are an error.",
    ),
]

REMEDY = "--skip-damaged leaves them out."


@dataclass(frozen=True)
class Damaged:
    """A file that is missing or cannot be read, why, and where it was named, as in a table."""

    file: str
    reason: str
    named: str | None = None

    @property
    def name(self) -> str:
        """The file, and where it was named."""
        return self.file if self.named is None else f"{self.file} ({self.named})"

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


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
        try:
            if len(places) > 1 and place not in datasets.DATASETS and not Path(place).exists():
                raise DataError(place, "there is no such file")
            found[place] = read(place)
        except (EventSimError, OSError) as error:
            if len(places) == 1:
                raise
            reason = str(error).removeprefix(place).lstrip(":, ")
            bad.append(Damaged(place, reason, (where or {}).get(place)))
    if bad and not (skip and found):
        raise _error(bad, len(found), remedy="" if skip else REMEDY)
    return found, bad


def _error(bad: Sequence[Damaged], n_found: int, *, remedy: str) -> DataError:
    """The error that names all files; a reason shared by several stands once, above them."""
    alike: dict[str, list[Damaged]] = {}
    for one in bad:
        alike.setdefault(one.reason, []).append(one)
    if not n_found and len(alike) == 1:  # they are not damaged, but read as what they are not
        told = "cannot be read, all for one reason"
        return DataError(f"{len(bad):,} files", told, remedy=bad[0])
    lines = []
    for reason, files in alike.items():
        if len(files) == 1:
            lines.append(f"\n  {files[0]}")
        else:
            lines += [
                f"\n  {len(files):,} files: {reason}",
                *(f"\n    {one.name}" for one in files),
            ]
    of = f"{len(bad):,} of {n_found + len(bad):,} files"
    return DataError(of, "are missing or damaged", remedy=remedy + "".join(lines))
