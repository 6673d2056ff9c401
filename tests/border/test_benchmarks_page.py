"""The page on benchmarks against bench/results: every file has its table, every table its page."""

import re
import sys

import pytest

from tests.border.prose import PAGES, ROOT

sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from benchmark_tables import LEFT_OUT, RESULTS, TABLES, lines_of, numeric, stamp

TEXT = "".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_pages_show_every_table_once():
    assert sorted(re.findall(r"^```\{benchmark\} (\S+)$", TEXT, re.MULTILINE)) == sorted(TABLES)


def test_every_file_of_results_has_a_table_or_a_reason():
    shown = {table().file for table in TABLES.values()}
    assert {path.stem for path in RESULTS.glob("*.jsonl")} == shown | LEFT_OUT.keys()
    assert not shown & LEFT_OUT.keys()


@pytest.mark.parametrize("name", TABLES)
def test_rows_fill_the_header_and_tell_where_they_are_from(name):
    table = TABLES[name]()
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.header)}
    assert f"bench/results/{table.file}.jsonl" in stamp(table)
    if table.command:
        assert (ROOT / f"{table.command.replace('.', '/')}.py").exists()
        assert "commit" in stamp(table)


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["0.5", "1,024", ""], True),
        (["4e-05", "the measure"], True),
        (["98.10 ± 0.19", "0.75 to 1.2"], True),
        (["none", "1 ms"], False),
        (["784-350-10, first spikes"], False),
        (["loihi", "loihi2"], False),
        (["", ""], False),
    ],
)
def test_columns_of_numbers_are_told_from_words(cells, right):
    assert numeric(cells) == right


def test_every_commit_is_named_once():
    found = re.findall(r"\b[0-9a-f]{12}\b", stamp(TABLES["mapping"]()))
    assert len(found) == len(set(found))
    assert {line["commit"][:12] for line in lines_of("mapping")} == set(found)


def test_conformance_is_summed_up_as_the_benchmark_sums_it_up():
    from bench.conformance.table import summary

    expected = [(row["passed"], row["failed"]) for row in summary(lines_of("conformance"))]
    assert [(int(r[1]), int(r[2])) for r in TABLES["conformance"]().rows] == expected


def test_rows_of_other_programs_name_their_source():
    assert all(line["source"] for line in lines_of("peers"))
    assert all(
        {"date", "processor", "threads", "time_step"} <= line.keys()
        for line in lines_of("peers")
        if line["source"].startswith("measured")
    )
