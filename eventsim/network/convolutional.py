r"""Networks of convolutions along the channels of one input, with a linear decision.

Spiking convolutions in a row, whose neurons may feed back onto themselves, then a convolution of
leaky integrators, the readout, and a linear decision behind its neurons' largest voltages. Weights
and neuron parameters are shared along the channels, so that what was learned at one place of the
cochlea is heard at all of them: by another voice, in another pitch.

.. math:: w \sim \mathcal N\big(\mu / n,\; (\sigma g)^2 / n\big)

with :math:`n` the number of sources and a gain :math:`g` of 2 for the input's. Between spiking
convolutions it is 3, and :math:`\mu` four times as large: the second would hardly fire. Every map
of a spiking convolution sends after a time of its own, evenly from the least to the largest delay:
what was heard then meets what is heard now.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.errors import ShapeError
from eventsim.network.convolution import Convolution
from eventsim.network.layers import Delays, Seed, check_delays
from eventsim.network.network import Network
from eventsim.network.projection import self_recurrent as self_weights

# Factors on mean and spread of weights from one spiking convolution to the next.
AMONG_SPIKING = (4.0, 3.0)


def convolutional(
    n_inputs: int,
    hidden: Sequence[int],
    n_outputs: int,
    *,
    output_maps: int = 30,
    kernel: tuple[int, int] = (9, 5),
    stride: tuple[int, int] = (2, 2),
    self_recurrent: bool = True,
    skip_to_readout: bool = False,
    forward_delays: Delays = (0.0, 170.0),
    tau_mem: ArrayLike = 20.0,
    tau_syn: ArrayLike = 10.0,
    refractory: ArrayLike = 1.0,
    mean: float = 1.0,
    spread: float = 1.0,
    seed: Seed = 0,
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
    skip_to_readout
        Connect every spiking convolution to the readout, not the last alone: its kernel and
        stride are then as many channels wide on each.
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
    span = forward_delays if isinstance(forward_delays, tuple) else (forward_delays,) * 2
    if skip_to_readout and any(width % 2 == 0 for width in kernel):
        raise ShapeError(
            f"convolutional: kernel is {tuple(kernel)}, expected odd numbers of places with "
            "skip_to_readout, so that the readout hears the same channels of all convolutions."
        )
    rng, net = np.random.default_rng(seed), Network()
    net.add_input("input", n_inputs)
    places, in_maps, heard = n_inputs, 1, ["input"]
    for k, maps in enumerate(hidden):
        target, (width, step) = f"hidden{k + 1}", (kernel[0], stride[0])
        layer = Convolution(places, width, step, width // 2, in_maps, maps)
        net.add_population(
            target, layer.n_targets, tau_mem=tau_mem, tau_syn=tau_syn, refractory=refractory
        )
        gains = (AMONG_SPIKING[0] * mean, AMONG_SPIKING[1] * spread) if k else (mean, 2.0 * spread)
        _join(net, layer, heard[-1], target, layer.draw(rng, mean=gains[0], spread=gains[1]), span)
        if self_recurrent:
            own = np.tile(rng.normal(0.0, 0.1, maps), layer.out_shape)
            net.connect(target, target, self_weights(own))
        layer.share_neurons(net, target)
        (places,), in_maps = layer.out_shape, maps
        heard.append(target)
    for k in range(0 if skip_to_readout else len(hidden) - 1, len(hidden)):
        # A place of the readout is above the same channels, whichever convolution it hears.
        ratio = stride[0] ** (len(hidden) - 1 - k)
        width, source = (kernel[1] - 1) * ratio + 1, heard[k + 1]
        n = net.population(source).size // hidden[k]
        layer = Convolution(n, width, stride[1] * ratio, width // 2, hidden[k], output_maps)
        if "output" not in net.populations:
            net.add_readout("output", layer.n_targets, tau_mem=tau_mem, tau_syn=tau_syn)
        _join(net, layer, source, "output", layer.draw(rng, mean=mean, spread=spread), span)
    layer.share_neurons(net, "output")
    size = net.population("output").size
    limit = 1.0 / math.sqrt(size)
    net.decide("output", rng.uniform(-limit, limit, (size, n_outputs)))
    return net


def _join(
    net: Network,
    layer: Convolution,
    source: str,
    target: str,
    weights: NDArray[np.float64],
    span: tuple[float, float],
) -> None:
    """Connect, and let every map of a spiking convolution send after a time of its own."""
    if source == "input":
        layer.connect(net, source, target, weights, delays=np.zeros(layer.n_sources))
        return
    maps = layer.in_maps
    delays = np.tile(np.linspace(*span, maps), layer.n_sources // maps)
    projection = layer.connect(net, source, target, weights, delays=delays)
    net.share(f"{projection.name}.delays", np.arange(delays.size) % maps)
