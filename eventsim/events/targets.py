"""The target of a data set: the class, the string or the values that a network is to answer.

======================  =================================================================
:class:`Classes`        one class of every recording
:class:`Strings`        a string of labels; those that occur are classes with blanks in their names
:class:`Values`         numbers at times, which regression fits
======================  =================================================================

Each knows what it counts in a mean (``given``), what a file keeps of it, and how well an answer
without any input does (``guessed``). In a file of :mod:`eventsim.events.stored` values are two
columns and a note in place of the labels:

================  ===================================  =========================================
``targets``       float64 [samples, times, outputs]    wanted values, NaN for none
``target_times``  float64 [samples, times]             ms, ascending, within the recording
``target_names``  note                                 JSON list of texts: name of every output
================  ===================================  =========================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.entries import parse_json
from eventsim.errors import DataError, StorageError
from eventsim.events.stored import StoredStream

TARGETS, TIMES, NAMES = "targets", "target_times", "target_names"
# Of one recording: time in ms, NaN for its end, and a value of every output
Lines = Sequence[tuple[float, tuple[float, ...]]]


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes of recordings: int64 [samples], and a name of each class."""

    labels: Ints
    names: tuple[str, ...]
    kind: ClassVar[str] = "classes"  # as :mod:`eventsim.matrix` calls it

    @property
    def given(self) -> int:
        """Number of answers that are wanted."""
        return self.labels.size

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Column of a file."""
        return {"labels": self.labels}

    @property
    def notes(self) -> Mapping[str, str]:
        """Note of a file."""
        return {"class_names": json.dumps(self.names)}

    def guessed(self, test: Any) -> float:
        """Accuracy on the :class:`Classes` of a test of always naming the commonest of these."""
        commonest = self.names[np.bincount(self.labels).argmax()]
        return float(np.mean(np.array(test.names)[test.labels] == commonest))


class Strings(Classes):
    """Strings of labels: the words of the name of the class."""

    kind = "strings"


@dataclass(frozen=True, eq=False)
class Values:
    """Wanted values of recordings, for regression; what does not fit is refused by the loss.

    Attributes
    ----------
    values
        float64 [samples, times, outputs], in any unit; NaN where nothing is wanted.
    times
        ms, float64 [samples, times], ascending; see :class:`eventsim.train.MeanSquaredError`.
    names
        Of the outputs.
    """

    values: Floats
    times: Floats
    names: tuple[str, ...]
    kind: ClassVar[str] = "values"

    @classmethod
    def of_lines(
        cls, lines: Sequence[Lines], *, zero: Floats, duration: Floats, names: tuple[str, ...]
    ) -> Values:
        """Targets of the lines of a table, by recording.

        ``zero`` is the time on the clock of the table that is 0 in the recording, ms [samples];
        ``duration`` is that of the recordings, at whose end a value without a time is wanted. A
        recording may have fewer times than another: NaN stands behind them. Raises DataError for a
        time before 0.
        """
        most = max(map(len, lines))
        values = np.full((len(lines), most, len(names)), np.nan)
        times = np.empty((len(lines), most))
        for k, mine in enumerate(lines):
            at = np.array([time for time, _ in mine]) - zero[k]
            at = np.where(np.isnan(at), max(duration[k], np.nanmax([0.0, *at])), at)
            if at.min() < 0:
                raise DataError(
                    f"recording {k}",
                    f"a target is wanted at {at.min() + zero[k]:g} ms, before the recording "
                    f"begins, at {zero[k]:g} ms on its clock",
                    remedy="Leave it out, or say where the recording begins: --begin zero.",
                )
            order = np.argsort(at, kind="stable")
            times[k] = at.max()
            times[k, : at.size] = at[order]
            values[k, : at.size] = np.array([value for _, value in mine])[order]
        return cls(values, times, names)

    def summary(self) -> dict[str, Any]:
        """Number, least and largest value of every output, plain values."""
        found = {}
        for k, name in enumerate(self.names):
            there = self.values[:, :, k][~np.isnan(self.values[:, :, k])]
            ends = (float(there.min()), float(there.max())) if there.size else (None, None)
            found[name] = {"values": int(there.size), "least": ends[0], "largest": ends[1]}
        return found

    @property
    def given(self) -> int:
        """Number of values that are wanted."""
        return int(np.isfinite(self.values).sum())

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Columns of a file: values and times of the targets."""
        return {TARGETS: self.values, TIMES: self.times}

    @property
    def notes(self) -> Mapping[str, str]:
        """Note of a file: names of the outputs."""
        return {NAMES: json.dumps(self.names)}

    def guessed(self, test: Any) -> float:
        """Mean squared error on the :class:`Values` of a test of always giving the mean of these.

        NaN where nothing is wanted.
        """
        mean = np.nanmean(self.values, axis=(0, 1))
        return float(np.nanmean((test.values - mean) ** 2))

    def scale(self, where: str) -> tuple[Floats, Floats]:
        """Mean and standard deviation of every output; 1 where all its values are equal.

        Raises DataError for an output without any.
        """
        there = ~np.isnan(self.values).all(axis=(0, 1))
        if not there.all():
            lacks = self.names[int(np.flatnonzero(~there)[0])]
            raise DataError(where, f"the training part has no target of the output {lacks!r}")
        size = np.nanstd(self.values, axis=(0, 1))
        return np.nanmean(self.values, axis=(0, 1)), np.where(differ(self.values), size, 1.0)

    def ordered(self, names: Sequence[str], where: str) -> Values:
        """The same with the outputs in the order of ``names``; DataError unless these are all."""
        if tuple(names) == self.names:
            return self
        if sorted(names) != sorted(self.names):
            raise DataError(
                where,
                f"has values of {', '.join(self.names)}",
                f"those of {', '.join(names)}, on which the network is trained",
                "Rename the columns of the table, and import it again.",
            )
        order = [self.names.index(name) for name in names]
        # In one piece, as those of a file: sums over them then have the same bits.
        values = np.ascontiguousarray(self.values[:, :, order])
        return replace(self, values=values, names=tuple(names))

    @classmethod
    def joined(cls, parts: Sequence[Values]) -> Values:
        """Targets of several sets of recordings, one after the other; outputs as in the first.

        A set with fewer times than another has NaN behind them. Raises DataError for other outputs.
        """
        most = max(part.times.shape[1] for part in parts)
        values, times = [], []
        for part in parts:
            lacks = ((0, 0), (0, most - part.times.shape[1]))
            mine = part.ordered(parts[0].names, "joined").values
            values.append(np.pad(mine, (*lacks, (0, 0)), constant_values=np.nan))
            times.append(np.pad(part.times, lacks, mode="edge"))
        return cls(np.concatenate(values), np.concatenate(times), parts[0].names)

    def of(self, samples: Any) -> Values:
        """Targets of some recordings."""
        return replace(self, values=self.values[samples], times=self.times[samples])


def differ(values: Floats) -> NDArray[np.bool_]:
    """Whether the values of an output that are given differ, [outputs].

    Their standard deviation does not say: that of equal values is rounded, and may be above 0.
    """
    there = ~np.isnan(values)
    least = np.min(values, axis=(0, 1), where=there, initial=np.inf)
    found: NDArray[np.bool_] = np.max(values, axis=(0, 1), where=there, initial=-np.inf) > least
    return found


def targets_of(stored: StoredStream) -> Values:
    """Targets of recordings in a file; StorageError where it has none, or damaged ones."""
    found, names = stored.columns, stored.notes.get(NAMES, "[]")
    values, times = (np.asarray(found.get(k, np.zeros(0))) for k in (TARGETS, TIMES))
    listed: Any = parse_json(names, f"{stored.path}, {NAMES}", StorageError)
    fits = values.ndim == 3 and values.shape[:2] == times.shape
    if not (fits and isinstance(listed, list) and len(listed) == values.shape[2]):
        raise StorageError(
            stored.path,
            f"{TARGETS} have shape {values.shape}, {TIMES} {times.shape}, and the outputs are "
            f"{listed!r}",
            "[samples, times, outputs], [samples, times] and a name of each output",
            "Import the recordings again with --targets.",
        )
    return Values(values.astype(np.float64), times.astype(np.float64), tuple(map(str, listed)))
