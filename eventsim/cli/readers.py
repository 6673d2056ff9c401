"""Readers of each format of events, with the options of the commands."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eventsim import datasets
from eventsim.arrays import Floats
from eventsim.checks import in_domain
from eventsim.cli.checks import left_out, needed, numbers_of, pair_of, value_of
from eventsim.cli.options import option_name
from eventsim.cli.reading import Reading
from eventsim.datasets import (
    aer,
    audio_events,
    camera_files,
    nir_events,
    nmnist,
    text,
    ti46,
    ti46_text,
)
from eventsim.datasets.addresses import Size
from eventsim.datasets.aer_sensors import SENSORS, find_sensor
from eventsim.datasets.formats import misnamed
from eventsim.datasets.made import Made
from eventsim.datasets.text import Lines, Remark
from eventsim.entries import Finite, parse_json
from eventsim.errors import DataError, StorageError
from eventsim.events import AnyDataset, Dataset, EventStream, StoredStream
from eventsim.events.begin import Begin, TimeZero, edges, put, zeros
from eventsim.events.labelled import BEGINS, Texts, parts_of, spread
from eventsim.events.targets import TARGETS
from eventsim.runs.data import DataSettings

T = TypeVar("T")

NAS = "nas_64_stereo"
MOST_TRIED = 1 << 26  # bytes of a file that all sensors are tried on
MOST_NAMED = 6  # sensors in a message


@dataclass(frozen=True, eq=False)
class Events:
    """Recordings that were found, in memory or on disk."""

    name: str  # of the data set, or of the file
    stream: EventStream | StoredStream  # the recordings
    data: AnyDataset | None = None  # they and their labels; None where there are no labels
    details: dict[str, Any] = field(default_factory=dict)  # what else the file says of itself
    text: Lines | None = None  # of a text file or arrays: what was read
    # Where the times begin, where they are others than those of the file, or were looked at
    begun: TimeZero | None = None
    # Whether the file says how long a recording lasts; else it lasts to its last event
    states_duration: bool = True
    made: Made = field(default_factory=Made)  # how they were made, as their file or its reader says
    part: str = "all"  # the part of the data that they are; ``all`` where it is not divided
    # Whether they are of the division that the run of a network made, for which they were found
    own: bool = False
    told: tuple[str, ...] = ()  # what was left out or filled up on reading, in words
    # Time 0 of every recording on the clock of its source, ms [samples], as a file of eventsim
    # keeps it; None where nothing keeps it
    begins: Floats | None = None

    def at(self, begin: Begin, reason: str) -> "Events":
        """The same recordings in memory with another time 0; ``reason`` says why, in words."""
        if self.text is not None:
            stream, zero = self.text.stream(begin)
        else:
            given, before = self.stream[:], self.zero
            if begin == "first-event":  # found in the times as they are: sums round
                shift = zeros(given.times, given.offsets, begin, where=self.name)
                zero = before + shift
            else:
                clock = given.times + np.repeat(before, np.diff(given.offsets))
                zero = zeros(clock, given.offsets, begin, where=self.name)
                shift = zero - before
            stream = put(given, shift, stated=self.states_duration, where=self.name)
        data = None if self.data is None else replace(self.data[:], stream=stream)
        begun = TimeZero(begin, reason, zero, edges(stream))
        return replace(self, stream=stream, data=data, begun=begun)

    @property
    def zero(self) -> Floats:
        """Time 0 of every recording on the clock of its source, ms [samples]."""
        if self.begun is not None:
            return self.begun.zero
        return np.zeros(self.stream.n_samples) if self.begins is None else self.begins

    @property
    def sensor(self) -> Size | None:
        """Width, height and polarities of the camera; None where the channels are no pixels."""
        own = (nmnist.SIDE, nmnist.SIDE, 2) if self.name == "nmnist" else None
        return self.made.sensor or own

    @property
    def keys(self) -> Texts | None:
        """Names of the recordings; None where they have none."""
        if self.data is None and isinstance(self.stream, StoredStream):
            return self.stream.columns.get("keys")
        return None if self.data is None else self.data.keys

    def labelled(self) -> AnyDataset:
        """The recordings with their labels; raises DataError if they have none."""
        if self.data is None:
            raise DataError(
                self.name,
                "has no labels",
                "a data set with a class of every recording",
                "Give it some: eventsim data import FILE --labels labels.csv --out mine.h5",
            )
        return self.data

    def fewer(self, samples: int | None) -> "Events":
        """At most ``samples`` recordings, in memory; None for all, where they are.

        They are spread evenly over the classes, see :func:`eventsim.events.labelled.spread`; those
        without labels are the first ones.
        """
        if samples is None:
            return self
        index = np.arange(min(samples, self.stream.n_samples))
        if self.data is not None:
            index = spread(self.data.labels, samples)
        begins = None if self.begins is None else self.begins[index]
        if self.data is None:
            return replace(self, stream=self.stream[index], begins=begins)
        data = self.data[index]
        return replace(self, stream=data.stream, data=data, begins=begins)

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


def made_of(parts: Sequence[Events], told: Sequence[str] = ()) -> Made:
    """How the recordings of some files were made, and ``told``; None for where they differ."""
    own = parts[0].made if len(parts) == 1 else Made()
    audio = Counter(one.made.audio for one in parts if one.made.audio is not None)
    lines = [one.text for one in parts if one.text is not None]
    made = [one.made for one in parts if one.text is not None]
    remarks = [one.words for one in remarks_of(parts)]
    found = replace(own, remarks=tuple(dict.fromkeys([*own.remarks, *remarks, *told])))
    if audio.total() == len(parts):
        found = replace(found, audio=audio.most_common(1)[0][0])
    if not made:
        return found
    units, columns = [one.assumed for one in lines], [one.guess for one in lines]
    return replace(
        found,
        unit=_common(one.unit for one in made),
        columns=_common(one.columns for one in made),
        sensor=_common(one.sensor for one in made),
        guessed=("unit",) * any(units) + ("columns",) * any(columns),
    )


def remarks_of(parts: Sequence[Events]) -> list[Remark]:
    """Remarks on how those of some files that are text, or arrays, were read."""
    lines = [one.text for one in parts if one.text is not None]
    streams = [one.stream for one in parts if one.text is not None]
    return text.remarks(lines, [one for one in streams if isinstance(one, EventStream)])


def _common(values: Iterable[T | None]) -> T | None:
    """The value that all have; None if they differ."""
    found = {*values}
    return found.pop() if len(found) == 1 else None


_FILES = ("stored", "ntidigits", "shd", "nir", "npz", "aedat", "nas", "audio", "csv", "arrays")
TI46 = ("ti46_digits", "ti46_alpha")  # folders of text files
TEXTS = ("csv", "arrays")  # whose columns say what they are, and not where times begin
_DIVIDED = ("set", "ntidigits")  # a file of eventsim's own may be
# Options that say something of some formats only.
_ONLY = {
    "file": ("set",),
    "download": ("set",),
    "sensor": ("aedat", "nas"),
    "address_bytes": ("aedat", "nas"),
    "tick_us": ("aedat", "nas", *TI46),
    "by": ("aedat", "nas"),
    "where": ("aedat", "nas"),
    "after_reset": ("aedat", "nas"),
    "unit": TEXTS,
    "channels": TEXTS,
    "columns": TEXTS,
    "sensor_size": TEXTS,
    "encoder": ("audio",),
    "begin": _FILES,
}


def _check_options(form: str, reading: Reading) -> None:
    for name in _options(reading):
        left_out(
            form not in _ONLY[name],
            option_name(name),
            f"does not apply to format {form}, only to {' and '.join(_ONLY[name])}",
            "Leave it out, or name the --format.",
        )


def _check_part(form: str, place: str, reading: Reading) -> None:
    """Raise if a part was named of what has none."""
    if reading.split is None or form in _DIVIDED:
        return
    part = (
        f"is the {shd_part(place)[1]} part, as its name says" if form == "shd" else "has no parts"
    )
    divided = form == "stored" and parts_of(StoredStream.open(place))
    left_out(not divided, "--split", f"{place} is one file, which {part}")


def check_unused(reading: Reading, what: str) -> None:
    """Raise ParameterError if an option says how a file is read; ``what`` is not."""
    for name in _options(reading):
        left_out(True, option_name(name), f"does not apply to {what}")


def _options(reading: Reading) -> list[str]:
    """The options that were given, of those that say something of some formats only."""
    return [name for name in _ONLY if getattr(reading, name) != getattr(Reading(), name)]


def read(form: str, place: str, reading: Reading) -> Events:
    """The recordings of a place of that format.

    Raises DataError (an option does not apply to the format, or the place cannot be read).
    """
    _check_options(form, reading)
    _check_part(form, place, reading)
    begin, found = begin_of(reading.begin), READERS[form](place, reading)
    if found.data is not None and found.data.split:
        found = replace(found, part=reading.part)
    # Text has its own way: its times may be negative before.
    return found if begin is None or form in TEXTS else found.at(begin, reading.begin_reason)


def begin_of(typed: str | None) -> Begin | None:
    """The value of ``--begin``; None without it."""
    if typed is None:
        return None
    if typed in ("first-event", "zero"):
        return "first-event" if typed == "first-event" else "zero"
    expected = "first-event, zero, or a time of the file in ms"
    (found,) = numbers_of(f"--begin {typed}", [typed], float, expected)
    in_domain("--begin", "the time", found, Finite)
    return found


def _read_set(place: str, reading: Reading) -> Events:
    root = None if reading.file is None else str(reading.file)
    settings = DataSettings(name=place, file=root, **reading.of_set)
    found = settings.source(reading.part, download=reading.download).stored()
    return Events(place, found.stream, found)


def _of_set(name: str, split: str, root: str) -> Events:
    found = datasets.stored(name, split=split, root=root)
    return Events(name, found.stream, found, states_duration=False)


def shd_part(place: str) -> tuple[str, str]:
    """Data set and part of a file of SHD or SSC: its name says them."""
    name, _, split = Path(place).stem.lower().partition("_")
    if name not in ("shd", "ssc") or split not in datasets.DATASETS[name].parts:
        raise DataError(
            place,
            "has the layout of SHD and SSC",
            "a name such as shd_train.h5 or ssc_valid.h5, which says what it is",
            "Rename it.",
        )
    return name, split


def _read_stored(place: str, reading: Reading) -> Events:
    stored = StoredStream.open(place)
    name = Path(place).stem
    labelled, valued = "labels" in stored.columns, TARGETS in stored.columns
    if not (labelled or valued):
        return Events(
            name, stored, made=Made.of_notes(stored.notes, name), begins=begins_of(stored)
        )
    split = None if reading.whole or not parts_of(stored) else reading.part
    data = Dataset.open(place, split=split, targets=not labelled)
    return Events(
        name,
        data.stream,
        data if labelled else None,
        made=Made.of_notes(stored.notes, name),
        part=data.split or "all",
        begins=begins_of(data.stream),
    )


def begins_of(stream: EventStream | StoredStream) -> Floats | None:
    """Time 0 of every recording of a file; None of recordings in memory, which do not keep it."""
    if not isinstance(stream, StoredStream):
        return None
    return np.asarray(stream.columns.get(BEGINS, np.zeros(stream.n_samples)), np.float64)


def _read_aedat(place: str, reading: Reading) -> Events:
    sensor: aer.Sensor | None = None
    changes = {
        name: value
        for name in ("address_bytes", "tick_us")
        if (value := getattr(reading, name)) is not None
    }
    if reading.sensor is not None:
        sensor = replace(find_sensor(reading.sensor), **changes)
    why = "--address-bytes and --tick-us change a sensor"
    needed(sensor or not changes, place, why, "Name it: --sensor NAME.")
    where = dict(map(_condition, reading.where or ()))
    by = None if reading.by is None else tuple(name.strip() for name in reading.by.split(","))
    try:
        stream, record = aer.load(
            place, sensor=sensor, by=by, where=where, after_reset=reading.after_reset
        )
    except DataError as error:
        fitting = [] if changes else _fitting(Path(place))
        if not fitting or reading.sensor in fitting:
            raise
        names = ", ".join(fitting[:MOST_NAMED])
        more = f" and {len(fitting) - MOST_NAMED} more" if len(fitting) > MOST_NAMED else ""
        told = f"All addresses and times of the file fit {names}{more}: --sensor {fitting[0]}."
        raise error.seen_from("", DataError, told) from error
    first = record.first_tick * record.tick_us / 1e3
    begun = TimeZero("first-event", "as AEDAT always is", np.array([first]), edges(stream))
    return Events(
        Path(place).stem, stream, details=record.summary(), begun=begun, states_duration=False
    )


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
    expected = "FIELD=VALUE with a number, such as ear=0"
    name, value = pair_of("--where", given, expected)
    (number,) = numbers_of(f"--where {given}", [value], int, expected)
    return name, number


def _read_csv(place: str, reading: Reading) -> Events:
    odd = misnamed(place)
    if odd is None:
        return _read_columns(text.read, place, reading)
    try:
        return replace(_read_columns(text.read, place, reading), told=(odd,))
    except DataError as error:
        raise error.seen_from("", DataError, f"{odd}.") from error


def _read_columns(read: Any, place: str, reading: Reading) -> Events:
    typed = reading.columns
    columns = None if typed is None else tuple(name.strip() for name in typed.split(","))
    found: Lines = read(
        place,
        unit=reading.unit,
        n_channels=reading.channels,
        columns=columns,
        sensor_size=size_of(reading.sensor_size),
        **({} if reading.assumed is None else {"otherwise": reading.assumed}),
    )
    begin = begin_of(reading.begin)
    stream, zero = found.stream("zero" if begin is None else begin)
    begun = None if begin is None else TimeZero(begin, reading.begin_reason, zero, edges(stream))
    made = Made(unit=found.unit, columns=found.named, sensor=found.size)
    return Events(Path(place).stem, stream, text=found, begun=begun, made=made)


def size_of(typed: str | None) -> tuple[int, ...] | None:
    """The numbers of ``--sensor-size``; ParameterError if they are none."""
    if typed is None:
        return None
    expected = "width, height and polarities such as 34,34,2"
    return numbers_of(f"--sensor-size {typed}", typed.split(","), int, expected)


def _read_audio(place: str, reading: Reading) -> Events:
    given = dict(value_of("--encoder", text) for text in reading.encoder or ())
    cochlea = audio_events.changed(reading.cochlea, given, "--encoder")
    stream, audio = audio_events.read(place, cochlea)
    # Nothing is guessed: the first sample is time 0.
    begun = TimeZero("zero", "audio begins with its first sample", np.zeros(1), edges(stream))
    return Events(Path(place).stem, stream, begun=begun, made=Made(audio=audio))


def _read_npz(place: str, reading: Reading) -> Events:
    del reading
    stream, notes = EventStream.load(place), EventStream.read_notes(place)
    begins = np.zeros(stream.n_samples)
    if BEGINS in notes:
        begins = _begins_of_note(notes.pop(BEGINS), stream.n_samples, f"{place}, {BEGINS}")
    return Events(Path(place).stem, stream, made=Made.of_notes(notes, place), begins=begins)


def _begins_of_note(text: str, n_samples: int, where: str) -> Floats:
    """Time 0 of every recording of an .npz, whose notes keep it."""
    try:
        begins = np.asarray(parse_json(text, where, StorageError), np.float64)
    except (ValueError, TypeError):
        begins = np.zeros(0)
    if begins.shape != (n_samples,) or not np.isfinite(begins).all():
        raise StorageError(where, "", f"a finite number for each of {n_samples} recordings")
    return begins


def _read_ti46(task: ti46.Task, place: str, reading: Reading) -> Events:
    step = ti46.STEP if reading.tick_us is None else reading.tick_us / 1e3
    source = ti46_text.source(place, task=task, step=step)
    found = source.stored()
    assert source.told is not None
    zero = np.zeros(len(found))
    begun = TimeZero("zero", "steps count from the begin", zero, edges(found.stream))
    return Events(
        Path(place).name, found.stream, found, begun=begun, states_duration=False,
        told=(source.told(found.stream),),
    )  # fmt: skip


def _read_nir(place: str, reading: Reading) -> Events:
    del reading
    found, others = Events(Path(place).stem, nir_events.load(place)), nir_events.other_nodes(place)
    return replace(found, told=(f"nodes not read: {', '.join(others)}",) if others else ())


READERS: dict[str, Callable[[str, Reading], Events]] = {
    "set": _read_set,
    "stored": _read_stored,
    "ntidigits": lambda place, reading: _of_set("ntidigits", reading.part, place),
    "shd": lambda place, _: _of_set(*shd_part(place), place),
    "nir": _read_nir,
    "npz": _read_npz,
    "aedat": _read_aedat,
    "nas": lambda place, how: _read_aedat(place, replace(how, sensor=how.sensor or NAS)),
    "csv": _read_csv,
    "arrays": partial(_read_columns, camera_files.read),
    "audio": _read_audio,
    "ti46_digits": partial(_read_ti46, "digits"),
    "ti46_alpha": partial(_read_ti46, "alpha"),
}
