"""What a piece of work asks of a device: kernel launches, copies to it, reads from it, memsets.

The stand-in reports every operation on its arrays while :func:`counted` is open. How many launches
CuPy makes of one is a model: an elementwise operation, a reduction, a gather or a fill is one; what
takes more stands in the functions below, as CuPy 14 does it. Views and empty arrays cost nothing.
Beside a count at the driver (real CuPy 14.2, commit ceb0a39), launches of a step of training:

=============================  ======  ======  ======  ====
case of bench.gpu.counts       dense   delays  sparse  loop
=============================  ======  ======  ======  ====
16-16 neurons, batch 4          143     159     190    608
at the driver                   144     160     190    596
128-128 neurons, batch 32       149     172     267
at the driver                   148     174     268
=============================  ======  ======  ======  ====

Reads by the host are equal: 4, 4, 5 and 24; 4, 4 and 6.
``tests/gpu/test_counts.py`` holds the model to the figures that were counted at the driver.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import eventsim
from tests.support.simt.signatures import UFUNCS, words

LAUNCH, TO_DEVICE, TO_HOST, MEMSET = "launches", "to_device", "to_host", "memsets"

ROOT = str(Path(eventsim.__file__).parent) + "/"

VIEWS = frozenset(
    words("""
        asarray ascontiguousarray atleast_1d atleast_2d array_split broadcast_arrays broadcast_to
        can_cast diagonal empty empty_like expand_dims flip moveaxis ndim rot90 shape size split
        squeeze swapaxes transpose view
    """)
)
JOINED = frozenset(words("append column_stack concatenate hstack stack vstack"))
# CuPy copies up to so many arrays one by one, and more of one type in one launch from a table.
JOINED_APART = 8
# So many keys, with 8-byte numbers beside them, one block sorts in a launch; more go byte by byte.
SORTED_AT_ONCE = 2304
MERGED_AT_ONCE = 2048  # of 8 bytes
SORTED = frozenset(words("argpartition argsort partition sort"))


@dataclass
class Counts:
    """What was asked, by kind and by the functions of eventsim that asked, outermost first."""

    of: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)

    def total(self, kind: str) -> int:
        """Of one kind."""
        return sum(n for (one, _), n in self.of.items() if one == kind)

    def within(self, *names: str) -> Counter[str]:
        """By kind, of what a function of one of these names asked."""
        found: Counter[str] = Counter()
        for (kind, path), n in self.of.items():
            if any(name in path for name in names):
                found[kind] += n
        return found

    def by_function(self, kind: str) -> Counter[str]:
        """Of one kind, by the innermost function of eventsim."""
        found: Counter[str] = Counter()
        for (one, path), n in self.of.items():
            if one == kind:
                found[path[-1] if path else ""] += n
        return found


_open: list[Counts] = []


@contextmanager
def counted() -> Iterator[Counts]:
    """What is asked of the stand-in meanwhile."""
    counts = Counts()
    _open.append(counts)
    try:
        yield counts
    finally:
        _open.remove(counts)


def note(kind, n=1):
    """Add to what is counted."""
    if _open and n:
        path = _path()
        for counts in _open:
            counts.of[kind, path] += n


def _path():
    """Functions of eventsim on the way here, outermost first, as ``Class.function``."""
    frame, names = sys._getframe(2), []
    while frame is not None:
        if frame.f_code.co_filename.startswith(ROOT):
            names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return tuple(reversed(names))


def note_call(kind, name, args, result):
    """Of a function, a method or a ufunc of CuPy; sizes are those of the result."""
    if not _open:
        return
    if kind == "ufunc" or name in UFUNCS:
        note(LAUNCH, _size(result) > 0)
    elif name in ("zeros", "zeros_like"):
        note(MEMSET, _size(result) > 0)
    elif name in JOINED:
        _note_joined(args[0] if name not in ("append",) else args[:2])
    elif name in SORTED:
        _note_sort(args[0])
    elif name == "lexsort":
        # Numbers, merged once per key by a comparison of their keys.
        n_keys, n = args[0].shape
        note(LAUNCH, (1 + n_keys * _merge_sort(n)) * (n > 0))
    elif name == "unique":
        note(LAUNCH, 12 + args[0].itemsize)
        note(TO_HOST)
    elif name in ("nonzero", "flatnonzero", "argwhere"):
        note_mask(args[0])
    elif name == "bincount":
        note(LAUNCH, 5)
        note(MEMSET)
        note(TO_HOST, 2)
    elif name in ("cumsum", "cumprod"):
        # Values of another type are converted first.
        note(LAUNCH, (2 + (args[0].dtype != result.dtype)) * (_size(result) > 0))
    elif name == "copy":
        note(LAUNCH, _size(result) > 0)
    elif name in ("ravel", "reshape"):
        # A view where the values lie one after the other, else a copy.
        note(LAUNCH, _size(result) > 0 and not np.shares_memory(args[0]._values, result._values))
    elif name == "astype":
        note(LAUNCH, result is not args[0] and _size(result) > 0)
    elif name not in VIEWS and name not in ("array", "get", "item", "tolist", "set", "asnumpy"):
        note(LAUNCH)


def note_index(index, values, *, written):
    """Of reading at an index, which is a view, a gather or a mask, or of writing there."""
    if not _open:
        return
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    masks = [part for part in arrays if part.dtype == bool]
    if written:
        note(LAUNCH)
    elif masks:
        note_mask(masks[0])
    elif arrays:
        note(LAUNCH, np.size(values) > 0)


def note_mask(mask):
    """Of what has as many entries as a mask is true: a scan, its last number, and a gather."""
    note(LAUNCH, 3)
    note(TO_HOST)


def _note_joined(arrays):
    sizes, types = [_size(part) for part in arrays], {part.dtype for part in arrays}
    if len(sizes) <= JOINED_APART or len(types) > 1:
        note(LAUNCH, sum(size > 0 for size in sizes))
        return
    note(LAUNCH)
    note(TO_DEVICE, 1 if len(set(sizes)) == 1 else 3)


def _note_sort(key):
    """Numbers and a copy of the keys; one block, or a histogram, its scan, and a pass per byte."""
    if _size(key) > SORTED_AT_ONCE:
        note(MEMSET, 2 + key.dtype.itemsize)
        note(LAUNCH, 4 + key.dtype.itemsize)
    elif _size(key):
        note(LAUNCH, 3)


def _merge_sort(n):
    """Launches: tiles are sorted, and merged by twos, for which their bounds are looked up."""
    tiles = max(-(-n // MERGED_AT_ONCE), 1)
    return 1 + 2 * (tiles - 1).bit_length()


def _size(values):
    return getattr(values, "size", 1)
