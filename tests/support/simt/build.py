"""g++ builds of the CUDA text behind ``simt.h``: shared libraries with one launcher per kernel.

A build lies in a cache folder named after everything that it is made of: sources, flags, compiler,
processor. It is made in a folder beside it and renamed. Of several processes that need the same one
builds it, the others wait.
"""

import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eventsim.engine.cuda.device import signatures
from eventsim.folders import cache_folder

HERE = Path(__file__).parent
RUNTIME = ("fiber.cpp", "simt.cpp")
LIBRARY = "kernels.so"
BUILDS = cache_folder() / "simt"


@dataclass(frozen=True)
class Flavour:
    """How the kernels are compiled, and with them the runtime, which is never instrumented."""

    kernels: tuple[str, ...]
    runtime: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    always_fibers: bool = False


FLAVOURS = {
    "plain": Flavour(("-O2",)),
    # Compiled in a third of the time: a text that is used once.
    "quick": Flavour(("-O0",)),
    "asan": Flavour(
        kernels=(
            "-O1",
            "-fsanitize=address,undefined,float-cast-overflow",
            "-fno-sanitize-recover=all",
            # A local that was never set is no longer zero by luck.
            "-ftrivial-auto-var-init=pattern",
        ),
        runtime=("-DSIMT_ASAN",),
        link=("-fsanitize=address,undefined",),
        preload=("libasan.so", "libubsan.so"),
        environment=(
            # Python frees nothing at its end.
            ("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=0:exitcode=66"),
            ("UBSAN_OPTIONS", "print_stacktrace=1:exitcode=66"),
        ),
    ),
    "tsan": Flavour(
        kernels=("-O1", "-fsanitize=thread"),
        runtime=("-DSIMT_TSAN",),
        link=("-fsanitize=thread",),
        preload=("libtsan.so",),
        environment=(("TSAN_OPTIONS", "halt_on_error=1:exitcode=66"),),
        # Threads that run one after the other on one stack would look ordered.
        always_fibers=True,
    ),
    "gcov": Flavour(
        # Functions that nothing calls are kept, and show as lines that did not run.
        kernels=("-O0", "--coverage", "-fkeep-inline-functions", "-fkeep-static-functions"),
        link=("--coverage",),
    ),
}

COMMON = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-g1", "-Wall", "-Wextra", "-Werror")
# The same roundings as --fmad=false gives on a device.
KERNELS = ("-ffp-contract=off", "-march=native", "-Wno-unused-function", "-Wno-unknown-pragmas")

_CTYPES = {
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "uint32": "unsigned",
    "int64": "long long",
    "uint8": "unsigned char",
}


@cache
def why_not() -> str | None:
    """Why the CUDA text cannot be compiled for the host here, or None."""
    if shutil.which(compiler()) is None:
        return (
            f"no host build of the CUDA text: {compiler()} was not found "
            "(Debian: apt install g++; another compiler: CXX=...)"
        )
    return None


def compiler() -> str:
    """The C++ compiler."""
    return os.environ.get("CXX", "g++")


def library(source, flavour="plain", *, folder=None) -> Path:
    """The shared library of a CUDA text, built if it is not there.

    ``folder`` stands in for the cache.
    """
    text = translation_unit(source)
    place = (BUILDS if folder is None else folder) / _digest(text, repr(FLAVOURS[flavour]))
    if not (place / LIBRARY).exists():
        with _alone(place):
            if not (place / LIBRARY).exists():
                _build(text, FLAVOURS[flavour], place)
    return place / LIBRARY


@contextmanager
def _alone(place):
    """Wait for another worker of the tests that builds the same."""
    place.parent.mkdir(parents=True, exist_ok=True)
    held = place.with_suffix(".lock")
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        yield
        held.unlink(missing_ok=True)  # who waits for it finds the library


def translation_unit(source: str) -> str:
    """The CUDA text with what it needs in front of it, and a launcher for every kernel behind."""
    parts = ["#define SIMT_HOST 1", '#include "simt.h"', source, '#line 1 "launchers"']
    for kernel, parameters in signatures(source).items():
        values = [_argument(p, slot) for slot, p in enumerate(parameters)]
        parts.append(
            f"static void run_{kernel}(const unsigned char* a) {{\n"
            f"    {kernel}({', '.join(values)});\n"
            "}\n"
            'extern "C" __attribute__((visibility("default")))\n'
            f"const char* launch_{kernel}(const simt::Launch* launch, const unsigned char* a) {{\n"
            f"    return simt::run(*launch, run_{kernel}, a);\n"
            "}"
        )
    return "\n".join(parts) + "\n"


def _argument(parameter, slot):
    """The argument in a slot of eight bytes, which has the address of a struct."""
    if parameter.struct is not None:
        return f"*simt::argument<const {parameter.struct}*>(a, {slot})"
    pointer = "*" if parameter.pointer else ""
    return f"simt::argument<{_CTYPES[parameter.dtype.name]}{pointer}>(a, {slot})"


class LaunchStruct(ctypes.Structure):
    """``simt::Launch``."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("fibers", ctypes.c_int),
        ("flush", ctypes.c_int),
    )


def sanitized_environment(flavour) -> dict[str, str]:
    """The process's environment, and what a flavour's library needs to be loaded by Python."""
    chosen = FLAVOURS[flavour]
    found = [_run(compiler(), f"-print-file-name={name}").strip() for name in chosen.preload]
    preload = {"LD_PRELOAD": " ".join(found)} if found else {}
    return os.environ | preload | dict(chosen.environment)


@cache
def _toolchain() -> str:
    """What the compiler is, and what -march=native means here."""
    native = _run(compiler(), "-march=native", "-Q", "--help=target")
    return _run(compiler(), "--version") + native


def _digest(text, flags):
    own = [(HERE / name).read_text("utf-8") for name in ("simt.h", "fiber.h", *RUNTIME)]
    parts = [text, flags, repr((COMMON, KERNELS)), _toolchain(), *own]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _build(text, flavour, place):
    _forget_old(place.parent)
    folder = Path(tempfile.mkdtemp(dir=place.parent, prefix="building-"))
    try:
        # Their coverage goes to files of these names, whatever else the process has loaded.
        unit = place.name
        (folder / f"{unit}.cpp").write_text(text, "utf-8")
        objects = [f"{unit}.o"]
        _compile(folder, f"{unit}.cpp", objects[0], KERNELS + flavour.kernels)
        objects += [_runtime(name, flavour, place.parent) for name in RUNTIME]
        _run(compiler(), "-shared", *flavour.link, *objects, "-o", LIBRARY, cwd=folder)
        folder.rename(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runtime(name, flavour, builds):
    """The object of a file of the runtime, compiled if it is not there."""
    flags = ("-O2", *flavour.runtime)
    path = builds / f"runtime-{_digest(name, repr(flags))}.o"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        _compile(builds, str(HERE / name), str(unfinished), flags)
        os.replace(unfinished, path)
    return str(path)


def _forget_old(folder):
    """Remove builds of a month ago: their sources have changed since, most likely."""
    for build in folder.iterdir():
        if build.is_dir() and build.stat().st_mtime < time.time() - 30 * 24 * 3600:
            shutil.rmtree(build, ignore_errors=True)


def _compile(folder, source, target, flags):
    _run(compiler(), *COMMON, *flags, f"-I{HERE}", "-c", source, "-o", target, cwd=folder)


def _run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-4000:]}")
    return done.stdout
