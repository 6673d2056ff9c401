"""Files of unknown origin: opened only if they are files, described in every message."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eventsim.errors import DataError


@contextmanager
def opened(path: Path, *, expected: str) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file and its size in bytes; ``expected`` says what it should hold.

    Raises
    ------
    DataError
        There is no such file, it is a folder, a pipe or a device, it cannot be opened, or it
        is empty.
    """
    if not path.is_file():  # a pipe would block, a device never end
        what = "is no regular file" if path.exists() else "does not exist"
        raise DataError(f"{path}: {what}, expected {expected}.")
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below; errors of the body are not ours
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error}), expected {expected}.") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise DataError(f"{path}: is empty, expected {expected}.")
        yield file, size
