"""A run priced on several chips at once: counted once, stepped once per time step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from numpy.typing import ArrayLike

from eventsim.chips import Chip, load_chip
from eventsim.energy.counts import Counts, Widths, count
from eventsim.energy.dense import Cell, DenseEquivalent, dense_equivalent
from eventsim.energy.report import EnergyReport, energy
from eventsim.energy.steps import ClockedCounts, clocked
from eventsim.events import EventStream, SpikeTape
from eventsim.network import Network

DENSE_PRICES = "45nm"


@dataclass(frozen=True, eq=False)
class RunCosts:
    """What a run does and costs.

    Attributes
    ----------
    counts
        Exact.
    steps
        The same run at every step that some chip takes, shortest first.
    reports
        Energy on every chip.
    """

    counts: Counts
    steps: tuple[ClockedCounts, ...]
    reports: tuple[EnergyReport, ...]


def run_costs(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    *,
    step_ms: float | None = None,
    widths: Widths | None = None,
    mapped: Mapping[str, Mapping[str, ArrayLike]] | None = None,
) -> RunCosts:
    """Count a run and price it with the figures of several chips.

    Parameters
    ----------
    net, tape
        A network, and the tape of :func:`eventsim.simulate` with it.
    chips
        Of :func:`eventsim.chips.load_chip`.
    step_ms
        Of all chips; that of each by default.
    widths
        Bits of stored numbers.
    mapped
        As in :func:`eventsim.energy.energy`, by name of the chip.
    """
    counts = count(net, tape, widths=widths)
    lengths = {chip.name: chip.step_ms if step_ms is None else step_ms for chip in chips}
    named = sorted({length for length in lengths.values() if length is not None})
    steps = {length: clocked(net, tape, step_ms=length) for length in named}
    reports = []
    for chip in chips:
        length = lengths[chip.name]
        taken = None if length is None else steps[length]
        places = (mapped or {}).get(chip.name)
        reports.append(energy(counts, chip, clocked=taken, mapped=places))
    return RunCosts(counts, tuple(steps.values()), tuple(reports))


def dense_pair(
    net: Network, stream: EventStream, *, frame_ms: float, weight_bits: int = 32
) -> tuple[DenseEquivalent, DenseEquivalent]:
    """A dense RNN and a dense GRU of the same layer sizes on frames, in 45 nm."""
    technology = load_chip(DENSE_PRICES)
    rnn, gru = (
        dense_equivalent(
            net,
            stream.duration,
            technology,
            frame_ms=frame_ms,
            cell=cell,
            weight_bits=weight_bits,
        )
        for cell in get_args(Cell)
    )
    return rnn, gru
