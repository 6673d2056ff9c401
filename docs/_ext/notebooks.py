"""Every page with code cells can be downloaded as a notebook.

The sources of such pages are text (MyST). Their ``.ipynb`` twins are written beside the page when
the site is built, without outputs; a line below the title links to them.

Cells that begin with ``%%bash`` are shown as the shell commands they are, so that they can be
copied into a terminal.
"""

import gc
import os
from pathlib import Path
from typing import Any

import jupytext
from docutils import nodes
from myst_nb.core import render
from myst_nb.core.utils import coalesce_streams
from nbformat import NotebookNode
from sphinx.application import Sphinx

CELL = "```{code-cell}"
SHELL = "%%bash\n"


def _has_cells(app: Sphinx, page: str) -> bool:
    path = Path(app.env.doc2path(page))
    return path.suffix == ".md" and CELL in path.read_text(encoding="utf-8")


def link(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put the line with the link below the title."""
    if not _has_cells(app, page) or app.builder.format != "html":
        return
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None:
        return
    name = f"{page.rsplit('/', 1)[-1]}.ipynb"
    line = nodes.raw(
        "",
        f'<p class="notebook-link">This page is a notebook: <a href="{name}" download>{name}</a>.'
        " Its code ran when the page was built.</p>",
        format="html",
    )
    title.parent.insert(title.parent.index(title) + 1, line)


def show_commands(app: Sphinx, doctree: nodes.document) -> None:
    """Show cells of the shell without the line that tells the kernel so."""
    for block in list(doctree.findall(nodes.literal_block)):
        text = block.astext()
        if text.startswith(SHELL):
            commands = text.removeprefix(SHELL)
            block.replace_self(nodes.literal_block(commands, commands, language="bash"))


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the notebooks into the folder of the site."""
    if error is not None or app.builder.format != "html":
        return
    for page in sorted(app.env.found_docs):
        if _has_cells(app, page):
            notebook: Any = jupytext.read(os.fspath(app.env.doc2path(page)), fmt="md:myst")
            target = Path(app.outdir) / f"{page}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(notebook, os.fspath(target), fmt="ipynb")


def whole_streams(outputs: list[Any]) -> list[Any]:
    """As myst-nb's own, which ends a line after each of the 100 bytes that ``%%bash`` sends."""
    found: list[Any] = []
    for output in outputs:
        before = found[-1] if found else {}
        if output.get("name") and output.get("name") == before.get("name"):
            found[-1] = {**before, "text": before["text"] + output["text"]}
        else:
            found.append(output)
    return coalesce_streams([NotebookNode(output) for output in found])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register all steps, and that what a cell prints is one text."""
    render.coalesce_streams = whole_streams
    # sphinx-gallery looks for cycles before each script: not in all that is loaded, PyTorch too.
    app.connect("builder-inited", lambda _: gc.freeze())
    app.connect("doctree-read", show_commands)
    app.connect("doctree-resolved", link)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
