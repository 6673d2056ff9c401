"""What NET on the command line stands for."""

from pathlib import Path

from eventsim.network import Network
from eventsim.runs.run import Which, load_run
from eventsim.train import load_network


def find_network(place: Path, *, which: Which = "last") -> Network:
    """The network in a file, or ``which`` (last, selected, initial) of a run's folder."""
    return load_run(place).network(which) if place.is_dir() else load_network(place)
