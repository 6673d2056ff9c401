"""What a test can say of a page without a browser."""

import re
from contextlib import nullcontext
from html.parser import HTMLParser

from eventsim.plot.style import look
from eventsim.report.page import render
from eventsim.report.pictures import page_pictures
from tests.support.pages import blank_pictures

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """A parsed page; it fails on tags that are not closed in the order of their opening."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.images, self.links, self.tags = [], [], [], [], []
        self.words = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "img":
            self.images.append(values)
        self.links += [values[key] for key in ("href", "src", "srcset") if key in values]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without an opening"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        """All that a reader sees."""
        return re.sub(r"\s+", " ", " ".join(self.words))


def check_page(text):
    """Balanced, self-contained, every picture described; gives the parsed page."""
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link.startswith(("data:image/png;base64,", "#")), link[:60]
        assert not link.startswith("#") or link[1:] in page.ids
    for image in page.images:
        assert len(image["alt"]) > 20
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert "script" not in page.tags
    return page


def whole_page(report, *, drawn=False):
    """The page of a report as text, its pictures blank unless they are to be drawn."""
    with nullcontext() if drawn else blank_pictures():
        pictures = page_pictures(report)
    with look():
        return render(report, pictures)
