"""What kernels that map neurons onto cores are called with: twins of ``kernels/cpu/mapping``.

The destinations of axon ``a`` are the slots ``wiring.start[a] : wiring.start[a] + holds.used[a]``,
in no order: a core, and how many distinct targets the axon has there. It never has more of them
than targets, so the slots of all axons take as much room as their targets, whatever the number of
cores. What is called changes them in place.
"""

from typing import NamedTuple

from eventsim.engine.cpu.roles import (
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
    """Axons and their distinct targets: by axon, and the same by target.

    ``spikes`` are by axon, ``fan_in`` by neuron; ``selfed`` says whether a neuron is its own
    target. Axons of neurons come first, then those from outside.
    """

    start: Ints
    target: Rows
    column: Ints
    source: Rows
    spikes: Doubles
    fan_in: Ints
    selfed: Flags
    n_neurons: int
    n_axons: int


class CoreHoldsRole(NamedTuple):
    """What lies where: cores of neurons, -1 for nowhere; slots [slots, 2]; what cores hold.

    ``limits`` [4] are those of neurons, axons in, axons out and synapses.
    """

    core_of: RowsOut
    slots: RowsOut
    used: RowsOut
    neurons: IntsOut
    axons_in: IntsOut
    axons_out: IntsOut
    synapses: IntsOut
    limits: Ints
    n_cores: int


class GroundRole(NamedTuple):
    """Where cores lie: column and row of each, [cores + 1], the last from the outside.

    ``x, y``: places of columns and rows; ``at_x, at_y``: those of every core. ``beside`` is what is
    added to the distance between any two cores that are not the same.
    """

    column: Ints
    row: Ints
    x: Doubles
    y: Doubles
    at_x: Doubles
    at_y: Doubles
    n_columns: int
    n_rows: int
    beside: float


class CostsRole(NamedTuple):
    """What the destinations of each axon cost, [axons]."""

    found: DoublesOut


class WishesRole(NamedTuple):
    """Neurons that are moved, and their best cores, [n, most], where the best was full; -1: none.

    Cores come by falling gain, which is beyond that of the core where the neuron went.
    """

    neurons: Ints
    n: int
    core: RowsOut
    gain: DoublesOut
    most: int


class MoveGainsRole(NamedTuple):
    """Gains of neurons on ``cores``, [cores, n], or the largest on any other, [n]."""

    neurons: Ints
    n: int
    n_parts: int
    cores: Rows | None
    n_cores: int
    found: DoublesOut


class SwapsRole(NamedTuple):
    """Neurons that would rather be on a core, what they wish to gain, and members of it.

    ``gains`` [homes, members] are those of members at the beginning on the cores of the neurons;
    ``columns`` says which of these a neuron lies on.
    """

    core: int
    neurons: Ints
    wishes: Doubles
    columns: Ints
    n_neurons: int
    members: Ints
    gains: Doubles
    n_members: int
    n_homes: int


class FillingRole(NamedTuple):
    """Neurons ``first`` to before ``end`` that come to cores; ``found`` [1] is where this ends."""

    first: int
    end: int
    core: int
    found: IntsOut


class GrowingRole(NamedTuple):
    """What is known of the neurons that are still free; for an empty core between two calls.

    ``before, after`` [neurons + 1]: free neurons by what they bring to an empty core, as a ring
    that begins behind the last entry. ``price`` [axons] is of a new axon, ``whole`` of all sources
    of a neuron, ``fresh`` of those that the core does not have, of which there are ``n_fresh``.
    ``inside``: whether the core has an axon, ``axons`` those that it has. ``touched``: whether a
    neuron shares an axon with the core or was looked at, ``touches`` which; ``refused``: whether it
    does not fit.
    """

    free: FlagsOut
    before: IntsOut
    after: IntsOut
    price: Doubles
    whole: Doubles
    fresh: DoublesOut
    n_fresh: IntsOut
    inside: FlagsOut
    axons: RowsOut
    touched: FlagsOut
    touches: RowsOut
    refused: FlagsOut


class NextNeuronsRole(NamedTuple):
    """Of the touched neurons those that may be next: a heap by (due, number)."""

    heap: IntsOut
    place: IntsOut
    due: DoublesOut


class PricesRole(NamedTuple):
    """Price of each axon, and that of all sources of each neuron."""

    price: Doubles
    found: DoublesOut


class LeavingRole(NamedTuple):
    """Neurons of a core that are moved off it, or asked about it."""

    neurons: Ints
    n: int
    core: int
    found: IntsOut


class ComingRole(NamedTuple):
    """A neuron that is to come to a core: what changes by core, and whether it fits, [1]."""

    neuron: int
    core: int
    change: IntsOut | None
    fits: IntsOut | None


class CoreFieldRole(NamedTuple):
    """Spikes between cores in both directions together, and where cores lie.

    ``start, other, flow``: by core and sorted; cores that are empty come last and have none.
    ``inward`` [cores]: from outside. ``column, row`` [places]. ``x, y``: how far columns and rows
    lie from the entry. ``at``: place of each core.
    """

    start: Ints
    other: Rows
    flow: Doubles
    inward: Doubles
    column: Ints
    row: Ints
    x: Doubles
    y: Doubles
    at: IntsOut
    n_cores: int
    n_columns: int
    n_rows: int


class CoreSwapsRole(NamedTuple):
    """Swaps of two cores: what each may add to the cost, or what it would add.

    ``costs`` [2] are that of now and the least one, whose places are ``best``.
    """

    ones: Ints
    others: Ints
    n: int
    limits: Doubles | None
    changes: DoublesOut | None
    costs: DoublesOut | None
    best: IntsOut | None


class DescentRole(NamedTuple):
    """Cores ``first`` to before ``end`` that swap if it gains more than ``least``; how many, [1].

    ``across`` [cores, columns] and ``along`` [cores, rows] are what each costs there.
    """

    first: int
    end: int
    across: DoublesOut
    along: DoublesOut
    least: float
    taken: IntsOut


class FillCores(NamedTuple):
    """Everything is counted anew from the cores of the neurons, of which each has one."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole


class AxonCosts(NamedTuple):
    """What destinations cost; tasks are axons."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    costs: CostsRole


class FindGains(NamedTuple):
    """What moves would gain; tasks are parts of the neurons."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    gains: MoveGainsRole


class MoveAll(NamedTuple):
    """Every neuron moves that gains by it."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    wishes: WishesRole


class MoveAway(NamedTuple):
    """Neurons leave a core, at any price, until it is within its limits or one finds no room."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    leaving: LeavingRole


class CountAlone(NamedTuple):
    """How many sources of each neuron have no other target on its core."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    leaving: LeavingRole


class MoveNeuron(NamedTuple):
    """A neuron comes to a core, from where it is or from nowhere."""

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
    """Neurons that find a core full change places with its members."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    ground: GroundRole
    swaps: SwapsRole


class FillInOrder(NamedTuple):
    """Neurons come to one core until one does not fit."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    filling: FillingRole


class FillFirstFit(NamedTuple):
    """Each neuron comes to the first core with room, until one has none."""

    tasks: TasksRole
    wiring: AxonWiringRole
    holds: CoreHoldsRole
    filling: FillingRole


class GrowCore(NamedTuple):
    """Free neurons come to one core until none fits; found is the number of synapses followed."""

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
    """What swaps of two cores would add to the cost."""

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


ROLES: tuple[type, ...] = (
    AxonWiringRole,
    CoreHoldsRole,
    GroundRole,
    CostsRole,
    WishesRole,
    MoveGainsRole,
    SwapsRole,
    FillingRole,
    GrowingRole,
    NextNeuronsRole,
    PricesRole,
    LeavingRole,
    ComingRole,
    CoreFieldRole,
    CoreSwapsRole,
    DescentRole,
)
CALLS: tuple[type, ...] = (
    FillCores,
    AxonCosts,
    FindGains,
    MoveAll,
    MoveAway,
    CountAlone,
    MoveNeuron,
    AskCore,
    SwapNeurons,
    FillInOrder,
    FillFirstFit,
    GrowCore,
    AddPrices,
    SwapChanges,
    AnnealCores,
    DescendCores,
)
