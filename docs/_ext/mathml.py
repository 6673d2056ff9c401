"""Mathematics as MathML, made while the site is built: a page loads nothing from elsewhere."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

# The dot of a derivative belongs to its letter.
ACCENT = re.compile(r"<mover>(<m[in]>[^<]*</m[in]><mo>&#x002D9;</mo></mover>)")


def _mathml(node: nodes.Element, display: str) -> str:
    text = node.astext()
    if display == "block" and ("\\\\" in text or "&" in text) and "\\begin" not in text:
        text = f"\\begin{{aligned}}{text}\\end{{aligned}}"
    try:
        return ACCENT.sub(r'<mover accent="true">\1', str(convert(text, display=display)))
    except Exception as error:
        raise ExtensionError(f"mathematics not understood: {text!r}") from error


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
