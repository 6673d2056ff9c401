"""Mathematics as MathML, made while the site is built: a page loads nothing from elsewhere."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

WIDEST = 50  # signs of a line of equations
QUAD = re.compile(r"\\q?quad\b")
SIGN = re.compile(r"\\[a-zA-Z]+|[^\s{}_^\\]")
# A subscript that is a word stands upright; letters such as ij are indices.
WORD = re.compile(r"_\{([a-z]{3,}|in)\}")
# The dot of a derivative belongs to its letter.
ACCENT = re.compile(r"<mover>(<m[in]>[^<]*</m[in]><mo>&#x002D9;</mo></mover>)")


def _mathml(node: nodes.Element, display: str) -> str:
    text = re.sub(r"\\mathcal\s+(\w)", r"\\mathcal{\1}", node.astext())
    text = WORD.sub(r"_{\\text{\1}}", text)
    try:
        made = str(convert(_rows(text) if display == "block" else text, display=display))
    except Exception as error:
        raise ExtensionError(f"mathematics not understood: {text!r}") from error
    made = made.replace("<mtable>", '<mtable displaystyle="true">')
    made = re.sub(r'columnalign="(\w+)"', r'style="text-align: \1"', made)  # as browsers know it
    return ACCENT.sub(r'<mover accent="true">\1', made)


def _rows(text: str) -> str:
    r"""Equations of one block below each other: aligned at ``&``, or too wide for one line.

    The converter knows tables, not ``aligned``.
    """
    text = re.sub(r"\\(begin|end)\{(split|aligned|align\*?)\}", "", text).strip()
    if "\\begin" in text:
        return text
    if "&" in text or "\\\\" in text:
        rows = [row for row in re.split(r"\\\\", text) if row.strip()]
    else:
        blocks = re.split(r"\n\s*\n", text)
        wide = any(len(SIGN.findall(block)) > WIDEST for block in blocks)
        rows = [row for block in blocks for row in (QUAD.split(block) if wide else [block])]
    columns = 1 + max(row.count("&") for row in rows)
    if len(rows) == 1 and columns == 1:
        return text
    places = "l" if columns == 1 else ("rl" * columns)[:columns]
    return f"\\begin{{array}}{{{places}}}" + r" \\ ".join(rows) + r"\end{array}"


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    """Formula within a sentence."""
    self.body.append(f'<span class="math">{_mathml(node, "inline")}</span>')
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Formula on lines of its own, with its number where it has one."""
    label = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    name = f' id="equation-{node["label"]}"' if node.get("label") else ""
    self.body.append(f'<div class="math-block"{name}>{_mathml(node, "block")}{label}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
