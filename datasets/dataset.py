"""What a data set is: events with labels and speakers, and where its files are looked for.

Files are looked for in this order: the ``root`` that the caller names, the folder of the
data set inside ``$EVENTSIM_DATA``, the folder of the data set in the user's data folder.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import platformdirs
from numpy.typing import NDArray

from eventsim.errors import DataError
from eventsim.events import EventStream

Split = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is opened.

    ``name`` is the one ``load`` takes, ``classes`` the word of every label, ``channels`` the
    number of input channels; ``splits`` says how train and test are divided, ``obtain`` how
    to get the files.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    channels: int
    splits: str
    obtain: str
    licence: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set, in memory.

    Parameters
    ----------
    stream
        Events of all samples.
    labels
        int64 [samples], index into ``class_names``.
    class_names
        Word of every label.
    info
        Description of the data set.
    groups
        Speaker of every sample, strings [samples].
    """

    stream: EventStream
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    info: DatasetInfo
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return self.labels.size


def user_folder(name: str) -> Path:
    """Folder of data set ``name`` in the user's data folder; it need not exist."""
    return Path(platformdirs.user_data_dir("eventsim")) / name


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
    bases = [user_folder(name).parent]
    if os.environ.get("EVENTSIM_DATA"):
        bases.insert(0, Path(os.environ["EVENTSIM_DATA"]).expanduser())
    for base in bases:
        found = _inside(base / name, candidates) or _inside(base, candidates)
        if found is not None:
            return found
        if (base / name).is_dir() and any((base / name).iterdir()):
            return base / name
    return None


def searched(name: str) -> str:
    """The places where :func:`find` looks without a root, in words."""
    data = os.environ.get("EVENTSIM_DATA")
    first = str(Path(data) / name) if data else f"$EVENTSIM_DATA/{name} (EVENTSIM_DATA is not set)"
    return f"{first} and {user_folder(name)}"


def check_split(name: str, split: str) -> None:
    """Raise DataError unless ``split`` is "train" or "test"."""
    if split not in ("train", "test"):
        raise DataError(f"{name}: split is {split!r}, expected 'train' or 'test'.")


def _inside(folder: Path, candidates: Sequence[str]) -> Path | None:
    if not folder.is_dir():
        return None
    return next((folder / c for c in candidates if (folder / c).is_file()), None)
