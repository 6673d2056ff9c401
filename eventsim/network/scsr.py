r"""Skip-connected self-recurrent networks (ScSr-SNN; Zhang and Li, arXiv 2010.12691).

Hidden populations in a row, each of whose neurons may feed back onto itself, and each of which
may receive from every earlier population, the input included. Initial weights are drawn from

.. math:: w_{ij} \sim \mathcal N\big(\mu g / n,\; (\sigma g)^2 / n\big)

with :math:`n` the number of sources and :math:`g` a gain per projection kind, so that neurons of
every layer begin in a regime in which they fire.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from eventsim.errors import NetworkError
from eventsim.network.layers import Output, stack
from eventsim.network.network import Network
from eventsim.network.parts import self_recurrent as self_weights

Skips = bool | Sequence[tuple[str, str]]


def scsr(
    n_inputs: int,
    hidden: Sequence[int],
    n_outputs: int,
    *,
    self_recurrent: bool = True,
    skip: Skips = True,
    output: Output = "readout",
    tau_mem: ArrayLike = 20.0,
    tau_syn: ArrayLike = 5.0,
    refractory: ArrayLike = 1.0,
    mean: float = 1.0,
    spread: float = 1.0,
    seed: int | np.random.Generator = 0,
) -> Network:
    r"""Build a ScSr-SNN with populations ``input``, ``hidden1`` .. and ``output``.

    Parameters
    ----------
    n_inputs, hidden, n_outputs
        Sizes; ``hidden`` has one entry per hidden population.
    self_recurrent
        Give every hidden neuron a connection onto itself.
    skip
        True: every population receives from all earlier ones. False: only from the one before.
        Or a list of extra ``(source, target)`` names.
    output
        ``readout``: leaky integrators. ``spiking``: neurons with a threshold.
    tau_mem, tau_syn
        ms, for hidden and output populations.
    refractory
        ms, for hidden populations and a spiking output. Without it a neuron that training makes
        excite itself may fire without bound.
    mean, spread
        :math:`\mu` and :math:`\sigma` of the initial weights, see the module.
    seed
        Seed or generator of the initial weights.

    Raises
    ------
    NetworkError, ShapeError, ParameterError
    """
    net = stack(
        "scsr",
        (n_inputs, hidden, n_outputs),
        output=output,
        tau_mem=tau_mem,
        tau_syn=tau_syn,
        refractory=refractory,
    )
    rng, names = np.random.default_rng(seed), list(net.populations)
    for source, target in _connections(names, skip):
        pre, post = net.population(source), net.population(target)
        gain = 2.0 if pre.kind == "input" else 1.0
        bias = 0.0 if post.kind == "readout" else mean * gain / pre.size
        shape = (pre.size, post.size)
        net.connect(source, target, rng.normal(bias, spread * gain / np.sqrt(pre.size), shape))
    if self_recurrent:
        for name in names[1:-1]:
            net.connect(name, name, self_weights(rng.normal(0.0, 0.1, net.population(name).size)))
    return net


def _connections(names: list[str], skip: Skips) -> list[tuple[str, str]]:
    chain = list(zip(names[:-1], names[1:], strict=True))
    if skip is False:
        return chain
    if skip is True:
        return [(names[i], names[k]) for k in range(1, len(names)) for i in range(k)]
    for source, target in skip:
        if source not in names or target not in names or names.index(source) >= names.index(target):
            raise NetworkError(
                f"scsr: skip ({source!r}, {target!r}) does not lead from an earlier to a later of "
                f"{names}."
            )
    return chain + [pair for pair in skip if tuple(pair) not in chain]
