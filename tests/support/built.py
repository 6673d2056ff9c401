"""The library of the CPU's kernels built from other sources, or with other options: one level."""

import subprocess
from pathlib import Path

from eventsim.kernels.build import KERNELS, Platform, find_compiler

# On x86-64 the level that every machine of the tests has.
PLATFORM = Platform.here()
LEVEL = {"x86_64": "v3", "aarch64": "neon"}.get(PLATFORM.machine, "plain")


def build_library(folder, sources, *, kernels=KERNELS, options=(), link=()) -> Path:
    """Build the library of the text in ``kernels`` into a folder, which is there.

    ``sources`` is the hash that the library tells; ``options`` come behind those of the product.
    """
    compiler, objects = find_compiler(), []
    defined = (f"-DWITH_{LEVEL.upper()}", f"-DSOURCES={sources}", '-DBUILT=""')
    for source in sorted((kernels / "cpu").glob("*.cpp")):
        level = LEVEL if source.name == "level.cpp" else ""
        objects.append(folder / f"{source.stem}.o")
        words = (*compiler.compiling(PLATFORM, level), *options, *defined)
        _run(*words, "-c", source, "-o", objects[-1])
    library = folder / PLATFORM.library
    _run(*compiler.command, "-shared", *link, *objects, "-lm", "-o", library)
    return library


def _run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
