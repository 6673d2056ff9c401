"""Pages of runs without their pictures."""

from contextlib import ExitStack, contextmanager
from functools import cache
from unittest import mock

from eventsim.plot.style import figure, png
from eventsim.report import figures, pictures, raster

DRAW = {
    figures: ("learning_curves", "parameter_distributions", "rate_histogram", "confusion_matrix"),
    raster: ("raster",),
}


REAL = {(room, name): getattr(room, name) for room, names in DRAW.items() for name in names}
REAL[pictures, "png"] = png


@cache
def _blank():
    empty = figure(0.1, 0.1)
    return empty, png(empty)


@contextmanager
def blank_pictures():
    """Nothing is drawn meanwhile, which takes seconds; tests/unit/report has all pictures."""
    empty, file = _blank()
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(pictures, "png", return_value=file))
        for room, names in DRAW.items():
            for name in names:
                patches.enter_context(mock.patch.object(room, name, return_value=empty))
        yield


@contextmanager
def drawn_pictures():
    """They are drawn meanwhile, also within :func:`blank_pictures`."""
    with ExitStack() as patches:
        for (room, name), draw in REAL.items():
            patches.enter_context(mock.patch.object(room, name, draw))
        yield
