"""Compilation of kernels: IEEE arithmetic, denormal numbers included, kept on disk.

:class:`cupy.RawModule` is not used: CuPy appends ``-ftz=true`` to the options of everything that it
compiles so, and NVRTC obeys the last. Single precision would then take denormal numbers for zero,
which no other backend does. Compiled kernels are kept in ``cuda`` of eventsim's cache folder
(``$EVENTSIM_CACHE``, or the user's) under a hash of all that they are made of.
"""

import hashlib
import time
import warnings
from pathlib import Path
from typing import Any

from eventsim.engine.contract.compiling import note_compiled
from eventsim.errors import CacheWarning, StorageError
from eventsim.events.storage import write_atomically
from eventsim.folders import cache_folder

# Contraction would change bits: a product and a sum are one operation only where fma says so.
OPTIONS = ("-std=c++17", "--fmad=false", "--ftz=false")

_DIGEST = hashlib.sha256().digest_size


def load(cupy: Any, source: str) -> Any:
    """A :class:`cupy.cuda.function.Module` of a CUDA text on the current device."""
    module = cupy.cuda.function.Module()
    module.load(compiled(cupy, source))
    return module


def compiled(cupy: Any, source: str) -> bytes:
    """Machine code (or PTX, where CuPy wants it) of a CUDA text for the current device."""
    made_of = (
        source,
        OPTIONS,
        cupy.cuda.Device().compute_capability,
        cupy.cuda.nvrtc.getVersion(),
        cupy.__version__,
    )
    name = hashlib.sha256(repr(made_of).encode()).hexdigest()[:32]
    try:
        path = kernel_folder() / f"{name}.bin"
        kept = _read(path)
    except (StorageError, OSError) as error:
        code = _compile(cupy, source)
        _warn(error)
        return code
    if kept is None:
        kept = _compile(cupy, source)
        _keep(path, kept)
    return kept


def kernel_folder() -> Path:
    """Folder of compiled kernels; StorageError if it cannot be found."""
    return cache_folder() / "cuda"


def _compile(cupy: Any, source: str) -> bytes:
    # CuPy appends its own flags in its cached compiler only, not in this one.
    began = time.perf_counter()
    code, _ = cupy.cuda.compiler.compile_using_nvrtc(source, options=OPTIONS)
    note_compiled(time.perf_counter() - began)
    return code.encode() if isinstance(code, str) else bytes(code)


def _read(path: Path) -> bytes | None:
    """The kept code, or None: a file that is damaged is as good as none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def _keep(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, hashlib.sha256(code).digest() + code)
    except (StorageError, OSError) as error:
        _warn(error)


def _warn(error: Exception) -> None:
    warnings.warn(
        "Compiled CUDA kernels cannot be kept, so every process compiles its own, which takes some "
        f"seconds: {error} Let EVENTSIM_CACHE name a folder that can be written.",
        CacheWarning,
        stacklevel=2,
    )
