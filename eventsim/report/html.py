"""Blocks of a page: headings, figures, tables, numbers with labels; and the page around them.

Every function takes plain text and returns HTML in which it is escaped.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from eventsim.report.tables import PageTable

PHONE_REM = 44.0  # of a picture as wide as the page: letters of 9 pt are 9 pixels high


@dataclass(frozen=True)
class Picture:
    """A picture of the page."""

    file: str  # name of its PNG file
    # Heading, and the sentence that tells how to read it
    title: str
    text: str
    content: bytes  # of the PNG file
    width: int = 100  # width of the picture on the page, in percent
    drawn: Any = None  # the figure itself, which other formats are made of


def document(
    title: str, body: str, *, footer: str, script: str = "", style: str = "", kind: str = "report"
) -> str:
    """A whole page; style and script are inside, nothing is loaded from elsewhere.

    ``style`` follows the style of all pages; ``kind`` is part of the name of the window.
    """
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8") + style
    program = f"<script>\n{script}</script>\n" if script else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}: eventsim {kind}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
<footer>{escape(footer)}</footer>
</main>
{program}</body>
</html>
"""


def header(title: str, about: str) -> str:
    """Name of the page, and a sentence about it."""
    return f"<header><h1>{escape(title)}</h1>{paragraph(about) if about else ''}</header>"


def paragraph(text: str, *, kind: str = "") -> str:
    """A paragraph of HTML."""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return f"{opening}{escape(text)}</p>"


def section(name: str, title: str, *blocks: str) -> str:
    """A part of the page, with an address for links."""
    return f'\n<section id="{name}">\n<h2>{escape(title)}</h2>\n{"".join(blocks)}\n</section>'


def contents(sections: Mapping[str, str]) -> str:
    """Links to the parts of the page, ``{name: title}``."""
    links = "".join(
        f'<li><a href="#{name}">{escape(title)}</a></li>' for name, title in sections.items()
    )
    return f'<nav aria-label="Sections"><ul>{links}</ul></nav>'


def item(value: str, label: str, *, kind: str = "") -> str:
    """A number and its meaning."""
    opening = f'<div class="{kind}">' if kind else "<div>"
    return (
        f'{opening}<div class="value">{escape(value)}</div>'
        f'<div class="label">{escape(label)}</div></div>'
    )


def tiles(values: Mapping[str, str]) -> str:
    """Several numbers by their meaning."""
    return f'<div class="tiles">{"".join(item(v, k) for k, v in values.items())}</div>'


def image(picture: Picture) -> str:
    """The picture itself; its alternative text is title and caption."""
    data = base64.b64encode(picture.content).decode("ascii")
    size = f"--width:{picture.width}%;--least:{PHONE_REM * picture.width / 100:g}rem"
    return (
        f'<div class="sheet"><img src="data:image/png;base64,{data}" style="{size}"\n'
        f' alt="{escape(picture.title)}. {escape(picture.text)}"></div>'
    )


def figures(pictures: Sequence[Picture]) -> str:
    """Pictures with their captions; narrow pictures stand side by side if there is room."""
    found = "".join(
        f'<figure class="{"whole" if picture.width > 50 else "half"}">'
        f"<h3>{escape(picture.title)}</h3>\n{image(picture)}\n"
        f"<figcaption>{escape(picture.text)}</figcaption></figure>\n"
        for picture in pictures
    )
    return f'<div class="figures">\n{found}</div>'


def table(found: PageTable) -> str:
    """A table under its title; a table that is too wide for the page scrolls sideways."""
    title = f'<h3 class="title">{escape(found.title)}</h3>' if found.title else ""
    label = f' aria-label="{escape(found.title)}"' if found.title else ""
    kind = "" if any(found.columns) else f' class="{"facts" if found.texts else "pairs"}"'
    head = ""
    if any(found.columns):
        head = f"<thead><tr>{_row(found, found.columns, 'th')}</tr></thead>"
    rows = "".join(f"<tr>{_row(found, row, 'td')}</tr>" for row in found.rows)
    body = f"<table{kind}{label}>{head}<tbody>{rows}</tbody></table>"
    return f'{title}<div class="scroll">{body}</div>\n'


def _row(found: PageTable, cells: Sequence[object], tag: str) -> str:
    return "".join(_cell(str(cell), tag, found.kind(k)) for k, cell in enumerate(cells))


def _cell(text: str, tag: str, kind: str) -> str:
    if not kind and " " not in text and ("->" in text or "_" in text):
        kind = "name"  # one word, though a browser would break it
    scope = ' scope="col"' if tag == "th" else ""
    marked = f' class="{kind}"' if kind else ""
    return f"<{tag}{scope}{marked}>{escape(text)}</{tag}>"


def definitions(words: Mapping[str, str]) -> str:
    """Words and their meaning."""
    rows = "".join(f"<dt>{escape(w)}</dt><dd>{escape(text)}</dd>" for w, text in words.items())
    return f"<dl>{rows}</dl>"


def details(summary: str, *blocks: str, opened: bool = False) -> str:
    """Blocks that open at a click."""
    return (
        f"\n<details{' open' if opened else ''}><summary>{escape(summary)}</summary>"
        f"{''.join(blocks)}</details>"
    )


def links(places: Mapping[str, str]) -> str:
    """Links side by side, ``{address: text}``."""
    found = " ".join(f'<a href="{escape(at)}">{escape(text)}</a>' for at, text in places.items())
    return f"<p>{found}</p>"


def code(text: str) -> str:
    """A command as it was typed; an empty text gives nothing."""
    return f"<pre>{escape(text)}</pre>" if text else ""
