"""The pictures of a training run, with sentences that explain them."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from eventsim.measures import LOSSES_DIFFER
from eventsim.plot.style import look, png
from eventsim.report import figures, raster
from eventsim.report.html import Picture
from eventsim.report.record import Report, RunRecord
from eventsim.train.readouts import decision_behind

TAUS = ("tau_mem", "tau_syn")
FULL_INCHES = 10.0
RATES = "rates.png"


def page_pictures(report: Report) -> list[Picture]:
    """Training and firing rates in the order of the page; their files are named in ``write.py``."""
    with look():
        drawn = list(_pictures(report.run)) if isinstance(report.run, RunRecord) else []
        if report.rates:
            text = (
                "Neurons by mean rate over all recordings; dashed: median. Mass at the left edge "
                "means neurons that hardly ever fire: energy is spent by the others."
            )
            histogram = figures.rate_histogram(report.rates)
            drawn.append(picture(histogram, RATES, "Firing rates", text))
        return drawn


def picture(drawn: Figure, file: str, title: str, text: str) -> Picture:
    """A figure with its caption; call it inside :func:`eventsim.plot.style.look`.

    Letters have about the same size in all pictures of a page. A picture of ``FULL_INCHES`` or more
    is as wide as the page.
    """
    width = min(100, round(100.0 * drawn.get_figwidth() / FULL_INCHES))
    return Picture(file, title, text, png(drawn), width, drawn)


def _pictures(record: RunRecord) -> Iterator[Picture]:
    selected = None if record.selected is None else record.selected.epoch
    yield picture(
        figures.learning_curves(record.history, selected=selected),
        "learning.png",
        "Learning curves",
        "Training: mean over the batches of an epoch, augmented if augmentation is on, while the "
        "network changes. Validation: a held-out part of the training data, after the epoch. "
        f"{LOSSES_DIFFER}"
        + ("" if selected is None else f" Vertical line: epoch {selected}, best in validation."),
    )
    shown = raster.choose(record.net_after, record.test, record.config)
    yield picture(
        raster.raster(
            record.net_after, shown, record.test.class_names, output=record.config.output
        ),
        "raster.png",
        f"{record.part.capitalize()} recordings, event by event",
        f"Every dot is an event or a spike. Bottom: readout voltages, {_voltages(record)}. Right "
        "answers of different classes, and a mistake where there is one.",
    )
    trained = ", ".join(name for name in TAUS if name in record.config.bip)
    said = "They were not trained in this run."
    said = f"Trained in this run by intrinsic plasticity: {trained}." if trained else said
    yield picture(
        figures.parameter_distributions(record.net_before, record.net_after, TAUS),
        "taus.png",
        "Time constants before and after training",
        f"Neurons by time constant in ms. {said} Dashed: before.",
    )
    known = {name for p in record.net_after.neurons.values() for name in p.parameters}
    others = [name for name in record.config.bip if name not in TAUS and name in known]
    if others:
        yield picture(
            figures.parameter_distributions(record.net_before, record.net_after, others),
            "neurons.png",
            "Other neuron parameters before and after training",
            "Neurons by value, dimensionless unless a unit is given. Dashed: before.",
        )
    confusion = record.last.evaluation.confusion
    if confusion.size:
        yield picture(
            figures.confusion_matrix(confusion, record.test.class_names),
            "confusion.png",
            "Confusion matrix",
            f"{record.last.evaluation.n_samples} {record.part} recordings, network of the last "
            "epoch; shade: share of the true class.",
        )


def _voltages(record: RunRecord) -> str:
    """Caption for the voltages of the readout."""
    if decision_behind(record.net_after, record.config.output) is not None:
        return "of all its neurons, which a linear decision weighs"
    return "the true class in blue, a wrong answer dashed in vermilion, all others grey"
