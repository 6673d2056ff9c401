"""The fixed-step counterpart of a network, and other published methods to compare with."""

from eventsim.clocked.backward import backward
from eventsim.clocked.bins import BinnedEvents, bin_events
from eventsim.clocked.forward import ClockedRun, run
from eventsim.clocked.losses import ClockedOutcome, outcome_of
from eventsim.clocked.method import Grid, published
from eventsim.clocked.network import ClockedNetwork, from_network

__all__ = [
    "BinnedEvents", "ClockedNetwork", "ClockedOutcome", "ClockedRun", "Grid", "backward",
    "bin_events", "from_network", "outcome_of", "published", "run",
]  # fmt: skip
