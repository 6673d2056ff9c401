"""The reference of docs/ against the program: each public name is on one page, and each exists."""

import importlib
import inspect
import re
import sys
from collections import Counter, defaultdict

import pytest

from tests.border.prose import ROOT

pytest.importorskip("sphinx", reason="needs the extra docs; make docs runs it")
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from names import LISTED, MISSING, find
from tables import FORMATS, formats

API = sorted((ROOT / "docs" / "reference" / "api").glob("*.md"))
# Rooms whose names the reference lists. What the others have is for eventsim itself: `entries`
# checks what people write, `matrix` what features do together; `cli` is the command, whose pages
# are made of its help.
ROOMS = (
    "eventsim", "eventsim.adjoint", "eventsim.bridge", "eventsim.chips", "eventsim.clocked",
    "eventsim.conformance", "eventsim.datasets", "eventsim.datasets.encoders", "eventsim.embedded",
    "eventsim.energy", "eventsim.engine", "eventsim.events", "eventsim.events.activity",
    "eventsim.experiment", "eventsim.frontier", "eventsim.live", "eventsim.mapping",
    "eventsim.network", "eventsim.network.nir", "eventsim.plan", "eventsim.plot",
    "eventsim.ranks", "eventsim.train", "eventsim.train.loggers",
)  # fmt: skip
INTERNAL = {"eventsim.entries", "eventsim.cli", "eventsim.matrix"}


def listed(page):
    text = page.read_text(encoding="utf-8")
    return LISTED.findall(text) + re.findall(r"^\.\. py:data:: (\S+)$", text, re.MULTILINE)


def of_extra(name):
    """Whether a name needs an extra that is not installed here."""
    return name.startswith("eventsim.bridge.") and not importlib.util.find_spec("torch")


LISTS = {page.name: listed(page) for page in API}
MODULES = {
    *LISTS["modules.md"],
    *(m for page in API for m in re.findall(r"^\.\. automodule:: (\S+)$", page.read_text(), re.M)),
}
NAMES = [name for page, names in LISTS.items() if page != "modules.md" for name in names]


def public_paths():
    """All paths of each public object, by the object."""
    paths = defaultdict(list)
    for room in ROOMS:
        for name in importlib.import_module(room).__all__:
            found = find(f"{room}.{name}")
            if inspect.ismethod(found):
                continue  # on the page of its class
            if inspect.ismodule(found):
                assert found.__name__ in ROOMS
                continue
            # Python has equal numbers, and its own types, only once.
            alone = isinstance(found, int) or getattr(found, "__module__", "") == "builtins"
            paths[f"{room}.{name}" if alone else id(found)].append(f"{room}.{name}")
    return list(paths.values())


@pytest.mark.parametrize("paths", public_paths(), ids=lambda paths: paths[0])
def test_public_name_has_one_page_under_its_shortest_path(paths):
    pages = [path for path in paths if path in NAMES]
    assert len(pages) == 1, f"{paths}: on docs/reference/api as {pages or 'nothing'}"
    own = getattr(find(paths[0]), "__name__", None)
    # A name kept for old code is none.
    named = [path for path in paths if path.rpartition(".")[2] == own] or paths
    assert pages[0].count(".") == min(path.count(".") for path in named)


@pytest.mark.parametrize("name", sorted({name for names in LISTS.values() for name in names}))
def test_listed_name_exists(name):
    if of_extra(name):
        pytest.skip("needs the extra torch")
    assert find(name) is not MISSING


def test_no_name_is_listed_twice():
    assert [name for name, times in Counter(NAMES).items() if times > 1] == []


def test_every_room_with_public_names_is_in_the_reference():
    packages = {
        f"eventsim.{path.parent.name}" for path in (ROOT / "eventsim").glob("*/__init__.py")
    }
    public = {name for name in packages if getattr(importlib.import_module(name), "__all__", None)}
    assert public - set(ROOMS) == INTERNAL


def test_module_to_which_a_docstring_points_has_a_page():
    silent = []
    for name in NAMES:
        if of_extra(name):
            continue
        found = find(name)
        if "see the module" in (getattr(found, "__doc__", None) or ""):
            home = found.__module__
            if home not in MODULES:
                silent.append((name, home))
    assert silent == []


@pytest.mark.parametrize("name", LISTS["modules.md"])
def test_module_page_is_of_a_module(name):
    # A function of the same name hides a module from autosummary: such a page would show it.
    assert inspect.ismodule(find(name))


def test_environment_variables_of_eventsim_are_in_the_reference():
    page = (ROOT / "docs" / "reference" / "environment.md").read_text()
    names = {
        name
        for folder in ("eventsim", "datasets")
        for file in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"environ\S*[\[(]\"(\w+)\"", file.read_text())
        if not name.startswith(("SLURM", "MASTER", "TORCH"))
    }
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_versions_of_formats_are_those_of_the_code():
    table = formats()
    kinds = re.findall(r"\| `(eventsim-[\w-]+)` \| (\d+) \|", table)
    assert len(kinds) == len(FORMATS) - 1  # NIR's own format has no name of ours
    source = "\n".join(path.read_text() for path in (ROOT / "eventsim").rglob("*.py"))
    own = set(re.findall(r"(?:kind=|KIND = |FORMAT, VERSION = )\"(eventsim-[\w-]+)\"", source))
    # Those of recipes and tasks are made of the kind's name.
    assert {kind for kind, _ in kinds} == own | {"eventsim-recipe", "eventsim-task"}
