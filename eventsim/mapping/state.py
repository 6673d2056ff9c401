r"""CoreState: an assignment that can be changed neuron by neuron, and what each change brings.

The cost is

.. math:: \sum_a w_a \sum_{c \in T(a)} D_{h(a)\,c}

over axons :math:`a` with :math:`w_a` spikes, their destination cores :math:`T(a)`, the core
:math:`h(a)` of the source or the outside, and a distance D between cores that is 0 on the diagonal.
With D = 1 off the diagonal and from the outside this is the number of spikes between cores: as a
hypergraph with one hyperedge per axon whose pins are its source and its targets, the connectivity
metric :math:`\sum_a w_a (\lambda_a - 1)`, up to a constant for axons from outside. With the links
between tiles it is the number of hops.

Moving neuron n from core A to core B changes the cost only through the axons that reach it and its
own, so that the destinations of these are all that a move has to read: a source a leaves A if n was
its only target there (gain :math:`w_a D_{h(a) A}`), and arrives at B if it had none there (loss
:math:`w_a D_{h(a) B}`); the destinations of n's own axon lie at other distances. D is a sum of a
distance of columns and one of rows, so that the losses on all cores take two sums over the mesh,
not one over sources times cores. An assignment takes memory in proportion to the synapses. Where
axons reach many cores, and no axons are limited, destinations are a bit for every axon and core: a
move then loses what its sources do not reach, which are few.
"""

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.chips import Limits
from eventsim.compiled import roles_mapping
from eventsim.compiled.library import library
from eventsim.compiled.roles import TasksRole
from eventsim.hardware.graph import AxonGraph
from eventsim.hardware.usage import synapse_limit
from eventsim.mapping.mesh import Cores, coordinates, line_places

BESIDE = 1 / 64  # of a link; exact in binary
NOWHERE = -1
UNLIMITED = np.iinfo(np.int64).max
PARTS = 64  # of neurons whose gains are asked for, that threads share
ONE_TASK = TasksRole.all(1)
WORD = 64  # cores of a word of bits
MANY_REACHED = 1 / 4  # of the cores, by the axons that a neuron hears: from which on bits pay


class CoreState:
    """Neurons on cores, all limits counted; core -1 is that of a neuron that has none yet.

    With ``by_bits`` every neuron has a core, and axons of cores are not counted.

    ``wiring``, ``held`` and ``ground`` are what the compiled loops read and change
    (:mod:`eventsim.compiled.roles_mapping`).
    """

    def __init__(
        self,
        graph: AxonGraph,
        limits: Limits,
        core_of: NDArray[np.int32] | None,
        n_cores: int,
        *,
        by_bits: bool = False,
    ):
        self.graph, self.limits = graph, limits
        words = -(-n_cores // WORD) if by_bits else 0
        self.wiring = wiring(graph)
        most = (
            limits.states_per_core,
            limits.axons_in_per_core,
            limits.axons_out_per_core,
            synapse_limit(limits),
        )
        self.held = roles_mapping.CoreHoldsRole(
            core_of=np.full(graph.n_neurons, NOWHERE, np.int32),
            slots=np.zeros((0 if by_bits else graph.synapses.nnz, 2), np.int32),
            used=np.zeros(graph.n_axons, np.int32),
            reached=np.zeros((graph.n_axons, words), np.int64) if by_bits else None,
            words=words,
            states=np.zeros(n_cores, np.int64),
            axons_in=np.zeros(n_cores, np.int64),
            axons_out=np.zeros(n_cores, np.int64),
            synapses=np.zeros(n_cores, np.int64),
            limits=np.array([UNLIMITED if limit is None else limit for limit in most]),
            n_cores=n_cores,
        )
        self.ground = even_ground(n_cores)
        if core_of is not None:
            self.held.core_of[:] = core_of
            library().run(roles_mapping.FillCores(ONE_TASK, self.wiring, self.held))

    @property
    def core_of(self) -> NDArray[np.int32]:
        """Core of every neuron, int32 [neurons]; -1 for a neuron that has no core yet. View."""
        found: NDArray[np.int32] = self.held.core_of
        return found

    @property
    def n_cores(self) -> int:
        """Cores that are counted, the empty ones among them."""
        return self.held.n_cores

    def bits_pay(self) -> bool:
        """Whether ``by_bits`` is possible and pays; of a state without bits."""
        limits = self.limits
        if limits.axons_in_per_core is not None or limits.axons_out_per_core is not None:
            return False
        reached = float(self.held.used @ np.diff(self.wiring.start).astype(np.float64))
        return reached > MANY_REACHED * self.n_cores * int(self.graph.synapses.nnz)

    def cost(self) -> float:
        """Sum over axons of spikes times distances to their destination cores."""
        costs = roles_mapping.CostsRole(np.empty(self.graph.n_axons))
        tasks = TasksRole.all(self.graph.n_axons)
        call = roles_mapping.AxonCosts(tasks, self.wiring, self.held, self.ground, costs)
        library().run(call)
        return float(costs.found.sum())

    def gains(self, neurons: Ints, cores: NDArray[np.int32] | None = None) -> Floats:
        """Gains of moves of neurons, [cores, neurons]; without cores the largest ones, [neurons].

        On other cores than their own; -inf if there is none.
        """
        n = neurons.size
        found = np.empty(n if cores is None else (cores.size, n))
        asked = roles_mapping.MoveGainsRole(
            neurons, n, PARTS, cores, 0 if cores is None else cores.size, found
        )
        call = roles_mapping.FindGains(
            TasksRole.all(PARTS), self.wiring, self.held, self.ground, asked
        )
        library().run(call)
        return found

    def open_core(self) -> int:
        """Add an empty core, all at distance 1; its number. Not with ``by_bits``."""
        more = {
            name: np.append(getattr(self.held, name), 0)
            for name in ("states", "axons_in", "axons_out", "synapses")
        }
        self.held = self.held._replace(**more, n_cores=self.n_cores + 1, words=self.held.words)
        self.ground = even_ground(self.n_cores)
        return self.n_cores - 1

    def ask(self, neuron: int, core: int) -> tuple[bool, Ints]:
        """Whether a core can take a neuron under all limits, those of other cores included.

        And what that would add to the axons out of every core, int64 [cores].
        """
        change, fits = np.empty(self.n_cores, np.int64), np.empty(1, np.int64)
        coming = roles_mapping.ComingRole(neuron, core, change, fits)
        library().run(roles_mapping.AskCore(ONE_TASK, self.wiring, self.held, coming))
        return bool(fits[0]), change

    def move(self, neuron: int, core: int) -> None:
        """Put a neuron on a core, from where it is or from nowhere."""
        coming = roles_mapping.ComingRole(neuron, core, None, None)
        library().run(roles_mapping.MoveNeuron(ONE_TASK, self.wiring, self.held, coming))

    def excess(self) -> NDArray[np.float64]:
        """Excess of every core over its worst limit, relative to it; 0 if it is within."""
        held = self.held
        worst = np.zeros(self.n_cores)
        all_held = (held.states, held.axons_in, held.axons_out, held.synapses)
        for each, limit in zip(all_held, held.limits.tolist(), strict=True):
            worst = np.maximum(worst, (each - limit) / max(limit, 1))
        return worst


def wiring(graph: AxonGraph) -> roles_mapping.AxonWiringRole:
    """A graph as the compiled loops read it; arrays of the graph where they have the right type."""
    by_axon, by_target = graph.synapses, graph.by_target
    return roles_mapping.AxonWiringRole(
        by_axon.indptr.astype(np.int64),
        by_axon.indices.astype(np.int32, copy=False),
        by_target.indptr.astype(np.int64),
        by_target.indices.astype(np.int32, copy=False),
        graph.spikes.astype(np.float64),
        graph.fan_in.astype(np.int64, copy=False),
        graph.states,
        by_axon.diagonal() > 0,  # axons of placed neurons come first
        graph.n_neurons,
        graph.n_axons,
    )


def even_ground(n_cores: int) -> roles_mapping.GroundRole:
    """1 between any two cores and from the outside."""
    nowhere, at = np.zeros(n_cores + 1, np.int64), np.zeros(n_cores + 1)
    return roles_mapping.GroundRole(nowhere, nowhere, np.zeros(1), np.zeros(1), at, at, 1, 1, 1.0)


def mesh_ground(place: Cores, limits: Limits) -> roles_mapping.GroundRole:
    """Links between cores of an assignment, and from the entry, as the compiled loops read them.

    Cores on one tile are :data:`BESIDE` apart, so that spikes between them are not for nothing.
    """
    column, row = (np.append(axis[place], 0) for axis in coordinates(limits))
    x, y = line_places(limits)
    return roles_mapping.GroundRole(column, row, x, y, x[column], y[row], x.size, y.size, BESIDE)
