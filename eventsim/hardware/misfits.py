r"""Values of a network in whole units of a chip's formats, and values that do not fit.

Rounding changes a value by half a unit at most. A value beyond the range of a format, or one so
near to zero that it becomes 0, does not fit: it is set to the nearest value of the format and named
here. Thresholds below rest are kept, and named. :mod:`eventsim.hardware.quantise` defines the
units.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, namespace
from eventsim.chips import Formats
from eventsim.network import Network, Population

MOST_NAMED = 3  # projections or populations in a line
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Misfit:
    """Values of one kind that do not fit into a chip's format.

    Attributes
    ----------
    what
        ``delays``, ``weights``, ``time constants``, ``thresholds`` or ``refractory times``.
    where
        Projections or populations that have some, or ``decision``.
    values, of
        Number of values that do not fit, and of all values in the network.
    reason
        Why they do not fit.
    done
        What was done with them.
    """

    what: str
    where: tuple[str, ...]
    values: int
    of: int
    reason: str
    done: str

    def __str__(self) -> str:
        named = ", ".join(self.where[:MOST_NAMED])
        more = len(self.where) - MOST_NAMED
        named += f" and {more:,} more" if more > 0 else ""
        return (
            f"{self.what}: {self.values:,} of {self.of:,} are {self.reason} and were {self.done} "
            f"({named})"
        )


def weights_of(net: Network) -> dict[str, Floats]:
    """The live weights by projection, and as ``decision`` those of a decision; a grid for each."""
    every, end = net.parameters(), ".weights"
    return {key.removesuffix(end): every[key] for key in every if key.endswith(end)}


def delay_steps(delays: Floats, step_ms: float) -> Floats:
    """Times in whole steps, without an upper limit."""
    steps: Floats = namespace(delays).round(delays.astype(np.float64) / step_ms)
    return steps


def decay_units(tau: Floats, step_ms: float, bits: int) -> Floats:
    """Decays per step in units of ``bits`` bits, 0 and 2 ** bits among them."""
    xp = namespace(tau)
    units: Floats = xp.round(-xp.expm1(-step_ms / tau) * 2.0**bits)
    return units


def threshold_units(population: Population, bits: int) -> tuple[Floats, Floats, float]:
    """Thresholds and resets in whole units of current, and that unit; 0 where all are 0."""
    xp, leak, gain = namespace(population.threshold), population.v_leak, population.resistance
    current = (population.threshold - leak) / gain
    unit = float(xp.abs(current).max() / (2**bits - 1))
    if unit == 0.0:
        return current, current, unit
    return xp.round(current / unit), xp.round((population.v_reset - leak) / gain / unit), unit


def misfits(
    net: Network, rounded: Network, formats: Formats, step_ms: float | None
) -> tuple[Misfit, ...]:
    """Values of ``net`` that do not fit into the formats; ``rounded`` is the rounded network."""
    after = weights_of(rounded)
    gone = [(name, (found != 0) & (after[name] == 0)) for name, found in weights_of(net).items()]
    found = [
        *([] if step_ms is None else _misfit_delays(net, step_ms, formats.max_delay_steps)),
        *_one_kind("weights", gone, "smaller than half a unit", "set to 0"),
        *([] if step_ms is None else _misfit_times(net, step_ms, formats.decay_bits)),
        *_misfit_thresholds(net, formats.threshold_bits),
    ]
    return tuple(found)


def _one_kind(
    what: str, masks: Iterable[tuple[str, Mask]], reason: str, done: str
) -> Iterator[Misfit]:
    """The values that masks choose, by projection or population; empty if there are none."""
    chosen = list(masks)
    where = tuple(dict.fromkeys(name for name, mask in chosen if mask.any()))
    if where:
        values, of = (sum(int(f(mask)) for _, mask in chosen) for f in (np.sum, np.size))
        yield Misfit(what, where, values, of, reason, done)


def _misfit_delays(net: Network, step_ms: float, most: int | None) -> Iterator[Misfit]:
    if most is None:
        return
    delays = {name: projection.delays for name, projection in net.projections.items()}
    too_long = [(name, delay_steps(found, step_ms) > most) for name, found in delays.items()]
    longest = max((float(found.max(initial=0.0)) for found in delays.values()), default=0.0)
    reason = f"longer than {most} steps of {step_ms:g} ms (the longest {longest:.4g} ms)"
    yield from _one_kind("delays", too_long, reason, f"set to {most * step_ms:g} ms")


def _misfit_times(net: Network, step_ms: float, bits: int | None) -> Iterator[Misfit]:
    """Time constants with a decay of 0 units or of all; refractory times of less than a step."""
    if bits is not None:
        units = [
            (name, decay_units(tau, step_ms, bits))
            for name, population in net.neurons.items()
            for tau in (population.tau_mem, population.tau_syn)
        ]
        for reason, end, masks in (
            ("too long", 2.0**-bits, [(name, found < 1) for name, found in units]),
            ("too short", 1 - 2.0**-bits, [(name, found >= 2**bits) for name, found in units]),
        ):
            last = -step_ms / np.log1p(-end)
            yield from _one_kind(
                "time constants",
                masks,
                f"{reason} for a decay of {bits} bits in {step_ms:g} ms",
                f"set to {last:.4g} ms",
            )
    none = [
        (name, (population.refractory > 0) & (np.round(population.refractory / step_ms) == 0))
        for name, population in net.neurons.items()
        if population.is_spiking
    ]
    yield from _one_kind(
        "refractory times", none, f"shorter than half a step of {step_ms:g} ms", "set to 0"
    )


def _misfit_thresholds(net: Network, bits: int | None) -> Iterator[Misfit]:
    if bits is None:
        return
    units = {
        name: threshold_units(population, bits)
        for name, population in net.neurons.items()
        if population.is_spiking
    }
    near = [(name, (high <= low) & (unit > 0)) for name, (high, low, unit) in units.items()]
    yield from _one_kind(
        "thresholds", near, "not above the reset after rounding", "set to a unit above it"
    )
    # To set these to the resting potential would keep their neurons from firing by themselves.
    below = [(name, high < 0) for name, (high, _, _) in units.items()]
    yield from _one_kind(
        "thresholds", below, "below rest, of which unsigned bits have no value", "kept"
    )
