"""What is known of a chip, or of an arithmetic technology."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from eventsim.errors import EventSimError

Status = Literal["measured", "simulated", "estimated"]
Kind = Literal["chip", "technology"]


class ChipError(EventSimError, ValueError):
    """A chip is unknown, or its file malformed."""


@dataclass(frozen=True)
class Quantity:
    """One figure.

    Attributes
    ----------
    value, unit
        As the table of terms has them.
    status
        ``measured`` on silicon, ``simulated`` before it (SPICE, SDF), or ``estimated``: derived,
        fitted or scaled by somebody.
    source
        Who published it, and for which conditions it holds.
    includes
        Names of other terms whose cost this figure contains, so that they are not missing.
    """

    value: float
    unit: str
    status: Status
    source: str
    includes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What one chip can hold; None where there is no such limit, or none is published.

    Attributes
    ----------
    cores, mesh, cores_per_tile
        Cores of the chip, and its tiles as (columns, rows) of the mesh that joins them.
    neurons_per_core
        Neurons, or compartments.
    axons_in_per_core, axons_out_per_core
        Distinct axons that enter a core, and pairs (neuron, destination core) that leave it.
    synapses_per_core, synapse_bits_per_core, bits_per_synapse
        A core's synapses as a number, or as memory and what one of them takes of it.
    fan_in_per_neuron
        Synapses of one neuron.
    source
        Where these come from, and what was assumed.
    """

    cores: int
    mesh: tuple[int, int]
    cores_per_tile: int
    neurons_per_core: int | None = None
    axons_in_per_core: int | None = None
    axons_out_per_core: int | None = None
    synapses_per_core: int | None = None
    synapse_bits_per_core: int | None = None
    bits_per_synapse: int | None = None
    fan_in_per_neuron: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Formats:
    """How a chip writes numbers; None where it does not round.

    Attributes
    ----------
    weight_bits
        Of a synaptic weight, its sign included.
    decay_bits
        Of the fraction of voltage or current that is lost in a step.
    threshold_bits
        Of the threshold.
    max_delay_steps
        Longest synaptic or axonal delay, in steps of the chip.
    source
        Where these come from.
    """

    weight_bits: int | None = None
    decay_bits: int | None = None
    threshold_bits: int | None = None
    max_delay_steps: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Chip:
    """A neuromorphic chip, or a technology that has only prices of operations.

    Attributes
    ----------
    name, title
        Short, as in ``load_chip(name)``, and for people.
    kind
        ``chip`` or ``technology``.
    source
        What the file rests on, and what it leaves out.
    step_ms
        Usual length of a time step in ms; None for an asynchronous chip.
    limits, formats
        None for a technology.
    energy, latency
        Figures by the names of :data:`ENERGY_TERMS` and :data:`LATENCY_TERMS`; what nobody has
        published is not in them.
    """

    name: str
    title: str
    kind: Kind
    source: str
    step_ms: float | None
    limits: Limits | None
    formats: Formats | None
    energy: Mapping[str, Quantity]
    latency: Mapping[str, Quantity]
