"""The network of spoken digits that runs in the site: ``{live}`` puts its page where it stands.

The page is made by :func:`eventsim.export_web` at every build, of ``docs/live``.
"""

import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import eventsim as es
from eventsim.train import load_network

HERE = Path(__file__).parent.parent / "live"
sys.path.insert(0, str(HERE))
from packed import audio, recordings  # noqa: E402

FOLDER, TITLE = "live", "Spoken digits"
FRAME = """<iframe class="live" src="{at}" title="A network of spoken digits, to try"
  allow="microphone *"></iframe>
<script>
addEventListener("message", event => {{
  const frame = document.querySelector("iframe.live");
  if (event.source === frame.contentWindow && event.data.height) {{
    frame.style.height = `${{event.data.height}}px`;
  }}
}});
</script>"""


def write(app: Sphinx) -> None:
    """Write the page into the site."""
    net = load_network(HERE / "digits.npz")
    folder = Path(app.outdir) / FOLDER
    es.export_web(net, folder, recordings=recordings(), title=TITLE, audio=audio())


class Live(SphinxDirective):
    """The page in a frame that is as high as it is."""

    def run(self) -> list[nodes.Node]:
        """One block of HTML."""
        up = "../" * self.env.docname.count("/")
        text = FRAME.format(at=f"{up}{FOLDER}/index.html")
        return [nodes.raw("", text, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("live", Live)
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
