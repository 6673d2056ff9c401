"""Folders: of what is cached, of the user's data sets, and those that one process has to itself.

The lock of a folder is one of the file system (``flock`` of its file ``.lock``), which is released
when the process ends in any way; NFS hands it to the server. Windows has none.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from eventsim.errors import StorageError

LOCK = ".lock"
POLL_SECONDS = 0.5
_MINE = threading.local()  # folders that this thread has, which need no second lock


@contextmanager
def locked(
    folder: Path, *, token: str = "", busy: Callable[[], None] | None = None
) -> Iterator[None]:
    """Keep a folder for this thread; the system lets it go when the process ends.

    Parameters
    ----------
    folder
        It is made if it is missing, and removed if nothing came into it.
    token
        First line of the lock's file, for others to read; host and process are the second.
    busy
        Called again and again while another process has the folder; None to raise.

    Raises
    ------
    StorageError
        Another process has the folder, or its file system has no locks.
    """
    mine: set[Path] = vars(_MINE).setdefault("folders", set())
    path, made = folder.resolve(), not folder.exists()
    if path in mine:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a", encoding="utf-8") as file:
        while not _lock(file, folder):
            if busy is None:
                who = (folder / LOCK).read_text("utf-8").split("\n")[1:2]
                raise StorageError(
                    folder,
                    f"another process works in this folder ({', '.join(who)})",
                    remedy="Wait until it has ended, or choose another --out.",
                )
            busy()
            time.sleep(POLL_SECONDS)
        file.truncate(0)
        file.write(f"{token}\n{socket.gethostname()} {os.getpid()}\n")
        file.flush()
        os.fsync(file.fileno())  # other machines are to read it
        mine.add(path)
        try:
            yield
        finally:
            mine.remove(path)
            with suppress(OSError):
                if made and [one.name for one in folder.iterdir()] == [LOCK]:
                    (folder / LOCK).unlink()
                    folder.rmdir()


def _lock(file: IO[str], folder: Path) -> bool:
    """Whether the lock was free and is now ours."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError(
            folder,
            f"its file system cannot lock files ({error})",
            remedy="Choose --out in another one, or let this one be mounted with locks (Lustre: "
            "the option flock).",
        ) from error
    return True


def cache_folder() -> Path:
    """Root of everything that eventsim caches: ``$EVENTSIM_CACHE``, or the user's cache folder.

    Raises StorageError (neither can be told, as for a user without a home directory).
    """
    import platformdirs  # as in data_folder

    chosen = os.environ.get("EVENTSIM_CACHE")
    if chosen:
        return _absolute(lambda: Path(chosen).expanduser().absolute())
    return _absolute(lambda: Path(platformdirs.user_cache_dir("eventsim")))


def data_folder() -> Path:
    """Folder of the user's data sets; it need not exist.

    Raises StorageError (as :func:`cache_folder`).
    """
    import platformdirs  # a process that reads no data set does without

    return _absolute(lambda: Path(platformdirs.user_data_dir("eventsim")))


def _absolute(find: Callable[[], Path]) -> Path:
    """The folder; without a home directory it would lie below one called ``~``."""
    try:
        folder = find()
        if folder.is_absolute():
            return folder
        reason = f"got {folder}"
    except RuntimeError as error:
        reason = str(error)
    raise StorageError(
        f"The user has no home directory ({reason}). Set HOME; or EVENTSIM_CACHE for what eventsim "
        "caches, EVENTSIM_DATA for data sets."
    )
