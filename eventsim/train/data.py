"""Recordings with a class each, in memory or in a file, and their seeded, stratified split.

Training and evaluation take either. Both have ``labels``, ``class_names`` and a ``stream`` that
counts and batches samples; ``data[index]`` gives selected samples in memory, ``data.subset(index)``
leaves them where they are. Of recordings in a file, no more than a batch is ever in memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Ints
from eventsim.errors import DataError, ParameterError, ShapeError
from eventsim.events import EventStream, StoredStream
from eventsim.events.doors import whole_array


@dataclass(frozen=True, eq=False)
class LabelledEvents:
    """Recordings and their classes.

    Parameters
    ----------
    stream
        The recordings.
    labels
        Shape [samples], int64, 0 .. len(class_names) - 1.
    class_names
        One name per class.

    Raises
    ------
    ShapeError, DataError
        With the first sample that does not fit.
    """

    stream: EventStream
    labels: Ints
    class_names: tuple[str, ...]

    def __init__(self, stream: EventStream, labels: ArrayLike, class_names: Any):
        _set_checked(self, stream, labels, class_names)

    def __len__(self) -> int:
        return self.labels.size

    def __getitem__(self, index: Any) -> "LabelledEvents":
        """Select samples as :class:`EventStream` does. New arrays."""
        labels = np.atleast_1d(self.labels[index])
        return LabelledEvents(self.stream[index], labels, self.class_names)

    def subset(self, index: Any) -> "LabelledEvents":
        """Selected samples, in memory as these are. New arrays."""
        return self[index]

    def __repr__(self) -> str:
        return f"LabelledEvents({self.stream!r}, {len(self.class_names)} classes)"


@dataclass(frozen=True, eq=False)
class StoredLabelledEvents:
    """Recordings in a file, and their classes; parameters as :class:`LabelledEvents`."""

    stream: StoredStream
    labels: Ints
    class_names: tuple[str, ...]

    def __init__(self, stream: StoredStream, labels: ArrayLike, class_names: Any):
        _set_checked(self, stream, labels, class_names)

    def __len__(self) -> int:
        return self.labels.size

    def __getitem__(self, index: Any) -> LabelledEvents:
        """Read samples, selected as :class:`EventStream` does. New arrays."""
        labels = np.atleast_1d(self.labels[index])
        return LabelledEvents(self.stream[index], labels, self.class_names)

    def subset(self, index: Any) -> "StoredLabelledEvents":
        """Selected samples, left in the file."""
        labels = np.atleast_1d(self.labels[index])
        return StoredLabelledEvents(self.stream.subset(index), labels, self.class_names)

    def __repr__(self) -> str:
        return f"StoredLabelledEvents({self.stream!r}, {len(self.class_names)} classes)"


AnyEvents = LabelledEvents | StoredLabelledEvents


def stratified_split(labels: Ints, *, fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Divide sample numbers into a training and a validation part.

    Parameters
    ----------
    labels
        Shape [samples].
    fraction
        Share of every class that goes to validation, in [0, 1). It is rounded to whole samples;
        if ``fraction > 0``, a class of two or more samples gives at least one; it always keeps one.
    seed
        Chooses which.

    Returns
    -------
    tuple
        Training and validation sample numbers, each ascending. New arrays.
    """
    if not 0 <= fraction < 1:
        raise ParameterError(f"stratified_split: fraction is {fraction}, expected 0 <= x < 1.")
    chosen = np.zeros(labels.size, dtype=bool)
    rng = np.random.default_rng(seed)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        wanted = round(fraction * members.size)
        if fraction > 0:
            wanted = min(max(wanted, 1), members.size - 1)
        chosen[members[:wanted]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _set_checked(
    data: AnyEvents, stream: EventStream | StoredStream, labels: ArrayLike, class_names: Any
) -> None:
    """Set the fields of ``data``, checked."""
    kind = type(data).__name__
    given = whole_array(labels, f"{kind}: labels")
    if given.shape != (stream.n_samples,):
        raise ShapeError(
            f"{kind}: labels have shape {given.shape}, expected ({stream.n_samples},) integers, "
            "one per sample."
        )
    names = tuple(str(name) for name in class_names)
    bad = np.flatnonzero((given < 0) | (given >= len(names)))
    if bad.size:
        raise DataError(
            f"{kind}, sample {bad[0]}: label is {given[bad[0]]}, expected 0 .. {len(names) - 1} "
            f"(there are {len(names)} class names)."
        )
    object.__setattr__(data, "stream", stream)
    object.__setattr__(data, "labels", np.array(given))
    object.__setattr__(data, "class_names", names)
