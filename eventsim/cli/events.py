"""What EVENTS, DATA and PLACE on the command line stand for: the one resolver of all commands.

A data set by its name, or a file of any format of :mod:`eventsim.datasets.formats`, told by its
content. What is found are events, with labels where the place has them.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eventsim import datasets
from eventsim.cli.text_events import (
    PLAIN,
    Assumed,
    TextEvents,
    assumed_by,
    fill_channels,
    read_text,
    say_units,
)
from eventsim.datasets import adapters, aer, nir_events
from eventsim.datasets.aer_sensors import SENSORS, find_sensor
from eventsim.datasets.formats import FORMATS, format_of
from eventsim.datasets.label_files import is_table
from eventsim.errors import DataError
from eventsim.events import AnyDataset, Dataset, EncoderOperations, EventStream, StoredStream
from eventsim.events.labelled import described, parts_of, spread
from eventsim.extras import install_hint
from eventsim.network import Network
from eventsim.runs.data import OWN, DataSettings
from eventsim.runs.run import Run, Which, load_run

NAS = "nas_64_stereo"
MOST_TRIED = 1 << 26  # bytes of a file that all sensors are tried on
MOST_NAMED = 6  # sensors in a message


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a place is read; the options of the commands, by their names there.

    ``assumed`` and ``step`` are no options: the unit of text that names none, and the step of TI46,
    as a run has them.
    """

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
    assumed: Assumed = PLAIN
    step: float | None = None


@dataclass(frozen=True, eq=False)
class Events:
    """Recordings that were found, in memory or on disk.

    Attributes
    ----------
    name
        Of the data set, or of the file.
    stream
        The recordings.
    data
        They and their labels; None where there are no labels.
    details
        What else the file says of itself.
    text
        Of a text file, how its times were read.
    """

    name: str
    stream: EventStream | StoredStream
    data: AnyDataset | None = None
    details: dict[str, Any] = field(default_factory=dict)
    text: TextEvents | None = None

    def labelled(self) -> AnyDataset:
        """The recordings with their labels; raises DataError if they have none."""
        if self.data is None:
            raise DataError(
                f"{self.name}: has no labels, expected a data set with a class of every recording. "
                "Give it some: eventsim data import FILE --labels labels.csv --out mine.h5"
            )
        return self.data

    def fewer(self, samples: int | None) -> "Events":
        """At most ``samples`` recordings, in memory; None for all, where they are.

        They are spread evenly over the classes, see :func:`eventsim.events.labelled.spread`; those
        without labels are the first ones.
        """
        if samples is None:
            return self
        if self.data is None:
            return replace(self, stream=self.stream[:samples])
        data = self.data[spread(self.data.labels, samples)]
        return replace(self, stream=data.stream, data=data)

    def rounded(self, settings: DataSettings) -> "Events":
        """The recordings with times as a run of these settings has them."""
        if settings.round_times is None:
            return self
        if self.data is None:
            return replace(self, stream=self.stream[:].round_times(settings.round_times))
        data = settings.rounded(self.data)
        return replace(self, stream=data.stream, data=data)

    def some(self, samples: int | None) -> tuple[EventStream, Dataset | None]:
        """As :meth:`fewer`, and all in memory too: the recordings, and they with their labels."""
        few = self.fewer(samples)
        if few.data is None:
            return few.stream[:], None
        data = few.data[:]
        return data.stream, data


def form_of(place: str, reading: Reading) -> str:
    """The format that ``place`` is read as: the one that was named, or what it is."""
    if reading.form in _READERS:
        return reading.form
    if reading.form != "auto":
        raise DataError(f"--format is {reading.form!r}, expected auto, {', '.join(_READERS)}.")
    if place in datasets.DATASETS:
        return "set"
    path = Path(place)
    if path.is_dir():
        raise DataError(
            f"{place}: is a folder, expected a data set or a file. Name the data set and give the "
            "folder by --file, or read a folder per class into a file: eventsim data import "
            f"{place} --out mine.h5"
        )
    if path.exists():
        form = format_of(path)
        if form == "csv" and is_table(path):
            raise DataError(
                f"{place}: is a table of labels, expected a data set or a file of events. Make one "
                f"of the files that it names: eventsim data import --labels {place} --out mine.h5"
            )
        return form
    near = difflib.get_close_matches(place, datasets.DATASETS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"{place!r} is neither a data set ({', '.join(datasets.DATASETS)}) nor a file.{hint}"
    )


def find(place: str, reading: Reading) -> Events:
    """The recordings of a data set or a file; what had to be assumed is said on stderr."""
    found = read_one(place, reading)
    if found.text is not None:
        say_units([found.text])
    return found


def read_one(place: str, reading: Reading) -> Events:
    """As :func:`find`, without a word: for many files, of which the caller says it once."""
    form = form_of(place, reading)
    _check_options(form, reading)
    return _READERS[form](place, reading)


def find_for(net: Path, place: str | None, reading: Reading) -> Events:
    """The recordings that were named for a network, or those of its run.

    A file that the run was trained on means the part of it that ``reading.split`` names, as no name
    at all does. Text has the channels of the network, and in doubt the unit of the run's own.
    Times are rounded as the run has rounded its own.
    """
    _check_there(net)
    if place is None and not net.is_dir():
        raise DataError(f"EVENTS is missing: {net} is no folder of a run, so name a data set.")
    run = load_run(net) if net.is_dir() else None
    if place is not None and not (run is not None and _is_own(run, place)):
        found = _find_beside(net, run, place, reading)
        settings = None if run is None else run.settings.data
        return found if settings is None else found.rounded(settings)
    assert run is not None
    data = run.data(reading.split)
    return Events(run.data_settings.info.name, data.stream, data)


def _find_beside(net: Path, run: Run | None, place: str, reading: Reading) -> Events:
    """What was named for a network; text takes from it what it does not say of itself."""
    own = None if run is None else run.settings.data
    if form_of(place, reading) == "csv":
        reading = replace(reading, assumed=assumed_by(own))
    elif own is not None and own.name == place:
        reading = replace(reading, step=own.step)
    found = find(place, reading)
    if found.text is None:
        return found
    return replace(found, stream=fill_channels(found.text, find_network(net).input.size, net))


def _check_there(net: Path) -> None:
    if not net.exists():
        raise DataError(
            f"{net}: there is neither a folder of a run nor a network file. Is the name right?"
        )


def _is_own(run: Run, place: str) -> bool:
    """Whether a run is on a file of one's own, which is at that place."""
    own = run.settings.data
    if own is None or own.name != OWN:
        return False
    return Path(own.file or "").resolve() == Path(place).resolve()


def find_stream(
    net: Path, place: str | None, reading: Reading, *, samples: int | None
) -> EventStream:
    """As :func:`find_for`, at most ``samples`` recordings, in memory."""
    return find_for(net, place, reading).some(samples)[0]


def find_encoder(net: Path, place: str | None) -> EncoderOperations | None:
    """What made the events of audio that :func:`find_stream` finds; None where nothing is known."""
    if place is not None and form_of(place, Reading()) == "set":
        return datasets.encoder_operations(place)
    settings = load_run(net).settings.data if net.is_dir() and place is None else None
    return None if settings is None else settings.encoder_operations()


def find_settings(
    data: str,
    file: Path | None = None,
    *,
    test_data: Path | None = None,
    more: Mapping[str, Any] | None = None,
) -> DataSettings:
    """The labelled recordings that DATA stands for, with their division.

    Parameters
    ----------
    data
        A data set, or a file that holds labels.
    file
        Where the data set is.
    test_data
        Another file with labels, for the test, where ``data`` is one of eventsim's own.
    more
        Further fields of :class:`eventsim.runs.data.DataSettings`, such as ``round_times``.

    Raises
    ------
    DataError
        There is no such place, or it has no labels.
    ParameterError
        A field does not fit the recordings.
    """
    return DataSettings(**{**_settings_of(data, file, test_data), **(more or {})})


def _settings_of(data: str, file: Path | None, test_data: Path | None) -> dict[str, Any]:
    if data in datasets.DATASETS:
        if test_data is not None:
            raise DataError(f"--test-data: the data set {data} has a test part. Leave it out.")
        return {"name": data, "file": None if file is None else str(file.resolve())}
    form = form_of(data, Reading())
    if file is not None:
        raise DataError(f"DATA is already the file {data}: leave out --file.")
    path = str(Path(data).resolve())
    if form == "stored":
        for one in (path, *([] if test_data is None else [str(test_data)])):
            Dataset.open(one)
        test_file = None if test_data is None else str(test_data.resolve())
        return {"name": OWN, "file": path, "test_file": test_file}
    if test_data is not None:
        raise DataError("--test-data goes with a file that eventsim data import wrote.")
    if form == "ntidigits":
        return {"name": "ntidigits", "file": path}
    if form == "shd":
        return {"name": _shd_part(data)[0], "file": path}
    raise DataError(
        f"{data}: is {FORMATS[form]}, which has no labels, expected a data set with them. Give it "
        f"some: eventsim data import {data} --labels labels.csv --out mine.h5"
    )


def parts(place: str, reading: Reading) -> tuple[str, ...]:
    """The parts of a data set's own division, or of a file's; () where there are none."""
    form = form_of(place, reading)
    if form == "stored":
        return parts_of(StoredStream.open(place))
    name = {"set": place, "ntidigits": "ntidigits"}.get(form)
    # Others divide the same samples again.
    return () if name is None else tuple(p for p in datasets.DATASETS[name].parts if "-" not in p)


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


def _read_set(place: str, reading: Reading) -> Events:
    root = None if reading.file is None else str(reading.file)
    settings = DataSettings(name=place, file=root, step=reading.step)
    found = settings.source(reading.split, download=reading.download).stored()
    return Events(place, found.stream, found)


def _of_set(name: str, split: str, root: str) -> Events:
    found = datasets.stored(name, split=split, root=root)
    return Events(name, found.stream, found)


def _read_ntidigits(place: str, reading: Reading) -> Events:
    return _of_set("ntidigits", reading.split, place)


def _read_shd(place: str, reading: Reading) -> Events:
    del reading
    return _of_set(*_shd_part(place), place)


def _shd_part(place: str) -> tuple[str, str]:
    """Data set and part of a file of SHD or SSC: its name says them."""
    name, _, split = Path(place).stem.lower().partition("_")
    if name not in ("shd", "ssc") or split not in datasets.DATASETS[name].parts:
        raise DataError(
            f"{place}: has the layout of SHD and SSC, expected a name such as shd_train.h5 or "
            "ssc_valid.h5, which says what it is. Rename it."
        )
    return name, split


def _read_stored(place: str, reading: Reading) -> Events:
    stored = StoredStream.open(place)
    name = Path(place).stem
    if "labels" not in stored.columns:
        return Events(name, stored)
    data = Dataset.open(place, split=reading.split) if parts_of(stored) else described(stored)
    return Events(name, data.stream, data)


def _read_aedat(place: str, reading: Reading) -> Events:
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
    where = dict(map(_condition, reading.where))
    try:
        stream, record = aer.load(
            place, sensor=sensor, by=reading.by, where=where, after_reset=reading.after_reset
        )
    except DataError as error:
        fitting = [] if changes else _fitting(Path(place))
        if not fitting or reading.sensor in fitting:
            raise
        names = ", ".join(fitting[:MOST_NAMED])
        more = f" and {len(fitting) - MOST_NAMED} more" if len(fitting) > MOST_NAMED else ""
        raise DataError(
            f"{error} All addresses and times of the file fit {names}{more}: --sensor {fitting[0]}"
        ) from error
    return Events(Path(place).stem, stream, details=record.summary())


def _fitting(path: Path) -> list[str]:
    """Sensors that could have written a file, those with the fewest addresses first."""
    found = []
    if path.stat().st_size <= MOST_TRIED:
        for name in sorted(SENSORS, key=lambda name: SENSORS[name].known.bit_count()):
            try:
                aer.load(path, sensor=name)
            except DataError:
                continue
            found.append(name)
    return found


def _condition(given: str) -> tuple[str, int]:
    name, mark, value = given.partition("=")
    if not (mark and value.strip().isdigit()):
        raise DataError(f"--where {given!r}: expected FIELD=VALUE with a number, e.g. ear=0.")
    return name.strip(), int(value)


def _read_nas(place: str, reading: Reading) -> Events:
    return _read_aedat(place, replace(reading, sensor=reading.sensor or NAS))


def _read_csv(place: str, reading: Reading) -> Events:
    found = read_text(
        place, unit=reading.unit, n_channels=reading.channels, otherwise=reading.assumed
    )
    return Events(Path(place).stem, found.stream, text=found)


def _read_npz(place: str, reading: Reading) -> Events:
    del reading
    return Events(Path(place).stem, EventStream.load(place))


def _read_nir(place: str, reading: Reading) -> Events:
    del reading
    return Events(Path(place).stem, nir_events.load(place))


def _read_tonic(place: str, reading: Reading) -> Events:
    found = adapters.AdaptedSet(_tonic_set(place, reading)).dataset()
    return Events(place, found.stream, found)


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


_READERS: dict[str, Callable[[str, Reading], Events]] = {
    "set": _read_set,
    "stored": _read_stored,
    "ntidigits": _read_ntidigits,
    "shd": _read_shd,
    "nir": _read_nir,
    "npz": _read_npz,
    "aedat": _read_aedat,
    "nas": _read_nas,
    "csv": _read_csv,
    "tonic": _read_tonic,
}


def find_network(place: Path, *, which: Which = "last") -> Network:
    """The network in a file, or ``which`` (last, selected, initial) of a run's folder."""
    _check_there(place)
    return load_run(place).network(which) if place.is_dir() else Network.load(place)
