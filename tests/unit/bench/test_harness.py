"""Rows of benchmarks: told as they come, kept if the run ends, in tables that fit a terminal."""

import argparse
import importlib
import io
import json

import pytest
from rich.console import Console

from bench import harness
from bench.table import WIDTH, table

MACRO = (
    "balanced", "blocks", "epoch", "filling", "large", "ranks", "readout", "scaling", "streams",
    "training_terms", "w1", "w2", "windows",
)  # fmt: skip
STAMP = ("commit", "date", "processor", "python", "numba", "eventsim")


def lines_of(made):
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    console.print(made)
    return console.export_text().splitlines()


@pytest.mark.parametrize("name", MACRO)
def test_tables_of_results_fit_100_columns_and_name_what_is_left_out(name):
    text = (harness.RESULTS / f"{name}.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    first = getattr(importlib.import_module(f"bench.macro.{name}"), "FIRST", ())
    for bench in dict.fromkeys(row["bench"] for row in rows):
        mine = [row for row in rows if row["bench"] == bench]
        mine = [{k: v for k, v in row.items() if k not in STAMP} for row in mine]
        made = table(bench, mine, first=first)
        lines = lines_of(made)
        assert max(map(len, lines)) <= WIDTH
        # A row has one line, or two where a text of its case is long: no ribbons.
        assert sum(line.startswith("│") for line in lines) <= 2 * max(made.row_count, 1)
        words = " ".join(lines).replace(" ", "").replace("┃", "").replace("│", "")
        heads = {str(column.header).replace("\n", "") for column in made.columns}
        cells = {str(cell) for cell in made.columns[0]._cells}
        for key in {key for row in mine for key in row} - {"bench"}:
            assert key in heads or key in cells or key in words
        shown = [key for key in first if any(key in row for row in mine)]
        assert set(shown[:5]) <= heads | cells


def test_columns_without_room_are_named_below_the_table():
    rows = [
        {"bench": "one", "case": f"{k}", **{f"number_{n}": 1e9 for n in range(30)}} for k in "ab"
    ]
    rows *= 10
    lines = lines_of(table("one", rows, first=("case", "number_29")))
    assert max(map(len, lines)) <= WIDTH
    below = " ".join(lines).partition("see --json: ")[2]
    assert "number_28" in below
    assert "number_29" not in below


@pytest.fixture
def options(monkeypatch, tmp_path):
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    return argparse.Namespace(json=False, save="kept")


def broken():
    """A benchmark that ends after its first row."""
    yield {"bench": "one", "case": "a", "seconds": 1.25}
    raise KeyboardInterrupt


@pytest.mark.parametrize("as_json", [True, False])
def test_rows_are_told_and_kept_as_they_come(as_json, options, tmp_path, capsys):
    options.json = as_json
    with pytest.raises(KeyboardInterrupt):
        harness.report(broken(), options, device={"card": "one"})
    told = capsys.readouterr()
    if as_json:
        assert json.loads(told.out)["case"] == "a"
    else:
        assert told.err == "one: case a, seconds 1.25\n"
    (row,) = map(json.loads, (tmp_path / "kept.jsonl").read_text().splitlines())
    assert (row["case"], row["card"]) == ("a", "one")
    assert "commit" in row
