"""Events of AEDAT 4 files (DV), through the package ``aedat``.

The file is walked through here first: its header, then the size of every packet, each compared
with what the file holds. The packets are compressed Flatbuffers; the package ``aedat`` (MIT,
International Centre for Neuromorphic Systems) decodes them in a process of its own
(:mod:`eventsim.datasets.guarded`): it trusts what it reads.

Layout: the line ``#!AER-DAT4.0``, a size (uint32) and a Flatbuffer with the compression, the place
of an index (int64, -1 for none) and a description in XML; then packets up to the index or to the
end: stream (int32), size (int32), content. Times are int64, us since 1970.

References
----------
iniVation, AEDAT file format 4.0. Google, FlatBuffers internals.
"""

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from eventsim.checks import follows, reported
from eventsim.datasets import guarded
from eventsim.datasets.aer_files import RawEvents, check_fields, check_sizes
from eventsim.datasets.aer_sensors import Field, Sensor
from eventsim.datasets.guarded_child import RECORD
from eventsim.errors import DataError
from eventsim.extras import load

# Recordings of events are compressed by 2 to 10; LZ4 and Zstandard of made-up data reach more.
MOST_EXPANSION = 64
SMALLEST_LIMIT = 1 << 28  # bytes
LONGEST_TIME = 1 << 53  # us; above, differences are not exact in float64


def read(
    file: BinaryIO, size: int, path: Path, header: tuple[str, ...], sensor: Sensor | None
) -> RawEvents:
    """Events of an AEDAT 4 file whose first line has been read."""
    largest = _walk(file, size, path)
    otherwise = "Versions 1, 2 and 3.1 are read without it."
    load("aedat", "aedat", f"{path}: AEDAT 4", DataError, otherwise=otherwise)
    records, found = _decoded(path, size, largest)
    if records["t"].size and not (
        records["t"].max() < 2**63 and records["t"].max() - records["t"].min() < LONGEST_TIME
    ):
        raise DataError(
            path,
            f"times reach from {records['t'].min()} to {records['t'].max()} us",
            "us since 1970",
            "The file is damaged.",
        )
    chosen = sensor or _camera(found["width"], found["height"], path)
    check_fields(chosen, ("x", "y", "polarity"), "events of AEDAT 4", path)
    values = {
        name: records[key].astype(np.int32)
        for name, key in (("x", "x"), ("y", "y"), ("polarity", "p"))
    }
    check_sizes(values, chosen, path, np.arange(records.size))
    return RawEvents(
        "AEDAT 4.0", chosen, records["t"].astype(np.int64), values, found["skipped"], 0, header
    )


def _camera(width: int, height: int, path: Path) -> Sensor:
    if width < 1 or height < 1:
        raise DataError(path, f"says that its sensor has {width} x {height} pixels", "some")
    fields = (Field("polarity", 2, 0, 1), Field("y", height, 1, 15), Field("x", width, 16, 16))
    return Sensor(name=f"camera of {width} x {height}", fields=fields)


def _walk(file: BinaryIO, size: int, path: Path) -> int:
    """Check the sizes of all parts of the file; the size of its largest packet."""
    (length,) = struct.unpack("<I", _exactly(file, 4, size, path, "size of the description"))
    at, end = file.tell() + length, size
    position = _index_position(_exactly(file, length, size, path, "description"), path)
    if position != -1:
        if not at <= position <= size:
            raise DataError(
                path,
                f"places its index at byte {position}",
                f"{at} to {size}",
                "The file is truncated or damaged.",
            )
        end = position
    largest = 0
    while at < end:
        where = f"{path}, packet at byte {at}"
        follows(where, "its header", 8, end - at, error=DataError)
        file.seek(at)
        _, length = struct.unpack("<II", file.read(8))
        at += 8
        follows(where, "its events", length, end - at, error=DataError)
        largest = max(largest, length)
        at += length
    return largest


def _exactly(file: BinaryIO, length: int, size: int, path: Path, what: str) -> bytes:
    at = file.tell()
    follows(f"{path}, byte {at}", f"the {what}", length, size - at, error=DataError)
    return file.read(length)


def _index_position(buffer: bytes, path: Path) -> int:
    """Second field of the Flatbuffer table at the begin of the file, an int64; -1 if not stored."""
    words, remedy = "its description is damaged ({})", "Get it anew."
    with reported(path, words, struct.error, remedy=remedy, error=DataError):
        (table,) = struct.unpack_from("<I", buffer, 0)
        vtable = table - struct.unpack_from("<i", buffer, table)[0]
        if vtable < 0:
            raise struct.error("its table begins before it")
        (vtable_size,) = struct.unpack_from("<H", buffer, vtable)
        if vtable_size < 8:
            return -1
        (offset,) = struct.unpack_from("<H", buffer, vtable + 6)
        return int(struct.unpack_from("<q", buffer, table + offset)[0]) if offset else -1


def _decoded(path: Path, size: int, largest: int) -> tuple[Any, dict[str, Any]]:
    """The events as records, and the decoder's description of them."""
    most = max(SMALLEST_LIMIT, MOST_EXPANSION * size)
    memory = max(SMALLEST_LIMIT, MOST_EXPANSION * largest)
    *packets, found = guarded.blocks("aedat", path, where=str(path), memory=memory, most=most)
    return np.frombuffer(b"".join(packets), RECORD), json.loads(found)
