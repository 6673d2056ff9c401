"""The joint page in a real browser, where there is one: nothing sticks out, every picture shows."""

import pytest

from tests.support.browser import CHROMIUM, found_in

# The page in a frame of a given width; what it measures is written into the frame's own page.
FRAME = """<!doctype html><iframe src="page.html" style="border:0;width:{width}px;height:900px">
</iframe><pre id="found"></pre><script>
document.querySelector("iframe").onload = event => {{
  const inside = event.target.contentDocument, root = inside.documentElement;
  const held = e => e.closest(".scroll, .sheet, pre");
  const out = [...inside.querySelectorAll("main *")].filter(
    e => !held(e) && e.getBoundingClientRect().right > root.clientWidth + 1);
  document.getElementById("found").textContent = JSON.stringify({{
    width: root.clientWidth, scroll: root.scrollWidth,
    out: out.map(e => e.tagName + " " + e.className),
    images: [...inside.images].map(e => [e.naturalWidth, e.getBoundingClientRect().width]),
    letters: parseFloat(getComputedStyle(inside.querySelector("td")).fontSize),
    cut: [...inside.querySelectorAll("h3, td")].filter(
      e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)}});
}};</script>"""


pytestmark = CHROMIUM


@pytest.fixture(scope="module")
def measure(tmp_path_factory, joint_html):
    """Measures the page at a width in pixels."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "page.html").write_text(joint_html)

    def run(width):
        (folder / "frame.html").write_text(FRAME.format(width=width))
        return found_in(folder / "frame.html")

    return run


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_sticks_out_and_every_picture_shows(measure, width):
    found = measure(width)
    assert found["scroll"] <= found["width"] <= width
    assert found["out"] == []
    assert found["cut"] == []
    assert found["letters"] >= 12.0
    assert len(found["images"]) > 8
    assert all(natural > 300 and shown > 100 for natural, shown in found["images"])
