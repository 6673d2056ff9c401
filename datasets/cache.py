"""Events on disk, keyed by everything that made them: one HDF5 file per entry.

An entry is a file of :mod:`eventsim.events.stored` that holds the samples, their labels, and, as
text, the whole key: checksum of the source files, parameters of the encoder, digest of the code,
versions of the libraries that computed it. Its name is a hash of that text. A file is used only if
it is complete and holds the same text. Otherwise it is made again, so that an incomplete, damaged,
foreign or outdated file is never used.

Files are moved into place whole: processes that make the same entry at the same time each write a
complete file, and one of them remains. An entry is never changed, so that it may be read while
another process replaces it.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.checks import reported
from eventsim.errors import StorageError
from eventsim.events import Recording, StoredStream, write_stored
from eventsim.events.storage import remove_abandoned
from eventsim.folders import cache_folder

T = TypeVar("T")

CACHE_VERSION = 2


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a data set before they are in memory or on disk."""

    recordings: Iterable[Recording]  # events of one sample after the other; taken once
    # As :class:`~eventsim.datasets.Dataset`, [samples]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    keys: NDArray[np.str_]
    n_channels: int  # number of channels
    # Word of every label; None for those of the data set's description
    class_names: tuple[str, ...] | None = None
    # Further columns of the cache, [samples] by name; read when all recordings were taken
    more: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)


def digest(parts: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 of named pieces of content; names, order and borders count."""
    total = hashlib.sha256()
    for name, content in parts:
        total.update(f"{len(name)}:{name}:{len(content)}:".encode())
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, which is not held in memory."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    return cache_folder() / f"{name}-{stem}.h5", text


def cached(
    name: str,
    *,
    key: Mapping[str, str],
    make: Callable[[], Samples],
    use: Callable[[StoredStream], T],
) -> T:
    """Result of ``use`` for a cache entry, which is made first if need be.

    The name is the first part of the file's; the key is everything that the samples depend on.
    ``make`` is called at most once; ``use`` may run twice: if it raises StorageError, the entry is
    made anew. Raises StorageError where it cannot be written.
    """
    path, text = entry(name, key)
    try:
        stored = StoredStream.open(path)
        # A file under the right name with another key is a collision or somebody's copy.
        if stored.notes.get("key") == text:
            return use(stored)
    except StorageError:
        pass
    _write(path, text, make())
    return use(StoredStream.open(path))


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder on the disk of the cache, removed at the end of the block."""
    _prepare(".scratch-*")
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=cache_folder()) as name:
        yield Path(name)


def _write(path: Path, key: str, samples: Samples) -> None:
    # Rich is slow to import, and few processes store a data set.
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from eventsim.progress import bars

    _prepare(f".{path.name}.*")
    name = path.name.partition("-")[0]
    columns = (
        *("{task.description}", BarColumn(), MofNCompleteColumn()),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    own = {"labels": samples.labels, "groups": samples.groups, "keys": samples.keys}
    with bars(*columns, in_pipes=False) as progress:
        title, total = f"storing {name}", samples.labels.size
        write_stored(
            path,
            progress.track(samples.recordings, total=total, description=title),
            n_channels=samples.n_channels,
            columns=own | dict(samples.more),
            notes={"key": key, "class_names": json.dumps(samples.class_names or ())},
        )


def _prepare(pattern: str) -> None:
    """Make the cache's folder, and remove what killed processes have left there."""
    folder = cache_folder()
    words, remedy = "the cache cannot be written ({})", "Let EVENTSIM_CACHE name a folder that can."
    with reported(folder, words, OSError, remedy=remedy, error=StorageError):
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder, pattern)
