r"""gradcheck: the adjoint against finite differences, for any network and any loss.

A finite difference is only valid while every neuron fires the same number of times. Directions in
which a spike appears or vanishes between the points of the stencil are left out, and counted. So
are input times whose shift would change the order of events, and directions in which the finite
differences contradict themselves.

The stencil is the central one of fourth order, :math:`(8 f_1 - 8 f_{-1} - f_2 + f_{-2})/12h`,
or the one-sided one of fourth order where a value stands at the edge of its domain, as a delay of
zero does.
Its step :math:`h` is chosen per direction from the numbers that it gives, never from the adjoint's
answer. Two steps that agree prove nothing where the loss bends or jumps within both of them. So an
estimate must also agree with those of smaller steps, within their rounding, and the slopes of both
sides with each other: :math:`(f_1 - 2 f_0 + f_{-1})/h` shrinks as :math:`h` does unless there is a
kink. By what it misses that, an estimate is doubted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eventsim.adjoint.backward import backward
from eventsim.adjoint.seeds import Loss
from eventsim.arrays import Floats
from eventsim.engine import Precision, simulate
from eventsim.engine.contract.linear import neuron_of
from eventsim.errors import EventError
from eventsim.events import EventStream, SpikeTape
from eventsim.network import Network

CENTRAL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
ONE_SIDED = {0: -25 / 12, 1: 48 / 12, 2: -36 / 12, 3: 16 / 12, 4: -3 / 12}

# The step shrinks by these until two estimates differ by less than SETTLED and that of CONFIRMING
# agrees: near a grazing spike the loss bends within a millionth of a parameter, elsewhere small
# steps drown in rounding.
LADDER = (1, 4, 16, 64, 256, 1024, 4096, 16384)
SETTLED = 1e-8
CONFIRMING = LADDER.index(256)

# What differs by so many times the rounding of the loss contradicts: spike times round, too.
ROUNDINGS = 64.0

# A direction whose own estimates differ by more than this, relative to the entry, is left out: the
# loss has a kink or a near-graze inside the smallest step, and no finite difference can judge it.
UNRESOLVED = 1e-6

# An entry is judged against at least this fraction of the largest one of its array.
SMALL = 1e-3


@dataclass(frozen=True)
class CheckRow:
    """Result for one parameter array."""

    name: str  # key of ``Network.parameters()``, or ``input_times``
    # Directions; left out are those that finite differences cannot judge
    n_compared: int
    n_left_out: int
    # Largest difference, relative to the entry or to a thousandth of the array's largest. An array
    # whose finite differences are all zero is judged absolutely.
    worst_relative_error: float


@dataclass(frozen=True)
class GradCheck:
    """Result of :func:`gradcheck`, one row per parameter array."""

    rows: tuple[CheckRow, ...]

    def __repr__(self) -> str:
        return (
            f"GradCheck({self.n_compared} directions compared, {self.n_left_out} left out, worst "
            f"relative error {self.worst_relative_error:.3g})"
        )

    @property
    def n_compared(self) -> int:
        """Directions compared."""
        return sum(row.n_compared for row in self.rows)

    @property
    def n_left_out(self) -> int:
        """Directions left out because finite differences cannot judge them."""
        return sum(row.n_left_out for row in self.rows)

    @property
    def fraction_compared(self) -> float:
        """Compared directions among all that were tried."""
        return self.n_compared / max(self.n_compared + self.n_left_out, 1)

    @property
    def worst_relative_error(self) -> float:
        """Largest relative error of all rows."""
        return max((row.worst_relative_error for row in self.rows), default=0.0)


def gradcheck(
    net: Network,
    stream: EventStream,
    loss: Loss,
    *,
    step: float = 1e-4,
    backend: str = "auto",
    precision: Precision = "double",
    n_directions: int | None = None,
    seed: int = 0,
) -> GradCheck:
    """Compare every gradient with finite differences.

    Parameters
    ----------
    net, stream, loss
        What to differentiate. ``net`` is not changed.
    step
        Largest step, relative to ``max(1, |value|)``.
    backend, precision
        As :func:`eventsim.simulate`.
    n_directions
        Entries tried per parameter array, drawn at random; None tries all.
    seed
        Of that draw.
    """
    work = net.to_host().with_weight_dtype(np.float64).with_delay_dtype(np.float64)
    rng = np.random.default_rng(seed)
    tape = simulate(work, stream, backend=backend, precision=precision)
    grads = backward(work, tape, loss)

    def rerun(changed: EventStream) -> tuple[float, bool]:
        again = simulate(work, changed, backend=backend, precision=precision)
        return loss(work, again)[0], _same_counts(tape, again)

    centre, _ = rerun(stream)
    rows = []
    for name, values in work.parameters().items():
        chosen = _choose(values.size, n_directions, rng)
        probe = _parameter_probe(values, _lowest(net, name), lambda: rerun(stream), centre, step)
        rows.append(_row(name, chosen, grads.flat()[name], probe))
    chosen = _choose(stream.n_events, n_directions, rng)
    probe = _time_probe(stream, rerun, centre, step)
    rows.append(_row("input_times", chosen, grads.input_times, probe))
    return GradCheck(tuple(rows))


Estimate = tuple[float, float]
Probe = Callable[[int], Estimate | None]


def _row(name: str, chosen: Sequence[int], analytic: Floats, probe: Probe) -> CheckRow:
    found = {k: estimate for k in chosen if (estimate := probe(k)) is not None}
    mine = analytic.ravel()[list(found)]
    numeric, doubt = np.array(list(found.values())).reshape(-1, 2).T
    scale = np.maximum(np.abs(numeric), SMALL * np.abs(numeric).max(initial=0.0))
    sure = doubt <= UNRESOLVED * scale
    error = np.abs(mine - numeric)[sure]
    relative = np.divide(error, scale[sure], out=error.copy(), where=scale[sure] > 0)
    n_compared = int(sure.sum())
    return CheckRow(name, n_compared, len(chosen) - n_compared, float(relative.max(initial=0.0)))


def _choose(size: int, n: int | None, rng: np.random.Generator) -> Sequence[int]:
    if n is None or n >= size:
        return range(size)
    return sorted(int(k) for k in rng.choice(size, n, replace=False))


def _lowest(net: Network, name: str) -> float:
    part, _, kind = name.rpartition(".")
    if part in net.linear:
        neuron = neuron_of(net.populations[part])
        least = neuron.domain(kind).least
        return -np.inf if least is None else least
    edges = (".delays", ".refractory", ".adaptation")
    return 0.0 if name.endswith(edges) else -np.inf


def _parameter_probe(
    values: Floats,
    lowest: float,
    rerun: Callable[[], tuple[float, bool]],
    centre: float,
    step: float,
) -> Probe:
    flat = values.reshape(-1)
    assert np.may_share_memory(flat, values) or not values.size  # parameters are contiguous

    def probe(k: int) -> Estimate | None:
        at = flat[k]
        h = step * max(1.0, abs(at))

        def value(shift: float) -> float | None:
            flat[k] = at + shift
            result, same = rerun()
            return result if same else None

        try:
            stencil = CENTRAL if at - 2 * h >= lowest else ONE_SIDED
            return _derivative(value, centre, h, stencil)
        finally:
            flat[k] = at

    return probe


def _time_probe(
    stream: EventStream,
    rerun: Callable[[EventStream], tuple[float, bool]],
    centre: float,
    step: float,
) -> Probe:
    def probe(k: int) -> Estimate | None:
        h = step * max(1.0, abs(stream.times[k]))

        def value(shift: float) -> float | None:
            times = stream.times.copy()
            times[k] += shift
            try:
                moved = EventStream(
                    times,
                    stream.channels,
                    stream.offsets,
                    n_channels=stream.n_channels,
                    duration=stream.duration,
                )
            except EventError:
                return None
            result, same = rerun(moved)
            return result if same else None

        return _derivative(value, centre, h, CENTRAL)

    return probe


@dataclass(frozen=True)
class _Difference:
    """Derivative from the points of one step, with its errors."""

    slope: float
    rounding: float  # of the slope, by rounding of the loss; 0 where all points are equal
    kink: float  # by how much the slopes of both sides differ; 0 of the one-sided stencil

    def contradicts(self, other: _Difference) -> float:
        """Difference of this slope and another, less its rounding and the part that is no doubt."""
        allowed = max(ROUNDINGS * self.rounding, UNRESOLVED / 2 * abs(other.slope))
        return max(0.0, abs(self.slope - other.slope) - allowed)


def _derivative(
    value: Callable[[float], float | None],
    centre: float,
    h: float,
    stencil: Mapping[int, float],
) -> Estimate | None:
    """The least doubtful estimate, and its doubt; ``centre`` is the value without a shift."""
    found: dict[int, _Difference | None] = {}

    def look(place: int) -> _Difference | None:
        if place not in found:
            found[place] = _difference(value, centre, h / LADDER[place], stencil)
        return found[place]

    for place in range(1, len(LADDER)):
        before, here = look(place - 1), look(place)
        if before is None or here is None:
            continue
        doubt = _doubt(before, here)
        if doubt <= SETTLED * abs(here.slope):
            smaller = here if place >= CONFIRMING else look(CONFIRMING)
            if smaller is not None and not smaller.contradicts(here):
                return here.slope, doubt
    rows = [look(place) for place in range(len(LADDER))]
    judged = [
        (here.slope, _doubt(before, here) + max((o.contradicts(here) for o in later), default=0.0))
        for place, (before, here) in enumerate(pairwise(rows), start=1)
        for later in [[one for one in rows[place + 1 :] if one is not None]]
        if before is not None and here is not None
    ]
    return min(judged, key=lambda one: one[1], default=None)


def _doubt(before: _Difference, here: _Difference) -> float:
    """Change from a step to a fourth of it, rounding, and what does not shrink of a kink."""
    kink = abs(here.kink - before.kink / 4) - 2 * ROUNDINGS * here.rounding
    return abs(here.slope - before.slope) + here.rounding + max(0.0, kink)


def _difference(
    value: Callable[[float], float | None], centre: float, h: float, stencil: Mapping[int, float]
) -> _Difference | None:
    """The difference of the points; None where one of them has another number of spikes.

    Points that are all equal show a derivative of zero beyond doubt.
    """
    points = {offset: value(offset * h) if offset else centre for offset in stencil}
    known = [point for point in points.values() if point is not None]
    if len(known) < len(points):
        return None
    if min(known) == max(known):
        return _Difference(0.0, 0.0, 0.0)
    total = sum(stencil[offset] * point for offset, point in zip(points, known, strict=True))
    rounding = float(np.finfo(np.float64).eps) * max(np.abs(known)) / h
    at = dict(zip(points, known, strict=True))
    kink = (at[1] - 2 * centre + at[-1]) / h if -1 in at else 0.0
    return _Difference(total / h, rounding, kink)


def _same_counts(one: SpikeTape, two: SpikeTape) -> bool:
    return all(np.array_equal(one[name].counts(), two[name].counts()) for name in one.names)
