"""The library of the CPU's kernels under a sanitizer, which is kept."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from eventsim.kernels.build import find_compiler, source_hash
from tests.support.built import LEVEL, PLATFORM, build_library
from tests.support.simt.build import BUILDS, FLAVOURS


def sanitized_library(flavour) -> Path:
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
