"""Files and modules that the text of the program and of its guides names: they are there."""

import ast
import re
from importlib.util import find_spec

import pytest

from tests.border.prose import ROOT

FOLDERS = ("eventsim", "datasets", "bench", "docs")
CODE = {".py", ".cu", ".cuh", ".hpp", ".cpp", ".c", ""}
KINDS = {".py", ".cu", ".cuh", ".hpp", ".cpp", ".md"}
# Beginning with a folder of the checkout, of eventsim, of its engine, or of its kernels.
FILE = re.compile(
    r"(?<![\w/.<>{}*-])((?:eventsim|engine|kernels|cpu|cuda|reference|plan|neuron|mapping|tests|bench"
    r"|docs|datasets)/[\w/.-]*?\w+\.(?:py|hpp|cpp|cuh|cu|md|toml|jsonl))\b"
)
MODULE = re.compile(r":mod:`~?(eventsim[\w.]*)`|\{mod\}`(eventsim[\w.]*)`")
BELOW = ("", "eventsim", "eventsim/engine", "eventsim/kernels")


def texts(folder):
    for path in sorted((ROOT / folder).rglob("*")):
        made = {"results", "generated", "auto_gallery"} & set(path.relative_to(ROOT).parts)
        if path.suffix in KINDS and not made:
            yield path, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_that_a_text_names_are_there(folder):
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in texts(folder)
        for name in FILE.findall(text)
        if not re.search(r"[A-Z]{4}", name)  # results/NAME.jsonl
        and not any((ROOT / base / name).exists() for base in (*BELOW, path.parent))
    ]
    assert missing == []


def test_modules_that_a_text_refers_to_are_there():
    named = {
        (str(path.relative_to(ROOT)), a or b)
        for folder in FOLDERS
        for path, text in texts(folder)
        for a, b in MODULE.findall(text)
    }
    assert [one for one in sorted(named) if find_spec(one[1]) is None] == []


# Between backticks: a file, an option, a name with _, or a class with two capitals.
NAME = re.compile(
    r"(?<!})`[\w./]*?(\w+\.[a-z]{1,4}|--[a-z-]+|\w*_\w+|[A-Z]\w*[a-z][A-Z]\w*)[`(:= ]"
)
DEFINED = re.compile(
    r"\b(?:def|class|void|double|R) +(\w+)|^ *(\w+) *[:=]|[\"/]([\w.-]+)\b|(--[a-z-]+)|(\w+)=", re.M
)
ELSEWHERE = {"__restrict__", "--dist", "--fmad", "default_rng", "t_us", "NAME.py"}
ELSEWHERE |= {"test_merge_of_simultaneous_events_orders_by_target"}  # as an example
PAGES = {
    "docs/contributing": ("eventsim", "datasets", "tests", "bench", ".github"),
    "docs/contributing/extending.md": ("eventsim", "datasets", "tests/support"),
    "docs/contributing/style.md": ("eventsim", "datasets", "tests/border"),
    "docs/explanation/decisions.md": ("eventsim", "datasets"),
}


@pytest.mark.parametrize("page", PAGES)
def test_files_functions_options_and_classes_that_guides_name_are_there(page):
    pages = sorted((ROOT / page).glob("*.md")) or [ROOT / page]
    named = {name for one in pages for name in NAME.findall(one.read_text(encoding="utf-8"))}
    files = [path for place in PAGES[page] for path in (ROOT / place).rglob("*.*")]
    known = {path.name for path in [*ROOT.iterdir(), *files]} | ELSEWHERE
    for path in [*ROOT.glob("Makefile"), *files]:
        if path.suffix in CODE:
            known.update(*DEFINED.findall(path.read_text(encoding="utf-8")))
    assert named
    assert named - known == set()


ROOMS = (
    "train", "cli", "network", "events", "runs", "compiled", "engine/cpu", "engine/contract",
    "engine/run",
)  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_a_large_room_says_of_each_of_its_files_what_it_is_there_for(room):
    folder = ROOT / "eventsim" / room
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files - set(re.findall(r"``([\w.]+)``", told)) == set()
