"""The files of a measured sweep, each written whole or not at all.

===================  =========================================================================
file                 content
===================  =========================================================================
frontier.html        the page
frontier.csv         a row per run, with all numbers and the command that prints its energies
frontier.json        the same by points, with means and standard deviations, and the fronts
===================  =========================================================================
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import eventsim
from eventsim.events.storage import write_atomically, write_json
from eventsim.frontier.page import render
from eventsim.frontier.points import Frontier
from eventsim.frontier.tables import as_csv

PAGE, ROWS, POINTS = "frontier.html", "frontier.csv", "frontier.json"
FORMAT, VERSION = "eventsim-frontier", 1


def write_frontier(folder: str | Path, frontier: Frontier) -> Path:
    """Write ``frontier.html``, ``frontier.csv`` and ``frontier.json``.

    Parameters
    ----------
    folder
        That of the sweep, whose runs the page links to.
    frontier
        Of :func:`gather`, with one point or more.

    Returns
    -------
    Path
        Of the page. It is written last.
    """
    folder = Path(folder)
    write_atomically(folder / ROWS, as_csv(frontier))
    write_json(folder / POINTS, plain(frontier))
    write_atomically(folder / PAGE, render(frontier))
    return folder / PAGE


def plain(frontier: Frontier) -> dict[str, Any]:
    """The sweep as plain values for JSON."""
    head = {"format": FORMAT, "version": VERSION, "eventsim": eventsim.__version__}
    return head | asdict(frontier) | {"axes": frontier.axes}
