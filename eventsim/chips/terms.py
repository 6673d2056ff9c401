"""The figures that a chip may have: names, units and meanings.

Energies are in pJ per operation, powers in uW; the tables below name the operations. Chips without
a step have ``membrane_update`` in place of both kinds of ``neuron_update``. All figures of a file
are added, so a cost is given once: ``synaptic_event`` for all that an arrival takes, or ``ac``,
``mac`` and ``memory_byte`` for its parts. :mod:`eventsim.energy.missing` says what a sum lacks.

``axon_out`` and the hops are known after the neurons are mapped (:mod:`eventsim.mapping`).
Latencies are in ns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Needs = Literal["spikes", "step", "mapping", "time"]


@dataclass(frozen=True)
class Term:
    """A term of the cost, such as a spike or a hop.

    Attributes
    ----------
    name, unit
        As in a chip's file.
    meaning
        Its meaning in words.
    needs
        What must be known to count it: the ``spikes`` of a run, a time ``step``, a ``mapping`` of
        neurons to cores, or only how much ``time`` passes.
    """

    name: str
    unit: str
    meaning: str
    needs: Needs


def _table(*terms: Term) -> Mapping[str, Term]:
    return {term.name: term for term in terms}


ENERGY_TERMS = _table(
    Term("synaptic_event", "pJ", "arrival of a spike at a synapse", "spikes"),
    Term("neuron_update_active", "pJ", "neuron and step with input", "step"),
    Term("neuron_update_idle", "pJ", "neuron and step without input", "step"),
    Term("membrane_update", "pJ", "neuron and time at which spikes arrive", "spikes"),
    Term("spike", "pJ", "spike of a neuron", "spikes"),
    Term("event_in", "pJ", "event that enters the chip", "spikes"),
    Term("event_out", "pJ", "answer, or spike of an output, that leaves the chip", "spikes"),
    Term("axon_out", "pJ", "spike and destination core", "mapping"),
    Term("hop_ew", "pJ", "spike and link, east-west", "mapping"),
    Term("hop_ns", "pJ", "spike and link, north-south", "mapping"),
    Term("hop_chip", "pJ", "spike and link between chips", "mapping"),
    Term("state_access", "pJ", "read or write of a neuron's state", "spikes"),
    Term("ac", "pJ", "accumulation of a weight", "spikes"),
    Term("mac", "pJ", "multiplication and accumulation", "spikes"),
    Term("memory_byte", "pJ", "byte of weights or states, read or written", "spikes"),
    Term("static_core", "uW", "core in use, for the time of the sample", "time"),
    Term("static_chip", "uW", "chip, for the time of the sample", "time"),
    Term("step_sync", "pJ", "step, for its barrier", "step"),
)

LATENCY_TERMS = _table(
    Term("synaptic_event", "ns", "arrival of a spike at a synapse", "spikes"),
    Term("neuron_update_active", "ns", "neuron and step with input", "step"),
    Term("neuron_update_idle", "ns", "neuron and step without input", "step"),
    Term("spike", "ns", "spike of a neuron", "spikes"),
    Term("axon_in", "ns", "spike that enters a core", "mapping"),
    Term("axon_out", "ns", "spike and destination core", "mapping"),
    Term("hop_ew", "ns", "spike and link, east-west", "mapping"),
    Term("hop_ns", "ns", "spike and link, north-south", "mapping"),
    Term("step_sync", "ns", "step, for its barrier", "step"),
)

LINKS = ("hop_ew", "hop_ns")  # of both tables: between columns of tiles, and between rows
