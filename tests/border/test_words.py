"""Words that had two meanings have one, and every measure has one name.

On the pages for users, in public docstrings and in what commands say. Each word with the phrases in
which it may stand, and what says the other meaning.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest

import eventsim as es
from eventsim.energy import clocked, count
from eventsim.measures import measures
from eventsim.report import tables
from tests.border.prose import FENCE, PAGES, ROOT
from tests.support.nets import random_net, random_stream

ROOMS = ("contributing", "explanation/architecture", "explanation/decisions")
WORDS = {
    r"held": (r"held[- ]out|held out", "kept, stays at, compared with"),
    r"pieces?": (r"", "chunk, part"),
    r"ways?": (r"(the same|only|own|either|give|right) way|way sooner", "backward pass, algorithm"),
    r"hears?|heard|hearing": (r"", "receive, process; a speaker is in training or is new"),
    r"anew": (r"", "again"),
    r"rooms?": (r"", "space, capacity; a package is a room on the pages of its drawing alone"),
}


def docstrings():
    """Name and text of every public name and of its public methods."""
    for name in es.__all__:
        thing = getattr(es, name)
        yield name, inspect.getdoc(thing) or ""
        for key, inner in vars(thing).items() if inspect.isclass(thing) else ():
            if not key.startswith("_") and (callable(inner) or isinstance(inner, property)):
                yield f"{name}.{key}", inspect.getdoc(inner) or ""


def texts():
    for page in PAGES:
        name = str(page.relative_to(ROOT / "docs"))
        if not name.startswith(ROOMS):
            yield name, FENCE.sub("", page.read_text("utf-8"))
    yield from docstrings()


@pytest.mark.parametrize("word", WORDS)
def test_word_that_had_two_meanings_stands_for_one(word):
    allowed, instead = WORDS[word]
    found = []
    for name, text in texts():
        plain = re.sub(allowed, "", text, flags=re.IGNORECASE) if allowed else text
        found += [
            f"{name}: {hit}" for hit in re.findall(rf".*\b(?:{word})\b.*", plain, re.IGNORECASE)
        ]
    assert not found, f"say: {instead}\n" + "\n".join(found)


PACKAGE = Path(es.__file__).parent
# What shows numbers to people; kernels and their comments do not.
SHOWS_NUMBERS = (
    "chips", "cli", "energy", "experiment", "frontier", "hardware", "mapping", "report", "runs",
    "train",
)  # fmt: skip
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


@pytest.mark.parametrize("room", SHOWS_NUMBERS)
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
        for path in (*PAGES, ROOT / "README.md")
        for found in other_words(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_tables_of_counts_take_their_names_from_the_glossary():
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
