"""Types in lists of parameters, from the annotations, and links where sections name types.

A docstring says what a parameter means; its annotation has the type. Sphinx would put it into the
signature, where the annotations of arrays make it unreadable. Here ``stream`` in the section
``Parameters`` becomes ``stream : EventStream``, as the source has it, and names of classes in
``Returns`` and ``Raises`` become links.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from names import LISTED, find, text_of
from sphinx.application import Sphinx
from tables import bounds

TYPED = ("Parameters", "Attributes")
NAMED = ("Returns", "Raises", "Yields", "Warns")
ENTRY = re.compile(r"^\w+(, \w+)*$")
# Aliases of eventsim.arrays in the words of docstrings, longest first.
PLAIN = {
    "NDArray[np.float64]": "float64 array",
    "NDArray[np.int64]": "int64 array",
    "NDArray[np.bool_]": "bool array",
    "NDArray[np.int32]": "int32 array",
    "Floats": "float64 array",
    "Ints": "int64 array",
    "Bools": "bool array",
    "Array": "array",
}


def annotations(obj: Any) -> dict[str, str]:
    """Annotation of every parameter or field by name, as the source has it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(obj)))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return {}
    found: dict[str, str] = {}
    for node in _nodes(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            found[node.arg] = ast.unparse(node.annotation)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = ast.unparse(node.annotation)
    return found


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Arguments of a function; fields of a class, and arguments of its ``__init__``."""
    if isinstance(tree, ast.FunctionDef):
        yield from (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)
    elif isinstance(tree, ast.ClassDef):
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                yield from _nodes(node)
            else:
                yield node


def readable(annotation: str, home: Any) -> str:
    """An annotation in the words of docstrings; ``home`` is the module in which it stands."""
    text = re.sub(r"\w+", lambda word: _alias(word[0], home), annotation.replace('"', ""))
    for name, words in PLAIN.items():
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w\[])", words, text)
    text = re.sub(r"Literal\[([^]]*)\]", r"{\1}", text)
    text = re.sub(r"'([A-Z]\w*)'", r"\1", text)  # a class that is not imported yet
    return re.sub(r"\bAnnotated\[([^,\]]+),[^]]*\]", r"\1", text)


def _alias(word: str, home: Any) -> str:
    """A name for some values, or for a number with bounds, spelled out."""
    value = getattr(home, word, None)
    if get_origin(value) is Literal:
        return "{" + ", ".join(map(repr, get_args(value))) + "}"
    if get_origin(value) is Annotated and isinstance(bare := get_args(value)[0], type):
        return bare.__name__ + "".join(bounds(mark, " ") for mark in get_args(value)[1:])
    return word


class Links:
    """Names of classes with a page, as roles."""

    def __init__(self, app: Sphinx) -> None:
        listed = LISTED.findall(text_of(app, "*.md"))
        found = {name: find(name) for name in listed}
        self.known = {
            name.rpartition(".")[2]: (name, kind)
            for name, kind in found.items()
            if inspect.isclass(kind)
        }

    def __call__(self, text: str, home: Any) -> str:
        """A type with links to what has a page, as far as the module means it by this word."""
        return "".join(self._one(word, home) for word in re.split(r"(\w+)", text)).strip("\\ ")

    def _one(self, word: str, home: Any) -> str:
        name, kind = self.known.get(word, ("", None))
        if kind is None or getattr(home, word, kind) is not kind:
            return re.sub(r"([*|_`])", r"\\\1", word)
        return f"\\ :class:`~{name}`\\ "


def type_parameters(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Put types into the sections of a docstring, before numpydoc reads them."""
    if what not in ("class", "exception", "function", "method"):
        return
    links: Links | None = getattr(app, "_eventsim_links", None)
    if links is None:
        links = app._eventsim_links = Links(app)  # type: ignore[attr-defined]
    types, section = annotations(obj), ""
    home = inspect.getmodule(obj)
    for at, line in enumerate(lines):
        if at + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[at + 1]):
            section = line
        elif line.startswith((" ", "-")) or not line:
            continue
        elif section in TYPED and ENTRY.match(line):
            told = [types.get(one, "") for one in line.split(", ")]
            told = told[:1] if len(set(told)) == 1 else told
            if all(told):
                linked = (links(readable(one, home), home) for one in told)
                lines[at] = f"{line} : {', '.join(linked)}"
        elif section in NAMED and ENTRY.match(line):
            lines[at] = links(line, home)


def show_factories(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str
) -> tuple[str | None, str]:
    """Write a default that is made for each object as ``...``, so that Sphinx can read the rest."""
    return signature and signature.replace("<factory>", "..."), returned


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps, that of the docstring before numpydoc."""
    app.connect("autodoc-process-docstring", type_parameters, priority=300)
    app.connect("autodoc-process-signature", show_factories)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
