"""One run: which recordings, which network, how it is trained; its folder and what came out.

=================  =================================================================
module             content
=================  =================================================================
``data``           the recordings: a data set, its division, how much of it
``networks``       the network: which builder, and the settings that it takes
``settings``       all that decides a run, as its folder tells it
``run``            a run read from its folder
``execution``      a run executed: trained, tested, measured
=================  =================================================================
"""

from eventsim.runs.data import DataSettings
from eventsim.runs.execution import Execution, Outcome, execute, train_run
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.run import Run, load_run
from eventsim.runs.settings import RunSettings, Shape, check_same_run

__all__ = [
    "DataSettings",
    "Execution",
    "NetworkSettings",
    "Outcome",
    "Run",
    "RunSettings",
    "Shape",
    "check_same_run",
    "execute",
    "load_run",
    "train_run",
]
