"""Address events out of AEDAT 1, 2 and 3.1 files, and what the versions have in common.

An AEDAT file begins with lines of text that start with ``#``; the first one names the version.
Without it the file is one of version 1, as those of the NAS cochlea are.

=======  ===============================================================================
version  records after the header
=======  ===============================================================================
1.0      16-bit address, 32-bit time; big-endian (jAER until 2010)
2.0      32-bit address, 32-bit time; big-endian (jAER)
3.1      packets of events of one type, 31-bit time and count of its overflows (cAER)
4.0      packets in Flatbuffers, compressed: :mod:`eventsim.datasets.aer_dv`
=======  ===============================================================================

Times are ticks of a counter that restarts after its largest value; they are unwrapped here into
int64. Every size that a file claims is compared with the file before memory is taken.

References
----------
iniVation, AEDAT file formats 1.0, 2.0, 3.1, 4.0. libcaer: polarity.h, ear.h, common.h.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Ints
from eventsim.checks import every, follows, some
from eventsim.datasets.aer_sensors import Field, Sensor, sensor_of_chip
from eventsim.errors import DataError

Values = dict[str, NDArray[np.int32]]

LARGEST_HEADER = 1 << 22  # bytes; jAER stores whole preference trees in header lines
HEADER_ENDS = ("#End Of ASCII Header", "#!END-HEADER")
COUNTER = 1 << 32

_CONTROL = bytes(set(range(32)) - set(b"\t\r\n"))

_PACKET = struct.Struct("<hhiiiiii")
_TYPES = {0: "special", 1: "polarity", 2: "frame", 3: "imu6", 4: "imu9", 5: "sample", 6: "ear"}
# Bits of the data word of AEDAT 3.1; the sizes are those of the sensor.
_WORDS = {
    1: {"polarity": (1, 1), "y": (2, 15), "x": (17, 15)},
    6: {"ear": (1, 4), "channel": (5, 11), "neuron": (16, 8), "filter": (24, 8)},
}


@dataclass(frozen=True, eq=False)
class RawEvents:
    """Events of a file, in its order."""

    format: str  # name and version of the file's format
    sensor: Sensor
    ticks: Ints  # int64 [events], unwrapped
    values: Values  # int32 [events] of every field of the sensor, each below the field's size
    skipped: dict[str, int]  # how many records are not among them, by reason
    wraps: int  # how often the clock's counter began anew
    header: tuple[str, ...]


def read_header(file: BinaryIO, path: Path) -> tuple[str, ...]:
    """Lines of text at the begin of a file; leaves it at the first byte behind them."""
    lines: list[str] = []
    while True:
        begin = file.tell()
        line = file.readline(LARGEST_HEADER - begin)
        # Events may begin with the byte of "#" too, but hardly read as a line of text.
        if not (line.startswith(b"#") and line.endswith(b"\n") and _is_text(line)):
            is_long = begin + len(line) >= LARGEST_HEADER
            if is_long or (line.startswith(b"#!") and not lines):
                came = "begins as an AEDAT file, but its first line does not end"
                came = f"has a header of more than {LARGEST_HEADER} bytes" if is_long else came
                raise DataError(path, came, remedy="It is truncated or damaged.")
            file.seek(begin)
            return tuple(lines)
        lines.append(line.decode("utf-8", errors="replace").rstrip())
        if lines[-1] in HEADER_ENDS:
            return tuple(lines)


def _is_text(line: bytes) -> bool:
    return len(line.translate(None, _CONTROL)) == len(line)


def version_of(header: tuple[str, ...]) -> str:
    """Version in the first line, for example '3.1'; '1.0' without one."""
    first = header[0] if header else ""
    return first.removeprefix("#!AER-DAT") if first.startswith("#!AER-DAT") else "1.0"


def read_jaer(
    file: BinaryIO, size: int, path: Path, header: tuple[str, ...], sensor: Sensor | None
) -> RawEvents:
    """Events of an AEDAT 1 or 2 file whose header has been read."""
    version = version_of(header)
    chosen = sensor or _sensor_of_header(path, header, "AEChip:")
    width = chosen.address_bytes or (2 if version.startswith("1") else 4)
    begin = file.tell()
    if (size - begin) % (width + 4):
        other = 6 - width
        raise DataError(
            path,
            f"{size - begin} bytes of events from byte {begin} on",
            f"a whole number of records of {width + 4} bytes ({width}-byte address, 4-byte time)",
            f"Records of a {other}-byte address would fit: pass a sensor with them."
            if not (size - begin) % (other + 4)
            else "It is truncated, or no file of this kind.",
        )
    dtype = np.dtype([("address", f">u{width}"), ("time", ">u4")])
    records = np.fromfile(file, dtype, count=(size - begin) // dtype.itemsize)
    address = records["address"].astype(np.uint32)
    ticks, wraps = _unwrapped(records["time"].astype(np.int64))
    special = (address & np.uint32(chosen.special)) != 0
    skipped = {"special": int(special.sum())} if special.any() else {}
    kept = np.flatnonzero(~special)
    values = _fields(address[kept], chosen, path, kept)
    return RawEvents(f"AEDAT {version}", chosen, ticks[kept], values, skipped, wraps, header)


def _sensor_of_header(path: Path, header: tuple[str, ...], key: str) -> Sensor:
    for line in header:
        if key in line:
            chip = line.split(key, 1)[1].rsplit(".", 1)[-1].strip()
            sensor = sensor_of_chip(chip)
            if sensor is None:
                raise DataError(
                    path,
                    f"was recorded by {chip[:60]!r}, whose addresses are not known",
                    remedy="Name a sensor with the same addresses, or pass a Sensor of your own.",
                )
            return sensor
    raise DataError(
        path,
        "does not say what recorded it",
        remedy="Name the sensor, for example nas_64_stereo for a NAS cochlea recorded by jAER, "
        "or dvs128.",
    )


def _fields(address: NDArray[np.uint32], sensor: Sensor, path: Path, record: Ints) -> Values:
    """Values of all fields; ``record`` numbers the addresses, for messages."""
    strange = np.flatnonzero(address & np.uint32(~sensor.known & 0xFFFFFFFF))
    if strange.size:
        k = strange[0]
        raise DataError(
            f"{path}, event {record[k]}",
            f"address {int(address[k]):#x} has bits that sensor {sensor.name!r} does not use "
            f"({sensor.known:#x})",
            remedy="It is another sensor, or its addresses have another width.",
        )
    values: Values = {}
    for field in sensor.fields:
        value = ((address & np.uint32(field.mask)) >> np.uint32(field.shift)).astype(np.int32)
        values[field.name] = value
    check_sizes(values, sensor, path, record)
    return values


def check_sizes(values: Values, sensor: Sensor, path: Path, record: Ints) -> None:
    """Raise DataError for the first value that lies outside its field."""
    for field in sensor.fields:
        found = values[field.name]
        every(
            str(path),
            field.name,
            found,
            (found >= 0) & (found < field.size),
            f"0 .. {field.size - 1} of sensor {sensor.name!r}",
            of=lambda k: f"event {record[k]}",
            remedy="It is another sensor, or the file is damaged.",
            error=DataError,
        )


def check_fields(sensor: Sensor, fields: Collection[str], events: str, path: Path) -> None:
    """Raise DataError unless events of a file have all fields of the sensor."""
    if not set(sensor.names) <= set(fields):
        raise DataError(
            path,
            f"sensor {sensor.name!r} has fields {sensor.names}, but {events} have {tuple(fields)}",
            remedy="Name another sensor, or none if the file names its own.",
        )


def _unwrapped(counter: Ints) -> tuple[Ints, int]:
    """Ticks of a 32-bit counter as if it had no end, and how often it began anew.

    A step is the shorter way round: events that are a little out of order stay so.
    """
    if not counter.size:
        return counter, 0
    step = np.diff(counter)
    way = (step + COUNTER // 2) % COUNTER - COUNTER // 2
    ticks = counter[0] + np.concatenate([[0], np.cumsum(way)])
    return ticks, int((way > step).sum()) - int((way < step).sum())


def read_caer(
    file: BinaryIO, size: int, path: Path, header: tuple[str, ...], sensor: Sensor | None
) -> RawEvents:
    """Events of an AEDAT 3.1 file whose header has been read."""
    _check_caer_header(path, header)
    begin = file.tell()
    content = np.fromfile(file, np.uint8, count=size - begin)
    blocks: dict[tuple[int, int], list[Any]] = {}
    counts: dict[str, int] = {}
    at = 0
    while at < content.size:
        kind, source, number, overflow, at = _packet(content, at, begin, path)
        name = _TYPES.get(kind, f"type {kind}")
        if kind in _WORDS:
            body = content[at - 8 * number : at].view("<u4").reshape(number, 2)
            blocks.setdefault((kind, source), []).append((body, overflow))
        else:
            counts[name] = counts.get(name, 0) + number
    kind, source = _wanted(blocks, path, sensor)
    for (other, its_source), parts in blocks.items():
        if (other, its_source) != (kind, source):
            name = f"{_TYPES[other]} of source {its_source}"
            counts[name] = sum(len(body) for body, _ in parts)
    chosen = _placed(sensor or _sensor_of_header(path, header, f"#Source {source}:"), kind, path)
    words, ticks, wraps = _joined(blocks[kind, source], path)
    kept = np.flatnonzero(words & np.uint32(1))
    if kept.size < words.size:
        counts["marked invalid"] = int(words.size - kept.size)
    values = _fields(words[kept], chosen, path, kept)
    return RawEvents("AEDAT 3.1", chosen, ticks[kept], values, counts, wraps, header)


def _check_caer_header(path: Path, header: tuple[str, ...]) -> None:
    if header[-1] != "#!END-HEADER":
        raise DataError(path, "has no line '#!END-HEADER'", remedy="It is truncated or damaged.")
    form = next((line for line in header if line.startswith("#Format:")), "#Format: RAW")
    if form.split(":", 1)[1].strip() != "RAW":
        raise DataError(
            path,
            f"packets are stored as {form[8:].strip()[:40]!r}",
            "RAW",
            "Record it without compression, or convert it.",
        )


def _packet(content: NDArray[np.uint8], at: int, begin: int, path: Path) -> tuple[int, ...]:
    """Type, source, number of events and overflow of a packet, and where the next begins."""
    where = f"{path}, packet at byte {begin + at}"
    left = content.size - at - _PACKET.size
    follows(where, "its header", _PACKET.size, content.size - at, error=DataError)
    header = _PACKET.unpack(content[at : at + _PACKET.size].tobytes())
    kind, source, size, offset, overflow, capacity, number, valid = header
    plain = kind not in _WORDS or (size, offset) == (8, 4)
    if kind < 0 or size < 1 or overflow < 0 or not 0 <= valid <= number <= capacity or not plain:
        raise DataError(where, f"its header {header} makes no sense", remedy="The file is damaged.")
    follows(where, f"{number} events of {size} bytes", number * size, left, error=DataError)
    return kind, source, number, overflow, at + _PACKET.size + number * size


def _wanted(
    blocks: dict[tuple[int, int], list[Any]], path: Path, sensor: Sensor | None
) -> tuple[int, int]:
    if sensor is None:
        kinds = {kind for kind, _ in blocks}
    else:
        kinds = {6 if "ear" in sensor.names else 1}
    found = sorted(key for key in blocks if key[0] in kinds)
    wanted = " or ".join(_TYPES[k] for k in sorted(kinds) or _WORDS)
    some(found, path, f"{wanted} events", expected="those of the sensor", error=DataError)
    if len(kinds) > 1:
        raise DataError(
            path, "holds polarity and ear events", remedy="Name the sensor whose events you want."
        )
    return found[0]


def _placed(sensor: Sensor, kind: int, path: Path) -> Sensor:
    """The sensor with its fields where AEDAT 3.1 puts them."""
    words = _WORDS[kind]
    check_fields(sensor, words, f"{_TYPES[kind]} events of AEDAT 3.1", path)
    fields = tuple(Field(f.name, f.size, *words[f.name]) for f in sensor.fields)
    return Sensor(name=sensor.name, fields=fields, unused=1)  # bit 0 marks valid events


def _joined(parts: list[Any], path: Path) -> tuple[NDArray[np.uint32], Ints, int]:
    words = np.concatenate([body[:, 0] for body, _ in parts]).astype(np.uint32)
    low = np.concatenate([body[:, 1] for body, _ in parts]).astype(np.int64)
    overflow = np.repeat([o for _, o in parts], [len(body) for body, _ in parts])
    every(
        str(path),
        "its time",
        low - COUNTER,
        low < 1 << 31,
        "0 or more",
        of="event",
        unit="us",
        remedy="The file is damaged.",
        error=DataError,
    )
    wraps = int(overflow.max(initial=0) - overflow.min(initial=overflow.max(initial=0)))
    return words, low + (overflow.astype(np.int64) << 31), wraps
