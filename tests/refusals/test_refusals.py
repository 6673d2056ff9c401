"""What eventsim refuses, as data: each row of a table is a call and the error that it raises.

A row is ``"call" = [class, where, got, expected, remedy]``: ``row.py``. Names in a call are those
of ``things.py``, and of a module that is called like the table.
"""

import ast
import importlib
import shutil
import tomllib
from pathlib import Path

import pytest

from eventsim.errors import EventSimError
from tests.refusals import things
from tests.refusals.row import assert_row

HOME = Path(__file__).parent
TABLES = {
    path.stem: tomllib.loads(path.read_text("utf-8"))
    for path in HOME.glob("*.toml")
    if path.stem != "commands"
}
ROWS = [(name, call, row) for name, table in sorted(TABLES.items()) for call, row in table.items()]


NAMES = {
    table: vars(things)
    | (
        vars(importlib.import_module(f"tests.refusals.{table}"))
        if (HOME / f"{table}.py").exists()
        else {}
    )
    for table in TABLES
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The folder of the call, beside that of the cache; nothing of the user's is read."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVENTSIM_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_data_dir", lambda _app: str(tmp_path / "user"))
    return folder


def names(call):
    return {node.id for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name)}


def rows(*, on_backends):
    chosen = [
        pytest.param(*r, id=": ".join(r[:2]))
        for r in ROWS
        if ("backend" in names(r[1])) == on_backends
    ]
    return pytest.mark.parametrize(("table", "call", "row"), chosen)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_rows(name):
    assert TABLES[name]


def held(table, call, row, folder, **more):
    known = NAMES[table]
    things_of = {n for n in names(call) & known.keys() if hasattr(known[n], "is_thing")}
    given = {name: known[name]() for name in things_of}
    before = things.state((given, folder))
    things.WRITTEN.clear()
    with pytest.raises(EventSimError) as caught:
        eval(call, known | given | more)
    error = caught.value
    assert_row(row, error, folder)
    assert error.expected or error.remedy, "it says neither what was expected nor what to do"
    for path in things.WRITTEN:  # by the call, for its own arguments
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert things.state((given, folder)) == before, "something is left behind, or changed"


@rows(on_backends=False)
def test_call_is_refused_and_leaves_nothing_behind(table, call, row, here):
    held(table, call, row, here)


@rows(on_backends=True)
def test_every_backend_refuses_it(table, call, row, here, backend):
    held(table, call, row, here, backend=backend)
