"""write_report: the pictures and the page of a run, each file written whole or not at all.

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
==========================  ==================================================================
"""

from pathlib import Path
from typing import BinaryIO

from eventsim.events.storage import write_atomically
from eventsim.report.joint import JointRecord
from eventsim.report.joint_page import render_joint
from eventsim.report.page import render
from eventsim.report.pictures import run_pictures
from eventsim.report.record import RunRecord


def write_report(folder: str | Path, record: RunRecord) -> Path:
    """Write the report of a run into ``folder``.

    Parameters
    ----------
    folder
        Made if it does not exist; files of an older report are replaced.
    record
        The run.

    Returns
    -------
    Path
        Of ``index.html``. It is written last.
    """
    folder = Path(folder)
    pictures = run_pictures(record)
    for picture in pictures:
        write_whole(folder / picture.file, picture.content)
    page = folder / "index.html"
    write_whole(page, render(record, pictures).encode())
    return page


def write_joint(path: str | Path, record: JointRecord) -> Path:
    """Write the report into one HTML file, whole or not at all.

    Parameters
    ----------
    path
        Of the file; its folder is made if it does not exist.
    record
        What to tell.

    Returns
    -------
    Path
        As given.
    """
    path = Path(path)
    write_whole(path, render_joint(record).encode())
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, atomically."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)
