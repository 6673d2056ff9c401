r"""Networks of convolutions along the channels of one input, with a linear decision.

Spiking convolutions in a row, whose neurons may feed back onto themselves, then a convolution of
leaky integrators, the readout, and a linear decision behind its neurons' largest voltages. Weights
and neuron parameters are shared along the channels, so that what was learned at one place of the
cochlea is heard at all of them: by another voice, in another pitch.

.. math:: w \sim \mathcal N\big(\mu / n,\; (\sigma g)^2 / n\big)

with :math:`n` the number of sources and a gain :math:`g` of 2 for the input's. Every map of a
spiking convolution sends after a time of its own, evenly from the least to the largest delay:
what was heard then meets what is heard now.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from eventsim.errors import ShapeError
from eventsim.network.convolution import Convolution
from eventsim.network.layers import Delays, check_delays
from eventsim.network.network import Network
from eventsim.network.parts import self_recurrent as self_weights


def convolutional(
    n_inputs: int,
    hidden: Sequence[int],
    n_outputs: int,
    *,
    output_maps: int = 30,
    kernel: tuple[int, int] = (9, 5),
    stride: tuple[int, int] = (2, 2),
    self_recurrent: bool = True,
    forward_delays: Delays = (0.0, 170.0),
    tau_mem: ArrayLike = 20.0,
    tau_syn: ArrayLike = 10.0,
    refractory: ArrayLike = 1.0,
    mean: float = 1.0,
    spread: float = 1.0,
    seed: int | np.random.Generator = 0,
) -> Network:
    r"""Build a network with populations ``input``, ``hidden1`` .. and the readout ``output``.

    Parameters
    ----------
    n_inputs
        Channels.
    hidden
        Maps of every spiking convolution, at least one.
    n_outputs
        Classes of the decision.
    output_maps
        Maps of the readout.
    kernel, stride
        Places, of the spiking convolutions and of the readout's; kernels are padded by half of
        their length on both sides.
    self_recurrent
        Give every spiking neuron a connection onto itself.
    forward_delays
        ms, of connections from spiking neurons: one number, or ``(low, high)``.
    tau_mem, tau_syn
        ms, of all neurons.
    refractory
        ms, of spiking neurons.
    mean, spread
        :math:`\mu` and :math:`\sigma` of the initial weights, see the module.
    seed
        Seed or generator of the initial weights.

    Raises
    ------
    NetworkError, ShapeError, ParameterError
    """
    if not hidden or len(kernel) != 2 or len(stride) != 2:
        raise ShapeError(
            f"convolutional: hidden is {tuple(hidden)}, kernel {tuple(kernel)} and stride "
            f"{tuple(stride)}, expected at least one spiking convolution, and two numbers each for "
            "kernel and stride: of the spiking convolutions and of the readout's."
        )
    check_delays("convolutional", "forward_delays", forward_delays)
    low, high = forward_delays if isinstance(forward_delays, tuple) else (forward_delays,) * 2
    rng, net, layers = np.random.default_rng(seed), Network(), (*hidden, output_maps)
    net.add_input("input", n_inputs)
    places, in_maps, source, delays = n_inputs, 1, "input", np.zeros(n_inputs)
    for k, maps in enumerate(layers):
        reads = k == len(hidden)
        width, step = kernel[reads], stride[reads]
        layer = Convolution(places, width, step, width // 2, in_maps, maps)
        (places,), in_maps = layer.out_shape, maps
        target = "output" if reads else f"hidden{k + 1}"
        if reads:
            net.add_readout(target, layer.n_targets, tau_mem=tau_mem, tau_syn=tau_syn)
        else:
            net.add_population(
                target, layer.n_targets, tau_mem=tau_mem, tau_syn=tau_syn, refractory=refractory
            )
        weights = layer.draw(rng, mean=mean, spread=spread if k else 2.0 * spread)
        projection = layer.connect(net, source, target, weights, delays=delays)
        if k:
            net.share(f"{projection.name}.delays", np.arange(delays.size) % layer.in_maps)
        if self_recurrent and not reads:
            own = np.tile(rng.normal(0.0, 0.1, maps), places)
            net.connect(target, target, self_weights(own))
        layer.share_neurons(net, target)
        source, delays = target, np.tile(np.linspace(low, high, maps), places)
    size = net.population("output").size
    limit = 1.0 / math.sqrt(size)
    net.decide("output", rng.uniform(-limit, limit, (size, n_outputs)))
    return net
