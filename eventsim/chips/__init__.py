"""Neuromorphic chips and arithmetic technologies as data: limits, formats, energies, latencies.

One TOML file per chip, with the source and the status of every figure; figures that were never
published are left out. :func:`load_chip` reads the files that come with eventsim by name and a
user's own by path. The format is described in :mod:`eventsim.chips.load`, the names and units of
the figures in :mod:`eventsim.chips.terms`.
"""

from eventsim.chips.chip import Chip, ChipError, Formats, Limits, Quantity, board_of
from eventsim.chips.load import chip_names, load_chip
from eventsim.chips.terms import ENERGY_TERMS, LATENCY_TERMS, Term

__all__ = [
    "Chip", "ChipError", "Limits", "Formats", "Quantity", "Term", "ENERGY_TERMS", "LATENCY_TERMS",
    "board_of", "chip_names", "load_chip",
]  # fmt: skip
