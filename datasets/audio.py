"""Audio files as speech corpora hold them: RIFF wav and NIST SPHERE, mono, 16-bit PCM.

A SPHERE file starts with ``NIST_1A``, the size of its header, and lines ``name -type value`` up
to ``end_head``; a string's type tells its length (``-s2 01``). Its samples follow the header.
Corpora of the LDC call such files ``.wav`` too, so the content decides what a file is, not its
name. Sizes that a header claims are held to the size of the file before anything is read.

References
----------
NIST, SPeech HEader REsources (SPHERE) package, header structure. Microsoft and IBM (1991),
Multimedia programming interface and data specifications 1.0 (RIFF).
"""

import re
import struct

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import follows
from eventsim.errors import DataError

_SPHERE_START = re.compile(rb"NIST_1A\n *([0-9]{1,7})\n")
_SPHERE_LINE = re.compile(rb"([A-Za-z][A-Za-z0-9_]*) -(i|r|s[0-9]{1,6}) (.*)")
_PCM, _EXTENSIBLE = 1, 0xFFFE
_BYTES = 2
_AGAIN = "It is truncated or something else; get it anew."


def read_audio(content: bytes, where: str) -> tuple[float, NDArray[np.int16]]:
    """Sample rate in Hz and samples of a recording, int16 [samples], at least one. New array.

    Raises DataError, in the name of ``where``, if the content is neither a RIFF wav nor a SPHERE
    file, compressed, not mono 16-bit PCM, empty or shorter than it claims.
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return _riff(content, where)
    if content[:7] == b"NIST_1A":
        return _sphere(content, where)
    raise DataError(
        where, f"starts with {content[:12]!r}", "a wav file (RIFF) or a NIST SPHERE file", _AGAIN
    )


def _riff(content: bytes, where: str) -> tuple[float, NDArray[np.int16]]:
    rate, place = 0, 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        place += 8
        what = f"chunk {name!r} at byte {place - 8}"
        follows(where, what, size, len(content) - place, error=DataError)
        if name == b"fmt ":
            rate = _riff_rate(content[place : place + size], where)
        elif name == b"data" and rate:
            return float(rate), _samples(content[place : place + size], "<i2", where)
        place += size + size % 2
    missing = "data" if rate else "fmt"
    raise DataError(where, f"wav file without a chunk {missing!r}", remedy=_AGAIN)


def _riff_rate(chunk: bytes, where: str) -> int:
    follows(where, "its format chunk", 16, len(chunk), error=DataError)
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    if (tag, channels, bits) != (_PCM, 1, 8 * _BYTES) or rate == 0:
        raise DataError(
            where,
            f"wav format {tag} with {channels} channels of {bits} bits at {rate} Hz",
            "mono 16-bit PCM (format 1)",
            "Convert it with sox.",
        )
    return int(rate)


def _sphere(content: bytes, where: str) -> tuple[float, NDArray[np.int16]]:
    start = _SPHERE_START.match(content)
    if start is None or not start.end() <= int(start[1]) <= len(content):
        raise DataError(where, "SPHERE header has no valid size in its second line", remedy=_AGAIN)
    size = int(start[1])
    fields = _sphere_fields(content[start.end() : size], where)
    coding = fields.get("sample_coding", "pcm")
    if coding != "pcm":
        raise DataError(
            where,
            f"SPHERE file with sample_coding {coding!r}",
            "'pcm'",
            f"Decode it first, for example: sph2pipe -f rif {where} decoded.wav",
        )
    count, rate, width, channels = (
        _number(fields, name, where)
        for name in ("sample_count", "sample_rate", "sample_n_bytes", "channel_count")
    )
    order = fields.get("sample_byte_format")
    if (width, channels) != (_BYTES, 1) or order not in ("01", "10") or rate <= 0:
        raise DataError(
            where,
            f"SPHERE file with {channels:g} channels of {width:g} bytes, byte order {order!r}, "
            f"{rate:g} Hz",
            "1 channel of 2 bytes in order '01' or '10'",
        )
    what = f"{count:g} samples, as its SPHERE header says"
    follows(where, what, int(count) * _BYTES, len(content) - size, error=DataError)
    body = content[size : size + int(count) * _BYTES]
    return rate, _samples(body, "<i2" if order == "01" else ">i2", where)


def _sphere_fields(header: bytes, where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in header.split(b"\n"):
        if line.strip() == b"end_head":
            return fields
        match = _SPHERE_LINE.fullmatch(line)
        if match is not None:
            kind, value = match[2], match[3]
            length = int(kind[1:]) if kind[1:] else len(value)
            fields[match[1].decode("ascii")] = value[:length].decode("latin-1").strip()
    raise DataError(where, "SPHERE header does not end with 'end_head'", remedy=_AGAIN)


def _number(fields: dict[str, str], name: str, where: str) -> float:
    text = fields.get(name, "1" if name == "channel_count" else "missing")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < 2**53:  # NaN too
        raise DataError(where, f"SPHERE field {name} is {text!r}", "a number", _AGAIN)
    return value


def _samples(body: bytes, dtype: str, where: str) -> NDArray[np.int16]:
    if not body or len(body) % _BYTES:
        raise DataError(
            where, f"{len(body)} bytes of samples", "at least one sample of 2 bytes", _AGAIN
        )
    return np.frombuffer(body, dtype=dtype).astype(np.int16)
