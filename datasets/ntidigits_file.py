"""The HDF5 layout of N-TIDIGITS18, read by key and written.

===========================================  =======================================================
``/train_labels``, ``/test_labels``          byte strings [samples], the keys
``/train_timestamps``, ``/test_timestamps``  group, one float array [events] per key, **seconds**
``/train_addresses``, ``/test_addresses``    group, one integer array [events] per key, 0 .. 63
===========================================  =======================================================

A key is ``{man|woman}-{speaker}-{a|b}-{digits}``, for example ``man-im-a-7557``: sex and name of
the speaker, first or second utterance, and what was said, with ``o`` for "oh" and ``z`` for "zero".
Address 0 is the highest frequency. The labels of single digits follow tonic: o = 0, then 1 to
9, z = 10.

Seconds are widened to float64 **first** and multiplied by 1000 then. The 24 bits of a float32 and
the 7 of 1000 / 8 fit into the 53 of a float64, so that this loses nothing; seconds that are stored
as float64 are rounded once. The file does not store how long a sample was. Its duration here is
the first whole millisecond after its last event. Events are sorted by (time, address).

A sample is read by its key; nothing else of the file is, but the list of keys.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Ints
from eventsim.checks import one_each, seen_from, some, vector
from eventsim.datasets import hdf5
from eventsim.datasets.dataset import check_split, sorted_recording, to_ms
from eventsim.errors import DataError
from eventsim.events import EventStream, Recording, gather
from eventsim.events.hdf5 import Written
from eventsim.events.storage import replacing

N_CHANNELS = 64
CLASS_NAMES = ("oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero")
DIGITS = "o123456789z"  # character of every label
HALVES = ("train", "test")

_EXPECTED = "a file in the layout of N-TIDIGITS18"
_KEY = re.compile(rf"(?P<sex>man|woman)-(?P<speaker>[^-]+)-(?P<take>[ab])-(?P<digits>[{DIGITS}]+)")


@dataclass(frozen=True)
class Key:
    """A sample's key, taken apart."""

    sex: str
    speaker: str
    take: str
    digits: str

    @property
    def labels(self) -> tuple[int, ...]:
        """Label of every digit that was said."""
        return tuple(DIGITS.index(d) for d in self.digits)

    def __str__(self) -> str:
        return f"{self.sex}-{self.speaker}-{self.take}-{self.digits}"


def parse_key(text: str) -> Key:
    """Take a key apart.

    Raises DataError (it does not have the form ``{man|woman}-{speaker}-{a|b}-{digits}``).
    """
    match = _KEY.fullmatch(text)
    if match is None:
        raise DataError(
            "N-TIDIGITS",
            f"a key is {text!r}",
            "{man|woman}-{speaker}-{a|b}-{digits} with digits of o, 1 to 9 and z, for "
            "example 'man-im-a-7557'",
        )
    return Key(**match.groupdict())


def read_keys(path: str | Path, half: str) -> tuple[Key, ...]:
    """Keys of all samples of the file's "train" or "test" half; no events are read."""
    check_split("ntidigits", half)
    with hdf5.opened(Path(path), expected=_EXPECTED) as file:
        return tuple(_keys(file, half))


def read(path: str | Path, keys: Sequence[Key | str]) -> EventStream:
    """Events of the samples of those keys, of either half, in that order; no others are read.

    Raises DataError (as :func:`load`, or the file holds no sample of such a key).
    """
    wanted = []
    with hdf5.opened(Path(path), expected=_EXPECTED) as file:
        for given in keys:
            key = given if isinstance(given, Key) else parse_key(given)
            half = next((h for h in HALVES if str(key) in _group(file, f"{h}_timestamps")), None)
            what, remedy = f"sample with the key '{key}'", "read_keys gives those there are."
            wanted.append((some(half, path, what, remedy=remedy, error=DataError), key))
    return gather(recordings(Path(path), wanted), n_channels=N_CHANNELS)


def recordings(path: Path, wanted: Sequence[tuple[str, Key]]) -> Iterator[Recording]:
    """Events of the samples of those halves and keys, one after the other."""
    with hdf5.opened(path, expected=_EXPECTED) as file:
        for half, key in wanted:
            where = f"{path}, {half}, key '{key}'"
            seconds = hdf5.vector(_group(file, f"{half}_timestamps"), str(key), kinds="f")
            addresses = hdf5.vector(_group(file, f"{half}_addresses"), str(key), kinds="iu")
            yield recording(where, to_ms(seconds, "s"), addresses)


def recording(where: str, times: NDArray[np.float64], addresses: NDArray[Any]) -> Recording:
    """Checked and sorted events of one sample, times in ms."""
    vector(where, "timestamps", times, "f", error=DataError)
    vector(where, "addresses", addresses, "iu" if addresses.size else "iuf", error=DataError)
    one_each(where, {"timestamps": times.size, "addresses": addresses.size}, error=DataError)
    return sorted_recording(where, times, addresses, N_CHANNELS, names=("timestamp", "address"))


def labels_of(keys: Sequence[Key]) -> Ints:
    """Label of the first digit of every key, [samples]. New array."""
    return np.array([key.labels[0] for key in keys], np.int64)


def write(
    path: str | Path,
    *,
    train: Mapping[str, tuple[ArrayLike, ArrayLike]],
    test: Mapping[str, tuple[ArrayLike, ArrayLike]],
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Write a file of this layout, whole or not at all.

    Parameters
    ----------
    path
        The HDF5 file; an existing one is replaced.
    train, test
        Of every key the times in **ms** and the addresses, both [events]. Times are stored
        as float64 seconds.
    attributes
        Texts that are stored with the file, for example how it was made.

    Raises
    ------
    DataError
        A key is malformed, or its times and addresses are not a valid sample.
    """
    with (
        replacing(path) as temporary,
        Written(temporary) as written,
        written.content() as file,
    ):
        file.attrs.update(dict(attributes or {}))
        for half, samples in (("train", train), ("test", test)):
            _write_half(file, half, samples)


def _write_half(file: Any, half: str, samples: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> None:
    file.create_dataset(f"{half}_labels", data=np.array(list(samples), dtype="S"))
    timestamps = file.create_group(f"{half}_timestamps")
    addresses = file.create_group(f"{half}_addresses")
    for text, (times, channels) in samples.items():
        key = str(parse_key(text))
        checked = recording(key, np.asarray(times, np.float64), np.asarray(channels))
        timestamps.create_dataset(key, data=np.asarray(checked.times) / 1e3)
        addresses.create_dataset(key, data=np.asarray(checked.channels).astype(np.int8))


def _keys(file: Any, half: str) -> list[Key]:
    texts = hdf5.texts(file, f"{half}_labels")
    with seen_from(file.filename, DataError, error=DataError):
        return [parse_key(text) for text in texts]


def _group(file: Any, name: str) -> Any:
    import h5py

    group = hdf5.member(file, name)
    if not isinstance(group, h5py.Group):
        came = f"has no group {name}; it holds {sorted(file)}"
        raise DataError(file.filename, came, _EXPECTED)
    return group
