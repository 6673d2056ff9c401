"""Recordings byte by byte, independently of the readers: audio, raw EVT, structured arrays."""

import io
import struct

import numpy as np
from scipy.io import wavfile

SAMPLES = np.array([1, -2, 300, -32768, 32767], dtype=np.int16)
SPHERE = {
    "database_id": "-s4 TI46",
    "sample_count": "-i 5",
    "sample_rate": "-i 12500",
    "channel_count": "-i 1",
    "sample_n_bytes": "-i 2",
    "sample_byte_format": "-s2 01",
    "sample_coding": "-s3 pcm",
}


def sphere(samples=SAMPLES, dtype="<i2", **changes):
    """A NIST SPHERE file."""
    fields = SPHERE | {"sample_count": f"-i {samples.size}"} | changes
    text = "".join(f"{k} {v}\n" for k, v in fields.items() if v is not None)
    header = f"NIST_1A\n   1024\n{text}end_head\n".encode()
    return header.ljust(1024, b"\0") + samples.astype(dtype).tobytes()


def wav(samples=SAMPLES, rate=12500):
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


CAMERA = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])
COCHLEA = np.dtype([("t", int), ("x", int), ("p", int)])


def camera(*events):
    return np.array(list(events), CAMERA)


# t in us, x, y, p; in order, so that files of several kinds keep it
EVENTS = np.array([[100, 1, 2, 1], [1100, 15, 0, 0], [1100, 15, 0, 1], [70_000, 10, 11, 0]])


def raw_evt():
    """EVT 2.0 by its own description: a word of time high, then words of events."""
    words = []
    for t, x, y, p in EVENTS.tolist():
        words += [0x8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y]
    return b"% evt 2.0\n% format EVT2;height=16;width=16\n% end\n" + struct.pack(
        f"<{len(words)}I", *words
    )


def raw_evt21(order="little"):
    """EVT 2.1 by its own description: the events of two neighbours in one word."""
    words = []
    for t, x, y, p in EVENTS.tolist():
        words += [0x8 << 60 | t >> 6 << 32]
        words += [p << 60 | (t & 63) << 54 | (x & ~31) << 43 | y << 32 | 1 << (x & 31)]
    if order == "legacy":
        words = [word >> 32 | (word & 0xFFFFFFFF) << 32 for word in words]
    told = b"legacy" if order == "legacy" else b"little"
    head = b"% evt 2.1\n% format EVT21;endianness=" + told + b";height=16;width=16\n% end\n"
    return head + struct.pack(f"<{len(words)}Q", *words)


def nmnist_bin(t, x, y, p):
    """The bytes of a .bin file of N-MNIST, with overflows of the clock where t passes 2^23."""
    rows = np.zeros((len(t), 5), np.uint8)
    rows[:, 0], rows[:, 1] = x, y
    rows[:, 2] = (np.asarray(p) << 7) | (np.asarray(t) >> 16)
    rows[:, 3], rows[:, 4] = (np.asarray(t) >> 8) & 255, np.asarray(t) & 255
    return rows.tobytes()
