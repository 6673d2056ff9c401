"""Accuracy against energy: a sweep of settings, measured for chips, and its Pareto fronts.

:func:`gather` measures the finished runs of an experiment and finds the fronts.
:func:`write_frontier` writes the page, ``frontier.html``, with ``frontier.csv`` and
``frontier.json`` beside it.
"""

from eventsim.frontier.measure import Measured, Question, measure
from eventsim.frontier.pareto import pareto_front
from eventsim.frontier.points import ChipNote, Frontier, Point, SweptRun, gather
from eventsim.frontier.write import write_frontier
from eventsim.mapping.fits import Fit, fit_on

__all__ = [
    "ChipNote", "Fit", "Frontier", "Measured", "Point", "Question", "SweptRun", "fit_on",
    "gather", "measure", "pareto_front", "write_frontier",
]  # fmt: skip
