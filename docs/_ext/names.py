"""Cross-references to Python names, under any path by which a name can be imported.

Every public name has one page, under its shortest path. A reference by another path, or by a name
relative to the module in which its docstring stands, leads to that page. A reference to something
that exists and has no page (a private helper) is shown as code. What does not exist is left to
Sphinx, whose warning fails the build. A class or function whose module has a page says so: the
module's docstring has its formulas.
"""

import builtins
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

DOCSTRING = re.compile(r"docstring of ([\w.]+)")
LISTED = re.compile(r"^   (eventsim[\w.]+)$", re.MULTILINE)
API = "reference/api"
MISSING = object()


def find(path: str) -> Any:
    """The object at a dotted path, or MISSING; the name of a field stands for its value."""
    first, *parts = path.split(".")
    try:
        return _walk(importlib.import_module(first), first, parts)
    except (ImportError, ValueError):
        return MISSING


def _walk(place: Any, path: str, parts: list[str]) -> Any:
    """What the parts lead to; a function may have the name of the module in which it is."""
    if not parts:
        return place
    name, *rest = parts
    inner = f"{path}.{name}"
    found = MISSING
    if hasattr(place, name):
        found = _walk(getattr(place, name), inner, rest)
    elif name in getattr(place, "__annotations__", {}):
        return (place, name)
    if found is MISSING and inspect.ismodule(place) and importlib.util.find_spec(inner):
        found = _walk(importlib.import_module(inner), inner, rest)
    return found


def _prefixes(node: nodes.Node) -> Iterator[str]:
    """Where a name may be meant to be looked up, the nearest first."""
    place: Any = node
    while place is not None and not getattr(place, "source", None):
        place = place.parent
    owner = DOCSTRING.search(getattr(place, "source", None) or "")
    home = owner[1] if owner else ""
    while home:  # of a method: its class, then its module
        yield home
        home = home.rpartition(".")[0]
    yield from _row_prefixes(node)
    module, kind = node.get("py:module"), node.get("py:class")
    if module and kind:
        yield f"{module}.{kind}"
    if module:
        yield module
    yield ""


def _row_prefixes(node: nodes.Node) -> Iterator[str]:
    """In a table of autosummary: the module of what its row is about."""
    place: Any = node
    while place is not None and not isinstance(place, nodes.row):
        place = place.parent
    if place is not None:
        subject = find(place.children[0].astext().partition("(")[0].strip())
        home = str(getattr(subject, "__module__", "") or "")
        *outer, _ = str(getattr(subject, "__qualname__", "")).split(".")
        yield ".".join([home, *outer])
        yield home


def _pages(env: BuildEnvironment) -> dict[int, str]:
    """Name with a page by the identity of what it names."""
    known: dict[int, str] | None = getattr(env, "_eventsim_names", None)
    if known is None:
        objects = env.domaindata["py"]["objects"]
        known = {}
        for name, entry in objects.items():
            if not entry.aliased and (found := find(name)) is not MISSING:
                known.setdefault(id(found), name)
        env._eventsim_names = known  # type: ignore[attr-defined]
    return known


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, shown: nodes.Element
) -> nodes.Element | None:
    """Lead a reference that Sphinx does not know to the page of what it names."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].lstrip(".")
    for prefix in _prefixes(node):
        found = find(f"{prefix}.{target}".lstrip("."))
        if found is MISSING:
            continue
        name = _pages(env).get(id(found))
        if name is None:
            return shown
        entry = env.domaindata["py"]["objects"][name]
        return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, shown, name)
    top = target.partition(".")[0]
    # Names of other packages are not looked up: they may be missing where the site is built.
    foreign = ("." in target and top != "eventsim") or hasattr(builtins, target)
    return shown if foreign else None


def say_module(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Name the module whose docstring has the formulas, at the end of a docstring.

    A heading inside a module's docstring would be a section of the page: it becomes bold.
    """
    if what == "module":
        for at in range(len(lines) - 1, 0, -1):
            if re.fullmatch(r"-{3,}", lines[at]) and lines[at - 1].strip():
                lines[at - 1 : at + 1] = [f".. rubric:: {lines[at - 1]}", ""]
    home = getattr(obj, "__module__", None)
    if what in ("class", "function", "exception") and home in _documented(app):
        lines += ["", ".. rst-class:: defined-in", "", f"Defined in :mod:`{home}`.", ""]


def _documented(app: Sphinx) -> set[str]:
    """Modules that have a page."""
    text = text_of(app, "*.md", API) + text_of(app, "*.md", "explanation")
    inside = re.findall(r"^\.\. automodule:: (\S+)$", text, re.MULTILINE)
    return {*LISTED.findall(text_of(app, "modules.md")), *inside}


def tidy(app: Sphinx) -> None:
    """Delete generated pages of names that are listed no more."""
    listed = set(LISTED.findall(text_of(app, "*.md")))
    for page in (Path(app.srcdir) / API / "generated").glob("*.rst"):
        if page.stem not in listed:
            page.unlink()


def text_of(app: Sphinx, pattern: str, folder: str = API) -> str:
    """The text of pages."""
    pages = sorted((Path(app.srcdir) / folder).glob(pattern))
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps."""
    app.connect("builder-inited", tidy, priority=100)  # before autosummary
    app.connect("missing-reference", resolve)
    # After numpydoc, which orders sections.
    app.connect("autodoc-process-docstring", say_module, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
