"""Effect of a chip's number formats on the spikes of a network, by the bits of its weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eventsim.chips import Chip, Formats
from eventsim.engine import Precision, simulate
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.hardware.misfits import Misfit
from eventsim.hardware.quantise import quantise
from eventsim.network import Network

Score = Callable[[Network], float]


@dataclass(frozen=True)
class StudyRow:
    """A network at some number of bits against the one of full precision.

    Attributes
    ----------
    bits
        Of the weights; None where they are not rounded.
    spikes
        Of all neurons, over the whole stream.
    spikes_exact
        Of the network of full precision.
    without_partner
        Share of the exact spikes that have no spike of the same neuron within ``window_ms``.
    window_ms
        For this.
    score
        Of the caller's measure, for example accuracy; None without one.
    misfits
        Values that the formats of this row do not hold, and what became of them.
    """

    bits: int | None
    spikes: int
    spikes_exact: int
    without_partner: float
    window_ms: float
    score: float | None
    misfits: tuple[Misfit, ...] = ()


def quantisation_study(
    net: Network,
    stream: EventStream,
    formats: Chip | Formats,
    *,
    bits: Sequence[int] = (1, 2, 3, 4, 5, 6, 8),
    step_ms: float | None = None,
    score: Score | None = None,
    window_ms: float = 1.0,
    backend: str = "auto",
    precision: Precision = "double",
) -> list[StudyRow]:
    """Spikes (and a score) of a network against the number of bits of its weights, by simulation.

    The first row is the network as given, the second has the chip's own formats, the others those
    with other numbers of weight bits. Simulation is exact in time throughout: this is the effect of
    rounded parameters, not of a time step.

    Parameters
    ----------
    net, stream
        What is simulated.
    formats
        Of a chip; its decay, threshold and delay formats hold in all rows but the first.
    bits
        Of the weights.
    step_ms
        As in :func:`quantise`.
    score
        Takes a network; for example its accuracy on labelled data.
    window_ms
        Within which a spike counts as kept.
    backend, precision
        Of the simulation.
    """
    own = formats.formats if isinstance(formats, Chip) else formats
    if own is None:
        own = quantise(net, formats, step_ms=step_ms).formats  # raises, and says what to do
    if step_ms is None and isinstance(formats, Chip):
        step_ms = formats.step_ms
    wanted = [own.weight_bits, *(b for b in bits if b != own.weight_bits)]
    rows: list[StudyRow] = []
    exact = None
    for number in (None, *wanted):
        network, unfit = net, tuple[Misfit, ...]()
        if number is not None:
            rounded = quantise(net, replace(own, weight_bits=number), step_ms=step_ms)
            network, unfit = rounded.net, rounded.misfits
        tape = simulate(network, stream, backend=backend, precision=precision).to_host()
        exact = tape if exact is None else exact
        lone = spikes_without_partner(exact, tape, window_ms)
        graded = None if score is None else float(score(network))
        spikes, spikes_exact = _n_spikes(tape), _n_spikes(exact)
        rows.append(StudyRow(number, spikes, spikes_exact, lone, window_ms, graded, unfit))
    return rows


def _n_spikes(tape: SpikeTape) -> int:
    return sum(len(trains) for trains in tape.trains.values())


def spikes_without_partner(one: SpikeTape, other: SpikeTape, window_ms: float) -> float:
    """Share of the spikes of ``one`` whose neuron has none within the window in ``other``."""
    lone = sum(_lone(one[name], other[name], window_ms) for name in one.names)
    return lone / max(_n_spikes(one), 1)


def _lone(one: SpikeTrains, other: SpikeTrains, window_ms: float) -> int:
    """Number of spikes of ``one`` without a spike of ``other`` in the same train near them."""
    if not len(other):
        return len(one)
    # One axis for all trains: far enough apart that neighbours of other trains never count.
    gap = max(one.times.max(initial=0.0), other.times.max(initial=0.0)) + 2.0 * window_ms + 1.0
    keys = [trains.train_numbers() * gap + trains.times for trains in (one, other)]
    mine, theirs = (np.sort(key) for key in keys)
    right = np.searchsorted(theirs, mine)
    after: Any = theirs[np.minimum(right, theirs.size - 1)] - mine
    before: Any = mine - theirs[np.maximum(right - 1, 0)]
    near = np.minimum(np.abs(after), np.abs(before))
    return int((near > window_ms).sum())
