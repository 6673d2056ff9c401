"""Scripts of the gallery are short, run without network or data, and draw."""

import ast
import re
import runpy

import matplotlib
import pytest
from matplotlib import pyplot

from tests.border.prose import ROOT

SCRIPTS = sorted((ROOT / "docs" / "gallery").glob("plot_*.py"))
MOST_LINES = 25
QUICK = {"plot_camera", "plot_confusion", "plot_first_raster", "plot_loop", "plot_voltage"}
DRAWN = pytest.mark.thorough("make docs draws all, some for seconds")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(path, id=path.stem, marks=[DRAWN] * (path.stem not in QUICK))
        for path in SCRIPTS
    ],
)
def test_script_draws(script, monkeypatch):
    monkeypatch.setenv("EVENTSIM_DATA", "/nowhere")
    matplotlib.use("Agg")
    pyplot.close("all")
    try:
        runpy.run_path(str(script))
        figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
        assert figures
        for figure in figures:
            figure.canvas.draw()
    finally:
        pyplot.close("all")


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script_is_short_and_opens_with_title_and_sentence(script):
    text = script.read_text("utf-8")
    tree = ast.parse(text)
    title, line, *rest = ast.get_docstring(tree).splitlines()
    assert re.fullmatch(r"=+", line)
    assert len(line) == len(title)
    assert " ".join(rest).strip().endswith(".")
    first = tree.body[1].lineno
    code = [line for line in text.splitlines()[first - 1 :] if line.strip()]
    assert len(code) <= MOST_LINES


def test_gallery_has_something_of_everything():
    text = "\n".join(path.read_text("utf-8") for path in SCRIPTS)

    assert len(SCRIPTS) >= 10
    for name in ("raster", "voltages", "taus", "graph", "stream", "history"):
        assert f"es.plot.{name}(" in text
