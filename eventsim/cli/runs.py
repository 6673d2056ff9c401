"""What commands say of the folders of runs."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventsim.entries import read_json, read_toml
from eventsim.errors import ParameterError
from eventsim.train.folder import FORMAT, RunFolder


def free_folder(wanted: Path) -> Path:
    """``wanted``, or the first of wanted-2, wanted-3 .. that holds no run."""
    folder, number = wanted, 1
    while RunFolder(folder).holds_run:
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def resume_command(folder: Path) -> str:
    """What to type to continue the run of that folder."""
    return f"eventsim train --resume --out {shlex.quote(str(folder))}"


def read_config_file(path: Path) -> dict[str, Any]:
    """TrainConfig keys of a TOML or JSON file, or of the run.json of a run."""
    read = read_toml if path.suffix == ".toml" else read_json
    values = read(path, f"--config {path}", ParameterError)
    if not isinstance(values, Mapping):
        raise ParameterError(f"--config {path}: expected a table of TrainConfig keys.")
    return dict(values["train"] if values.get("format") == FORMAT else values)
