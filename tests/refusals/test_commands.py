"""Command lines that are refused, as data: as ``row.py`` says.

They are called in a folder that ``place.py`` has filled, which must be the same afterwards.
"""

import itertools
import shlex
import tomllib
from pathlib import Path

import pytest

from eventsim.errors import EventSimError
from eventsim.folders import LOCK
from eventsim.train.launch import LAUNCHERS
from tests.refusals import place
from tests.refusals.row import assert_row
from tests.unit.cli.conftest import call, flat

ROWS = tomllib.loads(Path(__file__).with_name("commands.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    place.make(folder)
    return folder


def files(folder):
    """Files that lie there, and when they were written; but who worked in a folder last."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
    return {path: path.stat().st_mtime_ns for path in found}


def refusal(outcome):
    """The error of eventsim behind the exit of a command."""
    error = outcome.error
    while error is not None and not isinstance(error, EventSimError):
        error = error.__cause__ or error.__context__
    return error


@pytest.mark.parametrize("words", ROWS)
def test_command_is_refused_and_leaves_nothing_behind(words, home, monkeypatch):
    monkeypatch.chdir(home)
    for name in itertools.chain(*LAUNCHERS.values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVENTSIM_DATA", str(home / "nowhere"))
    monkeypatch.setenv("EVENTSIM_CACHE", str(home.with_name("cache")))
    before, row = files(home), ROWS[words]
    outcome = call(*shlex.split(words))
    error = refusal(outcome)
    assert error is not None, (outcome.code, outcome.out, outcome.err)
    assert_row(row, error, home)
    # A single text is that of a room whose errors have no fields yet.
    assert error.expected or error.remedy or not row[1], "it says nothing of what was expected"
    assert (outcome.code, outcome.out) == (2, "")
    assert flat(str(error)) in flat(outcome.err)
    assert len(outcome.err) < 2000
    assert files(home) == before, "something is left behind, or changed"
