r"""Recurrent networks with lateral connections (RSNN), to compare ScSr-SNNs with.

Hidden populations in a row. Each receives from the one before it and, laterally, from itself: every
neuron receives from others of its population, never from itself.

**Weights.** As in :mod:`eventsim.network.scsr`, with :math:`n` the number of sources of a neuron,

.. math:: w_{ij} \sim \mathcal N\big(\mu g / n,\; (\sigma g)^2 / n\big),

where g is 2 from the input, 1 laterally and to the output; the readout has mean 0. From one hidden
population to the next, which without skips has no other input, g is 40 ms / tau_syn (50 ms where
neurons have signs): large enough that the population is active, for any synaptic time constant.
Under Poisson input of 60 Hz on each of 64 channels a neuron then fires 10 to 35 times a second,
averaged over one of two hidden populations (2 to 85 in the second where neurons have signs); like
scsr, a network is nearly silent at 20 Hz.

**Excitatory and inhibitory neurons.** If a fraction f of every hidden population is inhibitory,
all weights of a neuron onto spiking neurons have one sign. With a standard normal z,

.. math::
    w_{ij} = \frac{\sigma g}{\sqrt n}\,|z| \cdot \begin{cases}
        +(1 + \delta)\sqrt{f / (1 - f)} & \text{i excitatory}\\
        -(1 - \delta)\sqrt{(1 - f) / f} & \text{i inhibitory}
    \end{cases}, \qquad
    \delta = \frac{\mu}{2 \sigma} \sqrt{\frac{\pi}{2\, n f (1 - f)}},

so excitation and inhibition of a neuron balance up to the same mean sum :math:`\mu g`, and the
second moment is about that above. (:math:`\delta` is at most 0.9, so that some inhibition is left
with few sources.) Weights of the input and of a readout have both signs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats
from eventsim.errors import ParameterError
from eventsim.network.lateral import Lateral, draw_pattern
from eventsim.network.layers import Alif, Delays, Output, Seed, axon_delays, check_delays, stack
from eventsim.network.network import Network
from eventsim.network.parts import Population
from eventsim.neuron.linear import LinearNeuron

INPUT_GAIN = 2.0
# Hidden to hidden, ms, over tau_syn; tests/unit/network/test_rsnn.py holds the rates that they
# give. Where neurons have signs the sum depends on the rates of few inhibitory neurons, and may
# come out low.
FORWARD_GAIN = 40.0
SIGNED_FORWARD_GAIN = 50.0
LARGEST_EXCESS = 0.9  # of excitation over inhibition: delta of the module


def rsnn(
    n_inputs: int,
    hidden: Sequence[int],
    n_outputs: int,
    *,
    lateral: Lateral = "dense",
    delays: Delays = 1.0,
    forward_delays: Delays = 0.0,
    inhibitory: float | None = None,
    lateral_gain: float = 1.0,
    output: Output = "readout",
    tau_mem: ArrayLike = 20.0,
    tau_syn: ArrayLike = 5.0,
    refractory: ArrayLike = 1.0,
    alif: Alif = None,
    neuron: LinearNeuron | None = None,
    mean: float = 1.0,
    spread: float = 1.0,
    seed: Seed = 0,
) -> Network:
    r"""Build a recurrent network with populations ``input``, ``hidden1`` .. and ``output``.

    Projections are ``input->hidden1``, ``hidden1->hidden1``, ``hidden1->hidden2`` ..; feedforward
    weights are dense, shape [sources, targets], lateral ones sparse without diagonal, shape [size,
    size]. A population of one neuron has no lateral projection.

    Parameters
    ----------
    n_inputs, hidden, n_outputs
        Sizes; ``hidden`` has one entry per hidden population.
    lateral
        ``"dense"``: from all others. :class:`RandomLateral`: with a probability, or from a fixed
        number of others. :class:`DistanceLateral`: with a probability that falls with distance.
    delays
        Of lateral synapses in ms, >= 0: one number for all, or ``(low, high)``: uniform in this
        range, drawn for every synapse.
    forward_delays
        As :func:`eventsim.scsr`.
    inhibitory
        Fraction of every hidden population, 0 < f < 1, whose weights onto spiking neurons are all
        negative; those of the others are all positive. At least one neuron of each sign, in random
        places. None: both signs in every neuron. Training keeps signs with ``dale=True``.
    lateral_gain
        g of lateral weights, see the module.
    output, tau_mem, tau_syn, refractory, alif, neuron
        As :func:`eventsim.scsr`.
    mean, spread
        :math:`\mu` and :math:`\sigma`, see the module.
    seed
        Seed or generator of everything that is drawn.

    Raises
    ------
    NetworkError, ShapeError, ParameterError
    """
    check_delays("rsnn", "delays", delays)
    check_delays("rsnn", "forward_delays", forward_delays)
    _check(inhibitory, spread)
    net = stack(
        "rsnn", (n_inputs, hidden, n_outputs), output=output, tau_mem=tau_mem, tau_syn=tau_syn,
        refractory=refractory, alif=alif, neuron=neuron,
    )  # fmt: skip
    draw = _LateralDraw(np.random.default_rng(seed), mean, spread)
    names = list(net.populations)
    before, signs = "input", None
    for name in names[1:]:
        pre, post = net.population(before), net.population(name)
        shape = (pre.size, post.size)
        weights = draw.forward(pre, post, signs).reshape(shape)
        lags = axon_delays(forward_delays, pre, post, draw.rng)
        net.connect(before, name, weights, delays=lags, delays_of="source")
        if name == "output":
            break
        signs = draw.signs(post.size, inhibitory)
        synapses = draw.lateral(lateral, post.size, gain=lateral_gain, signs=signs)
        if synapses.nnz:
            lags = draw.delays(delays, synapses.nnz)
            net.connect(name, name, synapses, delays=lags, delays_of="synapse")
        before = name
    return net


@dataclass(frozen=True, eq=False)
class _LateralDraw:
    """Random signs, weights and delays, drawn in the order of the calls."""

    rng: np.random.Generator
    mean: float
    spread: float

    def signs(self, size: int, inhibitory: float | None) -> Floats | None:
        """One sign per neuron; None for both in every neuron."""
        if inhibitory is None:
            return None
        if size < 2:
            raise ParameterError(
                "rsnn",
                f"a hidden population of {size} cannot have excitatory and inhibitory neurons",
                remedy="Make it larger, or leave inhibitory out.",
            )
        count = min(max(round(inhibitory * size), 1), size - 1)
        return self.rng.permutation(np.where(np.arange(size) < count, -1.0, 1.0))

    def forward(self, pre: Population, post: Population, signs: Floats | None) -> Floats:
        sources = np.repeat(np.arange(pre.size), post.size)
        if post.is_readout:
            return self.rng.normal(0.0, self.spread / math.sqrt(pre.size), sources.size)
        if pre.is_input:
            gain = INPUT_GAIN
        elif post.name == "output":
            gain = 1.0
        else:
            charge = FORWARD_GAIN if signs is None else SIGNED_FORWARD_GAIN
            gain = charge / float(post.tau_syn.mean())
        return self.weights(sources, pre.size, gain=gain, signs=signs)

    def lateral(self, lateral: Lateral, size: int, *, gain: float, signs: Floats | None) -> Any:
        """Sparse weights within a population."""
        synapses = draw_pattern(lateral, size, self.rng)
        if synapses.nnz:
            sources = np.repeat(np.arange(size, dtype=np.int32), np.diff(synapses.indptr))
            synapses.data = self.weights(sources, synapses.nnz / size, gain=gain, signs=signs)
        return synapses

    def weights(
        self,
        sources: NDArray[np.signedinteger[Any]],
        n: float,
        *,
        gain: float,
        signs: Floats | None,
    ) -> Floats:
        """A weight for every synapse, by its source."""
        deviation = self.spread * gain / math.sqrt(n)
        if signs is None:
            return self.rng.normal(self.mean * gain / n, deviation, sources.size)
        f = float((signs < 0).mean())
        excess = self.mean / (2.0 * self.spread) * math.sqrt(math.pi / (2.0 * n * f * (1.0 - f)))
        excess = min(excess, LARGEST_EXCESS)
        excitation = (1.0 + excess) * math.sqrt(f / (1.0 - f))
        inhibition = (1.0 - excess) * math.sqrt((1.0 - f) / f)
        by_source = np.where(signs > 0, excitation, -inhibition)
        size = deviation * np.abs(self.rng.standard_normal(sources.size))
        return np.asarray(size * by_source[sources])

    def delays(self, delays: Delays, n_synapses: int) -> ArrayLike:
        """Delay of all synapses, or one delay per synapse."""
        return self.rng.uniform(*delays, n_synapses) if isinstance(delays, tuple) else delays


def _check(inhibitory: float | None, spread: float) -> None:
    if inhibitory is not None and not 0 < inhibitory < 1:
        raise ParameterError(
            "rsnn",
            f"inhibitory is {inhibitory}",
            "0 < fraction < 1, or None for both signs in every neuron",
        )
    if inhibitory is not None and not spread > 0:
        raise ParameterError("rsnn", f"spread is {spread}", "a value > 0 where neurons have signs")
