r"""Networks of convolutions along the channels of one input, with a linear decision.

Spiking convolutions in a row, whose neurons may feed back onto themselves, then a convolution of
leaky integrators, the readout, and a linear decision behind its neurons' largest voltages. Weights
and neuron parameters are shared along the channels. So a pattern that was learned at one position
of the cochlea is recognised at all of them: by another voice, in another pitch.

.. math:: w \sim \mathcal N\big(\mu / n,\; (\sigma g)^2 / n\big)

with :math:`n` the number of sources and a gain :math:`g` of 2 for the input's. Between spiking
convolutions it is 3, and :math:`\mu` four times as large: the second would hardly fire. Every map
of a spiking convolution has a delay of its own, evenly spaced from the smallest to the largest: so
earlier and present events arrive together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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
        Connect every spiking convolution to the readout, not only the last: its kernel and
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
    _check(hidden, kernel, stride, skip_to_readout, forward_delays)
    span = forward_delays if isinstance(forward_delays, tuple) else (forward_delays,) * 2
    draw, net = _Draw(np.random.default_rng(seed), mean, spread, span), Network()
    net.add_input("input", n_inputs)
    places, in_maps = n_inputs, 1
    for k, maps in enumerate(hidden):
        source, target = f"hidden{k}" if k else "input", f"hidden{k + 1}"
        layer = Convolution(places, kernel[0], stride[0], kernel[0] // 2, in_maps, maps)
        net.add_population(
            target, layer.n_targets, tau_mem=tau_mem, tau_syn=tau_syn, refractory=refractory
        )
        draw.join(net, layer, source, target)
        if self_recurrent:
            own = np.tile(draw.rng.normal(0.0, 0.1, maps), layer.out_shape)
            net.connect(target, target, self_weights(own))
        layer.share_neurons(net, target)
        (places,), in_maps = layer.out_shape, maps
    for k in range(0 if skip_to_readout else len(hidden) - 1, len(hidden)):
        source = f"hidden{k + 1}"
        places, above = net.population(source).size // hidden[k], stride[0] ** (len(hidden) - 1 - k)
        layer = _onto_readout(places, hidden[k], output_maps, (kernel[1], stride[1]), above)
        if "output" not in net.populations:
            net.add_readout("output", layer.n_targets, tau_mem=tau_mem, tau_syn=tau_syn)
        draw.join(net, layer, source, "output")
    layer.share_neurons(net, "output")
    draw.decide(net, n_outputs)
    return net


def _onto_readout(
    places: int, in_maps: int, maps: int, form: tuple[int, int], above: int
) -> Convolution:
    """A layer onto the readout, each place of which is above the same channels in every layer."""
    width = (form[0] - 1) * above + 1
    return Convolution(places, width, form[1] * above, width // 2, in_maps, maps)


def _check(
    hidden: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    skip_to_readout: bool,
    forward_delays: Delays,
) -> None:
    if not hidden or len(kernel) != 2 or len(stride) != 2:
        raise ShapeError(
            "convolutional",
            f"hidden is {tuple(hidden)}, kernel {tuple(kernel)} and stride {tuple(stride)}",
            "at least one spiking convolution, and two numbers each for kernel and stride: of "
            "the spiking convolutions and of the readout's",
        )
    if skip_to_readout and any(width % 2 == 0 for width in kernel):
        raise ShapeError(
            "convolutional",
            f"kernel is {tuple(kernel)}",
            "odd numbers of places with skip_to_readout, so that the readout receives the same "
            "channels of all convolutions",
        )
    check_delays("convolutional", "forward_delays", forward_delays)


@dataclass(frozen=True, eq=False)
class _Draw:
    """Weights and delays, in the order in which they are asked for."""

    rng: np.random.Generator
    mean: float
    spread: float
    span: tuple[float, float]

    def decide(self, net: Network, n_outputs: int) -> None:
        """The linear decision behind the readout."""
        size = net.population("output").size
        limit = 1.0 / math.sqrt(size)
        net.decide("output", self.rng.uniform(-limit, limit, (size, n_outputs)))

    def join(self, net: Network, layer: Convolution, source: str, target: str) -> None:
        """Connect, and let every map of a spiking convolution send after a time of its own."""
        mean, spread, maps = self.mean, self.spread, layer.in_maps
        if source == "input":
            spread *= 2.0
        elif target != "output":
            mean, spread = AMONG_SPIKING[0] * mean, AMONG_SPIKING[1] * spread
        weights = layer.draw(self.rng, mean=mean, spread=spread)
        if source == "input":
            layer.connect(net, source, target, weights, delays=np.zeros(layer.n_sources))
            return
        delays = np.tile(np.linspace(*self.span, maps), layer.n_sources // maps)
        projection = layer.connect(net, source, target, weights, delays=delays)
        net.share(f"{projection.name}.delays", np.arange(delays.size) % maps)
