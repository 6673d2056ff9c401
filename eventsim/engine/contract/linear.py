"""A stage of linear neurons as backends take it: tables of all members, and gradients by name.

Members with fewer states than others have further ones that stay 0. A member of a loop that is an
ordinary LIF population is one of :class:`eventsim.neuron.linear.LIF`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Bools, Floats, Ints, fetch, to_host
from eventsim.engine.algorithm import least_delay, windows_pay
from eventsim.engine.contract import table
from eventsim.engine.contract.bundles import Bundles, Loop, make_loop
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.loop_state import LoopState, nothing_sent
from eventsim.engine.contract.own_returns import own_returns
from eventsim.errors import ParameterError
from eventsim.network import Population
from eventsim.neuron.linear import LIF, LinearNeuron, Matrices
from eventsim.neuron.linear_flow import ALERT_MARGIN
from eventsim.neuron.linear_tables import (
    BackTables,
    FlowTables,
    back_tables,
    bits_for,
    flow_tables,
    pieces_of,
    without_bound,
)
from eventsim.plan import Stage

# Neurons of a layer that share their piece; and how long that is at least, ms, where they go side
# by side: of shorter ones most would be without an arrival.
BLOCK, LEAST_PIECE = 64, 1.0 / 32.0
# Tables are kept for later runs where at most so many neurons differ; and of how many sets, each up
# to 5 MB with five states.
KEPT_NEURONS, KEPT_SETS = 16, 16
# For how long tables are good from the first piece of a stream on, ms: making them takes longer
# than to run many pieces.
LEAST_OF_PIECES = 2.0**14


Tables = TypeVar("Tables", FlowTables, BackTables)


@dataclass(frozen=True, eq=False)
class LinearCells:
    """Linear neurons of a stage: matrices, tables and states at time zero.

    Attributes
    ----------
    matrices
        Of ``n`` states each, those that a neuron does not have included. Float64; after
        :meth:`single` all but flow and hold float32.
    tables
        Of the flows of all neurons, and then of those while V is held.
    alert
        A bound of V - E below it says that nothing crosses, [N].
    start
        State at time zero, [N, n]: a neuron that rests at or above its threshold is at its reset.
    synapse_state, own_state
        State that an arrival raises, by synapse of the wiring and, of self-connections, by neuron.
    """

    matrices: Matrices
    tables: FlowTables
    alert: Floats
    start: Floats
    synapse_state: Ints
    own_state: Ints

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.alert)

    @property
    def real(self) -> type[np.floating[Any]]:
        """Type of the state."""
        found: type[np.floating[Any]] = self.alert.dtype.type
        return found

    @property
    def n(self) -> int:
        """Number of states."""
        return int(self.start.shape[1])

    def single(self) -> "LinearCells":
        """The same as kernels of single precision read them."""
        m, real = self.matrices, np.float32
        return LinearCells(
            Matrices(
                m.flow, m.keep.astype(real), m.jump.astype(real), m.level.astype(real), m.hold
            ),
            self.tables.single(),
            _alert(m, table.ALERT_MARGIN).astype(real),
            self.start.astype(real),
            self.synapse_state,
            self.own_state,
        )

    @property
    def rests_above(self) -> Bools:
        """Whether a neuron begins at its reset, [N]."""
        return self.matrices.level <= 0.0


@dataclass(frozen=True, eq=False)
class ByMatrices:
    """dL/d of what is in :class:`Matrices`, summed over samples; the flow is A."""

    flow: Floats
    keep: Floats
    jump: Floats
    level: Floats
    hold: Floats


def neuron_of(population: Population) -> LinearNeuron:
    """The description of a population's neurons."""
    return LIF() if population.neuron is None else population.neuron


def states_of(stage: Stage) -> list[int]:
    """The state that each projection's arrivals raise."""
    of = {member.name: neuron_of(member) for member in stage.members}
    return [of[p.target].state_of(p.receptor) for p in stage.projections]


def receptors_of(stage: Stage) -> Ints:
    """Number of every projection's receptor among those of the stage."""
    states = states_of(stage)
    return np.searchsorted(sorted(set(states)), states)


def loop_of(job: Job, bundles: Bundles) -> Loop:
    """The loop with its weights, once for all passes of a step and all pieces of a run."""
    return job.stage.once(
        loop_of, lambda: make_loop(job, bundles, job.weights()), kept=job.stage.memo.again
    )


def linear_cells(job: Job) -> LinearCells:
    """The neurons of a stage, for as long as its samples last."""
    key = longest, _ = _longest(job), linear_type(job)
    return job.stage.once((linear_cells, *key), lambda: _linear_cells(job, longest))


def _longest(job: Job) -> float:
    """Longest time of the tables, ms: a power of two, so that many pieces share them."""
    least = LEAST_OF_PIECES if job.stage.memo.pieces else 1.0
    return 2.0 ** math.ceil(math.log2(max(float(job.duration.max(initial=0.0)), least)))


def linear_type(job: Job) -> type[np.floating[Any]]:
    """Type of the state: that of the run, and double where a neuron is too quick for the other.

    A piece below LEAST_PIECE says so. Then the slope and the bend of V, by which a crossing is
    found, are small differences of large numbers, whose rounding single precision has not enough
    digits for.
    """
    quick = float(_pieces(job).min()) < LEAST_PIECE
    return np.float64 if quick else table.real_type(job)


def _pieces(job: Job) -> Floats:
    """The piece of every neuron, ms, [N]."""

    def make() -> Floats:
        piece = pieces_of(_joined(job, np.longdouble).flow)
        if job.stage.lateral:
            window = _window(job.stage, piece)
            return piece if window is None else np.full_like(piece, window)
        return _least_of_blocks(piece) if shares_events(job.stage) else piece

    return job.stage.once(_pieces, make)


def _window(stage: Stage, piece: Floats) -> float | None:
    """Length of a loop's windows where neurons go side by side, ms; None for other loops.

    They are the piece of all its neurons: a power of two, at most the least piece of one and the
    least delay.
    """
    delay = least_delay(stage)
    if not stage.shares_events or not LEAST_PIECE <= delay < np.inf:
        return None
    window = min(float(piece.min()), 2.0 ** math.floor(math.log2(delay)))
    return window if window >= LEAST_PIECE and windows_pay(stage, window) else None


def _exact(job: Job) -> NDArray[Any]:
    """Flows of all neurons, in the type in which their tables are made.

    That of a single precision is double: a float does not see the roundings, and NumPy takes ten
    times as long over a number of extended precision.
    """
    flow = _joined(job, np.longdouble).flow
    return flow.astype(np.float64) if linear_type(job) is np.float32 else flow


def typed_cells(job: Job) -> LinearCells:
    """:func:`linear_cells` in the type of :func:`linear_type`."""
    cells = linear_cells(job)
    if linear_type(job) is np.float64:
        return cells
    return job.stage.once((typed_cells, _longest(job)), cells.single)


class LinearStop(NamedTuple):
    """Neurons as their last event left them: state, and of each sample and neuron as LoopStop."""

    x: Array  # [samples, size, n], in the type of the state
    time: Array
    until: Array
    since: Array
    recent: Array


NOWHERE = LinearStop(*[None] * 5)  # neurons at time zero


class LinearPiece(NamedTuple):
    """A :class:`~eventsim.engine.contract.piece.Piece` of a stage with linear neurons.

    The neurons ``stand`` at its begin as their last event before it left them, and ``adjoint``
    [samples, size, n] is of those times: before the events of the next piece, and after the call
    before the events of this one.
    """

    begin: Floats
    adjoint: Array
    starts: bool
    stand: LinearStop
    adapted: None = None


def linear_piece(
    job: Job, begin: Floats, *, starts: bool = True, stand: LinearStop | None = None
) -> LinearPiece:
    """A piece after which nothing comes.

    At its begin the neurons ``stand`` so; None for neurons at time zero.
    """
    cells = typed_cells(job)
    adjoint = np.zeros((job.n_samples, cells.size, cells.n), cells.real)
    return LinearPiece(begin, adjoint, starts, stand or NOWHERE)


def start_linear(job: Job) -> LoopState:
    """The state at time zero."""
    cells = typed_cells(job)
    shape = job.n_samples, cells.size
    stop = LinearStop(
        linear_start(job, cells),
        np.zeros(shape),
        np.full(shape, -1.0),
        np.zeros(shape),
        np.zeros(shape, np.int64),
    )
    found = nothing_sent(job, stop)
    return replace(found, left=stop) if job.stage.lateral and side_by_side(job) else found


def linear_start(job: Job, cells: LinearCells) -> Floats:
    """The states at time zero, [samples, N, n], in the type of the cells. New array."""
    found = np.broadcast_to(cells.start, (job.n_samples, *cells.start.shape)).copy()
    if job.start is not None:
        given = job.start.state.astype(found.dtype)
        found[:, job.start.given, 0] = given[:, job.start.given, 0]
        found[..., 1:] = given[..., 1:]
    return found


def typed_back(job: Job, *, far: bool = True) -> BackTables:
    """:func:`linear_back` in the type of :func:`linear_type`."""

    def make() -> BackTables:
        found = linear_back(job, far=far)
        return found.single() if linear_type(job) is np.float32 else found

    key = typed_back, _longest(job), linear_type(job), far
    return job.stage.once(key, make, kept=job.stage.memo.again)


def linear_back(job: Job, *, far: bool = True) -> BackTables:
    """Tables of the way back, of the same flows; with products if it goes ``far`` at once."""
    tables, exact = linear_cells(job).tables, _exact(job)
    first, which = _different(exact, tables.piece)
    bits = tables.powers.shape[1]
    found = _made(back_tables, exact[first], tables.piece[first], bits=bits, far=far)
    which = np.concatenate([which, which + len(first)])
    return BackTables(*(part[which] for part in found))


def _linear_cells(job: Job, longest: float) -> LinearCells:
    stage, matrices = job.stage, _joined(job, np.float64)
    exact, piece = _exact(job), np.tile(_pieces(job), 2)
    tables = _flow_tables(exact, piece, longest)
    lost = without_bound(tables, longest) % len(exact)  # with V held, too
    if lost.size:
        rates = np.abs(matrices.flow).max(axis=(1, 2))
        worst = lost[rates[lost].argmax()]  # neurons of a block share their piece
        raise ParameterError(
            f"Population {stage.name!r}, neuron {worst}",
            f"its fastest rate is {rates[worst]:.3g} per ms; slow states cannot be followed beside "
            f"it for {longest:g} ms",
            remedy="Raise its shortest time constant: within a second they may differ by a factor "
            "of 1e11.",
        )
    start = np.zeros(exact.shape[:2])
    start[:, 0] = np.where(matrices.level <= 0.0, _first_v(matrices), 0.0)
    raised = np.array(states_of(stage), np.int64)
    own_state = np.concatenate([
        np.full(m.size, 1 if r is None else neuron_of(m).state_of(r.receptor))
        for m, r in zip(stage.members, stage.recurrences, strict=True)
    ])  # fmt: skip
    return LinearCells(
        matrices,
        tables,
        alert=_alert(matrices, ALERT_MARGIN),
        start=start,
        synapse_state=np.repeat(raised, np.diff(stage.wiring.synapse_start)),
        own_state=own_state,
    )


def _first_v(m: Matrices) -> Floats:
    """V right after a spike, from rest, [N]."""
    first: Floats = m.keep[:, 0, 0] * m.level + m.jump[:, 0]
    return first


def _alert(m: Matrices, margin: float) -> Floats:
    """Level from which on a crossing is looked for, for roundings of ``margin``, [N]."""
    found: Floats = m.level - margin * (np.abs(m.level) + np.abs(_first_v(m)))
    return found


def _flow_tables(exact: NDArray[Any], piece: Floats, longest: float) -> FlowTables:
    """Tables of all flows, and of those while V is held; equal neurons have theirs made once."""
    first, which = _different(exact, piece)
    bits = bits_for(piece, longest)
    named = {"bits": bits, "longest": longest, "free": len(first)}
    found = _made(flow_tables, exact[first], piece[first], **named)
    which = np.concatenate([which, which + len(first)])
    return FlowTables(*(part[which] for part in found))


def _made(make: Callable[..., Tables], exact: NDArray[Any], piece: Floats, **named: Any) -> Tables:
    """Tables of flows and of those while V is held; of few neurons they are kept for later runs."""
    if len(exact) > KEPT_NEURONS:
        return make(_flows(exact), np.tile(piece, 2), **named)
    high = exact.astype(np.float64)
    parts = (part.tobytes() for part in (high, (exact - high).astype(np.float64), piece))
    found: Tables = _kept(make, exact.shape[1], exact.dtype.str, *parts, **named)
    return found


@lru_cache(maxsize=KEPT_SETS)
def _kept(
    make: Callable[..., Any],
    n: int,
    dtype: str,
    high: bytes,
    low: bytes,
    piece: bytes,
    **named: Any,
) -> Any:
    exact: NDArray[Any] = np.frombuffer(high).astype(dtype) + np.frombuffer(low)
    return make(_flows(exact.reshape(-1, n, n)), np.tile(np.frombuffer(piece), 2), **named)


def _different(exact: NDArray[Any], piece: Floats) -> tuple[Ints, Ints]:
    """The first of equal flows each, and which of these every flow is."""
    rows = np.column_stack([exact.reshape(len(exact), -1).astype(np.float64), piece[: len(exact)]])
    _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, which.reshape(-1)


def shares_events(stage: Stage) -> bool:
    """Whether neurons meet the same events and cause none: then they may go side by side."""
    return stage.shares_events and not stage.lateral


def side_by_side(job: Job) -> bool:
    """Whether neurons go side by side, over stretches that are a piece each.

    In a loop a stretch is a window: what fires in it arrives behind its end.
    """
    stage, piece = job.stage, _pieces(job)
    if stage.lateral:
        return _window(stage, piece) is not None
    return shares_events(stage) and float(piece.min()) >= LEAST_PIECE


def block_of(size: int) -> int:
    """Neurons of a block, which share their piece."""
    return min(BLOCK, size)


def _least_of_blocks(piece: Floats) -> Floats:
    starts = np.arange(0, piece.size, block_of(piece.size))
    least: Floats = np.repeat(np.minimum.reduceat(piece, starts), block_of(piece.size))[
        : piece.size
    ]
    return least


def _flows(flow: Floats) -> Floats:
    """Flows of all neurons, and then those while V is held: without their first rows."""
    held = flow.copy()
    held[:, 0] = 0.0
    return np.concatenate([flow, held])


def _joined(job: Job, dtype: type[np.floating[Any]]) -> Matrices:
    """Matrices of all members, those of fewer states filled up with 0."""
    return job.stage.once((_joined, dtype), lambda: _new_joined(job, dtype))


def _new_joined(job: Job, dtype: type[np.floating[Any]]) -> Matrices:
    members = job.stage.members
    n = max(len(neuron_of(member).states) for member in members)
    parts = []
    for member in members:
        given = _values_of(job, member)
        values: dict[str, Floats] = {k: v.astype(dtype) for k, v in given.items()}
        found = neuron_of(member).matrices(values)
        more = n - len(neuron_of(member).states)
        if more:
            square, line = ((0, 0), (0, more), (0, more)), ((0, 0), (0, more))
            found = Matrices(
                np.pad(found.flow, square),
                np.pad(found.keep, square),
                np.pad(found.jump, line),
                found.level,
                found.hold,
            )
        parts.append(found)
    return Matrices(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _values_of(job: Job, member: Population) -> dict[str, Floats]:
    """Parameters of a member on the host, from a device in one read; once while values stay."""
    return job.stage.once(
        (_values_of, member.name),
        lambda: dict(zip(member.parameters, fetch(*member.parameters.values()), strict=True)),
    )


def width_of_sums(n: int) -> int:
    """Numbers that a kernel sums of every neuron of n states; :func:`by_sums` says which."""
    return 2 * n * n + n + 4


def by_sums(job: Job, sums: Floats, n: int) -> tuple[dict[str, Floats], tuple[Floats, Floats]]:
    """dL/d of parameters by name, by self-weight and by self-delay, of n states.

    From sums [N, :func:`width_of_sums`].
    """
    flow, keep, jump, *single = np.split(sums, np.cumsum([n * n, n * n, n, 1, 1, 1]), axis=1)
    level, hold, own_weight, own_delay = (one[:, 0].copy() for one in single)
    square = (len(sums), n, n)
    by = ByMatrices(flow.reshape(square), keep.reshape(square), jump, level, hold)
    return by_names(job, by), (own_weight, own_delay)


def by_names(job: Job, by: ByMatrices) -> dict[str, Floats]:
    """dL/d of every parameter by name, [size]; 0 of members that do not have it."""
    found: dict[str, Floats] = {}
    hold = by.hold + _by_grown_hold(job, by.jump[:, 0])
    for member, low in zip(job.stage.members, job.stage.member_start, strict=False):
        neuron, mine = neuron_of(member), slice(int(low), int(low) + member.size)
        n = len(neuron.states)
        given = (
            by.flow[mine, :n, :n], by.keep[mine, :n, :n], by.jump[mine, :n], by.level[mine],
            hold[mine],
        )  # fmt: skip
        for name, slopes in neuron.slopes(_values_of(job, member)):
            parts = [
                (one * slope).reshape(member.size, -1).sum(axis=1)
                for one, slope in zip(given, slopes, strict=True)
            ]
            found.setdefault(name, np.zeros(len(by.level)))[mine] = sum(parts)
    return found


def _by_grown_hold(job: Job, by_restart: Floats) -> Floats:
    """Term of own returns in dL/d(hold), from dL/dV behind the restarts: :mod:`own_returns`."""
    own = own_returns(job)
    found = np.zeros(len(by_restart))
    if own is not None:
        m, state = _joined(job, np.float64), np.asarray(states_of(job.stage))[own.projection]
        rise = m.flow[own.neuron, 0, state] * to_host(own.weight)
        np.add.at(found, own.neuron, -rise * by_restart[own.neuron])
        found[m.hold > 0.0] = 0.0
    return found
