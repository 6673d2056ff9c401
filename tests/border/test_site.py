"""The steps of the site's build that look at what was written."""

import re
import sys

import pytest

import eventsim as es
from eventsim.train import load_network
from tests.border.prose import ROOT

pytest.importorskip("sphinx", reason="needs the extra docs; make docs runs it")
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
import live
from links import broken
from rooms import drawing, layers


def test_link_to_a_missing_file_or_anchor_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"></p><a href="b.html#there">1</a><a href="#here">2</a><img src="no.png">'
        '<a href="b.html#gone">3</a><a href="https://example.org/x#y">4</a><a href="c.html">5</a>'
    )
    (tmp_path / "b.html").write_text('<h1 id="there"></h1>')
    assert broken(tmp_path) == ["a.html: b.html#gone", "a.html: c.html", "a.html: no.png"]


def test_links_are_those_of_tags_however_they_are_written(tmp_path):
    (tmp_path / "b.html").write_text("<p id=one></p><p title='a > b' id='two&amp;2'></p>")
    (tmp_path / "a.html").write_text(
        "<a href=b.html#one>1</a><a class='>' href='b.html#two&amp;2'>2</a>"
        "<A HREF='gone.html'>3</A>"
        "<!-- <a href='c.html'> --><script>x = '<a href=\"d.html\">'</script>a < b href='e.html'"
        '<script src="gone.js">y</script><a data-href="f.html" title="href=\'g.html\'">4</a>'
    )
    assert broken(tmp_path) == ["a.html: gone.html", "a.html: gone.js"]


@pytest.mark.parametrize(
    "word",
    ["quantise", "quantize", "early stopping", "k-fold", "cross-validation", "live", "UDP",
     "silent", "timestamps", "fine-tuning", "inference", "surrogate gradient"],
)  # fmt: skip
def test_words_of_other_programs_lead_to_a_page(word):
    rows = (ROOT / "docs" / "reference" / "words.md").read_text("utf-8").splitlines()
    (row,) = [row for row in rows if re.search(rf"\b{word}\b", row)]
    assert "{doc}`" in row.split("|")[2]


@pytest.mark.parametrize(("contract", "folder"), [("rooms", "."), ("engine", "engine")])
def test_every_room_is_in_the_drawing(contract, folder):
    rooms = {path.parent.name for path in (ROOT / "eventsim" / folder).glob("*/__init__.py")}
    drawn = {name for names in layers(contract) for name in names}
    assert rooms <= drawn
    assert all(f">{name}</text>" in drawing(contract) for name in drawn)


def test_network_of_the_first_page_knows_its_recordings_and_is_small():
    data, folder = live.recordings(), ROOT / "docs" / "live"
    assert sorted(data.labels) == list(range(11))
    answers = es.predict(load_network(folder / "digits.npz"), data.stream, backend="cpu")
    assert (answers.classes == data.labels).sum() >= 10
    assert sum(path.stat().st_size for path in folder.glob("*.npz")) < 100_000
