"""One name for one measure: in commands, on pages, in the documentation."""

import ast
import re
from pathlib import Path

import pytest

import eventsim
from eventsim.measures import measures

ROOT = Path(__file__).parents[2]
PACKAGE = Path(eventsim.__file__).parent
# What shows numbers to people; kernels and their comments do not.
ROOMS = (
    "chips", "cli", "energy", "experiment", "frontier", "hardware", "mapping", "report", "runs",
    "train",
)  # fmt: skip
PAGES = [
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if "generated" not in path.parts),
    ROOT / "README.md",
]
MEASURES = measures()
OTHER_WORDS = {word: one.name for one in MEASURES.values() for word in one.instead_of}


def strings_of(path):
    """Text of a program that somebody may read: strings, docstrings included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree)
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def other_words(text):
    """Words that the glossary replaces, with the name to use."""
    plain = " ".join(text.split())
    return [
        f"{word!r}, expected {name!r}"
        for word, name in OTHER_WORDS.items()
        if re.search(rf"\b{re.escape(word)}", plain, re.IGNORECASE)
    ]


def test_every_measure_has_a_name_of_its_own_and_no_two_share_a_word():
    names = [one.name for one in MEASURES.values()]
    assert len(set(names)) == len(names)
    words = [word for one in MEASURES.values() for word in one.instead_of]
    assert len(set(words)) == len(words)
    assert not set(words) & set(names)
    keys = [key for one in MEASURES.values() for key in one.keys]
    assert len(set(keys)) == len(keys)
    for one in MEASURES.values():
        assert one.counts.endswith(".")


@pytest.mark.parametrize("room", ROOMS)
def test_no_command_or_page_uses_another_word_for_a_measure(room):
    wrong = [
        f"{path.relative_to(PACKAGE)}: {found}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for text in strings_of(path)
        for found in other_words(text)
    ]
    assert wrong == []


def test_documentation_uses_no_other_word_for_a_measure():
    wrong = [
        f"{path.relative_to(ROOT)}: {found}"
        for path in PAGES
        for found in other_words(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_tables_of_counts_take_their_names_from_the_glossary():
    import eventsim as es
    from eventsim.energy import clocked, count
    from eventsim.report import tables
    from tests.support.nets import random_net, random_stream

    net = random_net(2, sparse=True, delays="source")
    tape = es.simulate(net, random_stream(3, n_samples=2), backend="reference")
    counts, steps = count(net, tape).to_dict(), clocked(net, tape, step_ms=1.0).to_dict()
    names = {one.name for one in MEASURES.values()}
    expected = {
        "populations": {"population", "neurons"},
        "projections": {"projection", "possible synapses"},
    }
    for table, others in expected.items():
        assert set(getattr(tables, table)(counts).columns) <= names | others
    told = {row[0] for row in tables.totals(counts).rows if not row[0].startswith("  ")}
    assert told <= names | {"events that enter, per recording", "answers or events that leave"}
    told = {row[0] for row in tables.steps(steps).rows}
    assert told <= names | {"steps", "of these with input"}


def test_two_shares_of_silence_have_two_names():
    one, other = MEASURES["silent_in_recording"], MEASURES["activation_sparsity"]
    assert one.name != other.name
    assert "no time step" in one.leaves_out
    assert "Depends on the time step" in other.counts
