"""Encoded events on disk, keyed by everything that made them.

A cache file holds named arrays and, as text, the whole key: digest of the source files,
parameters of the encoder, digest of the code, versions of the libraries that computed it.
Its name is a hash of that text. A file is used only if it can be read to its end and holds
the very same text; anything else is made anew, so that a half-written, foreign or outdated
file never becomes data. Files are moved into place whole: processes that make the same
entry at the same time each write a complete file, and one of them remains.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import platformdirs
import scipy
from numpy.typing import NDArray

from eventsim.errors import StorageError
from eventsim.events.storage import read_arrays, write_atomically

Arrays = dict[str, NDArray[Any]]

KIND = "eventsim encoded events"
CACHE_VERSION = 1


def cache_folder() -> Path:
    """Folder of the cache: ``$EVENTSIM_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("EVENTSIM_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("eventsim"))


def digest(parts: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 of named pieces of content; names, order and borders count."""
    total = hashlib.sha256()
    for name, content in parts:
        total.update(f"{len(name)}:{name}:{len(content)}:".encode())
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def code_digest(*files: str) -> str:
    """Digest of source files (pass ``module.__file__``) and of the libraries' versions."""
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}"
    return digest(
        [("versions", versions.encode())] + [(Path(f).name, Path(f).read_bytes()) for f in files]
    )


def entry(name: str, key: Mapping[str, str]) -> tuple[Path, str]:
    """Path of the cache file of ``name`` under ``key``, and the key as text."""
    text = "\n".join(f"{k} = {v}" for k, v in sorted(key.items()))
    stem = hashlib.sha256(f"{CACHE_VERSION}\n{name}\n{text}".encode()).hexdigest()[:24]
    return cache_folder() / f"{name}-{stem}.npz", text


def cached(name: str, *, key: Mapping[str, str], make: Callable[[], Arrays]) -> Arrays:
    """Arrays of a cache entry; ``make`` them and store them if they are not there.

    Parameters
    ----------
    name
        First part of the file's name.
    key
        Everything that the arrays depend on.
    make
        Computes the arrays. It runs at most once per call.

    Returns
    -------
    dict
        Array of every name. New arrays.
    """
    path, text = entry(name, key)
    if zipfile.is_zipfile(path):  # False for half a file, and for none
        try:
            arrays = read_arrays(path, kind=KIND, version=CACHE_VERSION)
        except StorageError:
            arrays = {}
        # A file under the right name with another key is a collision or somebody's copy.
        if str(arrays.pop("__key__", "")) == text:
            return arrays
    arrays = make()
    header = {
        "__kind__": np.array(KIND),
        "__version__": np.array(CACHE_VERSION),
        "__key__": np.array(text),
    }

    def write(file: BinaryIO) -> None:
        # Not compressed: reading back is what has to be fast.
        np.savez(file, allow_pickle=False, **header, **arrays)

    write_atomically(path, write)
    return arrays
