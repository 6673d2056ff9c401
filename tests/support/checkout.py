"""The checkout that the tests run in: its files, and what pyproject.toml says."""

import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@cache
def project() -> dict:
    """The table [project] of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def tracked_files() -> tuple[Path, ...]:
    """Files that git tracks, or would once added; skips the test outside a checkout."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout, or no git")
    return _tracked()


@cache
def _tracked() -> tuple[Path, ...]:
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = (Path(name) for name in listed.split("\0") if name)
    return tuple(path for path in files if (ROOT / path).is_file())
