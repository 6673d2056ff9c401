r"""SpiKL-IP: intrinsic plasticity towards an exponential distribution of rates, a local rule.

Beside BIP, which follows the gradient of the loss, this is the standard of comparison: every hidden
neuron tunes its own tau_mem and resistance from nothing but its own rate, so that over the inputs
that it meets its rate is spread as widely as its mean allows (Zhang and Li, 2019).

**Rule.** Under a constant current x the neuron fires at (rates per ms, E the resting potential)

.. math::
    y = \Big[t_{ref} + \tau_m \ln \frac{W + v}{W}\Big]^{-1}, \qquad
    W = R x - (\vartheta - E),\quad v = \vartheta - V_r.

With x drawn from some density, y has the density :math:`f_y = f_x / (dy/dx)`, and its divergence
from the exponential density :math:`e^{-y/\mu}/\mu` is the mean over the inputs of

.. math:: L = -\ln \frac{dy}{dx} + \frac{y}{\mu} + \text{const}, \qquad
          \frac{dy}{dx} = \frac{y^2\, \tau_m R\, v}{W\,(W + v)}.

By :math:`R\,\partial y/\partial R = y^2 \tau_m (W + \vartheta - E)\, v / (W (W + v))` and
:math:`\tau_m\, \partial y/\partial \tau_m = t_{ref}\, y^2 - y`, descent in the logarithms is

.. math::
    -\frac{\partial L}{\partial \ln R} &= \Big(\frac2y - \frac1\mu\Big)
        R\,\frac{\partial y}{\partial R} + 1
        - (W + \vartheta - E) \Big(\frac1{W + v} + \frac1W\Big), \\
    -\frac{\partial L}{\partial \ln \tau_m} &= 2\, t_{ref}\, y - 1 + \frac{y - t_{ref}\, y^2}{\mu}.

The current is never measured: W follows from the rate, :math:`W = v / (e^{(1/y - t_{ref})/\tau_m}
- 1)`. For E = V_r = 0 these are the published derivatives, times R and tau_m: the published steps
are in R and tau_m themselves, these in their logarithms, in which eventsim trains both.

**Quiet neurons.** As y vanishes dy/dx grows without bound, and descent in R would make a quiet
neuron quieter. There the published rule raises R and lowers tau_m by a constant instead: where
:math:`y \tau_m` is at most ``floor``. The published program has 0.01 / ms, that is 0.64 at its
first tau_m of 64 ms, about where descent in R changes its sign (0.63 without refractory time). Its
constant is 6.4 in these units, at a mean rate of 200 Hz, which leaves few samples quiet; at lower
means 6.4 outweighs all else, so that the default of ``push`` is 1.

**Event-driven.** The published rule runs in every time step, on a rate filtered from the spikes.
Here there is no step: the rate of a neuron in a sample is its number of spikes by the sample's
length, and after a batch each neuron moves once, by the mean over the samples of the batch.

References
----------
Zhang and Li (2019), Information-theoretic intrinsic plasticity for online unsupervised learning in
spiking neural networks, Front. Neurosci. 13:31.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats, beside, namespace, to_host
from eventsim.entries import NotNegative, Positive, Settings
from eventsim.events import SpikeTape
from eventsim.matrix import require
from eventsim.network import Network, Population

MS_PER_S = 1000.0
LEAST_INTERVAL = 1e-3  # ms beyond the refractory time: keeps W finite at the highest rates
LARGEST_STEP = 1.0  # of a logarithm, in one batch


@dataclass(frozen=True, kw_only=True)
class SpiKL(Settings):
    """Settings of the rule; switched off by default.

    Attributes
    ----------
    resistance, tau_mem
        Learning rates, per batch and unit of logarithm, >= 0; 0 leaves the parameter alone.
    mean_rate
        Hz, > 0; of the exponential distribution.
    floor
        Of rate times tau_mem, > 0: at and below, a neuron counts as quiet.
    push
        What a quiet sample gives in place of the derivative, >= 0.
    resistance_bounds, tau_mem_bounds
        Where the rule keeps them; published are 1/2 and 8 times the first value.
    """

    resistance: NotNegative = 0.0
    tau_mem: NotNegative = 0.0
    mean_rate: Positive = 100.0
    floor: Positive = 0.64
    push: NotNegative = 1.0
    resistance_bounds: tuple[Positive, Positive] = (0.5, 8.0)
    tau_mem_bounds: tuple[Positive, Positive] = (10.0, 160.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("resistance_bounds", "tau_mem_bounds"):
            low, high = getattr(self, name)
            self.require(name, (low, high), low <= high, "low <= high")

    @property
    def tuned(self) -> tuple[str, ...]:
        """Parameters that the rule moves; none if it is switched off."""
        return tuple(name for name in ("resistance", "tau_mem") if getattr(self, name) > 0)

    def check(self, net: Network) -> None:
        """Raise NetworkError if the rule is on and has no rate for some neurons."""
        if self.tuned:
            require("spikl", net)

    def descent(self, population: Population, rates: Floats) -> dict[str, Floats]:
        """Negative derivative of L by the logarithms of resistance and tau_mem.

        Parameters
        ----------
        population
            The neurons, in NumPy arrays.
        rates
            Per ms, [samples, size].

        Returns
        -------
        dict
            ``resistance`` and ``tau_mem``, each [samples, size].
        """
        p, mean = population, self.mean_rate / MS_PER_S
        quiet = rates * p.tau_mem <= self.floor
        y = np.where(quiet, self.floor / p.tau_mem, rates)
        rise, lever = p.threshold - p.v_reset, p.threshold - p.v_leak
        interval = np.maximum(1.0 / y - p.refractory, LEAST_INTERVAL)
        w = rise / np.expm1(interval / p.tau_mem)
        dy = y**2 * p.tau_mem * (w + lever) * rise / (w * (w + rise))
        resistance = (2.0 / y - 1.0 / mean) * dy + 1.0 - (w + lever) * (1.0 / (w + rise) + 1.0 / w)
        tau_mem = 2.0 * p.refractory * y - 1.0 + (y - p.refractory * y**2) / mean
        return {
            "resistance": np.where(quiet, self.push, resistance),
            "tau_mem": np.where(quiet, -self.push, tau_mem),
        }

    def pull(self, net: Network, tape: SpikeTape, names: Sequence[str]) -> Floats:
        """Sums of :meth:`descent` over the samples of a tape, for :meth:`apply`.

        All in one vector, so that processes that share a batch can add theirs.
        """
        tape.require_all("SpiKL")
        duration, parts = tape.stream.duration[:, np.newaxis], [np.zeros(0)]
        for name in names:
            rates = to_host(tape[name].counts()) / duration
            found = self.descent(net.populations[name].map(to_host), rates)
            parts += [found[key].sum(axis=0) for key in self.tuned]
        return np.concatenate(parts)

    def apply(self, net: Network, names: Sequence[str], pull: Floats, n_samples: int) -> None:
        """Move the tuned parameters of those populations, in place; shared ones by their mean.

        Parameters
        ----------
        net
            The network.
        names
            As given to :meth:`pull`.
        pull
            The sum of all pulls of the batch.
        n_samples
            Samples of the batch.
        """
        start = 0
        for name in names:
            for key in self.tuned:
                values = net.populations[name].parameters[key]
                change = beside(pull[start : start + values.size] / n_samples, values)
                start += values.size
                xp = namespace(values)
                step = xp.clip(getattr(self, key) * change, -LARGEST_STEP, LARGEST_STEP)
                sharing = net.shared.get(f"{name}.{key}")
                if sharing is not None:
                    step = sharing.spread(step * beside(sharing.once(), step), "sum")
                values[...] = xp.clip(values * xp.exp(step), *getattr(self, f"{key}_bounds"))

    def __call__(self, net: Network, tape: SpikeTape, names: Sequence[str]) -> None:
        """Take a step of the rule from one tape."""
        self.apply(net, names, self.pull(net, tape, names), tape.stream.n_samples)
