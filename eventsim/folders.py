"""Folders outside of a run's own: of what is cached, and of the user's data sets."""

import os
from collections.abc import Callable
from pathlib import Path

from eventsim.errors import StorageError


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
