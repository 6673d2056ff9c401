"""A network over many processes: rules, parts, and spikes exchanged by MPI."""

from eventsim.ranks.drawing import RandomNetwork
from eventsim.ranks.exchange import RankTraffic
from eventsim.ranks.run import RankRun, simulate_ranks

__all__ = ["RandomNetwork", "RankRun", "RankTraffic", "simulate_ranks"]
