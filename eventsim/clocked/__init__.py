"""The fixed-step counterpart of a network, and other published methods to compare with."""

from eventsim.clocked.backward import backward
from eventsim.clocked.bins import BinnedEvents, bin_events
from eventsim.clocked.config import ClockedConfig, Grid
from eventsim.clocked.evaluation import ClockedEvaluation, evaluate_clocked
from eventsim.clocked.forward import ClockedRun, run
from eventsim.clocked.losses import ClockedOutcome, CrossEntropyLoss, VanRossumLoss
from eventsim.clocked.network import ClockedNetwork, from_network
from eventsim.clocked.training import ClockedResult, train_clocked

__all__ = [
    "BinnedEvents",
    "ClockedConfig",
    "ClockedEvaluation",
    "ClockedNetwork",
    "ClockedOutcome",
    "ClockedResult",
    "ClockedRun",
    "CrossEntropyLoss",
    "Grid",
    "VanRossumLoss",
    "backward",
    "bin_events",
    "evaluate_clocked",
    "from_network",
    "run",
    "train_clocked",
]
