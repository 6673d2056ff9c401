"""The cost of a run: exact counts from a tape, and energies by the tables of chips.

:func:`count` needs no time step; :func:`clocked` counts the work of a clocked machine with a given
step; :func:`energy` prices both with the figures of a chip, term by term.
"""

from eventsim.energy.costs import RunCosts, costs_over_time, dense_pair, run_costs
from eventsim.energy.counts import Counts, Footprint, SynapseCounts, Widths, count, footprint
from eventsim.energy.dense import DenseEquivalent, dense_equivalent
from eventsim.energy.encoder import EncoderCost, encoder_cost
from eventsim.energy.missing import Missing
from eventsim.energy.prices import Activity, ActivityPricing
from eventsim.energy.report import EnergyReport, cost, energy
from eventsim.energy.steps import ClockedCounts, clocked
from eventsim.energy.terms import TermCost

__all__ = [
    "Activity", "ActivityPricing", "ClockedCounts", "Counts", "DenseEquivalent", "EncoderCost",
    "EnergyReport", "Footprint", "Missing", "RunCosts", "SynapseCounts", "TermCost", "Widths",
    "clocked", "cost", "costs_over_time", "count", "dense_equivalent", "dense_pair", "encoder_cost",
    "energy", "footprint", "run_costs",
]  # fmt: skip
