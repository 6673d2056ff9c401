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

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from matplotlib.figure import Figure

from eventsim.events.storage import write_atomically
from eventsim.report import figures, raster
from eventsim.report.page import Picture, render
from eventsim.report.record import RunRecord
from eventsim.report.style import look, png

TAUS = ("tau_mem", "tau_syn")


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
    with look():
        pictures = list(_pictures(record))
    for picture in pictures:
        _write(folder / picture.file, picture.content)
    page = folder / "index.html"
    _write(page, render(record, pictures).encode())
    return page


def _pictures(record: RunRecord) -> Iterator[Picture]:
    selected = None if record.selected is None else record.selected.epoch
    yield _picture(
        figures.learning_curves(record.history, selected=selected),
        "learning.png",
        "Learning curves",
        "Training: mean over the batches of an epoch, augmented if augmentation is on, while the "
        "network changes. Validation: a held-out part of the training data, after the epoch."
        + ("" if selected is None else f" Vertical line: epoch {selected}, best in validation."),
    )
    shown = raster.choose(record.net_after, record.test, record.config)
    yield _picture(
        raster.raster(
            record.net_after, shown, record.test.class_names, output=record.config.output
        ),
        "raster.png",
        "Held-out recordings, event by event",
        "Every dot is an event or a spike. Bottom: readout voltages, the true class in blue, a "
        "wrong answer dashed in vermilion, all others grey. Right answers of different "
        "classes, and a mistake where there is one.",
    )
    yield _picture(
        figures.parameter_distributions(record.net_before, record.net_after, TAUS),
        "taus.png",
        "Time constants before and after training",
        f"Neurons by time constant in ms. {_trained_sentence(record, TAUS)} Dashed: before.",
    )
    others = [name for name in record.config.bip if name not in TAUS]
    if others:
        yield _picture(
            figures.parameter_distributions(record.net_before, record.net_after, others),
            "neurons.png",
            "Other neuron parameters before and after training",
            "Neurons by value, dimensionless unless a unit is given. Dashed: before.",
        )
    yield _picture(
        figures.confusion_matrix(record.last.evaluation.confusion, record.test.class_names),
        "confusion.png",
        "Confusion matrix",
        f"{record.last.evaluation.n_samples} held-out recordings, network of the last epoch; "
        "shade: share of the true class.",
        width=62,
    )
    if record.last.evaluation.rates:
        yield _picture(
            figures.rate_histogram(record.last.evaluation.rates),
            "rates.png",
            "Firing rates",
            "Mean rate of every neuron over all held-out recordings. Dashed: median.",
        )


def _trained_sentence(record: RunRecord, names: tuple[str, ...]) -> str:
    trained = [name for name in names if name in record.config.bip]
    if not trained:
        return "They were not trained in this run."
    return f"Trained in this run by intrinsic plasticity: {', '.join(trained)}."


def _picture(drawn: Figure, file: str, title: str, text: str, *, width: int = 100) -> Picture:
    return Picture(file, title, text, png(drawn), width)


def _write(path: Path, content: bytes) -> None:
    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)
