"""The state of a run in a file: every array by where it lies in the state, and of which network.

A state is nested: stages and populations by name, records, arrays. In a file an array is named by
the way to it, such as ``loops.0.stop.v``: the first of the names in their order. What is read is
held against the state at time zero of the network that is given, which says what is there, of which
types and sizes; numbers of neurons, rows and synapses lie within it. So a file cannot make a kernel
read where there is nothing.

The network is told by its structure (:mod:`eventsim.plan.structure`) and by a digest of all its
values, since the same spikes come of the same values alone.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Floats, to_host
from eventsim.checks import reported
from eventsim.engine.contract.bundles import OWN, Arriving
from eventsim.engine.contract.linear import LinearStop
from eventsim.engine.contract.loop_state import LoopState, LoopStop
from eventsim.engine.contract.state import LayerState, Pending, Stop
from eventsim.entries import parse_json
from eventsim.errors import EventSimError, NetworkError, StorageError
from eventsim.events import SpikeTrains
from eventsim.events.npz import Archive, Form, check_forms, hold
from eventsim.events.source import SourceSpikes
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.events.tape import Adapted, ReadoutState
from eventsim.plan import Stage

KIND, VERSION = "eventsim-state", 1
TELLS = ("structure", "values", "backend", "precision")
DEEPEST_HALVING = 64  # of a window: below a float64's last place

Telling = dict[str, str]


class SavedParts(NamedTuple):
    """Parts of a :class:`eventsim.RunState` in a file; those of linear neurons are in loops."""

    end: Floats
    layers: Mapping[str, LayerState]
    loops: Mapping[str, LoopState]
    spikes: Mapping[str, SpikeTrains]
    readouts: Mapping[str, ReadoutState]
    adapted: Mapping[str, Adapted]


def write_state(path: str | Path, telling: Telling, state: SavedParts) -> None:
    """Write what is told of a run, and its state, to one file, atomically."""
    arrays = {name: to_host(values) for name, values in _flat("", state)}
    about = {"about": np.array(json.dumps(telling))}
    write_arrays(path, arrays | about, kind=KIND, version=VERSION)


class SavedState:
    """A file that :func:`write_state` wrote; raises StorageError if it cannot be one."""

    def __init__(self, path: str | Path):
        self._path = path
        self._arrays = read_arrays(path, kind=KIND, version=VERSION, check=_check)
        told = parse_json(str(self._arrays["about"]), f"{path}: about", StorageError)
        fits = isinstance(told, dict) and all(isinstance(told.get(key), str) for key in TELLS)
        if not fits:
            raise StorageError(path, "does not tell of which run it is")
        self.telling: Telling = {key: told[key] for key in TELLS}

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return int(self._arrays["end"].size)

    def require(self, structure: str, values: str) -> None:
        """Raise NetworkError unless it is that of a network of this structure and these values."""
        what = ""
        if self.telling["structure"] != structure:
            what = "another network"
        elif self.telling["values"] != values:
            what = "a network with other weights, delays or parameters"
        if what:
            remedy = "Load it with the network that ran, and change that afterwards if you want to."
            raise NetworkError(self._path, f"is the state of {what}", remedy=remedy)

    def parts(self, start: SavedParts, stages: Sequence[Stage]) -> SavedParts:
        """The content of the file, in the form of a state at time zero of the stages."""
        words, remedy = "is not the whole state of a run ({})", "Run again, and save the state."
        failures = (KeyError, ValueError, TypeError, IndexError, OverflowError, EventSimError)
        with reported(self._path, words, *failures, remedy=remedy, error=StorageError):
            found: SavedParts = _filled(start, self._arrays, "")
            for stage in stages:
                if not stage.is_readout:
                    _hold({**found.layers, **found.loops}[stage.name], stage)
            for trains in found.spikes.values():
                trains.check()
                _lengths(trains.offsets, self.n_samples + 1, "offsets")
                hold(bool(np.isfinite(trains.times).all()), "the time of a spike is not finite")
        return found


def digest_of(values: Mapping[str, Floats]) -> str:
    """The digest of all values of a network, whatever the order in which it was built."""
    digest = hashlib.blake2b(digest_size=16)
    for key in sorted(values):
        array = np.ascontiguousarray(values[key])
        digest.update(f"{key} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _check(archive: Archive) -> None:
    archive.text("about")
    check_forms(archive.claims, {"end": Form("f8", (None,))})


def _parts(value: Any) -> list[tuple[str, Any]] | None:
    """Parts of a record or a table, by name; None for an array or a number."""
    if isinstance(value, Mapping):
        return [(str(k), value[name]) for k, name in enumerate(sorted(value))]
    if isinstance(value, tuple):
        return list(zip(value._fields, value, strict=True))  # type: ignore[attr-defined]
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    return None


def _flat(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Arrays and numbers of a record, by their paths."""
    parts = _parts(value)
    if parts is None:
        if value is not None:
            yield place, value
        return
    for name, part in parts:
        yield from _flat(f"{place}.{name}" if place else name, part)


def _filled(like: Any, arrays: Mapping[str, Any], place: str) -> Any:
    """A value like another one, its arrays those of a file."""
    parts = _parts(like)
    if parts is None:
        return _leaf(like, arrays, place)
    found = [_filled(part, arrays, f"{place}.{name}" if place else name) for name, part in parts]
    if isinstance(like, Mapping):
        return dict(zip(sorted(like), found, strict=True))
    return type(like)(**dict(zip((name for name, _ in parts), found, strict=True)))


def _leaf(like: Any, arrays: Mapping[str, Any], place: str) -> Any:
    if like is None:  # only arrivals that are pending come into a state later
        if not place.endswith(".pending") or f"{place}.times" not in arrays:
            return None
        return Pending(*(arrays[f"{place}.{name}"] for name in Pending._fields))
    values = arrays[place]
    if isinstance(like, int):
        hold(not values.shape and int(values) == like, f"{place} is not {like}")
        return like
    came = f"{place} has shape {values.shape} and type {values.dtype}"
    fits = values.ndim == like.ndim and (like.ndim == 1 or values.shape == like.shape)
    hold(fits and values.dtype == like.dtype, f"{came}, expected {like.shape} and {like.dtype}")
    return values


@singledispatch
def _hold(value: Any, stage: Stage) -> None:
    """Raise ValueError or IndexError unless a record fits the stage."""
    raise ValueError(f"a {type(value).__name__} is no state")


@_hold.register
def _(value: LayerState, stage: Stage) -> None:
    n, size = value.stop.v.shape
    _hold(value.stop, stage)
    _lengths(value.begin, n, "begin")
    _offsets(value.first, n * size, value.spikes.size)
    _finite(value.spikes, value.begin, *(value.adapted or ()))
    if value.pending is not None:
        _hold(value.pending, stage)


@_hold.register
def _(value: LoopState, stage: Stage) -> None:
    n = len(value.begin)
    for part in (value.stop, value.sent, value.pending, value.left):
        if part is not None:
            _hold(part, stage)
    _lengths(value.stop.v if isinstance(value.stop, LoopStop) else value.stop.x, n, "begin")
    for each in (value.sent, value.pending):
        _lengths(each.offsets, n + 1, "offsets")
    _finite(value.begin, *(value.adapted or ()))


@_hold.register
def _(value: Stop, _stage: Stage) -> None:
    _finite(*value)


@_hold.register
def _(value: LinearStop, _stage: Stage) -> None:
    _finite(*value)
    _within(value.recent, np.iinfo(np.int64).max)


@_hold.register
def _(value: LoopStop, _stage: Stage) -> None:
    _finite(*value)
    _within(value.recent, np.iinfo(np.int64).max)
    for name, below in (("idle", 2), ("halvings", DEEPEST_HALVING)):
        _lengths(getattr(value, name), len(value.v), name)
        _within(getattr(value, name), below)
    _lengths(value.border, len(value.v), "border")


@_hold.register
def _(value: Pending, stage: Stage) -> None:
    rows = stage.wiring.out_start.size - 1
    for name, kind in zip(Pending._fields, ("i8", "f8", "i4", "i8"), strict=True):
        hold(getattr(value, name).dtype == kind, f"{name} of arrivals is no {kind}")
    n = value.offsets.size - 1
    _offsets(value.offsets, n, value.times.size)
    _lengths(value.rows, value.times.size, "rows")
    _within(value.rows, rows)
    hold(value.skip.shape in ((n, 1), (n, len(stage.heard))), f"skip is {value.skip.shape}")
    most = np.diff(value.offsets)[:, np.newaxis]
    hold(bool(((value.skip >= 0) & (value.skip <= most)).all()), "skip is no number of arrivals")
    _finite(value.times)


@_hold.register
def _(value: SourceSpikes, _stage: Stage) -> None:
    _offsets(value.offsets, value.offsets.size - 1, value.times.size)
    _lengths(value.neurons, value.times.size, "neurons")
    _within(value.neurons, value.size)
    _finite(value.times)


@_hold.register
def _(value: Arriving, stage: Stage) -> None:
    n, size = stage.wiring.n_synapses, int(stage.member_start[-1])
    _offsets(value.offsets, value.offsets.size - 1, value.time.size)
    for values in value[2:]:
        _lengths(values, value.time.size, "arrivals")
    own = value.first >= OWN
    _within(np.where(own, value.first - OWN, 0), size)
    _within(np.where(own, 0, value.first), n + 1)
    _within(np.where(own, 0, value.last - value.first), n + 1)
    _within(np.where(own, 0, value.last), n + 1)
    hold(bool((value.last[own] == value.first[own] + 1).all()), "a return is not of one neuron")
    hold(bool((value.spike >= -1).all() and (value.cause >= -1).all()), "an arrival has no spike")
    _finite(value.time)


def _offsets(offsets: Any, n_groups: int, total: int) -> None:
    whole = offsets.size == n_groups + 1 and offsets[0] == 0 and offsets[-1] == total
    hold(bool(whole and (np.diff(offsets) >= 0).all()), f"offsets do not divide {total} items")


def _lengths(values: Any, n: int, name: str) -> None:
    hold(len(values) == n, f"{name} has {len(values)} items, expected {n}")


def _within(numbers: Any, below: int) -> None:
    inside = bool(((numbers >= 0) & (numbers < below)).all())
    hold(inside, f"a number lies outside 0 .. {below - 1}")


def _finite(*arrays: Any) -> None:
    hold(all(bool(np.isfinite(values).all()) for values in arrays), "a value is not finite")
