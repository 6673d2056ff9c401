"""Divisions of recordings in words and by groups, and a smaller number of recordings."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from eventsim.entries import Bounds
from eventsim.events import AnyDataset, StoredStream
from eventsim.events.labelled import parts_of, splits_of, spread
from eventsim.train.parts import named

Folds = Annotated[
    Annotated[int, Bounds(ge=2)] | Literal["each"],
    "a number of folds >= 2, or each, for a fold of every group",
]


def groups_said(
    test_group: Sequence[str], held_out: Sequence[str], folds: Folds | None
) -> str | None:
    """The tested groups in words, where settings name them; None where they do not."""
    if test_group:
        return f"by group: tested are {named(test_group)}, all others are learned"
    if held_out:
        return f"by groups, of which {named(held_out)} are held out"
    if folds is not None:
        how_many = "one of every group" if folds == "each" else str(folds)
        return f"by groups, in folds: {how_many}; every group is tested once"
    return None


def parts_left_out(parts: Sequence[str], taken: Sequence[str], *, of: str = "the data set") -> str:
    """Parts of a data set that are neither learned nor tested, in words; empty without any."""
    others = [part for part in parts if part not in taken]
    what = "parts" if len(others) > 1 else "part"
    return f"; left out: the {what} {', '.join(others)} of {of}" if others else ""


def file_said(data: AnyDataset, taken: Sequence[str]) -> str:
    """The division in the file of the recordings, and the parts that are not taken, in words."""
    assert isinstance(data.stream, StoredStream)
    left = parts_left_out(parts_of(data.stream), taken, of="the file")
    return f"as the file says: {' and '.join(taken)}{left}"


def has_parts(data: AnyDataset) -> bool:
    """Whether the file of the recordings divides them."""
    return isinstance(data.stream, StoredStream) and splits_of(data.stream) is not None


def has_groups(data: AnyDataset) -> bool:
    """Whether the recordings are of two groups or more."""
    return data.groups is not None and np.unique(data.groups).size > 1


def disjoint(training: AnyDataset, test: AnyDataset) -> bool:
    """Whether no group of the test part is in the training part, and both name theirs."""
    if training.groups is None or test.groups is None or not has_groups(training):
        return False
    return not np.isin(test.groups, training.groups).any()


def evenly(n: int, limit: int | None) -> NDArray[np.int64] | None:
    """Numbers of ``limit`` of ``n`` samples, evenly apart; None for all.

    Data sets are sorted by class: the first ones would be all of the same.
    """
    if limit is None or limit >= n:
        return None
    chosen: NDArray[np.int64] = np.arange(limit) * n // limit
    return chosen


def limited(labels: NDArray[np.int64], limit: int | None) -> NDArray[np.int64] | None:
    """Numbers of ``limit`` samples, evenly apart; None for all.

    Where classes take turns, samples that are evenly apart may be all of one class. If a class
    that has room is missing, each class gives as many samples.
    """
    chosen = evenly(labels.size, limit)
    if chosen is None:
        return None
    room = min(chosen.size, np.unique(labels).size)
    if np.unique(labels[chosen]).size == room:
        return chosen
    return spread(labels, chosen.size)
