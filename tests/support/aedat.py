"""Writes AEDAT files of every version, byte by byte, independently of the readers."""

import base64
import struct

HEADER_2 = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
END_2 = b"#End Of ASCII Header\r\n"
HEADER_3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
END_3 = b"#!END-HEADER\r\n"


def jaer(events, *, width=4, header=b""):
    """(address, time) pairs as big-endian records."""
    record = struct.Struct(">II" if width == 4 else ">HI")
    return header + b"".join(record.pack(a, t & 0xFFFFFFFF) for a, t in events)


def polarity_word(x, y, p, *, valid=1):
    return x << 17 | y << 2 | p << 1 | valid


def ear_word(ear, channel, neuron, filter_, *, valid=1):
    return filter_ << 24 | neuron << 16 | channel << 5 | ear << 1 | valid


def caer_packet(kind, words, times, *, source=1, overflow=0, **wrong):
    """One packet of AEDAT 3.1; ``wrong`` replaces entries of its header."""
    n = len(words)
    header = {"kind": kind, "source": source, "size": 8, "offset": 4, "overflow": overflow}
    header |= {"capacity": n, "number": n, "valid": sum(w & 1 for w in words)} | wrong
    body = b"".join(struct.pack("<Ii", w, t) for w, t in zip(words, times, strict=True))
    return struct.pack("<hhiiiiii", *header.values()) + body


def caer(*packets, header=HEADER_3 + END_3):
    return header + b"".join(packets)


DESCRIPTION = (
    '<dv version="2.0"><node name="outInfo" path="/a/">'
    '<node name="0" path="/b/"><attr key="typeIdentifier" type="string">EVTS</attr>'
    '<node name="info" path="/c/"><attr key="sizeX" type="int">40</attr>'
    '<attr key="sizeY" type="int">30</attr></node></node>'
    '<node name="1" path="/d/"><attr key="typeIdentifier" type="string">TRIG</attr></node>'
    "</node></dv>"
)


def dv_packet(events, *, identifier=b"EVTS"):
    """Size-prefixed Flatbuffer of (t, x, y, p) events."""
    vtable = struct.pack("<HHH", 6, 8, 4) + bytes(2)
    table = struct.pack("<iI", 8, 4)  # its vtable is 8 bytes before it, its vector 4 behind
    body = b"".join(struct.pack("<qhh?3x", *event) for event in events)
    content = struct.pack("<I4s", 16, identifier) + vtable + table
    content += struct.pack("<I", len(events)) + body
    return struct.pack("<I", len(content)) + content


def dv(*packets, compression=0, index=-1, description=DESCRIPTION, stream=0):
    """A file of packets that are compressed already."""
    text = description.encode()
    vtable = struct.pack("<HHHHH", 10, 24, 4, 8, 16) + bytes(6)
    table = struct.pack("<iiqI4x", 16, compression, index, 8)
    header = struct.pack("<I4s", 24, b"IOHE") + vtable + table
    header += struct.pack("<I", len(text)) + text + bytes(1)
    whole = b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(header)) + header
    return whole + b"".join(struct.pack("<II", stream, len(p)) + p for p in packets)


EVENTS_4 = [
    (1_700_000_000_000_000, 3, 4, True),
    (1_700_000_000_000_250, 39, 29, False),
    (1_700_000_000_001_000, 0, 0, True),
]
# dv_packet(EVENTS_4), compressed by the programs lz4 and zstd.
LZ4_PACKET = base64.b64decode(
    "BCJNGGhAUAAAAAAAAACjSQAAAPEITAAAABAAAABFVlRTBgAIAAQAAAAIAAAIAPMGAwAAAABAHhgkCgYAAwAEAAEAAAD6EAAwJwAdHgAyAOhDIACAAAAAAAEAAAAAAAAA"
)
ZSTD_PACKET = base64.b64decode(
    "KLUv/SBQRQIApANMAAAAEAAAAEVWVFMGAAgABAAAAAgAAAMAAAAAQB4YJAoGAAMABAABAAAA+icAHQDoQwAAAAABAAAABABDzQgqjDOTXVua"
)
