r"""Keep neurons in a useful range of rates: a rate band, and a lift for silent neurons.

Exact gradients do not see that a spike appears or vanishes, so they cannot steer a rate. Two
remedies are here.

**RateBand** is a pseudo-gradient. With the mean rate :math:`r_n = N_n / T` of neuron n over the
batch (:math:`N_n` spikes in :math:`T` seconds of all samples) the penalty is

.. math::
    L = \frac{s}{2 n} \sum_n \big[\max(r_n - r_{high}, 0)^2 + \max(r_{low} - r_n, 0)^2\big],

and its derivative by the count is laid on the voltage just before every spike, as if one spike
more were one threshold (:math:`\vartheta - E`) more of voltage:

.. math::
    \frac{\partial L}{\partial V^-} :=
        \frac{1}{\vartheta_n - E_n}\, \frac{\partial L}{\partial N_n}.

Of a neuron that rests at or above its threshold :math:`\vartheta_n - V_{r,n}` is in place of
:math:`\vartheta_n - E_n`, here and in all pseudo-gradients. The sign is right, the size is a
convention; :func:`eventsim.adjoint.gradcheck` does not hold for it.

**lift_silent** raises all incoming weights of neurons that never fired by a stated amount: they
have no spike on which any gradient could act.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.adjoint import Seeds, SpikeSeed
from eventsim.arrays import Floats, beside, namespace, to_host
from eventsim.checks import in_domain
from eventsim.entries import From0
from eventsim.errors import ParameterError
from eventsim.events import SpikeTape
from eventsim.network import Network, Population

MS_PER_S = 1000.0


@dataclass(frozen=True)
class RateBand:
    """Penalty on mean rates outside a band; a pseudo-gradient, see the module.

    Parameters
    ----------
    low, high
        Hz, ``0 <= low <= high``; ``high`` may be infinite.
    strength
        Loss per Hz squared, >= 0.
    populations
        Names, or None for all spiking populations.
    """

    low: float
    high: float
    _: KW_ONLY
    strength: float = 1e-3
    populations: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ParameterError(
                "RateBand", f"the band is [{self.low}, {self.high}] Hz", "0 <= low <= high"
            )
        in_domain("RateBand", "strength", self.strength, From0)

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and pseudo-gradient seeds."""
        tape.require_all("RateBand")
        names = tape.names if self.populations is None else self.populations
        counts = {name: tape[name].total_counts() for name in names}
        value, slopes = self.slopes(net, counts, seconds=tape.stream.duration.sum() / MS_PER_S)
        return value, spike_seeds(slopes, tape)

    def slopes(
        self, net: Network, counts: Mapping[str, NDArray[np.int64]], *, seconds: float
    ) -> tuple[float, dict[str, NDArray[np.float64]]]:
        """Value, and dL/dV per spike of every neuron, from spikes counted over a whole batch.

        A batch whose samples are on several tapes is counted as a whole first; every tape then
        takes its seeds from :func:`spike_seeds`.

        Parameters
        ----------
        net
            The network.
        counts
            Spikes of every neuron, [size] by population.
        seconds
            Of input, in which they were counted.

        Returns
        -------
        Value, and slopes [size] by population, in arrays of the network's library.
        """
        value, slopes = 0.0, dict[str, NDArray[np.float64]]()
        if self.strength == 0.0 or seconds == 0.0:
            return value, slopes
        for name, count in counts.items():
            population = net.populations[name]
            rate, xp = count / seconds, namespace(count)
            excess = xp.maximum(rate - self.high, 0.0) - xp.maximum(self.low - rate, 0.0)
            value += 0.5 * self.strength * float(xp.mean(excess**2))
            per_count = self.strength * excess / (count.size * seconds)
            reach = voltage_of_spike(population)
            slopes[name] = beside(per_count, reach) / reach
        return value, slopes


def voltage_of_spike(population: Population) -> Floats:
    """Voltage that counts as one spike more in pseudo-gradients, > 0, [size]. New array.

    The threshold above rest; of neurons that rest at or above it, above their reset.
    """
    rest, threshold = population.v_leak, population.threshold
    begin = namespace(rest).where(rest < threshold, rest, population.v_reset)
    found: Floats = threshold - begin
    return found


def spike_seeds(slopes: Mapping[str, NDArray[np.float64]], tape: SpikeTape) -> Seeds:
    """Seeds of a tape's spikes from the dL/dV of their neurons."""
    seeds = {}
    for name, slope in slopes.items():
        neurons = tape[name].neurons
        seeds[name] = SpikeSeed(voltage=beside(slope, neurons)[neurons])
    return seeds


def lift_silent(net: Network, counts: Mapping[str, NDArray[np.int64]], *, amount: float) -> int:
    """Raise the incoming weights of neurons that did not fire.

    Parameters
    ----------
    net
        Changed in place: every weight onto a silent neuron, except its weight onto itself, and
        except shared weights that reach a neuron that is not silent.
    counts
        Spikes of every neuron over the batch or epoch, [size] by population.
    amount
        Added to each of those weights, >= 0.

    Returns
    -------
    int
        Number of silent neurons.
    """
    in_domain("lift_silent", "amount", amount, From0)
    if amount == 0:
        return 0
    for projection in net.projections.values():
        if projection.one_to_one or projection.target not in counts:
            continue
        silent, values = to_host(counts[projection.target]) == 0, projection.values
        if not silent.any():
            continue
        silent = projection.of_targets(silent)
        sharing = net.shared.get(f"{projection.name}.weights")
        if sharing is not None:
            # What is one can only be lifted where no neuron that it reaches fires.
            silent = sharing.spread(np.broadcast_to(silent, values.shape), "least")
        values += beside(amount * silent, values)
    return sum(int((count == 0).sum()) for count in counts.values())
