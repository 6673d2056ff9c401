"""The process in which the package ``aedat`` decodes a file; see :mod:`eventsim.datasets.aer_dv`.

Run as a script with the path of the file and the bytes of memory it may take beyond those of an
idle process. It writes events of the first event stream to stdout and a JSON line to stderr, and
imports nothing of eventsim: it is started for every file.
"""

import json
import resource
import signal
import sys
from typing import Any

import numpy as np

RECORD = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
SECONDS = 60  # for one packet, or for the description


def limit(memory: int) -> None:
    """Let this process grow by at most ``memory`` bytes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux: the caller still limits what it takes
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))


def main(path: str, memory: int) -> None:
    """Write the events of a file."""
    import aedat

    limit(memory)
    signal.alarm(SECONDS)  # ends the process, whatever it waits for
    decoder = aedat.Decoder(path)
    streams: dict[int, dict[str, Any]] = decoder.id_to_stream()
    cameras = sorted(key for key, stream in streams.items() if stream["type"] == "events")
    if not cameras:
        raise SystemExit("it holds no event stream")
    skipped: dict[str, int] = {}
    for packet in decoder:
        signal.alarm(SECONDS)
        key = packet["stream_id"]
        if key == cameras[0]:
            events = packet["events"]
            records = np.empty(len(events), RECORD)
            for name in ("t", "x", "y"):
                records[name] = events[name]
            records["p"] = events["on"]
            sys.stdout.buffer.write(records.tobytes())
        else:
            kind = streams[key]["type"]
            number = len(packet[kind]) if kind != "frame" else 1
            skipped[kind] = skipped.get(kind, 0) + number
    sys.stdout.buffer.flush()
    camera = streams[cameras[0]]
    found = {"width": camera["width"], "height": camera["height"], "skipped": skipped}
    sys.stderr.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except BaseException as error:  # a panic of the decoder is no Exception
        sys.exit(f"{type(error).__name__}: {error}")
