"""Data of a chip, or of an arithmetic technology: energies, limits, number formats."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from eventsim.chips.terms import ENERGY_TERMS, LATENCY_TERMS, Term
from eventsim.entries import Count, NotNegative, Positive, Settings, Text, nearest
from eventsim.errors import EventSimError

Status = Literal["measured", "simulated", "estimated"]
PLACE_STATES = 2  # of a neuron as chips count them: a voltage and a current
Kind = Literal["chip", "technology"]


class ChipError(EventSimError, ValueError):
    """A chip is unknown, or its file malformed."""


@dataclass(frozen=True)
class Quantity(Settings):
    """A figure of a chip, with its unit, status and source.

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
        Names of other terms whose cost this figure contains, so that they are not missing. They
        have no figure of their own.
    """

    value: NotNegative
    unit: Text
    status: Status
    source: Text
    includes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits(Settings):
    """Capacities of one chip; None where there is no such limit, or none is published.

    Attributes
    ----------
    cores, mesh, cores_per_tile
        Cores of the chip, and its tiles as (columns, rows) of the mesh that joins them.
    chips, chip_link
        A board: (columns, rows) of chips, into which ``cores`` and ``mesh``, those of the whole
        board, are cut evenly. ``chip_link`` is the cost of a link between two chips in a search,
        where a link inside a chip costs 1: a user's own choice, or a ratio of energies or times.
    neurons_per_core
        Neurons, or compartments, of two states: a voltage and a current. Where neurons are programs
        one of n states is counted as n/2 of them.
    axons_in_per_core, axons_out_per_core
        Distinct axons that enter a core, and pairs (neuron, destination core) that leave it.
    synapses_per_core, synapse_bits_per_core, bits_per_synapse
        A core's synapses as a number, or as memory and what one of them takes of it.
    fan_in_per_neuron
        Synapses of one neuron.
    neuron_model
        ``lif``: its neuron is fixed, and has no state beside a voltage and one current.
        ``programmable``: neurons are programs. None: the file does not say.
    multicast
        Whether routers copy spikes, so that one with several destinations passes a link once.
    source
        Sources of these limits, and assumptions.
    """

    cores: Count
    mesh: Annotated[tuple[Count, Count], "[columns, rows] of tiles"]
    cores_per_tile: Count
    chips: Annotated[tuple[Count, Count], "[columns, rows] of chips"] = (1, 1)
    chip_link: Positive = 1.0
    neurons_per_core: Count | None = None
    axons_in_per_core: Count | None = None
    axons_out_per_core: Count | None = None
    synapses_per_core: Count | None = None
    synapse_bits_per_core: Count | None = None
    bits_per_synapse: Count | None = None
    fan_in_per_neuron: Count | None = None
    neuron_model: Literal["lif", "programmable"] | None = None
    multicast: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        (columns, rows), each = self.mesh, self.cores_per_tile
        places = columns * rows * each
        expected = f"at most {places}: a mesh of {columns} x {rows} tiles with {each}"
        self.require("cores", self.cores, self.cores <= places, expected)
        fits = columns % self.chips[0] == 0 and rows % self.chips[1] == 0
        expected = f"divisors of the mesh's {columns} columns and {rows} rows of tiles"
        self.require("chips", self.chips, fits, expected)
        bits = self.bits_per_synapse
        alone = self.synapse_bits_per_core is None or bits is not None
        expected = "a number: synapse_bits_per_core needs bits_per_synapse as well"
        self.require("bits_per_synapse", bits, alone, expected)

    @property
    def states_per_core(self) -> int | None:
        """States of all neurons of a core, two for each of neurons_per_core."""
        return None if self.neurons_per_core is None else PLACE_STATES * self.neurons_per_core


@dataclass(frozen=True)
class Formats(Settings):
    """Number formats of a chip; None where it does not round.

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

    weight_bits: Count | None = None
    decay_bits: Count | None = None
    threshold_bits: Count | None = None
    max_delay_steps: Count | None = None
    source: str = ""


@dataclass(frozen=True)
class Chip(Settings):
    """A neuromorphic chip, or a technology that has only prices of operations.

    Attributes
    ----------
    name, title
        Short, as in ``load_chip(name)``, and for people.
    kind
        ``chip`` or ``technology``.
    source
        Sources of the file, and what it leaves out.
    step_ms
        Usual length of a time step in ms; None for an asynchronous chip.
    limits, formats
        None for a technology.
    energy, latency
        Figures by the names of :data:`ENERGY_TERMS` and :data:`LATENCY_TERMS`; what nobody has
        published is not in them.
    """

    name: Text
    title: Text
    kind: Kind
    source: Text
    step_ms: Positive | None = None
    limits: Limits | None = None
    formats: Formats | None = None
    energy: Mapping[str, Quantity] = field(default_factory=dict)
    latency: Mapping[str, Quantity] = field(default_factory=dict)

    @property
    def is_technology(self) -> bool:
        """Whether it has figures of energy alone, without limits and formats."""
        return self.kind == "technology"

    def features(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """Feature of the chip's neurons in :mod:`eventsim.matrix`."""
        model = None if self.limits is None else self.limits.neuron_model
        kinds = {"lif": "fixed_neuron", "programmable": "program_neuron"}
        return {kinds.get(model or "", "unknown_neuron"): f"chip {self.name!r}"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_terms("energy", ENERGY_TERMS)
        self._check_terms("latency", LATENCY_TERMS)

    def _check_terms(self, table: str, terms: Mapping[str, Term]) -> None:
        given: Mapping[str, Quantity] = getattr(self, table)
        for name, quantity in given.items():
            meant = nearest(name, terms)
            known = f"a term.{f' {meant}' if meant else ''} Terms are {', '.join(terms)}"
            self.require(table, name, name in terms, known)
            unit, unit_of = quantity.unit, terms[name].unit
            self.require(f"{table}, {name}, unit", unit, unit == unit_of, f"one of {unit_of}")
            for other in quantity.includes:
                here = f"{table}, {name}, includes"
                self.require(here, other, other in terms, f"one of {', '.join(terms)}")
                alone = "a term without a figure of its own, which would be paid twice"
                self.require(here, other, other not in given, alone)
        object.__setattr__(self, table, {name: given[name] for name in terms if name in given})


def board_of(chip: Chip, chips: tuple[int, int], *, link: float | None = None) -> Chip:
    """A board of several of one chip, side by side in one mesh.

    Parameters
    ----------
    chip
        With limits. Its last tiles may have no cores. May be a board itself.
    chips
        (columns, rows) of it.
    link
        What a link between two chips counts in a search, against 1 for one inside a chip; None
        keeps the chip's own ``chip_link``.

    Raises
    ------
    ChipError
        The chip has no limits, or one of its tiles has fewer cores than the others.
    """
    limits = chip.limits
    if limits is None:
        raise ChipError(
            f"Chip {chip.name!r}",
            f"is a {chip.kind} without cores, of which no board can be made",
            remedy="Choose a chip that has limits.",
        )
    (columns, rows), (across, along) = limits.mesh, chips
    of_chip, each = limits.cores // (limits.chips[0] * limits.chips[1]), limits.cores_per_tile
    if of_chip % each and chips != (1, 1):
        raise ChipError(
            f"Chip {chip.name!r}",
            f"has {of_chip} cores on tiles with {each} each",
            f"a multiple of {each}: the tiles of a board's chips are full",
            "Write a file of the board with its own mesh, chips and chip_link.",
        )
    board = replace(
        limits,
        cores=limits.cores * across * along,
        mesh=(columns * across, rows * along),
        chips=(limits.chips[0] * across, limits.chips[1] * along),
        chip_link=limits.chip_link if link is None else link,
    )
    if chips == (1, 1):
        return replace(chip, limits=board)
    title = f"{chip.title}, {across} x {along}"
    return replace(chip, name=f"{chip.name} {across}x{along}", title=title, limits=board)
