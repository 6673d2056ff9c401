r"""Events of other libraries: structured arrays and tonic's data sets; NIR's EventData.

**Structured arrays** have one field per property of an event: ``t``, then ``x`` (or ``channel``),
and perhaps ``y`` and ``p`` (polarity). Times are in us unless said otherwise, as in tonic, and
count from the begin of the sample. The sensor's size is given as tonic gives it, (width, height,
polarities), and decides the channel as :mod:`eventsim.datasets.addresses` says. Other fields are
refused, because they would be lost.

**Any data set** that can be indexed and gives (events, target) is adapted without reading it:
:class:`AdaptedSet` reads a sample when it is asked for. tonic itself is not imported here: pass one
of its data sets, for example ``tonic.datasets.NMNIST(save_to=...)``.

For NIR see :mod:`eventsim.datasets.nir_events`.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.lib.recfunctions import rename_fields
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import every, seen_from, vector
from eventsim.datasets.addresses import Size, channels_of, checked_size, count_merged, merged_text
from eventsim.datasets.dataset import PER_MS, Unit, check_unit, duration_after, to_ms
from eventsim.datasets.nir_events import from_nir, to_nir
from eventsim.errors import DataError
from eventsim.events import Dataset, DatasetInfo, EventStream, Recording
from eventsim.events.begin import Begin, exact, ways_out, zeros
from eventsim.events.order import place_of_event

__all__ = ["AdaptedSet", "IndexedSamples", "from_arrays", "from_nir", "to_nir"]


_LOGGER = logging.getLogger(__name__)


class IndexedSamples(Protocol):
    """Anything that can be indexed and gives (events, target), as tonic's data sets."""

    def __len__(self) -> int:
        """Number of samples."""

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Events as a structured array, and the target."""


def from_arrays(
    samples: NDArray[Any] | Sequence[NDArray[Any]],
    *,
    sensor_size: Size | None = None,
    unit: Unit = "us",
    duration: float | Sequence[float] | None = None,
    begin: Begin = "zero",
) -> EventStream:
    """Events of structured arrays with the fields t, x and perhaps y and p.

    Parameters
    ----------
    samples
        One array, or one per sample; events in any order. None is changed.
    sensor_size
        (width, height, polarities). None takes the largest values that occur in the arrays.
    unit
        Of ``t``.
    duration
        ms, one number or one per sample, of the times of the arrays: where ``begin`` moves these,
        it moves along. None for the first whole millisecond after the last event of each sample.
    begin
        Time 0 of every sample: ``zero`` for that of ``t``, ``first-event``, or a time in ms, see
        :mod:`eventsim.events.begin`.

    Returns
    -------
    EventStream
        With width * height * polarities channels, numbered as the module says. New arrays.

    Raises
    ------
    DataError
        A field is missing or holds invalid values, or there are fields of other names.

    Notes
    -----
    If ``sensor_size`` has one polarity, or one row, and the events have more, events share
    channels: a warning is logged with the number of each.
    """
    arrays = [samples] if isinstance(samples, np.ndarray) else list(samples)
    stream = _stream_of(arrays, sensor_size, unit, duration, begin)
    if sensor_size is not None:
        for words in _merged(arrays, checked_size(sensor_size)):
            _LOGGER.warning("from_arrays: %s", words)
    return stream


def _stream_of(
    arrays: list[Any],
    sensor_size: Size | None,
    unit: Unit,
    duration: float | Sequence[float] | None = None,
    begin: Begin = "zero",
) -> EventStream:
    """:func:`from_arrays` without a warning."""
    check_unit(unit, "from_arrays")
    arrays = [_named(array) for array in arrays]
    for index, array in enumerate(arrays):
        _check_fields(array, index)
    size = _largest(arrays) if sensor_size is None else checked_size(sensor_size)
    offsets = np.cumsum([0, *(array.size for array in arrays)])
    ticks = np.concatenate([np.zeros(0), *(array["t"].astype(np.float64) for array in arrays)])
    zero = zeros(ticks, offsets, begin, where="from_arrays", per_ms=PER_MS[unit])
    times = to_ms(ticks - np.repeat(zero, np.diff(offsets)), unit)
    _check_times(times, ticks, offsets, unit)
    channels = [_channels(array, size, index) for index, array in enumerate(arrays)]
    ends = [duration_after(times[lo:hi]) for lo, hi in zip(offsets, offsets[1:], strict=False)]
    return EventStream.from_unsorted(
        times,
        np.concatenate([np.zeros(0, np.int64), *channels]),
        offsets,
        n_channels=int(np.prod(size)),
        duration=ends if duration is None else np.asarray(duration) - to_ms(zero, unit),
    )


@dataclass(frozen=True, eq=False)
class AdaptedSet:
    """A data set of another library, of which only what is asked for is read."""

    # Gives (structured array, target) for an index. Only indexing and ``len`` are used.
    samples: IndexedSamples
    # (width, height, polarities); None asks ``samples.sensor_size``, as tonic's sets have it
    sensor_size: Size | None = None
    unit: Unit = "us"  # of the times
    # Word of every label; None asks ``samples.classes``, or numbers them
    class_names: tuple[str, ...] | None = None
    # Makes the label of a sample, an int, from its target; None takes the target itself
    label: Callable[[Any], int] | None = None

    def __post_init__(self) -> None:
        """Check what can be checked before a sample is read."""
        check_unit(self.unit, "AdaptedSet")
        _ = self.size

    @property
    def size(self) -> Size:
        """Size of the sensor: (width, height, polarities)."""
        given = self.sensor_size or getattr(self.samples, "sensor_size", None)
        if given is None:
            raise DataError(
                self.name,
                "does not say how large its sensor is",
                remedy="Pass sensor_size=(width, height, polarities).",
            )
        return checked_size(given)

    @property
    def name(self) -> str:
        """Name of the adapted data set's class."""
        return type(self.samples).__name__

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> tuple[EventStream, int]:
        """A sample and its label."""
        events, target = self._sample(index)
        return self._stream([events]), self._label(target, index)

    def __iter__(self) -> Iterator[tuple[EventStream, int]]:
        return (self.read(index) for index in range(len(self)))

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(np.prod(self.size))

    def recordings(self) -> Iterator[Recording]:
        """Sample after sample, as :func:`eventsim.events.write_stored` takes them."""
        for stream, _ in self:
            yield Recording(stream.times, stream.channels, float(stream.duration[0]))

    def dataset(self, index: Iterable[int] | None = None) -> Dataset:
        """Selected samples, or all, in memory; a warning is logged where addresses are merged."""
        wanted = range(len(self)) if index is None else [int(k) for k in index]
        arrays, labels = [], []
        for k in wanted:
            events, target = self._sample(k)
            arrays.append(events)
            labels.append(self._label(target, k))
        numbers = np.array(labels, dtype=np.int64)
        names = self._names(numbers)
        info = DatasetInfo(
            name=self.name,
            description=f"{self.name} through eventsim.datasets.adapters",
            classes=names,
            channels=self.n_channels,
            splits="as its library divides it",
            obtain="see its library",
            licence="see its library",
            samples=str(len(self)),
        )
        for words in _merged(arrays, self.size):
            _LOGGER.warning("%s: %s", self.name, words)
        keys = np.full(len(labels), "", dtype=np.str_)
        return Dataset(self._stream(arrays), numbers, names, info, keys)

    def _sample(self, index: int) -> tuple[Any, Any]:
        found = self.samples[index]
        if not (isinstance(found, tuple) and len(found) == 2):
            raise DataError(
                f"{self.name}, sample {index}",
                f"is no pair (events, target), but {type(found).__name__}",
                remedy="Adapt it with a class of your own that gives pairs.",
            )
        return found

    def _stream(self, arrays: list[Any]) -> EventStream:
        with seen_from(self.name, DataError, error=DataError):
            return _stream_of(arrays, self.size, self.unit)

    def _label(self, target: Any, index: int) -> int:
        value = target if self.label is None else self.label(target)
        if not isinstance(value, int | np.integer) or value < 0:
            raise DataError(
                f"{self.name}, sample {index}",
                f"its label is {value!r}",
                "an int >= 0",
                "Pass label=, a function from the target to one.",
            )
        return int(value)

    def _names(self, labels: NDArray[np.int64]) -> tuple[str, ...]:
        given = self.class_names or getattr(self.samples, "classes", None)
        names = range(int(labels.max(initial=-1)) + 1) if given is None else given
        return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names)


def _named(array: Any) -> Any:
    """The array with its field ``channel`` called ``x``."""
    names = getattr(getattr(array, "dtype", None), "names", None) or ()
    alone = "channel" in names and "x" not in names
    return rename_fields(array, {"channel": "x"}) if alone else array


def _check_fields(array: Any, index: int) -> None:
    names = getattr(getattr(array, "dtype", None), "names", None) or ()
    if not {"t", "x"} <= set(names) or array.ndim != 1:
        is_plain = isinstance(array, np.ndarray) and not names
        kind = f"{array.shape} of {array.dtype}" if names or is_plain else type(array).__name__
        hint = (
            "Of an array with columns t, x, y and p make one: numpy.lib.recfunctions."
            "unstructured_to_structured(array, names=['t', 'x', 'y', 'p'])"
        )
        raise DataError(
            f"sample {index}",
            f"is {kind}",
            "a one-dimensional structured array with fields t and x, perhaps y and p",
            hint if is_plain and array.ndim == 2 else "",
        )
    others = [name for name in names if name not in ("t", "x", "y", "p")]
    if others:
        raise DataError(
            f"sample {index}",
            f"has the fields {', '.join(names)}",
            f"t, x, y and p; {', '.join(others)} would be lost",
            f"Drop them on purpose, numpy.lib.recfunctions.drop_fields(events, {others}), or put "
            "them into x.",
        )
    for name in names:
        kinds = {"t": "iuf", "x": "iu", "y": "iu", "p": "iub"}[name]
        vector(f"sample {index}", f"field {name}", array[name], kinds, error=DataError)


def _largest(arrays: list[Any]) -> Size:
    def values(name: str) -> NDArray[np.int64]:
        parts = [a[name].astype(np.int64) for a in arrays if name in a.dtype.names]
        return np.concatenate([np.zeros(1, np.int64), *parts])

    two = np.unique(values("p")[1:]).size > 1
    return int(values("x").max()) + 1, int(values("y").max()) + 1, 2 if two else 1


def _check_times(times: Floats, ticks: Floats, offsets: Ints, unit: str) -> None:
    every(
        "",
        "t",
        ticks,
        np.isfinite(times) & (times >= 0),
        "a finite value >= 0, counted from the begin of the sample",
        of=partial(place_of_event, offsets),
        unit=unit,
        text=exact,
        remedy=ways_out(times),
        error=DataError,
    )


def _channels(array: Any, size: Size, index: int) -> Ints:
    return channels_of(_fields(array), size, where=f"sample {index}")


def _fields(array: Any) -> dict[str, NDArray[Any]]:
    return {name: array[name] for name in "pyx" if name in array.dtype.names}


def _merged(arrays: Iterable[Any], size: Size) -> tuple[str, ...]:
    """Addresses that share channels, in words."""
    return tuple(merged_text(count_merged(_fields(array), size) for array in arrays))
