"""What a data set is: events with labels and speakers, and where its files are looked for.

Files are looked for in this order: the ``root`` that the caller names, the folder of the
data set inside ``$EVENTSIM_DATA``, the folder of the data set in the user's data folder.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import DataError
from eventsim.events import EventStream, StoredStream
from eventsim.folders import data_folder

Split = str
Labels = NDArray[np.int64]
Texts = NDArray[np.str_]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is opened.

    ``name`` is the one ``load`` takes, ``classes`` the word of every label, ``channels`` the
    number of input channels; ``splits`` says how the samples are divided, ``parts`` names what
    ``split`` may be; ``samples`` tells how many there are, ``obtain`` how to get the files.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    channels: int
    splits: str
    obtain: str
    licence: str
    parts: tuple[str, ...] = ("train", "test")
    samples: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set, in memory.

    ``stream, labels, class_names = data`` takes it apart.

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
        Speaker of every sample, or whoever made it, strings [samples].
    keys
        Name of every sample in its source, strings [samples]; None for its number.
    split
        Which part of which division this is.

    Raises
    ------
    DataError
        The parts do not belong together.
    """

    stream: EventStream
    labels: Labels
    class_names: tuple[str, ...]
    info: DatasetInfo
    groups: Texts
    keys: Texts | None = None
    split: Split = ""

    def __post_init__(self) -> None:
        """Check that there is one label, group and key per sample."""
        _check_parts(self)

    def __len__(self) -> int:
        return self.labels.size

    def __iter__(self) -> Iterator[Any]:
        return iter((self.stream, self.labels, self.class_names))

    def subset(self, index: Any) -> "Dataset":
        """Selected samples, ``index`` as in :class:`EventStream`. New arrays."""
        return Dataset(
            self.stream[index],
            np.atleast_1d(self.labels[index]),
            self.class_names,
            self.info,
            np.atleast_1d(self.groups[index]),
            None if self.keys is None else np.atleast_1d(self.keys[index]),
            self.split,
        )


@dataclass(frozen=True, eq=False)
class StoredDataset:
    """One split of a data set whose events stay on disk; parameters as :class:`Dataset`."""

    stream: StoredStream
    labels: Labels
    class_names: tuple[str, ...]
    info: DatasetInfo
    groups: Texts
    keys: Texts | None = None
    split: Split = ""

    def __post_init__(self) -> None:
        """Check as :class:`Dataset` does."""
        _check_parts(self)

    def __len__(self) -> int:
        return self.labels.size

    def __iter__(self) -> Iterator[Any]:
        return iter((self.stream, self.labels, self.class_names))

    def subset(self, index: Any) -> "StoredDataset":
        """Selected samples, left on disk; ``index`` as in :class:`EventStream`."""
        return StoredDataset(
            self.stream.subset(index),
            np.atleast_1d(self.labels[index]),
            self.class_names,
            self.info,
            np.atleast_1d(self.groups[index]),
            None if self.keys is None else np.atleast_1d(self.keys[index]),
            self.split,
        )

    def read(self, index: Any = slice(None)) -> Dataset:
        """Selected samples, or all, in memory."""
        part = self.subset(index)
        return Dataset(
            part.stream[:],
            part.labels,
            part.class_names,
            part.info,
            part.groups,
            part.keys,
            part.split,
        )


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


def _check_parts(data: Dataset | StoredDataset) -> None:
    n = data.stream.n_samples
    sizes = {"labels": data.labels.shape, "groups": data.groups.shape}
    if data.keys is not None:
        sizes["keys"] = data.keys.shape
    for name, shape in sizes.items():
        if shape != (n,):
            raise DataError(
                f"{data.info.name}: {name} have shape {shape}, expected ({n},), one per sample."
            )
    bad = np.flatnonzero((data.labels < 0) | (data.labels >= len(data.class_names)))
    if bad.size:
        raise DataError(
            f"{data.info.name}, sample {bad[0]}: label is {data.labels[bad[0]]}, expected 0 .. "
            f"{len(data.class_names) - 1} (there are {len(data.class_names)} class names)."
        )


def _inside(folder: Path, candidates: Sequence[str]) -> Path | None:
    if not folder.is_dir():
        return None
    return next((folder / c for c in candidates if (folder / c).is_file()), None)
