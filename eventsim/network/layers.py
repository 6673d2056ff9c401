"""Layers for the builders: populations in a row, from the input to the output."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from eventsim.checks import one_of
from eventsim.errors import ParameterError
from eventsim.network.network import Network
from eventsim.network.parts import Population
from eventsim.neuron.linear import LinearNeuron

Output = Literal["readout", "spiking"]
Delays = float | tuple[float, float]
Seed: TypeAlias = "int | np.random.Generator"
Alif = tuple[float, float] | None  # adaptation and tau_adaptation


def stack(
    builder: str,
    sizes: tuple[int, Sequence[int], int],
    *,
    output: Output,
    tau_mem: ArrayLike,
    tau_syn: ArrayLike,
    refractory: ArrayLike,
    alif: Alif,
    neuron: LinearNeuron | None = None,
) -> Network:
    """Populations ``input``, ``hidden1`` .. and ``output``, without connections.

    Sizes are those of the input, of every hidden population, of the output; the rest is as in
    :func:`eventsim.scsr`. Errors name the builder.
    """
    n_inputs, hidden, n_outputs = sizes
    one_of(builder, "output", output, get_args(Output))
    given: Any = hidden
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ParameterError(
            builder,
            f"hidden is {hidden!r}",
            "one size per hidden population, such as (128,), or () for none",
        )
    net = Network()
    net.add_input("input", n_inputs)
    rise, tau = (None, None) if alif is None else alif
    if neuron is not None and (alif is not None or len(neuron.receptors) > 1):
        wrong = "alif beside it" if alif is not None else "several receptors"
        raise ParameterError(
            builder,
            f"neuron is {neuron!r} with {wrong}",
            remedy="Leave out alif; join populations with several receptors by Network.connect.",
        )
    for k, size in enumerate(hidden, start=1):
        if neuron is not None:
            net.add_population(f"hidden{k}", size, refractory=refractory, neuron=neuron)
            continue
        net.add_population(
            f"hidden{k}", size, tau_mem=tau_mem, tau_syn=tau_syn, refractory=refractory,
            adaptation=rise, tau_adaptation=tau,
        )  # fmt: skip
    if output == "readout":
        net.add_readout("output", n_outputs, tau_mem=tau_mem, tau_syn=tau_syn)
    else:
        net.add_population(
            "output", n_outputs, tau_mem=tau_mem, tau_syn=tau_syn, refractory=refractory
        )
    return net


def check_delays(builder: str, name: str, given: Delays) -> None:
    """Raise ParameterError unless ``given`` is a number >= 0 or a range of such."""
    low, high = given if isinstance(given, tuple) and len(given) == 2 else (given, given)
    good = all(isinstance(value, Real) for value in (low, high))
    if not (good and 0 <= low <= high < math.inf):
        raise ParameterError(
            builder, f"{name} is {given}", "a number >= 0 or (low, high), 0 <= low <= high (ms)"
        )


def axon_delays(
    given: Delays,
    source: Population,
    target: Population,
    rng: np.random.Generator,
    *,
    to_readout: Delays = 0.0,
) -> ArrayLike:
    """Delays of a feedforward projection, ms: one for all, or one per source in the range.

    To a readout, whose answer may be a function of all of its voltage, they are ``to_readout``.
    """
    given = to_readout if target.is_readout else given
    return rng.uniform(*given, source.size) if isinstance(given, tuple) else given
