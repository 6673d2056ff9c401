"""Dataset: recordings with a class each, in memory or in a file, and their division into parts.

Every loader returns a :class:`Dataset`, and every trainer and command takes one. Recordings in a
file stay there: only what is asked for is read into memory.

As a file a data set is one of :mod:`eventsim.events.stored` with these columns and notes:

===============  ==================  ======================================================
``labels``       int64 [samples]     index into the class names
``keys``         text [samples]      name of every recording; may be missing
``groups``       text [samples]      speaker, writer, session; may be missing
``splits``       text [samples]      part that the recording belongs to; may be missing
``begins``       float64 [samples]   ms on the clock of its source: what is time 0; may be missing
``class_names``  note                JSON list of texts
``source``       note                what the recordings come from
``unit``         note                that of times in the text it was made of; may be missing
``guesses``      note                JSON list: what was guessed of that text; may be missing
``begin``        note                JSON: where times begin, and why; may be missing
===============  ==================  ======================================================

A file of targets (:mod:`eventsim.events.targets`) has values in place of ``labels`` and
``class_names``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Ints
from eventsim.checks import (
    every,
    in_domain,
    known,
    one_each,
    one_of,
    reported,
    shaped,
    some,
    whole_array,
)
from eventsim.entries import Share, parse_json, shown
from eventsim.errors import DataError, ShapeError, StorageError
from eventsim.events.stored import AGAIN, Recording, StoredStream, write_stored
from eventsim.events.stream import EventStream, concatenate
from eventsim.events.targets import TARGETS, Classes, Strings, Values, targets_of

if TYPE_CHECKING:
    # A default of a type variable is known to Python from 3.13 on, to type checkers before.
    from typing_extensions import TypeVar

    Stream_co = TypeVar(
        "Stream_co", bound=EventStream | StoredStream, default=EventStream, covariant=True
    )
else:
    from typing import TypeVar

    Stream_co = TypeVar("Stream_co", covariant=True)

Texts = NDArray[np.str_]
BEGINS = "begins"  # a column of a file
MOST_UNNAMED = 1 << 20  # classes


@dataclass(frozen=True)
class DatasetInfo:
    """Description of a data set that is not open yet.

    ``name`` is the one that ``load`` takes, ``classes`` the name of every class (of every
    output, where recordings have values), ``channels`` the number of input channels. ``splits``
    says how the samples are divided, ``parts`` has the values of ``split``, ``samples`` their
    number, ``obtain`` how to get the files.
    ``grouped`` names the parts that share no group (speaker, writer) with another part of their
    division: it is a division by group. ``lasts`` is about how long a recording is, ms: others that
    are a hundred times as long, or as short, are of another unit. None where nobody knows.
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
    grouped: tuple[str, ...] = ()
    lasts: float | None = None


@dataclass(frozen=True, eq=False)
class Dataset(Generic[Stream_co]):
    """Recordings and their classes, in memory or in a file.

    ``stream, labels, class_names = data`` takes it apart; ``data[index]`` gives selected
    recordings in memory, ``data.subset(index)`` leaves them where they are.

    Parameters
    ----------
    stream
        The recordings: an :class:`EventStream`, or a :class:`StoredStream` that leaves them in
        its file.
    labels
        Shape [samples], integers 0 .. len(class_names) - 1, or names of the classes.
    class_names
        One name per class; no two are equal.
    info
        Description of the data set, if there is one.
    groups
        Speaker of every recording, or whoever made it, texts [samples].
    keys
        Name of every recording in its source, texts [samples]; None for its number.
    split
        Which part of which division this is.
    targets
        :class:`eventsim.events.Values` of every recording, for regression; the labels are then
        all of one class.

    Raises
    ------
    ShapeError, DataError
        With the first recording that does not fit.
    """

    stream: Stream_co
    labels: Ints
    class_names: tuple[str, ...]
    info: DatasetInfo | None
    groups: Texts | None
    keys: Texts | None
    split: str
    targets: Values | None

    def __init__(
        self,
        stream: Stream_co,
        labels: ArrayLike,
        class_names: Any,
        info: DatasetInfo | None = None,
        groups: ArrayLike | None = None,
        keys: ArrayLike | None = None,
        split: str = "",
        *,
        targets: Values | None = None,
    ):
        where = "Dataset" if info is None else info.name
        n, names = stream.n_samples, tuple(str(name) for name in class_names)
        if len(set(names)) < len(names):
            ((twice, _),) = Counter(names).most_common(1)
            raise DataError(
                where,
                f"two classes are called {twice!r}",
                "names that differ: answers are compared by the names of classes",
            )
        given = whole_array(_numbers(labels, names, where), f"{where}: labels")
        columns: dict[str, NDArray[Any] | None] = {
            "labels": np.array(given),
            "groups": None if groups is None else np.asarray(groups, dtype=np.str_),
            "keys": None if keys is None else np.asarray(keys, dtype=np.str_),
        }
        for name, values in columns.items():
            if values is not None:
                kind = "integers" if name == "labels" else "texts"
                shaped(where, name, values, (n,), expected=f"({n},) {kind}, one per sample")
        if targets is not None:
            one_each(where, {"recordings": n, "rows of targets": targets.values.shape[0]})
        words = f"0 .. {len(names) - 1} (there are {len(names)} class names)"
        good = (given >= 0) & (given < len(names))
        every(where, "label", given, good, words, of="sample", error=DataError)
        fields = {"stream": stream, "class_names": names, "info": info, "split": split}
        for name, value in (fields | columns | {"targets": targets}).items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.labels.size

    def __iter__(self) -> Iterator[Any]:
        return iter((self.stream, self.labels, self.class_names))

    def __repr__(self) -> str:
        of = f"{len(self.class_names)} classes" if self.targets is None else "targets"
        return f"Dataset({self.stream!r}, {of})"

    @property
    def target(self) -> Classes | Strings | Values:
        """What is to be answered: a class, a string (blanks in names of classes) or values."""
        if self.targets is not None:
            return self.targets
        kind = Strings if any(" " in name for name in self.class_names) else Classes
        return kind(self.labels, self.class_names)

    def features(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """Whether they have classes, strings or values, as :mod:`eventsim.matrix` calls it."""
        kind = self.target.kind
        return {kind: f"the recordings have {kind}"}

    def __getitem__(self, index: Any) -> Dataset[EventStream]:
        """Selected recordings in memory; ``index`` as in :class:`EventStream`. New arrays."""
        return self._with(self.stream[index], index)

    def subset(self, index: Any) -> Dataset[Stream_co]:
        """Selected recordings, left where they are; ``index`` as in :class:`EventStream`."""
        stream: EventStream | StoredStream = self.stream
        chosen = stream.subset(index) if isinstance(stream, StoredStream) else stream[index]
        return self._with(chosen, index)

    def read(self, index: Any = slice(None)) -> Dataset[EventStream]:
        """Selected recordings, or all, in memory. New arrays."""
        return self[index]

    def _with(self, stream: Any, index: Any) -> Dataset[Any]:
        columns = (self.labels, self.groups, self.keys)
        labels, groups, keys = (None if c is None else np.atleast_1d(c[index]) for c in columns)
        assert labels is not None
        chosen = np.atleast_1d(np.arange(len(self))[index])
        targets = None if self.targets is None else self.targets.of(chosen)
        about = (self.class_names, self.info, groups, keys, self.split)
        return Dataset(stream, labels, *about, targets=targets)

    def relabelled(self, class_names: Sequence[str]) -> Dataset[Stream_co]:
        """The same recordings with labels for other class names, which include all of its own.

        Raises
        ------
        DataError
            A recording is of a class that ``class_names`` lacks.
        """
        number = {name: k for k, name in enumerate(class_names)}
        missing = [self.class_names[k] for k in np.unique(self.labels)]
        missing = [name for name in missing if name not in number]
        if missing:
            where = "Dataset" if self.info is None else self.info.name
            raise DataError(
                where,
                f"has recordings of class {missing[0]!r}",
                f"one of {', '.join(class_names)}",
                "Leave them out, or train on them as well.",
            )
        new = np.array([number.get(name, -1) for name in self.class_names], np.int64)
        return replace(self, labels=new[self.labels], class_names=tuple(class_names))

    def save(
        self,
        path: str | Path,
        *,
        splits: ArrayLike | None = None,
        begins: ArrayLike | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Write the data set to an HDF5 file, whole or not at all; targets in place of labels.

        Parameters
        ----------
        path
            The file; :meth:`open` reads it, and every command that takes a data set.
        splits
            Part of every recording, such as ``train`` or ``test``, texts [samples]; None to leave
            the division open.
        begins
            Time 0 of every recording on the clock of its source, ms [samples]; None where it is
            that of the source.
        notes
            What else is known of the whole file, texts by name.
        """
        target = self.target
        write_stored(
            path,
            recordings_of(self.stream),
            n_channels=self.stream.n_channels,
            columns={**target.columns, **self.columns(splits=splits, begins=begins)},
            notes={
                **(notes or {}),
                **target.notes,
                "source": "" if self.info is None else self.info.name,
            },
        )

    def columns(
        self, *, splits: ArrayLike | None = None, begins: ArrayLike | None = None
    ) -> dict[str, NDArray[Any]]:
        """The columns of a file but for the labels; parameters as :meth:`save`."""
        found: dict[str, NDArray[Any] | None] = {"keys": self.keys, "groups": self.groups}
        if splits is not None:
            found["splits"] = np.asarray(splits, dtype=np.str_)
        if begins is not None:
            found[BEGINS] = np.asarray(begins, dtype=np.float64)
        return {name: values for name, values in found.items() if values is not None}

    @classmethod
    def open(
        cls, path: str | Path, *, split: str | None = None, targets: bool = False
    ) -> Dataset[StoredStream]:
        """A data set that :meth:`save` wrote, left in its file.

        Parameters
        ----------
        path
            The file.
        split
            Only the recordings of this part; None for all.
        targets
            Open a file of targets: all its recordings are of one class.

        Raises
        ------
        StorageError
            The file is missing, damaged, or something else.
        DataError
            It holds events without labels (with ``targets``: without targets), or has no such part.
        """
        found = described(StoredStream.open(path), targets=targets)
        if split is None:
            return found
        splits, parts = splits_of(found.stream), parts_of(found.stream)
        otherwise = "Name a part that is there, or import the recordings with a column 'split'."
        known(str(path), "part", split, parts, otherwise=otherwise, error=DataError)
        return replace(found.subset(splits == split), split=split)


def _numbers(labels: ArrayLike, names: tuple[str, ...], where: str) -> ArrayLike:
    """Labels that are given by the names of their classes, as numbers; others as they are."""
    given = np.asarray(labels)
    if not np.issubdtype(given.dtype, np.str_):
        return labels
    number = {name: k for k, name in enumerate(names)}
    bad = [k for k, name in enumerate(given.flat) if str(name) not in number]
    for k in bad[:1]:
        one_of(f"{where}, sample {k}", "label", str(given.flat[k]), names, error=DataError)
    return np.array([number[str(name)] for name in given.flat], np.int64).reshape(given.shape)


AnyDataset = Dataset[EventStream | StoredStream]


def described(stored: StoredStream, *, targets: bool = False) -> Dataset[StoredStream]:
    """The recordings of an open file with their labels; as :meth:`Dataset.open`."""
    columns, path = stored.columns, stored.path
    give = f"Give them some: eventsim data import {path}"
    if targets:
        remedy = f"{give} --targets TARGETS.csv --out WITH_TARGETS.h5"
        expected = "values of its recordings"
        some(TARGETS in columns, path, "targets", expected=expected, remedy=remedy, error=DataError)
        columns = {**columns, "labels": np.zeros(stored.n_samples, np.int64)}
    if "labels" not in columns:
        came, remedy = (
            "holds events without labels",
            f"{give} --labels LABELS.csv --out LABELLED.h5",
        )
        if TARGETS in columns:
            came = "holds values of its recordings (targets) and no classes"
            remedy = "eventsim train fits values by regression: --loss mean_squared_error."
        raise DataError(path, came, "a class of every recording", remedy)
    words, failures = "is not a whole data set ({})", (ShapeError, DataError)
    with reported(path, words, *failures, remedy=AGAIN, error=StorageError):
        labels = whole_array(columns["labels"], "labels")
        names, parts = class_names_of(stored) or _numbered(labels), parts_of(stored)
        wanted = targets_of(stored) if targets else None
        info = DatasetInfo(
            name=path.stem,
            description=f"recordings of the file {path.name}",
            classes=names if wanted is None else wanted.names,
            channels=stored.n_channels,
            splits="as the file says" if parts else "none",
            obtain="a file of your own",
            licence="that of its recordings",
            parts=parts,
            samples=f"{stored.n_samples:,}",
        )
        groups, keys = columns.get("groups"), columns.get("keys")
        return Dataset(stored, labels, names, info, groups, keys, targets=wanted)


def _numbered(labels: Ints) -> tuple[str, ...]:
    """Numbers as the names of classes that have none; DataError for one that counts nothing."""
    largest = int(labels.max(initial=-1))
    if largest >= MOST_UNNAMED:
        raise DataError(
            "labels", f"are up to {largest}", f"below {MOST_UNNAMED:,} where no class has a name"
        )
    return tuple(map(str, range(largest + 1)))


def splits_of(stored: StoredStream) -> Texts | None:
    """Part of every recording in a file, None if it does not say so."""
    return stored.columns.get("splits")


def parts_of(stored: StoredStream) -> tuple[str, ...]:
    """The parts into which a file divides its recordings, train and test first; () for none."""
    splits = splits_of(stored)
    found = [] if splits is None else np.unique(splits).tolist()
    first = [name for name in ("train", "test") if name in found]
    return tuple(str(name) for name in (*first, *(n for n in found if n not in first)))


def recordings_of(stream: EventStream | StoredStream) -> Iterator[Recording]:
    """Sample after sample, as :func:`eventsim.events.write_stored` takes them."""
    for (times, channels), duration in zip(stream, stream.duration, strict=True):
        yield Recording(times, channels, float(duration))


def class_names_of(stored: StoredStream) -> tuple[str, ...]:
    """Names of the classes in the notes of a file, JSON or one a line; () if there are none."""
    written = stored.notes.get("class_names", "")
    names: Any = written.splitlines()
    if written.startswith("["):
        names = parse_json(written, f"{stored.path}, class_names", StorageError)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StorageError(stored.path, f"class_names are {shown(names)}", "a list of texts")
    return tuple(names)


def joined(*parts: Dataset) -> Dataset:
    """Recordings of the same classes in memory, one part behind the other. New arrays.

    Raises DataError where some parts have targets and others have none.
    """
    wanted = [part.targets for part in parts if part.targets is not None]
    if wanted and len(wanted) < len(parts):
        raise DataError(
            "joined", f"{len(wanted)} of {len(parts)} parts have targets", "all or none"
        )
    groups, keys = (_all_of([getattr(p, name) for p in parts]) for name in ("groups", "keys"))
    return Dataset(
        concatenate([part.stream for part in parts]),
        np.concatenate([part.labels for part in parts]),
        parts[0].class_names,
        parts[0].info,
        groups,
        keys,
        targets=Values.joined(wanted) if wanted else None,
    )


def _all_of(columns: list[Texts | None]) -> Texts | None:
    there = [column for column in columns if column is not None]
    return np.concatenate(there) if len(there) == len(columns) else None


def stratified_split(labels: Ints, *, fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Divide sample numbers into a training and a validation part.

    Parameters
    ----------
    labels
        Shape [samples].
    fraction
        Fraction of every class that goes to validation, in [0, 1), rounded to whole samples. If it
        is above 0, a class of two or more samples gives at least one sample. Every class keeps at
        least one sample for training.
    seed
        Chooses which.

    Returns
    -------
    tuple
        Training and validation sample numbers, each ascending. New arrays.
    """
    in_domain("stratified_split", "fraction", fraction, Share)
    chosen = np.zeros(labels.size, dtype=bool)
    rng = np.random.default_rng(seed)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        wanted = round(fraction * members.size)
        if fraction > 0:
            wanted = min(max(wanted, 1), members.size - 1)
        chosen[members[:wanted]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def grouped_split(groups: Texts, *, fraction: float, seed: int) -> tuple[Ints, Ints]:
    """As :func:`stratified_split`, but every group is in one part as a whole.

    ``groups`` has shape [samples]. In a random order, groups are added to validation as long as it
    stays within its fraction of the samples, above 0. At least one group is in each part.
    """
    names, member = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member, minlength=names.size)
    taken, chosen = 0, np.zeros(names.size, dtype=bool)
    for group in np.random.default_rng(seed).permutation(names.size):
        fits = taken + sizes[group] <= fraction * groups.size
        if (fits or not taken) and chosen.sum() < names.size - 1:
            chosen[group] = True
            taken += int(sizes[group])
    return np.flatnonzero(~chosen[member]), np.flatnonzero(chosen[member])


def grouped_folds(groups: Texts, n: int, *, seed: int) -> tuple[tuple[str, ...], ...]:
    """The names of the groups of each of ``n`` folds, sorted; each group is in one fold.

    Large groups are assigned first, each to the fold with the fewest samples so far; the seed
    decides the order of groups of the same size. There are ``n`` different groups or more in
    ``groups``, [samples].
    """
    names, sizes = np.unique(groups, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(names.size)
    found: list[list[str]] = [[] for _ in range(n)]
    filled = [0] * n
    for group in drawn[np.argsort(-sizes[drawn], kind="stable")].tolist():
        least = filled.index(min(filled))
        found[least].append(str(names[group]))
        filled[least] += int(sizes[group])
    return tuple(sorted(tuple(sorted(fold)) for fold in found))


def spread(labels: Ints, samples: int) -> Ints:
    """Numbers of recordings that represent all, ascending: equally many of every class.

    They are spread evenly over each class. If a class has too few, or ``samples`` is no multiple of
    the classes, other classes give more. All recordings if there are no more than ``samples``,
    which is at least 1.
    """
    rank = np.empty(labels.size, np.int64)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for mine in members:
        rank[mine] = np.arange(mine.size)
    quotas = np.bincount(labels[np.lexsort((labels, rank))[:samples]])
    parts = []
    for mine in members:
        quota = quotas[labels[mine[0]]] if labels[mine[0]] < quotas.size else 0
        parts.append(mine[((np.arange(quota) + 0.5) * mine.size / max(quota, 1)).astype(np.int64)])
    return np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))
