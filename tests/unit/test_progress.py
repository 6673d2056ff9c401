"""Bars on a terminal, in a pipe, and in a notebook that has no ipywidgets."""

import io
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import MofNCompleteColumn

from eventsim import progress


class Notebook:
    """What is used of IPython: outputs of a cell, which can be replaced."""

    def __init__(self):
        self.outputs = []

    def display(self, shown, *, raw, display_id):
        assert raw
        assert display_id
        self.outputs.append(shown["text/plain"])
        return SimpleNamespace(update=self.update)

    def update(self, shown, *, raw):
        assert raw
        self.outputs[-1] = shown["text/plain"]


@pytest.fixture
def notebook(monkeypatch):
    cell = Notebook()
    module = SimpleNamespace(display=cell.display)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=module))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    return cell


def test_notebook_shows_one_text_that_is_updated(notebook, capsys, monkeypatch):
    monkeypatch.setattr(progress, "PERIOD", 0.0)
    console = SimpleNamespace(is_jupyter=True)
    with progress.bars("{task.description}", MofNCompleteColumn(), console=console) as shown:
        task = shown.add_task("storing", total=3)
        shown.advance(task)
        assert notebook.outputs == ["storing 1/3"]
        shown.console.print("a line")
        shown.update(task, completed=3, description="stored")
    assert notebook.outputs == ["stored 3/3"]
    assert capsys.readouterr() == ("a line\n", "")


def test_notebook_is_not_flooded(notebook, monkeypatch):
    with progress.bars(MofNCompleteColumn(), console=SimpleNamespace(is_jupyter=True)) as shown:
        task = shown.add_task("", total=100)
        for _ in range(99):
            shown.advance(task)
        assert notebook.outputs == [""]
    assert notebook.outputs == [" 99/100"]


@pytest.mark.parametrize(("in_pipes", "expected"), [(True, "2/2\n"), (False, "")])
def test_pipe_gets_the_bars_at_their_end_or_nothing(in_pipes, expected):
    text = io.StringIO()
    with progress.bars(
        MofNCompleteColumn(), console=Console(file=text), in_pipes=in_pipes
    ) as shown:
        shown.update(shown.add_task("", total=2), completed=2)
    assert text.getvalue() == expected
