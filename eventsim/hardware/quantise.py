r"""Networks in the number formats of a chip.

Weights of a projection lie on the grid of its largest one,

.. math:: s = \max |w| / (2^{b-1} - 1), \qquad w \leftarrow s\, \mathrm{round}(w / s),

one sign bit among the b. A single bit leaves only the sign, times the mean magnitude. The weights
of a linear decision have a grid of their own; its bias stays. A time constant becomes a decay per
step of length h on the chip's grid,

.. math:: \delta = \mathrm{round}\big((1 - e^{-h/\tau})\, 2^b\big)\, 2^{-b}, \qquad
          \tau \leftarrow -h / \ln(1 - \delta),

with :math:`\delta` between one unit and one unit below 1. Thresholds and resets are rounded in the
unit that a chip uses for them, a current summed with weights: :math:`(\vartheta - E) / R` on the
grid of the population's largest one, unsigned b bits, never below the reset. Delays and refractory
times are rounded to multiples of h; a delay above ``max_delay_steps`` is cut to it. Resistance and
resting potential stay: on a chip they are part of threshold and bias. Values that do not fit into
the formats are counted, see :mod:`eventsim.hardware.misfits`.
"""

from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats, namespace
from eventsim.checks import in_domain
from eventsim.chips import Chip, Formats
from eventsim.entries import Above0
from eventsim.errors import MappingError
from eventsim.hardware.misfits import (
    Misfit,
    decay_units,
    delay_steps,
    misfits,
    threshold_units,
    weights_of,
)
from eventsim.matrix import require
from eventsim.network import Network, Population
from eventsim.summary import short_repr


@dataclass(frozen=True, eq=False)
class Quantised:
    """A network in a chip's formats.

    Attributes
    ----------
    net
        New; the given one is not changed.
    formats, step_ms
        By which it was rounded.
    worst_tau_error
        Largest relative change of a time constant.
    misfits
        Values that do not fit into the formats, and what was done with them.
    """

    net: Network
    formats: Formats
    step_ms: float | None
    worst_tau_error: float
    misfits: tuple[Misfit, ...]

    __repr__ = short_repr

    @property
    def delays_cut(self) -> int:
        """Number of too long delays: of synapses, sources or projections, as they are given."""
        return sum(one.values for one in self.misfits if one.what == "delays")


def quantise(
    net: Network, formats: Chip | Formats | int, *, step_ms: float | None = None
) -> Quantised:
    """Round a network to a chip's formats.

    Parameters
    ----------
    net
        The network; not changed.
    formats
        A chip, its formats, or a number of bits for the weights alone.
    step_ms
        Time step; that of the chip by default. Without a step, time constants and delays stay.

    Raises
    ------
    MappingError
        The chip has no formats.
    ParameterError
        A number of bits is below 1.
    NetworkError
        More than weights is to be rounded, and there is a decision behind a readout or an adaptive
        threshold.
    """
    formats, step_ms = formats_of(formats, step_ms)
    refuse_without_format(net, formats, step_ms, where="quantise")
    given = net.to_host()
    result = given.copy()
    round_values(result, formats, step_ms)
    result.check()
    worst = _worst_tau_error(given, result)
    return Quantised(result, formats, step_ms, worst, misfits(given, result, formats, step_ms))


def formats_of(
    given: Chip | Formats | int, step_ms: float | None = None
) -> tuple[Formats, float | None]:
    """Formats and time step that :func:`quantise` takes for these arguments."""
    if isinstance(given, Chip):
        if given.formats is None:
            raise MappingError(
                f"Chip {given.name!r}",
                "has no formats",
                remedy="Pass Formats(weight_bits=..) or a number.",
            )
        step_ms = given.step_ms if step_ms is None else step_ms
        given = given.formats
    if isinstance(given, int):
        given = Formats(weight_bits=given)
    if step_ms is not None:
        in_domain("quantise", "step_ms", step_ms, Above0, error=MappingError)
    return given, step_ms


def refuse_without_format(
    net: Network, formats: Formats, step_ms: float | None, *, where: str
) -> None:
    """Raise NetworkError for parts without a format on a chip, unless only weights are rounded.

    Weights of a few bits save memory on any machine. But a decision and an adaptive threshold have
    no place in a chip's time steps.
    """
    if has_formats(formats, step_ms):
        require("chip_formats", net, where=where)


def has_formats(formats: Formats, step_ms: float | None) -> bool:
    """Whether more than weights is rounded."""
    others = (formats.decay_bits, formats.threshold_bits, formats.max_delay_steps, step_ms)
    return any(one is not None for one in others)


def round_values(net: Network, formats: Formats, step_ms: float | None) -> None:
    """Round all values of a network in place, on the device if they are there."""
    if formats.weight_bits is not None:
        for weights in weights_of(net).values():
            weights[...] = round_weights(weights, formats.weight_bits)
    if step_ms is not None:
        for projection in net.projections.values():
            steps, most = delay_steps(projection.delays, step_ms), formats.max_delay_steps
            if most is not None:
                steps = namespace(steps).minimum(steps, float(most))
            projection.delays[...] = steps * step_ms
    for population in net.neurons.values():
        _round_neurons(population, formats, step_ms)


def clip_values(net: Network, formats: Formats, step_ms: float | None) -> None:
    """Move values beyond the range of a format to its ends, in place, without rounding.

    Time constants and delays have a range. Weights have none: the largest weight sets the grid.
    """
    if step_ms is None:
        return
    if formats.max_delay_steps is not None:
        for projection in net.projections.values():
            xp = namespace(projection.delays)
            most = formats.max_delay_steps * step_ms
            projection.delays[...] = xp.minimum(projection.delays, most)
    if formats.decay_bits is not None:
        ends = tau_range(step_ms, formats.decay_bits)
        for population in net.neurons.values():
            for tau in (population.tau_mem, population.tau_syn):
                tau[...] = namespace(tau).clip(tau, *ends)


def round_weights(weights: Floats, bits: int) -> Floats:
    """Weights on a grid of ``bits`` bits, sign included; new array, float64."""
    xp, weights = namespace(weights), weights.astype(np.float64)
    if not weights.size:
        return weights
    if bits == 1:
        magnitudes = xp.abs(weights[weights != 0])
        if not magnitudes.size:
            return weights
        signs: Floats = xp.sign(weights) * magnitudes.mean()
        return signs
    largest = xp.abs(weights).max()
    # In this order, because the unit of tiny weights would underflow to 0.
    units = 2 ** (bits - 1) - 1
    share = weights / xp.where(largest == 0.0, 1.0, largest)
    rounded: Floats = xp.round(share * units) / units * largest
    return rounded


def round_tau(tau: Floats, step_ms: float, bits: int) -> Floats:
    """Time constants whose decay in a step has ``bits`` bits; ms, new array."""
    xp, unit = namespace(tau), 2.0**-bits
    decay = decay_units(tau, step_ms, bits) * unit
    rounded: Floats = -step_ms / xp.log1p(-xp.clip(decay, unit, 1.0 - unit))
    return rounded


def tau_range(step_ms: float, bits: int) -> tuple[float, float]:
    """Shortest and longest time constant that a decay of ``bits`` bits gives, ms."""
    short, long = (-step_ms / np.log1p(-end) for end in (1.0 - 2.0**-bits, 2.0**-bits))
    return float(short), float(long)


def _worst_tau_error(net: Network, rounded: Network) -> float:
    """Largest relative change of a time constant; those of linear neurons are never rounded."""
    changes = [
        float(
            np.abs(rounded.neurons[name].parameters[key] / population.parameters[key] - 1.0).max()
        )
        for name, population in net.neurons.items()
        for key in ("tau_mem", "tau_syn")
        if population.neuron is None
    ]
    return max(changes, default=0.0)


def _round_neurons(population: Population, formats: Formats, step_ms: float | None) -> None:
    """Round a population in place."""
    if formats.decay_bits is not None and step_ms is not None:
        for tau in (population.tau_mem, population.tau_syn):
            tau[...] = round_tau(tau, step_ms, formats.decay_bits)
    if population.is_spiking:
        if step_ms is not None:
            population.refractory[...] = delay_steps(population.refractory, step_ms) * step_ms
        if formats.threshold_bits is not None:
            _round_thresholds(population, formats.threshold_bits)


def _round_thresholds(population: Population, bits: int) -> None:
    high, reset, unit = threshold_units(population, bits)
    if unit == 0.0:
        return
    leak, gain = population.v_leak, population.resistance
    high = namespace(high).maximum(high, reset + 1)
    population.threshold[...] = leak + gain * unit * high
    population.v_reset[...] = leak + gain * unit * reset
