"""Small text files of runs, written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventsim import entries
from eventsim.errors import StorageError
from eventsim.events.storage import write_atomically


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file; raises StorageError if it cannot be one."""
    if not path.exists():
        raise StorageError(f"{path}: no such file; {path.parent} is no run of eventsim.")
    values = entries.read_json(path, str(path), StorageError)
    if not isinstance(values, dict):
        raise StorageError(f"{path}: expected a JSON object.")
    return values


def write_json(path: Path, values: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Write an object to a JSON file, atomically; in one line if ``indent`` is None."""
    write_text(path, json.dumps(values, indent=indent) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, atomically."""
    write_atomically(path, text)
