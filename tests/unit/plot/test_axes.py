"""What all pictures have in common."""

from itertools import pairwise

import matplotlib
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import eventsim as es
from eventsim.errors import EventError
from eventsim.plot.style import MOST_TICKS, figure, log_scale, look
from tests.support.fresh import said

LINES = [{"epoch": 1, "loss": 2.0, "accuracy": 0.25}]
PICTURES = {
    "raster": lambda net, tape, **ax: es.plot.raster(tape, **ax),
    "stream": lambda net, tape, **ax: es.plot.stream(tape.stream, **ax),
    "camera": lambda net, tape, **ax: es.plot.stream(tape.stream, sensor=(2, 1, 2), **ax),
    "voltages": lambda net, tape, **ax: es.plot.voltages(net, tape, "first", **ax),
    "readout": lambda net, tape, **ax: es.plot.voltages(net, tape, "output", **ax),
    "taus": lambda net, tape, **ax: es.plot.taus(net, **ax),
    "graph": lambda net, tape, **ax: es.plot.graph(net, **ax),
    "history": lambda net, tape, **ax: es.plot.history(LINES, **ax),
}


@pytest.fixture(params=PICTURES)
def picture(request):
    return PICTURES[request.param]


def test_given_axes_are_drawn_on_and_pyplot_knows_of_no_figure(picture, net, tape):
    axes = Figure().subplots()

    assert picture(net, tape, ax=axes) is axes
    assert axes.has_data()
    assert pyplot.get_fignums() == []


def test_without_axes_one_figure_is_opened_and_drawn(picture, net, tape):
    axes = picture(net, tape)

    assert pyplot.get_fignums() == [axes.figure.number]
    assert axes.figure.axes == [axes]
    axes.figure.canvas.draw()


def test_settings_of_matplotlib_stay_as_they_are(picture, net, tape):
    before = matplotlib.rcParams.copy()

    picture(net, tape)

    assert matplotlib.rcParams == before


@pytest.mark.parametrize("size", [(6.0, 4.0), (2.5, 1.8)])
def test_no_texts_overlap(picture, net, tape, size):
    drawn = Figure(figsize=size, layout="constrained")
    axes = picture(net, tape, ax=drawn.subplots())
    FigureCanvasAgg(drawn).draw()

    texts = [*axes.texts, axes.xaxis.label, axes.yaxis.label]
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for minor in (False, True):
            labels = zip(axis.get_ticklocs(minor=minor), axis.get_ticklabels(minor), strict=True)
            texts += [label for place, label in labels if low <= place <= high]
    boxes = [t.get_window_extent() for t in texts if t.get_text() and t.get_visible()]
    assert len(boxes) > 2
    for k, box in enumerate(boxes):
        for other in boxes[:k]:
            apart = box.x1 <= other.x0 + 1 or other.x1 <= box.x0 + 1
            assert apart or box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1


def test_subplots_are_axes_to_draw_on_in_the_style_of_the_pictures(net, tape):
    before = matplotlib.rcParams.copy()

    drawn, (upper, lower) = es.plot.subplots(2, 1, size=(5.0, 3.0), sharex=True)
    es.plot.raster(tape, ax=upper)
    es.plot.voltages(net, tape, "first", ax=lower)

    assert drawn.get_size_inches().tolist() == [5.0, 3.0]
    assert upper.get_xlim() == lower.get_xlim()
    alone = es.plot.stream(tape.stream)
    for axes in (upper, lower):
        assert axes.spines["left"].get_edgecolor() == alone.spines["left"].get_edgecolor()
        assert not axes.spines["top"].get_visible()
    assert matplotlib.rcParams == before


def test_mistake_opens_no_figure(tape):
    with pytest.raises(EventError):
        es.plot.raster(tape, sample=5)

    assert pyplot.get_fignums() == []


def test_matplotlib_is_loaded_when_a_picture_is_asked_for():
    code = (
        "import sys, eventsim as es; assert 'matplotlib' not in sys.modules; es.plot.raster; "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert said(code) == ""


NOTEBOOK = """
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.display_pub.publish = lambda data, **more: print("shown", sorted(data))
for cell in ("import eventsim as es", "es.plot.subplots();", "es.plot.subplots();"):
    shell.run_cell(cell).raise_error()
"""


def test_notebook_shows_every_figure_without_an_import_of_pyplot(monkeypatch):
    pytest.importorskip("IPython")
    pytest.importorskip("matplotlib_inline")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")

    printed = said(NOTEBOOK)
    assert printed.count("shown") == 2, printed


def test_interactive_mode_that_a_backend_switches_on_stays_on():
    before = matplotlib.is_interactive()
    try:
        matplotlib.interactive(False)
        with look():
            matplotlib.interactive(True)
        assert matplotlib.is_interactive()
    finally:
        matplotlib.interactive(before)


@pytest.mark.parametrize(
    "limits", [(3, 40), (1, 9), (120, 180), (180, 950), (0.02, 7e3), (1e-3, 1e12)]
)
@pytest.mark.parametrize("width", [2.2, 4.0, 7.2])
def test_numbers_of_a_logarithmic_axis_do_not_overprint(limits, width):
    with look():
        drawn = figure(width, 1.5)
        axes = drawn.subplots()
        axes.plot(limits, [0, 1])
        log_scale(axes)
        drawn.canvas.draw()
    labels = [*axes.xaxis.get_majorticklabels(), *axes.xaxis.get_minorticklabels()]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    assert 2 <= len(boxes) <= MOST_TICKS
    assert all(left.x1 < right.x0 for left, right in pairwise(sorted(boxes, key=lambda b: b.x0)))
