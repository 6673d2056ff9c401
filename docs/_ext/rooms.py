"""The rooms of the program as a drawing, from the import contract that the linter checks.

``{rooms}`` draws the layers of the contract ``rooms`` of ``pyproject.toml``, the lowest at the
bottom, with the first line of what each room says of itself; ``{rooms} engine`` those of a room.
"""

import ast
import html
import tomllib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parent.parent.parent
WIDTH, HEIGHT, GAP, NAME = 760, 34, 6, 112
COLOURS = ("#0b6e77", "#2b7a4b", "#6b5ca5", "#b3541e")


def layers(contract: str = "rooms") -> list[list[str]]:
    """Rooms of every layer, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    rooms = next(one for one in contracts if one["id"] == contract)
    return [[name.strip(" ()") for name in line.split("|")] for line in rooms["layers"]]


def says(room: str) -> str:
    """First line of the docstring of a room, or of a module that is one."""
    package, module = ROOT / "eventsim" / room / "__init__.py", ROOT / "eventsim" / f"{room}.py"
    source = (package if package.exists() else module).read_text(encoding="utf-8")
    return (
        (ast.get_docstring(ast.parse(source)) or "")
        .partition("\n")[0]
        .rstrip(".")
        .replace("``", "")
    )


def drawing(contract: str = "rooms") -> str:
    """The layers as SVG that takes its colours from the page."""
    parts, y, inside = [], 0, "" if contract == "rooms" else f"{contract}/"
    for number, names in enumerate(layers(contract)):
        colour = COLOURS[number % len(COLOURS)]
        for name in names:
            parts.append(_box(name, says(inside + name), y, colour))
            y += HEIGHT
        y += GAP
    return (
        f'<svg class="rooms" viewBox="0 0 {WIDTH} {y}" role="img" '
        'aria-label="Rooms of eventsim, each importing only from those below">'
        f"{''.join(parts)}</svg>"
    )


def _box(name: str, text: str, y: int, colour: str) -> str:
    middle = y + HEIGHT / 2 + 4
    text = text if len(text) <= 88 else text[:86].rstrip() + " …"
    return (
        f'<rect x="0" y="{y}" width="{WIDTH}" height="{HEIGHT - 2}" fill="{colour}" '
        'fill-opacity="0.09"/>'
        f'<rect x="0" y="{y}" width="5" height="{HEIGHT - 2}" fill="{colour}"/>'
        f'<text x="14" y="{middle}" class="room">{html.escape(name)}</text>'
        f'<text x="{NAME}" y="{middle}">{html.escape(text)}</text>'
    )


class Rooms(SphinxDirective):
    """The drawing."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One raw node; the page is built again when the contract changes."""
        self.env.note_dependency(str(ROOT / "pyproject.toml"))
        return [nodes.raw("", drawing(*self.arguments), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("rooms", Rooms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
