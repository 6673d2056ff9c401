"""What PLACE stands for in ``eventsim data ...``: a data set, or a file of some format."""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import datasets
from eventsim.datasets import adapters, aer, text
from eventsim.datasets.aer_sensors import find_sensor
from eventsim.errors import DataError
from eventsim.events import Dataset, EventStream, StoredStream
from eventsim.extras import install_hint

SUFFIXES = {
    ".aedat": "aedat",
    ".aedat4": "aedat",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".npz": "npz",
    ".h5": "ntidigits",
    ".hdf5": "ntidigits",
}
NAS = "nas_64_stereo"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a place is read; the options of the commands, by their names there."""

    form: str = "auto"
    file: Path | None = None
    split: str = "test"
    download: bool = False
    sensor: str | None = None
    address_bytes: int | None = None
    tick_us: float | None = None
    by: tuple[str, ...] | None = None
    where: tuple[str, ...] = ()
    after_reset: bool = False
    unit: Any = None
    channels: int | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Recordings that were found, in memory or on disk.

    Attributes
    ----------
    name
        Of the data set, or of the file.
    labels, class_names, keys, groups
        As :class:`eventsim.datasets.Dataset`; labels are None where there are none.
    details
        What else the file says of itself.
    """

    name: str
    stream: EventStream | StoredStream
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    keys: NDArray[np.str_] | None = None
    groups: NDArray[np.str_] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def form_of(place: str, reading: Reading) -> str:
    """The format that ``place`` is read as: the one that was named, or the one it looks like."""
    if reading.form in _READERS:
        return reading.form
    if reading.form != "auto":
        raise DataError(f"--format is {reading.form!r}, expected auto, {', '.join(_READERS)}.")
    if place in datasets.DATASETS:
        return "set"
    suffix = Path(place).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if Path(place).exists():
        raise DataError(
            f"{place}: cannot tell from its name what it is. Name it: --format with one of "
            f"{', '.join(_READERS)}."
        )
    near = difflib.get_close_matches(place, datasets.DATASETS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"{place!r} is neither a data set ({', '.join(datasets.DATASETS)}) nor a file.{hint}"
    )


def find(place: str, reading: Reading) -> Part:
    """Read a data set or a file."""
    form = form_of(place, reading)
    _check_options(form, reading)
    return _READERS[form](place, reading)


# Options that say something of some formats only.
_ONLY = {
    "file": ("set", "tonic"),
    "download": ("set", "tonic"),
    "sensor": ("aedat", "nas"),
    "address_bytes": ("aedat", "nas"),
    "tick_us": ("aedat", "nas"),
    "by": ("aedat", "nas"),
    "where": ("aedat", "nas"),
    "after_reset": ("aedat", "nas"),
    "unit": ("csv",),
    "channels": ("csv",),
}


def _check_options(form: str, reading: Reading) -> None:
    plain = Reading()
    for name, forms in _ONLY.items():
        if form not in forms and getattr(reading, name) != getattr(plain, name):
            raise DataError(
                f"--{name.replace('_', '-')} says nothing of format {form}, only of "
                f"{' and '.join(forms)}. Leave it out, or name the --format."
            )


def _read_set(place: str, reading: Reading) -> Part:
    root = None if reading.file is None else str(reading.file)
    found = datasets.stored(place, split=reading.split, root=root, download=reading.download)
    return _part(found)


def _read_ntidigits(place: str, reading: Reading) -> Part:
    return _part(datasets.stored("ntidigits", split=reading.split, root=place))


def _part(found: Dataset[StoredStream]) -> Part:
    assert found.info is not None
    return Part(
        found.info.name, found.stream, found.labels, found.class_names, found.keys, found.groups
    )


def _read_aedat(place: str, reading: Reading) -> Part:
    sensor: aer.Sensor | None = None
    changes = {
        name: value
        for name in ("address_bytes", "tick_us")
        if (value := getattr(reading, name)) is not None
    }
    if reading.sensor is not None:
        sensor = replace(find_sensor(reading.sensor), **changes)
    elif changes:
        raise DataError(f"{place}: --address-bytes and --tick-us change a sensor. Name it.")
    stream, record = aer.load(
        place,
        sensor=sensor,
        by=reading.by,
        where=dict(map(_condition, reading.where)),
        after_reset=reading.after_reset,
    )
    return Part(Path(place).stem, stream, details=record.summary())


def _condition(given: str) -> tuple[str, int]:
    name, mark, value = given.partition("=")
    if not (mark and value.strip().isdigit()):
        raise DataError(f"--where {given!r}: expected FIELD=VALUE with a number, e.g. ear=0.")
    return name.strip(), int(value)


def _read_nas(place: str, reading: Reading) -> Part:
    return _read_aedat(place, replace(reading, sensor=reading.sensor or NAS))


def _read_csv(place: str, reading: Reading) -> Part:
    stream = text.load(place, unit=reading.unit, n_channels=reading.channels)
    return Part(Path(place).stem, stream)


def _read_npz(place: str, reading: Reading) -> Part:
    del reading
    return Part(Path(place).stem, EventStream.load(place))


def _read_tonic(place: str, reading: Reading) -> Part:
    adapted = adapters.AdaptedSet(_tonic_set(place, reading))
    found = adapted.dataset()
    return Part(place, found.stream, found.labels, found.class_names)


def _tonic_set(name: str, reading: Reading) -> Any:
    """A data set of tonic; it fetches nothing unless it was told to."""
    try:
        from tonic import datasets as theirs
    except ImportError as error:
        raise DataError(
            f"--format tonic needs the package tonic: {install_hint('tonic')} ({error})."
        ) from error
    found = getattr(theirs, name, None)
    if not inspect.isclass(found):
        raise DataError(f"tonic has no data set {name!r}. It has {', '.join(theirs.__all__)}.")
    if reading.file is None:
        raise DataError("--format tonic: name the folder of tonic's data sets with --file.")

    def refuse(self: Any) -> None:
        raise DataError(
            f"{name}: is not in {self.location_on_system}. Put it there, or let tonic fetch it "
            "with --download."
        )

    kind = found if reading.download else type(found.__name__, (found,), {"download": refuse})
    takes = inspect.signature(found.__init__).parameters
    options: dict[str, Any] = {}
    if "train" in takes:
        options["train"] = reading.split == "train"
    elif "split" in takes:
        options["split"] = reading.split
    if "single_digits" in takes:
        options["single_digits"] = True
    return kind(save_to=str(reading.file), **options)


_READERS: dict[str, Callable[[str, Reading], Part]] = {
    "set": _read_set,
    "ntidigits": _read_ntidigits,
    "aedat": _read_aedat,
    "nas": _read_nas,
    "csv": _read_csv,
    "npz": _read_npz,
    "tonic": _read_tonic,
}
