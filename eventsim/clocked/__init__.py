"""The fixed-step counterpart of a network, and other published methods to compare with."""

from eventsim.clocked.backward import backward
from eventsim.clocked.bins import BinnedEvents, bin_events
from eventsim.clocked.forward import ClockedRun, run
from eventsim.clocked.losses import ClockedOutcome, CrossEntropyLoss, VanRossumLoss
from eventsim.clocked.method import Grid, published
from eventsim.clocked.network import ClockedNetwork, from_network

__all__ = [
    "BinnedEvents",
    "ClockedNetwork",
    "ClockedOutcome",
    "ClockedRun",
    "CrossEntropyLoss",
    "Grid",
    "VanRossumLoss",
    "backward",
    "bin_events",
    "from_network",
    "published",
    "run",
]
