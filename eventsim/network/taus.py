"""Membrane time constants that differ from neuron to neuron, for networks that must remember."""

import math
from numbers import Real
from typing import Any

import numpy as np

from eventsim.errors import ParameterError
from eventsim.network.layers import Seed
from eventsim.network.network import Network


def draw_taus(net: Network, low: float, high: float, *, seed: Seed = 0) -> None:
    """Give every hidden neuron a ``tau_mem`` of its own, evenly in the logarithm.

    Where a network must remember for longer than a few ``tau_mem`` this is what lets it learn:
    training moves time constants by tens of percent, not tenfold.

    Parameters
    ----------
    net
        Its spiking populations but ``output`` are changed, in place; self-weights, delays and all
        else stay.
    low, high
        ms, 0 < low <= high.
    seed
        Seed or generator of the draws.

    Raises
    ------
    ParameterError

    References
    ----------
    Perez-Nieves, Leung, Dragotti, Goodman (2021), Neural heterogeneity promotes robust learning,
    Nat. Commun. 12:5791.
    """
    ends: tuple[Any, Any] = (low, high)
    if not (all(isinstance(end, Real) for end in ends) and 0 < low <= high < math.inf):
        raise ParameterError("draw_taus", f"({low!r}, {high!r})", "0 < low <= high (ms)")
    rng = np.random.default_rng(seed)
    for name, population in net.spiking.items():
        if name != "output":
            drawn = rng.uniform(math.log(low), math.log(high), population.size)
            population.tau_mem[...] = np.exp(drawn)
