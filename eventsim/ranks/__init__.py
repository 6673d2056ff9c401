"""One network over many processes: rules, parts, and spikes exchanged by MPI."""

from eventsim.ranks.drawing import RandomNetwork, Uniform
from eventsim.ranks.exchange import Traffic
from eventsim.ranks.run import RankRun, simulate_ranks

__all__ = ["RandomNetwork", "RankRun", "Traffic", "Uniform", "simulate_ranks"]
