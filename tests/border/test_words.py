"""Words that had two meanings have one, on the pages for users and in public docstrings.

Each word with the phrases in which it may stand, and what says the other meaning.
"""

import inspect
import re

import pytest

import eventsim as es
from tests.border.prose import FENCE, PAGES, ROOT

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
