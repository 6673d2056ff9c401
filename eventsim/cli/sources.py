"""What NET on the command line stands for."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventsim.network import Network
    from eventsim.runs.run import Which


def find_network(place: Path, *, which: "Which" = "last") -> "Network":
    """The network in a file, or ``which`` (last, selected, initial) of a run's folder."""
    # Imported here: files of commands import this one, and --help is quick.
    from eventsim.runs.run import load_run
    from eventsim.train import load_network

    return load_run(place).network(which) if place.is_dir() else load_network(place)
