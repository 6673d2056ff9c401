"""N-TIDIGITS18 event files: spoken digits as a 64-channel silicon cochlea heard them.

Layout of the HDF5 file, read and written here:

==========================================  ======================================================
``/train_labels``, ``/test_labels``         byte strings [samples], the keys
``/train_timestamps``, ``/test_timestamps`` group, one float array [events] per key, **seconds**
``/train_addresses``, ``/test_addresses``   group, one integer array [events] per key, 0 .. 63
==========================================  ======================================================

A key is ``{man|woman}-{speaker}-{a|b}-{digits}``, for example ``man-im-a-7557``: sex and name of
the speaker, first or second utterance, and what was said, with ``o`` for "oh" and ``z`` for "zero".
Address 0 is the highest frequency. The labels of single digits follow tonic: o = 0, then 1 to
9, z = 10.

The file does not store how long a sample was. Its duration here is the first whole
millisecond after its last event. Events are sorted by (time, address) when they are read.

There are two ways to divide the single digits. ``official`` is the file's own division, by
speaker. ``ab`` pools both halves and takes the first utterances as train and the second as
test, with the same speakers on both sides; it is easier, so name it with every result.

References
----------
Anumula, Neil, Delbruck, Liu (2018), Feature representations for neuromorphic audio spike streams,
Front. Neurosci. 12:23.
"""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.datasets.dataset import Split, check_split
from eventsim.errors import DataError, EventSimError
from eventsim.events import EventStream

N_CHANNELS = 64
CLASS_NAMES = ("oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero")
DIGITS = "o123456789z"  # character of every label

Division = Literal["official", "ab"]
Events = tuple[NDArray[np.float64], NDArray[np.int64]]

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

    Raises
    ------
    DataError
        It does not have the form ``{man|woman}-{speaker}-{a|b}-{digits}``.
    """
    match = _KEY.fullmatch(text)
    if match is None:
        raise DataError(
            f"N-TIDIGITS key {text!r}: expected {{man|woman}}-{{speaker}}-{{a|b}}-{{digits}} with "
            "digits of o, 1 to 9 and z, for example 'man-im-a-7557'."
        )
    return Key(**match.groupdict())


def load(
    path: str | Path, *, split: Split, division: Division = "official"
) -> tuple[EventStream, NDArray[np.int64], tuple[str, ...]]:
    """Single digits of one split.

    Parameters
    ----------
    path
        The HDF5 file.
    split
        "train" or "test".
    division
        "official", the file's own division by speaker, or "ab", by utterance.

    Returns
    -------
    stream, labels, class_names
        Samples in the file's order; labels int64 [samples], 0 for "oh" to 10 for "zero".

    Raises
    ------
    DataError
        The file is missing, truncated, of another layout, or one of its arrays is not
        what the layout promises.
    """
    stream, keys = load_with_keys(path, split=split, division=division, n_digits=1)
    return stream, labels_of(keys), CLASS_NAMES


def load_with_keys(
    path: str | Path,
    *,
    split: Split,
    division: Division = "official",
    n_digits: int | None = 1,
) -> tuple[EventStream, tuple[Key, ...]]:
    """As :func:`load`, with the key of every sample.

    ``n_digits`` selects the samples in which so many digits are said; None takes all.
    """
    check_split("ntidigits", split)
    if division not in ("official", "ab"):
        raise DataError(f"ntidigits: division is {division!r}, expected 'official' or 'ab'.")
    halves = (split,) if division == "official" else ("train", "test")
    samples: list[Events] = []
    keys: list[Key] = []
    with _open(Path(path)) as file:
        for half in halves:
            for key in _keys(file, half):
                other_take = division == "ab" and (key.take == "a") != (split == "train")
                if other_take or n_digits not in (None, len(key.digits)):
                    continue
                keys.append(key)
                samples.append(_events(file, half, key))
    if not keys:
        raise DataError(f"{path}: split {split!r} holds no sample with {n_digits} digits.")
    return _stream(samples), tuple(keys)


def labels_of(keys: Sequence[Key]) -> NDArray[np.int64]:
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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with h5py.File(temporary, "w") as file:
            file.attrs.update(dict(attributes or {}))
            for half, samples in (("train", train), ("test", test)):
                _write_half(file, half, samples)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write_half(file: Any, half: str, samples: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> None:
    file.create_dataset(f"{half}_labels", data=np.array(list(samples), dtype="S"))
    timestamps = file.create_group(f"{half}_timestamps")
    addresses = file.create_group(f"{half}_addresses")
    for text, (times, channels) in samples.items():
        key = str(parse_key(text))
        t, c = _checked(key, np.asarray(times, np.float64), np.asarray(channels))
        timestamps.create_dataset(key, data=t * 1e-3)
        addresses.create_dataset(key, data=c.astype(np.int8))


def _open(path: Path) -> Any:
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file, expected an HDF5 file in the layout of N-TIDIGITS18."
        ) from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened as an HDF5 file ({error}). It is truncated or something "
            "else; get it anew."
        ) from error


def _keys(file: Any, half: str) -> list[Key]:
    parts = [f"{half}_labels", f"{half}_timestamps", f"{half}_addresses"]
    missing = [name for name in parts if name not in file]
    if missing:
        raise DataError(
            f"{file.filename}: has no {', '.join(missing)}; it holds {sorted(file)}. Expected the "
            "layout of N-TIDIGITS18."
        )
    try:
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in file[parts[0]][...]]
    except (OSError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file.filename}: {parts[0]} is not a readable list of keys ({error})."
        ) from error
    return [parse_key(text) for text in texts]


def _events(file: Any, half: str, key: Key) -> Events:
    where = f"{file.filename}, {half}, key '{key}'"
    try:
        seconds = np.asarray(file[f"{half}_timestamps"][str(key)])
        addresses = np.asarray(file[f"{half}_addresses"][str(key)])
    except (KeyError, OSError, ValueError) as error:
        raise DataError(
            f"{where}: timestamps or addresses cannot be read ({error}). The file is incomplete; "
            "get it anew."
        ) from error
    if seconds.dtype.kind != "f":
        raise DataError(
            f"{where}: timestamps have type {seconds.dtype}, expected floats (seconds)."
        )
    return _checked(where, 1e3 * seconds.astype(np.float64), addresses)


def _checked(where: str, times: NDArray[np.float64], addresses: NDArray[Any]) -> Events:
    if times.ndim != 1 or addresses.shape != times.shape:
        raise DataError(
            f"{where}: timestamps have shape {times.shape}, addresses {addresses.shape}, expected "
            "two one-dimensional arrays of equal length."
        )
    if addresses.size and addresses.dtype.kind not in "iu":
        raise DataError(f"{where}: addresses have type {addresses.dtype}, expected integers.")
    channels = addresses.astype(np.int64)
    if not (np.isfinite(times) & (times >= 0)).all():
        raise DataError(f"{where}: a timestamp is negative or not finite.")
    if channels.size and not (channels.min() >= 0 and channels.max() < N_CHANNELS):
        raise DataError(
            f"{where}: addresses reach from {channels.min()} to {channels.max()}, expected 0 to "
            f"{N_CHANNELS - 1}."
        )
    order = np.lexsort((channels, times))
    return times[order], channels[order]


def _stream(samples: list[Events]) -> EventStream:
    duration = [np.floor(t[-1]) + 1.0 if t.size else 1.0 for t, _ in samples]
    try:
        return EventStream.from_samples(samples, n_channels=N_CHANNELS, duration=duration)
    except EventSimError as error:  # pragma: no cover - every sample was checked alone
        raise DataError(f"N-TIDIGITS events do not form a stream: {error}") from error
