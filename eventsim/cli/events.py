"""Events of EVENTS, DATA and PLACE on the command line: the one resolver of all commands.

Each is a data set by its name, or a file of any format of :mod:`eventsim.datasets.formats`,
recognised by its content. Its events have labels where the place has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eventsim import datasets
from eventsim.arrays import Floats
from eventsim.checks import one_of
from eventsim.cli.begin import automatic, say_begun
from eventsim.cli.checks import left_out, needed
from eventsim.cli.damaged import Damaged, read_files
from eventsim.cli.readers import (
    READERS,
    TEXTS,
    Events,
    begins_of,
    check_unused,
    read,
    remarks_of,
    shd_part,
)
from eventsim.cli.reading import Reading
from eventsim.cli.terminal import say
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.formats import FORMATS, format_of
from eventsim.datasets.label_files import is_table
from eventsim.datasets.made import Made, lasts_otherwise
from eventsim.engine import simulate
from eventsim.entries import nearest
from eventsim.errors import DataError, EventSimError
from eventsim.events import Dataset, EncoderOperations, EventStream, SpikeTape, StoredStream
from eventsim.events.labelled import parts_of
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.runs.data import DataSettings
from eventsim.runs.recordings import OWN
from eventsim.runs.run import Run, Which, load_run
from eventsim.train.folder import NETWORKS

__all__ = [
    "Events", "audio_of", "find", "find_encoder", "find_files", "find_for", "find_network",
    "find_settings", "form_of", "parts", "read_one", "say_all", "tape_of",
]  # fmt: skip


def form_of(place: str, reading: Reading) -> str:
    """The format that ``place`` is read as: the one that was named, or what it is."""
    if reading.form in READERS:
        return reading.form
    if reading.form != "auto":
        one_of("--format", "the format", reading.form, ("auto", *READERS))
    if place in datasets.DATASETS:
        return "set"
    path = Path(place)
    if path.is_dir():
        raise DataError(
            place,
            "is a folder",
            "a data set or a file",
            f"Name its files ({place.rstrip('/')}/*); or name the data set and give the folder by "
            f"--file; or read a folder per class into a file: eventsim data import {place} --out "
            "mine.h5",
        )
    if path.exists():
        form = format_of(path)
        if form == "csv" and is_table(path):
            raise DataError(
                place,
                "is a table of labels",
                "a data set or a file of events",
                f"Make one of the files that it names: eventsim data import --labels {place} "
                "--out mine.h5",
            )
        return form
    sets = ", ".join(datasets.DATASETS)
    remedy = nearest(place, datasets.DATASETS)
    raise DataError(place, "is neither a data set nor a file", f"one of {sets}, or a file", remedy)


def find(place: str, reading: Reading) -> Events:
    """The recordings of a data set or a file; what had to be assumed is said on stderr."""
    (found,) = _begun([read_one(place, reading)])
    say_all([found])
    return found


def say_all(found: Sequence[Events]) -> None:
    """Lines on stderr: what was assumed of files, and where their times begin."""
    for remark in remarks_of(found):
        if remark.remedy is not None:
            say(remark.words + remark.remedy)
    for words in dict.fromkeys(words for one in found for words in one.told):
        say(words)
    say_begun(found)


def read_one(place: str, reading: Reading) -> Events:
    """As :func:`find`, without a word: for many files, of which the caller says it once."""
    return read(form_of(place, reading), place, reading)


def find_for(net: Path, place: str | None, reading: Reading) -> Events:
    """The recordings that were named for a network, or those of its run.

    A file that the run was trained on means the part of it that ``reading.part`` names, as no name
    at all does, also for a network file in the folder of the run. Text has the channels of the
    network, and in doubt the unit of the run's own. Times are rounded as the run has rounded its
    own.
    """
    _check_there(net)
    why = "is no folder of a run, which has its own events"
    there = place is not None or net.is_dir()
    needed(there, net, why, "Name EVENTS: a data set or a file.")
    run = run_of(net)
    if place is not None and not (run is not None and _is_own(run, place)):
        found = _find_beside(net, run, place, reading)
        settings = None if run is None else run.settings.data
        return found if settings is None else found.rounded(settings)
    assert run is not None
    check_unused(reading, "the recordings of the run itself, which are read as it was trained")
    data = run.data(reading.part)
    return Events(
        run.data_settings.info.name,
        data.stream,
        None if run.data_settings.targets else data,
        made=run.data_settings.made,
        part=reading.part,
        own=True,
        begins=begins_of(data.stream),
    )


def run_of(net: Path) -> Run | None:
    """The run of a network: its folder, or that in which the file of the network lies."""
    if net.is_dir():
        return load_run(net)
    if net.suffix != ".npz" or net.stem not in NETWORKS:
        return None
    try:
        return load_run(net.parent)
    except EventSimError:
        return None


def find_files(
    net: Path, places: Sequence[str], reading: Reading, *, skip: bool
) -> tuple[dict[str, Events], list[Damaged]]:
    """Events of files named for a network, by file, and the files that cannot be read.

    Files are read as by :func:`find_for`, but a file that the run was trained on is taken whole.
    Time 0 is chosen for all files together.
    """
    _check_there(net)
    run, size = run_of(net), find_network(net).input.size
    settings = None if run is None else run.settings.data

    def read_checked(place: str) -> Events:
        found = _read_beside(settings, place, replace(reading, whole=reading.split is None))
        _filled(net, place, found, size)
        return found

    read, bad = read_files(places, read_checked, skip=skip)
    begun = dict(zip(read, _begun(list(read.values()), settings), strict=True))
    say_all(list(begun.values()))
    found = {place: _filled(net, place, one, size) for place, one in begun.items()}
    if settings is not None:
        found = {place: one.rounded(settings) for place, one in found.items()}
    return found, bad


def _begun(found: Sequence[Events], data: DataSettings | None = None) -> list[Events]:
    """The same; text of which nobody said where it begins, as all of it together says.

    Told where they last far longer or shorter than the run's own, ``data``.
    """
    asked = [k for k, one in enumerate(found) if one.text is not None and one.begun is None]
    told = dict(zip(asked, automatic([found[k] for k in asked]), strict=True))
    begun = [told.get(k, one) for k, one in enumerate(found)]
    own = np.zeros(0) if data is None else _lasts(data)
    if not begun or data is None or not own.size:
        return begun
    lasts = np.concatenate([one.stream.duration for one in begun])
    words = lasts_otherwise(own, data.title, lasts, "the recordings")
    return [replace(one, told=(*one.told, *words)) for one in begun]


def _lasts(data: DataSettings) -> Floats:
    """Durations of the run's own recordings, ms, or about how long one is; empty if unknown."""
    if data.name != OWN:
        about = datasets.DATASETS[data.name].lasts if data.name in datasets.DATASETS else None
        return np.array([] if about is None else [about])
    is_there = Path(data.file or "").is_file()
    return StoredStream.open(data.file or "").duration if is_there else np.zeros(0)


def _filled(net: Path, place: str, found: Events, size: int) -> Events:
    """Recordings in the channels of the network; DataError where they have others."""
    n = found.stream.n_channels
    if found.text is not None:
        if n > size:
            raise DataError(
                place,
                f"has events in channel {n - 1}, but the input of {net} has {size} neurons, "
                f"channels 0 to {size - 1}",
                remedy="Number the channels as those of the training, from 0 on, or name another "
                "network.",
            )
        stream = replace(found.stream[:], n_channels=size)
        told = f"channels 0 to {n - 1:,} of the network's {size:,} occur in the text"
        return replace(found, stream=stream, told=(*found.told, *([told] if n < size else [])))
    if n != size:
        raise DataError(
            place,
            f"has {n:,} channels",
            f"{size:,}, those of the input of {net}",
        )
    return found


def _find_beside(net: Path, run: Run | None, place: str, reading: Reading) -> Events:
    """Events of a place named for a network; assumptions are printed on stderr."""
    data = None if run is None else run.settings.data
    (found,) = _begun([_read_beside(data, place, reading)], data)
    say_all([found])
    return found if found.text is None else _filled(net, place, found, find_network(net).input.size)


def _read_beside(data: DataSettings | None, place: str, reading: Reading) -> Events:
    """Events of a place, read for a run as its own, with settings ``data``, were made."""
    form, told = form_of(place, reading), tuple[str, ...]()
    own = Made() if data is None else data.made
    name = "" if data is None else data.title
    if form in TEXTS:
        reading = replace(reading, assumed=own.assumed(name))
        if reading.columns is None and reading.sensor_size is None and own.columns:
            columns = ",".join(own.columns)
            size = None if own.sensor is None else ",".join(map(str, own.sensor))
            reading = replace(reading, columns=columns, sensor_size=size)
            sensor = "" if size is None else f" of a sensor of {size}"
            told = (f"columns {columns}{sensor}, as those of {name}",)
    elif form == "audio" and own.audio is not None:
        reading = replace(reading, cochlea=own.audio.encoder)
        told = (f"audio encoded by the cochlea of {name}, on which the run was trained",)
    elif data is not None and data.name == place:
        reading = replace(reading, of_set={"encoder": data.encoder})
        changed = ", ".join(f"{name}={value}" for name, value in data.encoder.items())
        told = (f"{place} encoded as the run's recordings: {changed}",) if changed else ()
    if reading.begin is None and own.begin is not None and _begins_as_own(form, place):
        reading = replace(reading, begin=str(own.begin), begin_reason=f"as those of {name}")
    found = read_one(place, reading)
    if form in ("stored", "npz"):
        begin = found.made.begin if found.begun is None else found.begun.begin
        told += tuple(own.differences(name, replace(found.made, begin=begin), place))
    return replace(found, told=(*found.told, *told))


def _begins_as_own(form: str, place: str) -> bool:
    """Whether files of a format, read for a run, have the time 0 of the run's own recordings."""
    if form == "npz":  # unless its import has moved it
        made = Made.of_notes(EventStream.read_notes(place), place)
        return made.begin in (None, "zero")
    return form in (*TEXTS, "nir")


def _check_there(net: Path) -> None:
    why = "there is neither a folder of a run nor a network file"
    needed(net.exists(), net, why, "Is the name right?")


def _is_own(run: Run, place: str) -> bool:
    """Whether a run is on a file of one's own, which is at that place."""
    own = run.settings.data
    if own is None or own.name != OWN:
        return False
    return Path(own.file or "").resolve() == Path(place).resolve()


def audio_of(net: Path) -> tuple[DataSettings, AudioEncoding] | None:
    """The recordings that a network has learned, and what made them of audio, where it is known."""
    run = run_of(net)
    data = None if run is None else run.settings.data
    return None if data is None or data.audio is None else (data, data.audio)


def find_encoder(net: Path, place: str | None, found: Events) -> EncoderOperations | None:
    """Operations of the encoder of audio from :func:`find_for`; None if no encoder is known."""
    run = run_of(net)
    settings = None if run is None else run.settings.data
    if settings is not None and (found.own or place == settings.name):
        return settings.encoder_operations()
    if place is not None and place in datasets.DATASETS:
        return datasets.encoder_operations(place)
    return None if found.made.audio is None else found.made.audio.operations()


def find_settings(
    data: str,
    file: Path | None = None,
    *,
    test_data: Path | None = None,
    more: Mapping[str, Any] | None = None,
    targets: bool = False,
) -> DataSettings:
    """The labelled recordings that DATA stands for, with their division.

    ``file`` is where a data set is; ``test_data`` is another file with labels for the test, where
    DATA is one of eventsim's own; ``more`` are further fields of
    :class:`eventsim.runs.data.DataSettings`; ``targets`` asks for values in place of labels. Raises
    DataError where there is no such place or it has no labels, ParameterError where a field does
    not fit the recordings.
    """
    return DataSettings(**{**_settings_of(data, file, test_data, targets), **(more or {})})


def _settings_of(
    data: str, file: Path | None, test_data: Path | None, targets: bool
) -> dict[str, Any]:
    if targets and (data in datasets.DATASETS or form_of(data, Reading()) != "stored"):
        raise DataError(
            data,
            "has no targets",
            "a file with values of its recordings",
            "Make one: eventsim data import --targets targets.csv --out mine.h5",
        )
    if data in datasets.DATASETS:
        left_out(test_data is not None, "--test-data", f"the data set {data} has a test part")
        return {"name": data, "file": None if file is None else str(file.resolve())}
    form = form_of(data, Reading())
    left_out(file is not None, "--file", f"DATA is a file already, {data}")
    path = str(Path(data).resolve())
    if form == "stored":
        for one in (path, *([] if test_data is None else [str(test_data)])):
            Dataset.open(one, targets=targets)
        kept = {"targets": True, "in_memory": False} if targets else {}
        test_file = None if test_data is None else str(test_data.resolve())
        return {"name": OWN, "file": path, "test_file": test_file, **kept}
    why = "is only for a file of eventsim data import"
    left_out(test_data is not None, "--test-data", why)
    if form == "ntidigits":
        return {"name": "ntidigits", "file": path}
    if form == "shd":
        return {"name": shd_part(data)[0], "file": path}
    raise DataError(
        data,
        f"is {FORMATS[form]}, which has no labels",
        "a data set with them",
        f"Give it some: eventsim data import {data} --labels labels.csv --out mine.h5",
    )


def parts(place: str, reading: Reading) -> tuple[str, ...]:
    """The parts of a data set's own division, or of a file's; () where there are none."""
    form = form_of(place, reading)
    if form == "stored":
        return parts_of(StoredStream.open(place))
    name = {"set": place, "ntidigits": "ntidigits"}.get(form)
    # Others divide the same samples again.
    return () if name is None else tuple(p for p in datasets.DATASETS[name].parts if "-" not in p)


def tape_of(run: Run | None, net: Network, stream: EventStream, *, backend: str) -> SpikeTape:
    """The tape of a network on recordings; that of a run by the method that trained it."""
    if run is None:
        return simulate(net, stream, backend=backend)
    return run.tape(stream, backend=backend)


def folder_of(net: Path, backend: str | None = None) -> Run | None:
    """The run of a folder, with a backend to evaluate it, None: its own; None for a file."""
    return load_run(net).on(backend) if net.is_dir() else None


def check_exact(run: Run | None, where: str) -> None:
    """Raise ParameterError for a run that answers in time steps."""
    if run is not None:
        require("exact_time", run, where=where)


def find_network(place: Path, *, which: Which = "last") -> Network:
    """The network in a file, or ``which`` (last, selected, initial) of a run's folder."""
    _check_there(place)
    return load_run(place).network(which) if place.is_dir() else Network.load(place)
