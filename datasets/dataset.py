"""Where the files of a data set are looked for, and what all data sets share.

Files are looked for in this order: the ``root`` that the caller names, the folder of the
data set inside ``$EVENTSIM_DATA``, the folder of the data set in the user's data folder.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import DataError
from eventsim.folders import data_folder

Split = str
Texts = NDArray[np.str_]


def user_folder(name: str) -> Path:
    """Folder of data set ``name`` in the user's data folder; it need not exist."""
    return data_folder() / name


def find(name: str, *, root: str | Path | None, candidates: Sequence[str]) -> Path | None:
    """First existing place of data set ``name``, or None.

    Parameters
    ----------
    root
        A file or folder named by the caller. If given it must exist, and a folder is searched
        for ``candidates`` before it is returned itself.
    candidates
        File names to look for in the data set's folder, and beside it.
    """
    if root is not None:
        place = Path(root).expanduser()
        if not place.exists():
            raise DataError(
                f"{name}: root {place} does not exist. Give a file or folder that does."
            )
        return _inside(place, candidates) or place
    for base in _bases():
        found = _inside(base / name, candidates) or _inside(base, candidates)
        if found is not None:
            return found
        if (base / name).is_dir() and any((base / name).iterdir()):
            return base / name
    return None


def _bases() -> Iterator[Path]:
    if os.environ.get("EVENTSIM_DATA"):
        yield Path(os.environ["EVENTSIM_DATA"]).expanduser()
    yield data_folder()


def searched(name: str) -> str:
    """The places where :func:`find` looks without a root, in words."""
    data = os.environ.get("EVENTSIM_DATA")
    first = str(Path(data) / name) if data else f"$EVENTSIM_DATA/{name} (EVENTSIM_DATA is not set)"
    return f"{first} and {user_folder(name)}"


def check_split(name: str, split: str, parts: Sequence[str] = ("train", "test")) -> None:
    """Raise DataError unless ``split`` is one of ``parts``."""
    if split not in parts:
        expected = " or ".join(map(repr, parts)) if len(parts) < 3 else f"one of {', '.join(parts)}"
        raise DataError(f"{name}: split is {split!r}, expected {expected}.")


def duration_after(times: NDArray[np.float64]) -> float:
    """First whole millisecond after the last event, for sources that store no duration."""
    return float(np.floor(times.max(initial=0.0)) + 1.0)


def _inside(folder: Path, candidates: Sequence[str]) -> Path | None:
    if not folder.is_dir():
        return None
    return next((folder / c for c in candidates if (folder / c).is_file()), None)
