"""Every local link of the finished site leads somewhere: file and anchor are looked up, no network.

Sphinx checks references while it reads; this looks at what was written, raw HTML included.
"""

import os
import re
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

SHOWN = 20


# A script with its text, a comment, or a tag whose attributes may have a > in quotes. html.parser
# takes three times as long: 5 CPU s for the 668 pages of the site.
TAG = re.compile(
    r"""<(?:!--.*?--|(script|style)\b((?:[^>"']|"[^"]*"|'[^']*')*)>.*?</\1\s*"""
    r"""|[a-zA-Z]([^>"']*(?:(?:"[^"]*"|'[^']*')[^>"']*)*))>""",
    re.DOTALL | re.IGNORECASE,
)
ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")


class Page:
    """Anchors of a page, and what it links to or loads."""

    def __init__(self, text: str) -> None:
        self.anchors: set[str] = set()
        self.targets: set[str] = set()
        kept = dict.fromkeys(("id", "name"), self.anchors)
        kept |= dict.fromkeys(("href", "src"), self.targets)
        for tag in TAG.finditer(text):
            for name, *values in ATTRIBUTE.findall(tag[2] or tag[3] or ""):
                if (found := kept.get(name.lower())) is not None:
                    found.update(unescape(value) for value in values if value)


def read(folder: Path) -> dict[str, Page]:
    """All pages of a site by their path; templates of the theme are none."""
    pages = {}
    for path in sorted(folder.rglob("*.html")):
        if path.relative_to(folder).parts[0] != "_static":
            pages[os.fspath(path)] = Page(path.read_text(encoding="utf-8"))
    return pages


def broken(folder: Path) -> list[str]:
    """Local links that lead nowhere, each with its page."""
    folder = folder.resolve()
    pages, found = read(folder), []
    exists = cache(os.path.exists)  # a file of the theme has a link on every page
    for path, page in pages.items():
        for target in sorted(page.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            end = os.path.join(os.path.dirname(path), unquote(parts.path)) if parts.path else path
            end, anchor = os.path.normpath(end), unquote(parts.fragment)
            if (end not in pages and not exists(end)) or (
                anchor and end in pages and anchor not in pages[end].anchors
            ):
                found.append(f"{os.path.relpath(path, folder)}: {target}")
    return found


def check(app: Sphinx, error: Exception | None) -> None:
    """Fail the build if a link is broken."""
    if error is not None or app.builder.format != "html":
        return
    if found := broken(Path(app.outdir)):
        shown = "\n  ".join(found[:SHOWN])
        raise ExtensionError(f"{len(found)} local links lead nowhere:\n  {shown}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the check, after everything was written."""
    app.connect("build-finished", check, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
