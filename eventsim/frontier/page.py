"""The page of a sweep: one file, nothing loaded from elsewhere."""

import json
from html import escape
from pathlib import Path

import eventsim
from eventsim.frontier import tables
from eventsim.frontier.picture import inline_svg
from eventsim.frontier.points import Frontier, Key
from eventsim.report import html
from eventsim.report.tables import PageTable

_READ = (
    "A dot is a condition: the mean over its runs, which are the small dots, with standard "
    "deviations. Filled dots are on the front: no other condition costs less and is more accurate "
    "by the accuracy that chose. A cross does not fit on the chip, or was not checked: it is on no "
    "front of this chip. Better is up and left. A click opens the report of the first run, or its "
    "folder."
)
_PRICES = (
    "What one of each costs, and who published it. Terms that are not in the energy need a step, "
    "or are leakage. For what a chip pays besides, its file has no figure: the notes "
    "above name these terms. eventsim cost shows how many of each a run has."
)
_HOW = (
    "Each command counts one run again and prices it; its sums are those of this page. Type it in "
    "the folder in which eventsim frontier was typed."
)


def render(frontier: Frontier) -> str:
    """The whole page. Runs are linked by their folders, relative to that of the page."""
    views = [_view(frontier, axis, f"view{n}") for n, axis in enumerate(frontier.axes)]
    notes = [html.paragraph(note) for note in tables.notes(frontier)]
    points = map(html.table, tables.point_tables(frontier))
    figures = [html.table(tables.figures_table(chip)) for chip in frontier.chips if chip.figures]
    body = "".join(
        [
            html.header(frontier.title, frontier.about),
            html.section("front", "Accuracy against cost", *views),
            html.section("table", "Points", *notes, *points),
            html.section("figures", "Figures of the chips", html.paragraph(_PRICES), *figures),
            html.section("runs", "Runs", html.paragraph(_HOW), _runs(frontier)),
            _texts(frontier),
        ]
    )
    script = Path(__file__).with_name("frontier.js").read_text(encoding="utf-8")
    footer = f"Written by eventsim {eventsim.__version__}. Numbers are of {frontier.data}."
    return html.document(frontier.title, body, footer=footer, script=script)


def _view(frontier: Frontier, axis: Key, name: str) -> str:
    """One picture with its heading and how to read it."""
    title = frontier.axes[axis]
    picture = inline_svg(frontier, axis, name=name)
    return (
        f'<figure class="view" id="{name}"><h3>{escape(title[0].upper() + title[1:])}</h3>\n'
        f'<div class="sheet">{picture}</div>\n<figcaption>{escape(_READ)}</figcaption></figure>\n'
    )


def _runs(frontier: Frontier) -> str:
    """Links to all folders, and the command of each behind a click."""
    found = {run.link: run.folder for point in frontier.points for run in point.runs}
    rows = [[run.folder, run.command] for point in frontier.points for run in point.runs]
    commands = PageTable("", ["run", "command"], rows, numbers=1, texts=1)
    return html.links(found) + html.details("Commands", html.table(commands))


def _texts(frontier: Frontier) -> str:
    """Texts of the points for the script, by their number in the picture."""
    told = [tables.told(frontier, point) for point in frontier.points]
    data = json.dumps(told).replace("<", "\\u003c")
    return f'\n<script type="application/json" id="points">{data}</script>'
