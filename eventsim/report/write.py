"""The pictures and the page of a run, each file written whole or not at all.

==========================  ==================================================================
file                        content
==========================  ==================================================================
index.html                  the page; pictures are inside it
learning.png                loss and accuracy by epoch
raster.png                  a few held-out recordings: input, spikes, readout voltages
taus.png                    time constants before and after training
neurons.png                 the other trained neuron parameters, if there are any
confusion.png               true against answered class
rates.png                   spikes per second of every neuron
figures/                    the pictures in the formats that were asked for
==========================  ==================================================================
"""

from collections.abc import Sequence
from pathlib import Path

from eventsim.events import Values
from eventsim.events.storage import write_atomically
from eventsim.plot.style import encoded, look
from eventsim.report import regression
from eventsim.report.html import Picture
from eventsim.report.page import render
from eventsim.report.pictures import page_pictures
from eventsim.report.record import Report, RunRecord

FIGURES = "figures"


def write_report(folder: str | Path, record: RunRecord, *, forms: Sequence[str] = ()) -> Path:
    """Write the page of a run and its pictures into ``folder``; the path of ``index.html``.

    The page is written last. The folder is made if it is missing; files of an older report are
    replaced.
    ``forms`` are further formats of the pictures, of :data:`eventsim.plot.style.FORMS`.
    """
    folder = Path(folder)
    if isinstance(record.test.target, Values):
        return write_fit(folder / "index.html", record, forms=forms)
    report = Report.of_training(record)
    pictures = page_pictures(report)
    for picture in pictures:
        write_atomically(folder / picture.file, picture.content)
    return write_page(folder / "index.html", report, pictures, forms=forms)


def write_fit(path: Path, record: RunRecord, *, forms: Sequence[str] = ()) -> Path:
    """Write the page of a run of values as :func:`write_page`."""
    with look():
        drawn = list(regression.pictures(record))
        write_forms(path.parent, drawn, forms)
    write_atomically(path, regression.render(record, drawn))
    return path


def write_page(
    path: str | Path,
    report: Report,
    pictures: Sequence[Picture] | None = None,
    *,
    forms: Sequence[str] = (),
) -> Path:
    """Write a page into one HTML file, whole or not at all; pictures may be drawn already.

    ``forms`` as in :func:`write_report`; these files are in the folder ``figures`` beside the page.
    """
    path = Path(path)
    drawn = page_pictures(report) if pictures is None else pictures
    with look():
        write_forms(path.parent, drawn, forms)
        write_atomically(path, render(report, drawn))
    return path


def write_forms(folder: Path, pictures: Sequence[Picture], forms: Sequence[str]) -> None:
    """Write pictures in further formats to the folder ``figures`` beside a page."""
    for one in pictures:
        for form in forms:
            place = folder / FIGURES / f"{Path(one.file).stem}.{form}"
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, encoded(one.drawn, form))
