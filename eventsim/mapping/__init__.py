"""Networks on the cores of a neuromorphic chip: partition, placement, traffic, formats, export.

The meaning of neuron, axon and synapse on a chip is defined in :mod:`eventsim.hardware.graph`. A
mapping is found by :func:`map_network` from the measured spike counts of a tape;
:func:`check_mapping` counts every limit again, on its own; :func:`congestion` follows the spikes
over the mesh in time; :func:`quantise` rounds a network to the chip's number formats, and
:func:`quantisation_study` measures the effect on its spikes.
"""

from eventsim.errors import MappingError
from eventsim.hardware.errors import InfeasibleError
from eventsim.hardware.graph import AxonGraph, axon_graph
from eventsim.hardware.misfits import Misfit
from eventsim.hardware.quantise import Quantised, quantise
from eventsim.hardware.usage import Usage, check_room
from eventsim.mapping.check import Violation, check_mapping
from eventsim.mapping.comparison import MappingComparison, compare_mappings
from eventsim.mapping.congestion import Congestion, congestion
from eventsim.mapping.mapping import (
    METHODS,
    Mapping,
    counts_over_time,
    load_cores,
    map_graph,
    map_network,
)
from eventsim.mapping.mesh import Traffic
from eventsim.mapping.sanafe import SanafeFiles, export_sanafe
from eventsim.mapping.study import StudyRow, quantisation_study, spikes_without_partner

__all__ = [
    "map_network", "map_graph", "Mapping", "METHODS", "load_cores", "AxonGraph", "axon_graph",
    "Usage", "Traffic", "compare_mappings", "MappingComparison", "check_mapping", "check_room",
    "Violation", "congestion", "Congestion", "counts_over_time", "quantise", "Quantised", "Misfit",
    "quantisation_study", "StudyRow", "spikes_without_partner", "export_sanafe", "SanafeFiles",
    "MappingError", "InfeasibleError",
]  # fmt: skip
