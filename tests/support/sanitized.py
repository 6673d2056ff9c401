"""The library of the CPU's kernels under a sanitizer: builds it, and runs recorded calls again.

    python -m tests.support.sanitized LIBRARY FILE

runs the calls of FILE, see :func:`record`, with the library at LIBRARY, in a process of its own, in
which Python itself is not instrumented. It says which arrays came out otherwise.
"""

import copy
import hashlib
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from eventsim.engine.cpu import library as loader
from eventsim.engine.cpu.library import Library
from eventsim.engine.cpu.roles import SourcesRole
from eventsim.engine.cpu.roles_fanin import WiresRole
from eventsim.engine.cpu.roles_loop import LoopRole
from eventsim.engine.cpu.roles_order import RoundsRole
from eventsim.kernels.build import find_compiler, source_hash
from tests.support.built import LEVEL, PLATFORM, build_library
from tests.support.simt.build import BUILDS, FLAVOURS, sanitized_environment

THREADS = 3
WITH_ADDRESSES = (SourcesRole, RoundsRole, LoopRole, WiresRole)


def library(flavour) -> Path:
    """The library with one level under a sanitizer, built if it is not there."""
    options = (*FLAVOURS[flavour].kernels, "-g1")
    key = repr((flavour, options, find_compiler().version, LEVEL, source_hash()))
    place = BUILDS / f"cpu-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not place.exists():
        BUILDS.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=BUILDS, prefix="building-"))
        build_library(folder, source_hash(), options=options, link=FLAVOURS[flavour].link)
        shutil.rmtree(place, ignore_errors=True)
        folder.rename(place)
    return place / PLATFORM.library


def record(run) -> list:
    """The calls of the library while ``run`` runs: each before and after, and its type.

    But for those that hold addresses, which another process cannot follow.
    """
    calls, original = [], Library.run

    def recorded(self, call, real=np.float64, threads=1):
        if any(isinstance(role, WITH_ADDRESSES) for role in call):
            original(self, call, real, threads)
            return
        before = copy.deepcopy(call)
        original(self, call, real, threads)
        calls.append((before, copy.deepcopy(call), real))

    with mock.patch.object(Library, "run", recorded):
        run()
    return calls


def run_apart(flavour, calls, folder, *, path=None, timeout=None):
    """The program of this module, in a process of its own; its output is in the result.

    ``path`` is a library that was built from other sources.
    """
    file = folder / "calls.pickle"
    file.write_bytes(pickle.dumps(calls))
    return subprocess.run(
        [sys.executable, "-m", __name__, str(path or library(flavour)), str(file)],
        env=sanitized_environment(flavour),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def main(path, file):
    """Run the calls again."""
    with mock.patch.object(loader, "_difference", return_value=None):
        own = Library(Path(path), LEVEL)
    calls = pickle.loads(Path(file).read_bytes())
    for number, (call, after, real) in enumerate(calls):
        own.run(call, real, THREADS)
        spikes = getattr(after, "spikes", None)
        cut = hasattr(spikes, "counts") and (spikes.counts > spikes.limits).any()
        for role, found, expected in zip(call._fields, call, after, strict=True):
            if role == "spikes" and cut:
                continue  # which of them had room depends on who ran beside whom
            for name, a, b in zip(found._fields, found, expected, strict=True):
                if hasattr(a, "tobytes") and a.tobytes() != b.tobytes():
                    print(f"call {number}: {role}.{name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
