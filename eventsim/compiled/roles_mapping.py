"""Arguments of the kernels that map neurons onto cores; see :mod:`eventsim.compiled.roles`.

The destinations of axon ``a`` are the slots ``wiring.start[a] : wiring.start[a] + holds.used[a]``,
in no order: a core, and how many distinct targets the axon has there. It never has more of them
than targets, so the slots of all axons take as much room as their targets, whatever the number of
cores. What is called changes them in place. Where nothing is said tasks are one.

Where axons reach many of the cores, and the chip limits no axons, ``reached`` has the destinations
in place of the slots: a bit for every core. Targets on a core are then counted when they matter.
"""

from typing import NamedTuple

from eventsim.compiled.roles import (
    Doubles,
    DoublesOut,
    Flags,
    FlagsOut,
    Ints,
    IntsOut,
    Rows,
    RowsOut,
    TasksRole,
)


class AxonWiringRole(NamedTuple):
    """Axons and their distinct targets. Axons of neurons come first, then those from outside."""

    start: Ints  # [n_axons + 1]: targets of axon a are start[a] : start[a + 1]
    target: Rows
    column: Ints  # [n_neurons + 1]: the same by target
    source: Rows
    spikes: Doubles  # [n_axons]
    fan_in: Ints  # [n_neurons]
    states: Ints  # [n_neurons]: of each
    selfed: Flags  # [n_neurons]: whether it is its own target
    n_neurons: int
    n_axons: int


class CoreHoldsRole(NamedTuple):
    """Cores of neurons, destinations of axons, and the load of each core."""

    core_of: RowsOut  # [n_neurons], -1 for nowhere
    slots: RowsOut  # [targets, 2]; none beside ``reached``
    used: RowsOut  # [n_axons]; 0 beside ``reached``
    reached: IntsOut | None  # [n_axons, words]: bit c % 64 of word c // 64 is core c
    words: int  # 0 without ``reached``
    states: IntsOut  # [n_cores], as the next
    axons_in: IntsOut
    axons_out: IntsOut
    synapses: IntsOut
    limits: Ints  # [4]: of these
    n_cores: int


class GroundRole(NamedTuple):
    """Places of cores on the chip: the last of each is the outside."""

    column: Ints  # [n_cores + 1]
    row: Ints
    x: Doubles  # [n_columns]
    y: Doubles  # [n_rows]
    at_x: Doubles  # [n_cores + 1]
    at_y: Doubles
    n_columns: int
    n_rows: int
    beside: float  # what is added to the distance of any two cores that are not the same


class CostsRole(NamedTuple):
    """Costs of each axon's destinations."""

    found: DoublesOut  # [n_axons]


class WishesRole(NamedTuple):
    """Neurons that are moved, and their best cores by falling gain where the best was full.

    The gain is beyond that of the core where the neuron went.
    """

    neurons: Ints  # [n]
    n: int
    core: RowsOut  # [n, most], -1 for none
    gain: DoublesOut  # [n, most]
    most: int


class MoveGainsRole(NamedTuple):
    """Gains of neurons on some cores, or, without these, the largest on any other."""

    neurons: Ints  # [n]
    n: int
    n_parts: int  # neighbours share axons, whose slots are then in the cache
    cores: Rows | None  # [n_cores]
    n_cores: int
    found: DoublesOut  # [n_cores, n] or [n]


class SwapsRole(NamedTuple):
    """Neurons that would rather be on a core, and members of it."""

    core: int
    neurons: Ints  # [n_neurons]
    wishes: Doubles  # [n_neurons]: what each gained there when it was asked
    columns: Ints  # [n_neurons]: row of ``gains`` for the core that it lies on
    n_neurons: int
    members: Ints  # [n_members]
    gains: Doubles  # [n_homes, n_members]: of members on the cores of the neurons
    n_members: int
    n_homes: int


class FillingRole(NamedTuple):
    """Neurons ``first`` to before ``end`` that come to cores."""

    first: int
    end: int
    core: int
    found: IntsOut  # [1]: where this ends


class GrowingRole(NamedTuple):
    """State of the neurons that are still free.

    Between two calls it is that of an empty core, so that a core costs what it touches.
    """

    free: FlagsOut  # [n_neurons]
    before: IntsOut  # [n_neurons + 1]: free neurons by what they bring to an empty core, a ring
    after: IntsOut  # that begins behind the last entry
    price: Doubles  # [n_axons], of a new axon
    whole: Doubles  # [n_neurons]: price of all sources
    fresh: DoublesOut  # [n_neurons]: price of those that the core does not have; their number
    n_fresh: IntsOut
    inside: FlagsOut  # [n_axons]: whether the core has it; those that it has
    axons: RowsOut
    touched: FlagsOut  # [n_neurons]: whether it shares an axon with the core or was looked at
    touches: RowsOut  # [n_neurons]: which
    refused: FlagsOut  # [n_neurons]: whether it does not fit


class NextNeuronsRole(NamedTuple):
    """A heap by (due, number) of the touched neurons that may be next, [n_neurons]."""

    heap: IntsOut
    place: IntsOut  # of those in the heap
    due: DoublesOut  # infinity of those that are not


class PricesRole(NamedTuple):
    """Price of each axon, and that of all sources of each neuron."""

    price: Doubles  # [n_axons]
    found: DoublesOut  # [n_neurons]


class LeavingRole(NamedTuple):
    """Neurons of a core that are moved off it, or asked about it."""

    neurons: Ints  # [n]
    n: int
    core: int
    found: IntsOut  # [n] or [1]


class ComingRole(NamedTuple):
    """A neuron that is to come to a core."""

    neuron: int
    core: int
    change: IntsOut | None  # [n_cores]: what this adds to the axons out
    fits: IntsOut | None  # [1]: whether all limits allow it


class CoreFieldRole(NamedTuple):
    """Spikes between cores in both directions, and where cores lie. Empty ones are last."""

    start: Ints  # [n_cores + 1]
    other: Rows  # sorted for each core
    flow: Doubles
    inward: Doubles  # [n_cores], from outside
    column: Ints  # [places]
    row: Ints
    x: Doubles  # [n_columns]: how far from the entry
    y: Doubles  # [n_rows]
    at: IntsOut  # [n_cores]: place of each
    n_cores: int
    n_columns: int
    n_rows: int


class CoreSwapsRole(NamedTuple):
    """Swaps of two cores: what each may add to the cost, or what it would add."""

    ones: Ints  # [n]
    others: Ints
    n: int
    limits: Doubles | None  # [n]: what each may add
    changes: DoublesOut | None  # [n]
    costs: DoublesOut | None  # [2]: of now, and the least one
    best: IntsOut | None  # [n_cores]: places with the least one


class DescentRole(NamedTuple):
    """Cores ``first`` to before ``end`` that swap; what each costs in every column and row."""

    first: int
    end: int
    across: DoublesOut  # [cores, columns]
    along: DoublesOut  # [cores, rows]
    least: float  # what a swap must gain
    taken: IntsOut  # [1]: how many do


class FillCores(NamedTuple):
    """Everything is counted anew from the cores of the neurons, of which each has one."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole


class AxonCosts(NamedTuple):
    """Costs of axons' destinations; tasks are axons."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    costs: CostsRole


class FindGains(NamedTuple):
    """Gains of moves; tasks are parts of the neurons."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    gains: MoveGainsRole


class MoveAll(NamedTuple):
    """Moves of all neurons that gain by it."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    wishes: WishesRole


class MoveAway(NamedTuple):
    """Moves of neurons off a core, at any price, until it meets its limits or one finds no room."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    leaving: LeavingRole


class CountAlone(NamedTuple):
    """Counts of each neuron's sources without another target on its core."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    leaving: LeavingRole


class MoveNeuron(NamedTuple):
    """A move of a neuron to a core, from another or from nowhere."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    coming: ComingRole


class AskCore(NamedTuple):
    """Whether one core can take a neuron under all limits, those of other cores included."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    coming: ComingRole


class SwapNeurons(NamedTuple):
    """Swaps of neurons that found a core full with its members."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    swaps: SwapsRole


class FillInOrder(NamedTuple):
    """Neurons put on one core in order, until one does not fit."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    filling: FillingRole


class FillFirstFit(NamedTuple):
    """Put each neuron on the first core with room, until one has none."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    filling: FillingRole


class GrowCore(NamedTuple):
    """Free neurons put on one core until none fits: that with the fewest new axons is next.

    Found is the number of synapses followed.
    """

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    growing: GrowingRole
    next: NextNeuronsRole
    filling: FillingRole


class AddPrices(NamedTuple):
    """The price of all sources of each neuron."""

    tasks: TasksRole
    wiring: AxonWiringRole
    prices: PricesRole


class SwapChanges(NamedTuple):
    """Changes of the cost by swaps of two cores."""

    tasks: TasksRole
    field: CoreFieldRole
    swaps: CoreSwapsRole


class AnnealCores(NamedTuple):
    """Swaps that add no more to the cost than they may."""

    tasks: TasksRole
    field: CoreFieldRole
    swaps: CoreSwapsRole


class DescendCores(NamedTuple):
    """The best swap of every core in turn."""

    tasks: TasksRole
    field: CoreFieldRole
    descent: DescentRole
