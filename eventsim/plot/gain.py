r"""F-I curve: firing rate of a neuron against a constant input current.

A constant current I moves the resting potential from E to :math:`E + R I`; so the neuron is run
with this resting potential and without events, and its spikes are counted once it has settled. Of a
neuron without adaptation the curve is known in closed form,

.. math::
    f(I) = \Big(t_{ref} + \tau_m \ln \frac{E + R I - V_r}{E + R I - \vartheta}\Big)^{-1},

from the rheobase :math:`I_0 = (\vartheta - E) / R` on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from eventsim.arrays import Floats
from eventsim.checks import real_array
from eventsim.engine import simulate
from eventsim.errors import NetworkError, ParameterError
from eventsim.events import EventStream
from eventsim.matrix import require
from eventsim.network import Network, Population
from eventsim.network.features import neurons_of
from eventsim.plot.style import FAINT, axes_for, grid, population_colour

MS_PER_S = 1000.0
ROUNDING = 1e-14  # of a resting potential that is computed, relative
POINTS, HIGHEST = 101, 4.0  # of the curve where no currents are given; in rheobases


def fi_curve(
    net: Network,
    population: str | Population,
    *,
    neuron: int = 0,
    currents: ArrayLike | None = None,
    duration: float = 2000.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw an F-I curve: the firing rate of a neuron against a constant input current.

    Parameters
    ----------
    net
        The network; its other populations have no effect.
    population
        Name of a spiking population, or the population itself.
    neuron
        Number of the neuron.
    currents
        In the unit of the weights, one dimension; None for 0 to four times the rheobase, the
        current from which on the neuron fires.
    duration
        ms that are simulated for each current. Spikes of the second half are counted; a rate is the
        inverse of their mean interval.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        Rate in Hz. A line marks the rheobase, where the neuron has one above 0.

    Raises
    ------
    NetworkError
        There is no such population, it does not spike, or its neurons are of another kind than LIF
        with or without adaptive threshold.
    ParameterError
        There is no such neuron; the neuron rests above its threshold and no currents are given.
    """
    place = net.to_host().population(population)
    chosen = _values(place, neuron)
    rheobase = (chosen["threshold"] - chosen["v_leak"]) / chosen["resistance"]
    if currents is None and rheobase <= 0.0:
        raise ParameterError(
            "plot.fi_curve",
            f"neuron {neuron} of {place.name!r} fires without any current",
            remedy="Give the currents, negative ones too.",
        )
    given = np.linspace(0.0, HIGHEST * rheobase, POINTS)
    if currents is not None:
        given = np.atleast_1d(real_array(currents, "plot.fi_curve: currents"))
    rates = firing_rates(chosen, given, duration)
    with axes_for(ax) as axes:
        axes.plot(given, rates, color=population_colour(0), label=f"{place.name}, neuron {neuron}")
        if given[0] < rheobase < given[-1]:
            axes.axvline(rheobase, color=FAINT, linewidth=1.0, zorder=0)
        axes.set_xlabel("constant input current (unit of the weights)")
        axes.set_ylabel("firing rate (Hz)")
        axes.set_ylim(bottom=0.0)
        grid(axes)
        return axes


def _values(place: Population, neuron: int) -> dict[str, float]:
    """The parameters of the neuron."""
    if not place.is_spiking:
        raise NetworkError(
            "plot.fi_curve", f"neurons of {place.name!r} do not spike", "a spiking population"
        )
    require("fi_curve", neurons_of(place))
    if not 0 <= neuron < place.size:
        raise ParameterError(
            "plot.fi_curve", f"neuron is {neuron}", f"a number in 0 .. {place.size - 1}"
        )
    return {name: float(values[neuron]) for name, values in place.parameters.items()}


def firing_rates(neuron: Mapping[str, float], currents: Floats, duration: float) -> Floats:
    """Rate in Hz for each current once the neuron has settled; new array."""
    net = Network()
    net.add_input("input", 1)
    rest = neuron["v_leak"] + neuron["resistance"] * currents
    # At the rheobase the neuron rests at its threshold: a rounding error beside it is no distance.
    beside = np.abs(rest - neuron["threshold"]) <= ROUNDING * (np.abs(rest) + 1.0)
    rest = np.where(beside, neuron["threshold"], rest)
    others: dict[str, Any] = {name: value for name, value in neuron.items() if name != "v_leak"}
    net.add_population("neurons", currents.size, v_leak=rest, **others)
    net.connect("input", "neurons", np.zeros((1, currents.size)))
    silence = EventStream([], [], [0, 0], n_channels=1, duration=duration)
    times, neurons = simulate(net, silence)["neurons"].sample(0)
    found = np.zeros(currents.size)
    for k in range(currents.size):
        late = times[(neurons == k) & (times >= duration / 2)]
        if late.size > 1:
            found[k] = MS_PER_S * (late.size - 1) / (late[-1] - late[0])
        elif late.size == 1:
            found[k] = MS_PER_S / (duration / 2)
    return found
