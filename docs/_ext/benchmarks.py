"""The directive ``benchmark``: one table of bench/results, with commit and machine below it.

On the page of benchmarks every section shows its paragraph; its table is folded.
"""

from typing import ClassVar

from benchmark_tables import RESULTS, TABLES, numeric, stamp
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PAGE = "benchmarks"


class Benchmark(SphinxDirective):
    """``{benchmark} NAME``, a name of :data:`benchmark_tables.TABLES`; ``:folded: TITLE`` folds."""

    required_arguments = 1
    option_spec: ClassVar = {"folded": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """The table, as Markdown that the page's own parser reads."""
        try:
            table = TABLES[self.arguments[0]]()
        except KeyError as error:
            raise self.error(f"no table {error}; there are {', '.join(TABLES)}") from error
        self.env.note_dependency(str(RESULTS / f"{table.file}.jsonl"))
        lines = [" | ".join(["", *row, ""]).strip() for row in (table.header, *table.rows)]
        sides = ("---:|" if numeric(column) else "---|" for column in zip(*table.rows, strict=True))
        lines.insert(1, "|" + "".join(sides))
        wrapper = nodes.container(classes=["benchmark"])
        notes = [f"{k}. {note}" for k, note in enumerate(table.notes, 1)]
        lines += ["", *notes, "", f"*{stamp(table)}*"]
        if title := self.options.get("folded"):
            lines = [f":::{{dropdown}} {title}", *lines, ":::"]
        text = StringList(lines, source=table.file)
        self.state.nested_parse(text, self.content_offset, wrapper)
        return [wrapper]


def fold(_app: Sphinx, tree: nodes.document) -> None:
    """Put the tables of a section into ``<details>``, its subsections not."""
    if tree.settings.env.current_document.docname != PAGE:
        return
    for section in tree.findall(nodes.section):
        inner = [one for one in section.children if not isinstance(one, nodes.section)]
        more = inner[2:]  # behind title and answer
        if isinstance(section.parent, nodes.document) or not more:
            continue
        at = section.index(more[0])
        for one in more:
            section.remove(one)
        opened = "<details><summary>Table</summary>"
        section[at:at] = [nodes.raw("", opened, format="html"), *more,
                          nodes.raw("", "</details>", format="html")]  # fmt: skip


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the step."""
    app.add_directive("benchmark", Benchmark)
    app.connect("doctree-read", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
