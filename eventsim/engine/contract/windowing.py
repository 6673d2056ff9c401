r"""Windows of a loop: their length, and the sums of their arrivals.

Nothing that fires within a window of the least delay arrives before its end, so that the arrivals
of a window are known when it begins. Between its own spikes a neuron is linear in them. A unit jump
of J that comes s ms before the window's end T adds, with :math:`a = 1/\tau_m` and
:math:`b = 1/\tau_s`,

.. math::
    a \frac{e^{-a s} - e^{-b s}}{b - a} = \sum_q c_q \varphi_q(s) \quad\text{to } V(T), \qquad
    e^{-b s} = \sum_q d_q \varphi_q(s) \quad\text{to } J(T).

So the sums :math:`M_q = \sum_k w_k \varphi_q(s_k)` of a neuron say where it ends, and all arrivals
together cost one propagation. The functions :math:`\varphi_q` are those two responses themselves
where the neurons of every population share their time constants. Otherwise they are the powers of
:math:`u = 2 s / H - 1`, and c, d, by neuron, those of the polynomials that interpolate the
responses at Chebyshev's points: with n of them the error is about :math:`2 (b H / 4)^n / n!`.

Neurons that share their events need no sums: they meet them in stretches, as those of a layer do
(``kernels/neuron/stretch.hpp``); a window's last stretch ends with it. Whether they do, and
whether a loop goes by windows at all, says :mod:`eventsim.engine.algorithm`.

Other neurons that may fire within a window meet their arrivals one by one. A window is cut into
pieces so that few do. Which neurons those are, and all sums, are the same on every fast backend, to
the bit.

Spikes whose synapses have delays of their own are in flight onto neurons of all populations. So
their functions are the two responses only where all neurons of the loop share their time constants;
then they are computed as polynomials in u (:class:`Series`). Only ``cpu`` sums such spikes so.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, to_host
from eventsim.engine.algorithm import algorithm_of, least_delay
from eventsim.engine.contract.bundles import Arriving
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import fastest_rate, real_type

# Sums of a neuron: the last bounds V, the others hold as many functions or fewer.
WIDTHS = (4, 8, 16)

# Powers, and the largest product of rate and ms over which they hold: errors of 2e-8 and 3e-16.
POWERS_SINGLE, POWERS_DOUBLE = 7, 12
LONGEST = 1.0

# The pieces of a window are halved where more events than neurons / MANY are met one by one in a
# piece, and doubled where fewer than neurons / FEW are; halved so often at most. Then propagating
# all neurons costs about as much as the events of those that may fire.
MANY, FEW, MOST_HALVINGS = 2, 16, 5


class Basis(NamedTuple):
    """The functions of the time to a window's end: what each adds to V and J, [functions, size].

    ``reach`` is H of the powers in ms, 0 where the functions are the two responses themselves.
    """

    by_v: NDArray[np.floating[Any]]
    by_j: NDArray[np.floating[Any]]
    reach: float


class Series(NamedTuple):
    """The two responses as polynomials in the powers of u: coefficients; ``reach`` as above."""

    by_v: NDArray[np.floating[Any]]
    by_j: NDArray[np.floating[Any]]
    reach: float


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of ``length`` ms, in at least so many pieces; a neuron has ``width`` sums.

    ``series``: for spikes in flight where the functions are the responses.
    """

    length: float
    pieces: int
    width: int
    basis: Basis
    series: Series | None = None


def windows_of(job: Job) -> Windows | None:
    """The windows of a loop, None where it goes by its queue of events."""
    if not algorithm_of(job.stage).by_windows:
        return None

    def make() -> Windows:
        return make_windows(job, least_delay(job.stage))

    return job.stage.once((windows_of, job.precision), make)


def met_in_window(span: Floats, outside: Arriving, length: float) -> float:
    """Synaptic events of other stages in a window of one sample, on average.

    They arrive within ``span`` ms of every sample.
    """
    met = int((outside.last - outside.first).sum()) * length
    return met / max(float(span.sum()), length)


def make_windows(job: Job, length: float) -> Windows:
    """Windows of that length, at most the least delay."""
    rates, fastest = _rates(job), fastest_rate(job)
    if not any(projection.delay_per_synapse for projection in job.stage.lateral):
        alike = all(_alike(job, rate) for rate in rates)
        return windows_by(job, length, fastest=fastest, alike=alike)
    # A spike in flight reaches neurons of all populations.
    alike = all(bool((rate == rate[0]).all()) for rate in rates)
    made = windows_by(job, length, fastest=fastest, alike=alike)
    if not alike:
        return made
    pieces, reach, n_powers = _powers(job, length, fastest)
    mem, syn = (rate[:1] for rate in rates)
    of_one = _interpolated(mem, syn, reach, n_powers)
    by_v, by_j = (each[:, 0].astype(real_type(job)) for each in of_one)
    return replace(made, pieces=pieces, series=Series(by_v, by_j, reach))


def windows_by(
    job: Job, length: float, *, fastest: float, alike: bool, together: int | None = None
) -> Windows:
    """Windows for neurons whose rates are at most ``fastest`` per ms.

    ``alike`` is whether the neurons of every population share their time constants. The functions
    of so many neurons are computed ``together``, as linear algebra may round a column by its place;
    None: of all.
    """
    (a, b), real, single = _rates(job), real_type(job), job.precision == "single"
    if alike:
        by_v, by_j = (np.repeat(np.eye(2)[:, [q]], a.size, axis=1) for q in (0, 1))
        return Windows(length, 1, WIDTHS[0], Basis(by_v.astype(real), by_j.astype(real), 0.0))
    pieces, reach, n_powers = _powers(job, length, fastest)
    group = together or a.size
    mem, syn = (np.pad(r, (0, -r.size % group), mode="edge").reshape(-1, group) for r in (a, b))
    parts = [_interpolated(m, s, reach, n_powers) for m, s in zip(mem, syn, strict=True)]
    by_v, by_j = (
        np.concatenate(rows, axis=1)[:, : a.size].astype(real) for rows in zip(*parts, strict=True)
    )
    return Windows(length, pieces, WIDTHS[1 if single else 2], Basis(by_v, by_j, reach))


def _powers(job: Job, length: float, fastest: float) -> tuple[int, float, int]:
    """Pieces of windows of that length, the longest time for which powers hold, how many powers."""
    pieces = int(np.ceil(length * fastest / LONGEST))
    reach = length / pieces * (1.0 + 1e-9)  # their ends are rounded
    return pieces, reach, POWERS_SINGLE if job.precision == "single" else POWERS_DOUBLE


def _rates(job: Job) -> tuple[Floats, Floats]:
    """Rates of membranes and of synapses, 1/ms, [size] each; NumPy."""
    p = job.stage.population
    return 1.0 / to_host(p.tau_mem), 1.0 / to_host(p.tau_syn)


def _alike(job: Job, rate: Floats) -> bool:
    """Whether the neurons of every population share one rate."""
    ends = np.cumsum([member.size for member in job.stage.members])[:-1]
    return all(bool((part == part[0]).all()) for part in np.split(rate, ends) if part.size)


def _interpolated(a: Floats, b: Floats, reach: float, n: int) -> tuple[Floats, Floats]:
    """Coefficients of the powers of u in the responses of V and J, [n, size] each."""
    u = np.cos((2.0 * np.arange(n) + 1.0) * (np.pi / (2.0 * n)))
    s = (0.5 * reach * (u + 1.0))[:, None]
    z = np.abs(b - a) * s
    mean = np.where(z == 0.0, 1.0, -np.expm1(-z) / np.where(z == 0.0, 1.0, z))
    powers = np.vander(u, n, increasing=True)
    by_v = np.linalg.solve(powers, a * s * np.exp(-np.minimum(a, b) * s) * mean)
    return by_v, np.linalg.solve(powers, np.exp(-b * s))
