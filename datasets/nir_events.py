"""NIR's EventData, both ways.

EventData has times in seconds, one row per sample, filled up with (-1, inf), and one duration for
all samples. Times are converted to the nearest float64: there and back again differs by at most one
unit in the last place.

References
----------
Pedersen et al. (2024), Neuromorphic intermediate representation, Nat. Commun. 15:8122. Package nir
1.0.8, ``nir/data_ir/graph.py``.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import is_whole
from eventsim.checks import known, seen_from
from eventsim.datasets import hdf5
from eventsim.datasets.dataset import to_ms
from eventsim.errors import DataError, EventSimError
from eventsim.events import EventStream
from eventsim.events.hdf5 import attribute
from eventsim.events.nir_data import event_data


def from_nir(data: Any) -> EventStream:
    """Events of a ``nir.EventData``. New arrays.

    Raises
    ------
    DataError
        The arrays are not what EventData promises, or the events have values, which an event
        here has not.
    """
    if hasattr(data, "value"):
        came = "events of ValuedEventData have values, which would be lost"
        raise DataError("from_nir", came, remedy="Pass an EventData without them.")
    index, times = np.asarray(data.idx), np.asarray(data.time, dtype=np.float64)
    if index.ndim != 2 or index.shape != times.shape or not is_whole(index.dtype):
        raise DataError(
            "from_nir",
            f"idx has shape {index.shape} and type {index.dtype}, time {times.shape}",
            "integers and floats of one shape (n_samples, n_events)",
        )
    there = index != -1
    wrong = there != np.isfinite(times)
    wrong |= there & ((index < 0) | (index >= data.n_neurons) | (times < 0) | (times > data.t_max))
    if wrong.any():
        s, k = np.argwhere(wrong)[0]
        raise DataError(
            f"from_nir, sample {s}, event {k}",
            f"idx is {index[s, k]}, time {times[s, k]} s",
            f"0 .. {data.n_neurons - 1} and 0 to {data.t_max} s, or -1 and inf",
        )
    # The same product for an event at the very end and for the duration: it stays inside.
    return EventStream.from_unsorted(
        to_ms(times[there], "s"),
        index[there],
        np.concatenate([[0], np.cumsum(there.sum(axis=1))]),
        n_channels=int(data.n_neurons),
        duration=to_ms(np.asarray(data.t_max), "s"),
    )


def to_nir(stream: EventStream) -> Any:
    """The stream as a ``nir.EventData``; ``t_max`` is its longest duration. New arrays."""
    return event_data(
        stream.times, stream.channels, stream.offsets, stream.n_channels, duration=stream.duration
    )


def load(path: str | Path, *, node: str | None = None) -> EventStream:
    """Events of a file that ``nir.write_data`` or :func:`eventsim.network.nir.tape_to_nir` made.

    The package nir is not needed.

    Parameters
    ----------
    path
        The file.
    node
        Whose events; None for those of ``input``, or of the only node.

    Raises
    ------
    DataError
        The file holds no such events, or is damaged.
    """
    place = Path(path)
    with hdf5.opened(place, expected="events of NIR") as file:
        nodes = _nodes(file)
        name = node or _read_node(nodes)
        otherwise = "Write the events of one node, or call it 'input'."
        known(str(path), "node with events", name, nodes, otherwise=otherwise, error=DataError)
        where = f"nodes/{name}/observables"
        found = {str(key): hdf5.member(file, f"{where}/{key}") for key in hdf5.member(file, where)}
        events = [g for g in found.values() if {"idx", "time"} == set(map(str, g))]
        if len(events) != 1:
            raise DataError(
                path,
                f"node {name!r} has {len(events)} observables of EventData among "
                f"{', '.join(found) or 'none'}",
                "one",
                "Events with values are not read.",
            )
        data = _data(events[0])
    with seen_from(path, EventSimError, error=DataError):
        return from_nir(data)


def other_nodes(path: str | Path) -> list[str]:
    """Nodes of a file that :func:`load` does not read."""
    with hdf5.opened(Path(path), expected="events of NIR") as file:
        nodes = _nodes(file)
    return [name for name in nodes if name != _read_node(nodes)]


def _nodes(file: Any) -> list[str]:
    return sorted(map(str, hdf5.member(file, "nodes") or ()))


def _read_node(nodes: list[str]) -> str:
    return "input" if len(nodes) != 1 else nodes[0]


def _data(group: Any) -> "_Data":
    idx, time = hdf5.dataset(group, "idx"), hdf5.dataset(group, "time")
    n_neurons, t_max = (attribute(group, name) for name in ("n_neurons", "t_max"))
    numbers = isinstance(n_neurons, np.integer) and isinstance(t_max, np.number)
    if not numbers or not is_whole(idx.dtype) or time.dtype.kind not in "iuf":
        raise DataError(
            f"{group.file.filename}, {group.name}",
            f"idx is of {idx.dtype}, time of {time.dtype}, n_neurons {n_neurons}, t_max {t_max}",
            "numbers, idx and n_neurons whole ones",
        )
    return _Data(idx[...], time[...], int(n_neurons), float(t_max))


class _Data(NamedTuple):
    """The fields of a ``nir.EventData``."""

    idx: Any
    time: Any
    n_neurons: int
    t_max: float
