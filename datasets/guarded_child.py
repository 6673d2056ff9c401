"""The process in which a library reads a file; see :mod:`eventsim.datasets.guarded`.

Run as a script with the library, the bytes of memory it may take beyond those of an idle process,
the seconds that a block may take, the path of the file, and what the library needs besides. It
writes every block to stdout, its size (uint64) before it, and what went wrong to stderr. It is
started for every file and imports nothing of eventsim.
"""

import importlib
import json
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

RECORD = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])


def limit(memory: int) -> None:
    """Let this process grow by at most ``memory`` bytes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux: the caller still limits what it takes
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))


def read_aedat(path: str) -> Iterator[bytes]:
    """Events of the first event stream as ``RECORD``, packet by packet; JSON that describes it."""
    import aedat

    decoder = aedat.Decoder(path)
    streams: dict[int, dict[str, Any]] = decoder.id_to_stream()
    cameras = sorted(key for key, stream in streams.items() if stream["type"] == "events")
    if not cameras:
        raise SystemExit("it holds no event stream")
    skipped: dict[str, int] = {}
    for packet in decoder:
        key = packet["stream_id"]
        if key == cameras[0]:
            events = packet["events"]
            records = np.empty(len(events), RECORD)
            for name in ("t", "x", "y"):
                records[name] = events[name]
            records["p"] = events["on"]
            yield records.tobytes()
        else:
            kind = streams[key]["type"]
            number = len(packet[kind]) if kind != "frame" else 1
            skipped[kind] = skipped.get(kind, 0) + number
    camera = streams[cameras[0]]
    found = {"width": camera["width"], "height": camera["height"], "skipped": skipped}
    yield json.dumps(found).encode()


def read_h5py(path: str, name: str) -> Iterator[bytes]:
    """Values of every array, or string, of variable length of the data set ``name``."""
    import h5py

    with h5py.File(path, "r") as file:
        data = file[name]
        for index in range(len(data)):
            yield bytes(data[index])


WAYS: dict[str, Callable[..., Iterator[bytes]]] = {"aedat": read_aedat, "h5py": read_h5py}


def main(library: str, memory: str, seconds: str, *arguments: str) -> None:
    """Write what ``library`` reads."""
    importlib.import_module(library)
    limit(int(memory))
    blocks = WAYS[library](*arguments)
    while True:
        signal.alarm(int(seconds))  # ends the process, whatever it waits for
        block = next(blocks, None)
        signal.alarm(0)
        if block is None:
            break
        sys.stdout.buffer.write(len(block).to_bytes(8, "little") + block)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BaseException as error:  # a panic of a decoder is no Exception
        sys.exit(f"{type(error).__name__}: {error}")
