"""Every local link of the finished site leads somewhere: file and anchor are looked up, no network.

Sphinx checks references while it reads; this looks at what was written, raw HTML included.
"""

import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

SHOWN = 20


class Page(HTMLParser):
    """Anchors of a page, and what it links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect."""
        for name, value in attrs:
            if value and name in ("id", "name"):
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.targets.add(value)


def read(folder: Path) -> dict[Path, Page]:
    """All pages of a site by their path; templates of the theme are none."""
    pages = {}
    for path in sorted(folder.rglob("*.html")):
        if path.relative_to(folder).parts[0] != "_static":
            pages[path] = page = Page()
            page.feed(path.read_text(encoding="utf-8"))
    return pages


def broken(folder: Path) -> list[str]:
    """Local links that lead nowhere, each with its page."""
    folder = folder.resolve()
    pages, found = read(folder), []
    for path, page in pages.items():
        for target in sorted(page.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            end = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            anchor = unquote(parts.fragment)
            if (end not in pages and not end.exists()) or (
                anchor and end in pages and anchor not in pages[end].anchors
            ):
                found.append(f"{path.relative_to(folder)}: {target}")
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
