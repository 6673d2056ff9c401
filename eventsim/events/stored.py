"""StoredStream: recordings in an HDF5 file, which are read only when they are asked for.

Layout of the file:

=====================  ========================  ================================================
``/times``             float64 [events]          ms, ascending inside each sample
``/channels``          uint8, 16 or 32 [events]  the smallest type that holds all channels
``/offsets``           int64 [samples + 1]       first event of every sample
``/duration``          float64 [samples]         ms
``/columns/...``       any [samples, ..]         what else is known of every sample
``/notes``             uint8 [bytes]             what is known of all: JSON, text by name, in UTF-8
attributes             text, integers            ``kind``, ``version``, ``n_channels``
=====================  ========================  ================================================

``times`` and ``channels`` are chunked and not compressed. Every chunk, and the description of
the file, carries a checksum: damage is an error, never other events. Texts have a fixed length,
because those of variable length lie in a heap without checksums, which the HDF5 library may search
for ever if it is damaged.

A :class:`StoredStream` holds offsets and durations in memory, 24 bytes a sample, and no open file:
it can be sent to another process, and is safe when a process forks.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import in_domain, one_each, reported, shaped
from eventsim.entries import Positive, parse_json
from eventsim.errors import EventError, EventSimError, StorageError
from eventsim.events.storage import check_header, replacing
from eventsim.events.stream import EventStream, in_groups

KIND = "eventsim-events"
AGAIN = "Take a whole copy of the file, or make it again: eventsim data import."
STORED_VERSION = 1
CHUNK = 8192  # events; two to ten recordings of a spoken digit, and little to read beside one
BLOCK = 1 << 20  # events that are held in memory while a file is written or checked

Columns = Mapping[str, NDArray[Any]]


class Recording(NamedTuple):
    """A sample on its way into a file or a stream; all times in ms."""

    times: ArrayLike
    channels: ArrayLike
    duration: float


@dataclass(frozen=True, eq=False)
class StoredStream:
    """Recordings in a file, or a selection of them.

    Made by :meth:`open`. It counts, selects and batches samples as
    :class:`~eventsim.events.EventStream` does; ``stream[index]`` reads those samples.

    Attributes
    ----------
    path
        The file.
    n_channels
        Number of channels.
    starts, lengths
        First event in the file and number of events of every sample, int64 [samples].
    duration
        ms, float64 [samples].
    columns
        What else is known of every sample, arrays [samples] or [samples, ..] by name.
    notes
        What is known of the whole file, texts by name.
    """

    path: Path
    n_channels: int
    starts: Ints
    lengths: Ints
    duration: Floats
    columns: Columns
    notes: Mapping[str, str]

    @classmethod
    def open(cls, path: str | Path) -> "StoredStream":
        """The recordings of a file that :func:`write_stored` wrote.

        Raises
        ------
        StorageError
            The file is missing, truncated, damaged, or something else. Events themselves are
            not read here, see :meth:`verify`.
        """
        with _opened(Path(path)) as file:
            return _described(file, Path(path))

    @property
    def offsets(self) -> Ints:
        """First event of every sample, counted in this selection, int64 [samples + 1]."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.lengths.size

    @property
    def n_events(self) -> int:
        """Number of events in all samples."""
        return int(self.lengths.sum())

    def __len__(self) -> int:
        return self.n_samples

    def __repr__(self) -> str:
        return (
            f"StoredStream({self.path.name}: {self.n_samples} samples, {self.n_events} events, "
            f"{self.n_channels} channels)"
        )

    def subset(self, index: Any) -> "StoredStream":
        """Selected samples, left in the file; ``index`` as in :meth:`__getitem__`."""
        wanted = np.atleast_1d(np.arange(self.n_samples)[index])
        return replace(
            self,
            starts=self.starts[wanted],
            lengths=self.lengths[wanted],
            duration=self.duration[wanted],
            columns={name: values[wanted] for name, values in self.columns.items()},
        )

    def __getitem__(self, index: Any) -> EventStream:
        """Read samples by integer, slice, integer array or boolean mask. New arrays.

        Raises StorageError (the file is gone, or what is read is damaged).
        """
        part = self.subset(index)
        times, channels = (np.concatenate(list(part.pieces(name))) for name in _EVENT_FIELDS)
        words, kind = "is damaged ({})", StorageError
        with reported(self.path, words, EventSimError, remedy=AGAIN, error=kind):
            return EventStream(
                times, channels, part.offsets, n_channels=self.n_channels, duration=part.duration
            )

    def sample(self, index: int) -> tuple[Floats, NDArray[np.int32]]:
        """Times and channels of one sample. New arrays."""
        return self[index].sample(0)

    def __iter__(self) -> Iterator[tuple[Floats, NDArray[np.int32]]]:
        return (self.sample(index) for index in range(self.n_samples))

    def batches(self, size: int, *, order: Ints | None = None) -> Iterator[Ints]:
        """Sample numbers in groups of at most ``size``, in ``order`` or as stored."""
        return in_groups(self.n_samples, size, order)

    def pieces(self, field: Literal["times", "channels"]) -> Iterator[NDArray[Any]]:
        """Values of a field in the order of the samples, in arrays of bounded size.

        Put together they are the array of that name that an :class:`EventStream` would hold.
        """
        dtype = _EVENT_FIELDS[field]
        yield np.zeros(0, dtype)
        with _opened(self.path) as file:
            data = _member(file, field, 1)
            for lo, hi in _ranges(self.starts, self.lengths):
                if hi > data.shape[0]:
                    raise StorageError(
                        self.path,
                        f"holds {data.shape[0]} {field}",
                        f"{hi} or more",
                        "It was replaced since it was opened; open it again.",
                    )
                yield np.asarray(data[lo:hi]).astype(dtype, copy=False)

    def verify(self) -> None:
        """Read all events once, a block at a time, and raise StorageError if any is damaged."""
        for field in _EVENT_FIELDS:
            for _ in self.pieces(field):
                pass

    def chunks(self, length: float) -> Iterator[EventStream]:
        """The stream in chunks of ``length`` ms, as :meth:`EventStream.chunks` gives them.

        Memory is that of a chunk, and of one block of the file for every sample.
        """
        in_domain("chunks", "length", length, Positive, error=EventError)
        readers = [_Reader(self, sample) for sample in range(self.n_samples)]
        n = max(1, int(np.ceil(self.duration.max(initial=0.0) / length)))
        for k in range(1, n + 1):
            end = k * length if k < n else np.inf
            yield EventStream.from_samples(
                [reader.before(end) for reader in readers],
                n_channels=self.n_channels,
                duration=np.minimum(self.duration, end),
            )


class _Reader:
    """Reads one sample forward in time."""

    def __init__(self, stream: StoredStream, sample: int):
        self._stream = stream
        self._next = int(stream.starts[sample])
        self._end = self._next + int(stream.lengths[sample])
        self._times, self._channels = np.zeros(0), np.zeros(0, np.int32)

    def before(self, end: float) -> tuple[Floats, NDArray[np.int32]]:
        """The events before ``end`` that were not given yet."""
        times, channels = [self._times], [self._channels]
        while self._next < self._end and (not times[-1].size or times[-1][-1] < end):
            count = min(CHUNK, self._end - self._next)
            block = replace(self._stream, starts=np.array([self._next]), lengths=np.array([count]))
            times.append(np.concatenate(list(block.pieces("times"))))
            channels.append(np.concatenate(list(block.pieces("channels"))))
            self._next += count
        t, c = np.concatenate(times), np.concatenate(channels)
        cut = int(np.searchsorted(t, end, side="left"))
        self._times, self._channels = t[cut:], c[cut:]
        return t[:cut], c[:cut]


def gather(recordings: Iterable[Recording], *, n_channels: int) -> EventStream:
    """Join recordings to one stream in memory; raises EventError for one that is malformed."""
    samples = list(recordings)
    return EventStream.from_samples(
        [(r.times, r.channels) for r in samples],
        n_channels=n_channels,
        duration=np.array([r.duration for r in samples], np.float64),
    )


def write_stored(
    path: str | Path,
    recordings: Iterable[Recording],
    *,
    n_channels: int,
    columns: Columns | None = None,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write recordings to a file, whole or not at all, holding about a million events at a time.

    Parameters
    ----------
    path
        The file; an existing one is replaced once the new one is complete.
    recordings
        In the order of the file; events of each sorted by time.
    n_channels, columns, notes
        As :class:`StoredStream`.

    Raises
    ------
    EventError, ShapeError
        A recording is malformed, or a column has not one entry per recording.
    """
    from eventsim.events import hdf5  # slow to import, and few runs need it

    # The newest format is the one whose description of the file has checksums as well.
    with (
        replacing(path) as temporary,
        hdf5.Written(temporary) as written,
        written.content(libver="latest") as file,
    ):
        offsets, duration = _write_events(file, map(written.passing, recordings), n_channels)
        file.attrs.update(
            kind=np.bytes_(KIND.encode()), version=STORED_VERSION, n_channels=n_channels
        )
        text = json.dumps(dict(notes or {})).encode()
        _write_small(file, "notes", np.frombuffer(text, np.uint8))
        _write_small(file, "offsets", offsets)
        _write_small(file, "duration", duration)
        file.create_group("columns")
        for name, values in (columns or {}).items():
            shape = (duration.size, *values.shape[1:])
            shaped("write_stored", f"column {name!r}", values, shape)
            is_text = np.issubdtype(values.dtype, np.str_)
            stored = np.char.encode(values, "utf-8") if is_text else values
            _write_small(file, f"columns/{name}", stored)


def _write_events(
    file: Any, recordings: Iterable[Recording], n_channels: int
) -> tuple[Ints, Floats]:
    kind = np.min_scalar_type(max(n_channels - 1, 0))
    times, channels = (
        file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(CHUNK,), fletcher32=True)
        for name, dtype in (("times", np.float64), ("channels", kind))
    )
    lengths, durations = [np.zeros(1, np.int64)], [np.zeros(0)]
    for block in _blocks(recordings):
        stream = gather(block, n_channels=n_channels)
        end = times.shape[0]
        for data, values in ((times, stream.times), (channels, stream.channels)):
            data.resize((end + values.size,))
            data[end:] = values
        lengths.append(np.diff(stream.offsets))
        durations.append(stream.duration)
    return np.cumsum(np.concatenate(lengths)), np.concatenate(durations)


def _write_small(file: Any, name: str, values: NDArray[Any]) -> None:
    options: dict[str, Any] = {}
    if values.size:
        rows = max(CHUNK * len(values) // values.size, 1)
        chunks = (min(len(values), rows), *values.shape[1:])
        options = {"chunks": chunks, "fletcher32": True}
    file.create_dataset(name, data=values, **options)


def _blocks(recordings: Iterable[Recording]) -> Iterator[list[Recording]]:
    """Recordings in groups of about ``BLOCK`` events."""
    block: list[Recording] = []
    size = 0
    for recording in recordings:
        block.append(recording)
        size += np.size(recording.times)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    yield block


def _ranges(starts: Ints, lengths: Ints) -> Iterator[tuple[int, int]]:
    """Ranges of events to read: neighbours in the file together, none larger than a block."""
    if not lengths.sum():
        return
    begins, ends = starts[lengths > 0], (starts + lengths)[lengths > 0]
    breaks = np.flatnonzero(begins[1:] != ends[:-1]) + 1
    firsts, lasts = [0, *breaks.tolist()], [*(breaks - 1).tolist(), begins.size - 1]
    for first, last in zip(firsts, lasts, strict=True):
        for lo in range(int(begins[first]), int(ends[last]), BLOCK):
            yield lo, min(lo + BLOCK, int(ends[last]))


_EVENT_FIELDS: Mapping[Literal["times", "channels"], type[Any]] = {
    "times": np.float64,
    "channels": np.int32,
}


def _opened(path: Path) -> AbstractContextManager[Any]:
    """The file, with every way in which reading it can fail turned into a StorageError."""
    from eventsim.events import hdf5  # as in write_stored

    return hdf5.opened(path, expected="a file of stored events")


def _described(file: Any, path: Path) -> StoredStream:
    from eventsim.events import hdf5  # as in write_stored

    names = ("kind", "version", "n_channels")
    kind, version, n_channels = (hdf5.attribute(file, name) for name in names)
    check_header(path, (kind, version), (KIND.encode(), STORED_VERSION))
    text = _member(file, "notes", 1)[...].tobytes()
    written = parse_json(text.decode(), f"{path}, notes", StorageError)
    notes = {str(k): str(v) for k, v in written.items()}
    sizes = [_member(file, name, 1).shape[0] for name in _EVENT_FIELDS]
    offsets = _member(file, "offsets", 1)[...].astype(np.int64)
    duration = _member(file, "duration", 1)[...].astype(np.float64)
    lengths = np.diff(offsets)
    whole = (
        isinstance(n_channels, np.integer)
        and 1 <= n_channels <= np.iinfo(np.int32).max
        and bool((np.isfinite(duration) & (duration > 0)).all())
        and offsets.size == duration.size + 1
        and offsets[0] == 0
        and (lengths >= 0).all()
        and sizes == [offsets[-1]] * 2
    )
    if not whole:
        raise StorageError(
            path,
            f"is damaged: {offsets.size} offsets, {duration.size} durations, {sizes[0]} times and "
            f"{sizes[1]} channels, of {n_channels}, do not belong together, or a duration is none",
            remedy=AGAIN,
        )
    columns = {str(name): _column(file, f"columns/{name}", duration) for name in _names(file)}
    return StoredStream(path, int(n_channels), offsets[:-1], lengths, duration, columns, notes)


def _names(file: Any) -> list[str]:
    """Names of the columns."""
    from eventsim.events import hdf5  # as in write_stored

    return list(hdf5.member(file, "columns", error=StorageError))


def _member(file: Any, name: str, ndim: int | None) -> Any:
    """A dataset of the file; ``ndim`` is None for any number of axes but 0."""
    from eventsim.events import hdf5  # as in write_stored

    # Not compressed, so that as much is stored as is claimed.
    data = hdf5.dataset(file, name, error=StorageError, ratio=1.0)
    if data.ndim != (ndim or max(data.ndim, 1)) or data.dtype.kind not in "iufSb":
        came = f"{name} is {data.shape} of {data.dtype}"
        raise StorageError(file.filename, came, "numbers or texts", AGAIN)
    if data.id.get_storage_size() < data.nbytes:
        raise StorageError(
            file.filename,
            f"{name} claims {data.nbytes} bytes, {data.id.get_storage_size()} are stored",
            remedy=AGAIN,
        )
    return data


def _column(file: Any, name: str, duration: Floats) -> NDArray[Any]:
    values = np.asarray(_member(file, name, None)[...])
    counts = {"recordings": duration.size, f"entries of {name}": len(values)}
    one_each(file.filename, counts, remedy=AGAIN, error=StorageError)
    return np.char.decode(values, "utf-8") if np.issubdtype(values.dtype, np.bytes_) else values
