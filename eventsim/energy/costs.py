"""A run priced on several chips at once: counted once, stepped once per time step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from numpy.typing import ArrayLike

from eventsim.arrays import Floats
from eventsim.checks import one_each, times_by_sample
from eventsim.chips import Chip, load_chip
from eventsim.energy.arrivals import CountedRun, make_run
from eventsim.energy.counts import Counts, Widths, count_run
from eventsim.energy.dense import Cell, DenseEquivalent, dense_equivalent
from eventsim.energy.report import EnergyReport, energy
from eventsim.energy.steps import ClockedCounts, clock_run
from eventsim.events import EncoderOperations, EventStream, SpikeTape
from eventsim.network import Network

DENSE_PRICES = "45nm"


@dataclass(frozen=True, eq=False)
class RunCosts:
    """Counts and energies of a run.

    Attributes
    ----------
    counts
        Exact.
    steps
        The same run at every step that some chip takes, shortest first.
    reports
        Energy on every chip.
    encoder
        Operations that make the input's events, by name, [samples] each; None without an encoder.
    """

    counts: Counts
    steps: tuple[ClockedCounts, ...]
    reports: tuple[EnergyReport, ...]
    encoder: Mapping[str, Floats] | None = None


def run_costs(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    *,
    step_ms: float | None = None,
    widths: Widths | None = None,
    mapped: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    encoder: EncoderOperations | None = None,
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
    encoder
        Of the input's events, where a chip has to make them itself.
    """
    return _costs(make_run(net, tape), chips, step_ms, widths, mapped, encoder)


def costs_over_time(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    times: ArrayLike,
    *,
    step_ms: float | None = None,
    widths: Widths | None = None,
    mapped: Sequence[Mapping[str, Mapping[str, ArrayLike]]] | None = None,
    encoder: EncoderOperations | None = None,
) -> tuple[RunCosts, ...]:
    """Counts and energies of a run up to each of some times.

    Each is :func:`run_costs` of the run that ends there: spikes and arrivals before the time, and
    static power for as long. The tape is counted once per time.

    Parameters
    ----------
    net, tape, chips, step_ms, widths, encoder
        As :func:`run_costs`.
    times
        ms, > 0: one-dimensional, the same for all samples, or [samples, times]. After the end of a
        sample its cost stays.
    mapped
        As :func:`run_costs`, one per time: what :func:`eventsim.mapping.counts_over_time` gives of
        each chip. Without it these terms are among the missing.

    Returns
    -------
    tuple of RunCosts
        One per time.

    Raises
    ------
    NetworkError
        As :func:`run_costs`.
    ParameterError, ShapeError
        Times are not positive, or of another shape; ``mapped`` is of another number of times.
    """
    run = make_run(net, tape)
    asked = times_by_sample(times, run.duration, "costs_over_time")
    known = [None] * asked.shape[1] if mapped is None else mapped
    one_each("costs_over_time", {"times": asked.shape[1], "entries of mapped": len(known)})
    return tuple(
        _costs(run.until(ends), chips, step_ms, widths, places, encoder)
        for ends, places in zip(asked.T, known, strict=True)
    )


def _costs(
    run: CountedRun,
    chips: Sequence[Chip],
    step_ms: float | None,
    widths: Widths | None,
    mapped: Mapping[str, Mapping[str, ArrayLike]] | None,
    encoder: EncoderOperations | None,
) -> RunCosts:
    """As :func:`run_costs`."""
    counts = count_run(run, Widths() if widths is None else widths)
    lengths = [chip.step_ms if step_ms is None else step_ms for chip in chips]
    named = sorted({length for length in lengths if length is not None})
    steps = {length: clock_run(run, step_ms=length) for length in named}
    reports = []
    for chip, length in zip(chips, lengths, strict=True):
        taken = None if length is None else steps[length]
        places = (mapped or {}).get(chip.name)
        reports.append(energy(counts, chip, clocked=taken, mapped=places, encoder=encoder))
    made = None if encoder is None else encoder.of(counts.duration, counts.events_in)
    return RunCosts(counts, tuple(steps.values()), tuple(reports), made)


def dense_pair(
    net: Network, stream: EventStream, *, frame_ms: float, weight_bits: int = 32
) -> tuple[DenseEquivalent, DenseEquivalent]:
    """A dense RNN and a dense GRU of the same layer sizes on frames, in 45 nm."""
    technology = load_chip(DENSE_PRICES)
    rnn, gru = (
        dense_equivalent(
            net, stream.duration, technology, frame_ms=frame_ms, cell=cell, weight_bits=weight_bits
        )
        for cell in get_args(Cell)
    )
    return rnn, gru
