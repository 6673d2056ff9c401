r"""A network on a grid of time: the fixed-step counterpart, and the way there and back.

With step :math:`\Delta` (ms), for neuron i with resting potential E, :math:`u = V - E`, and
:math:`s_j[t] \in \{0, 1\}` the spike of source j in step t,

.. math::
    x_i[t] &= \Big(1 - \frac{\Delta}{\tau_{s,i}}\Big) x_i[t-1]
              + \frac{1}{\tau_{s,i}} \sum_j w_{ij}\, s_j[t - d_{ij}] \\
    u_i[t] &= \Big(1 - \frac{\Delta}{\tau_{m,i}}\Big) \tilde u_i[t-1] + \Delta R_i\, x_i[t] \\
    s_i[t] &= \big[u_i[t] > \vartheta_i - E_i\big], \qquad
    \tilde u_i[t] = u_i[t]\,(1 - s_i[t]) + (V_{r,i} - E_i)\, s_i[t].

At :math:`\Delta` = 1 ms and E = V_r = 0 this is the neuron of TSSL-BP (Zhang and Li, arXiv
2002.10085) with a synaptic trace of unit integral and a hard reset. Three things differ:

* The trace belongs to the target. If all :math:`\tau_s` are equal, this is by linearity the same:
  :math:`x_i = \sum_j w_{ij} a_j` with the published trace :math:`a_j` of the source. Input channels
  have no time constant, so a trace of the source would not be defined for them.
* A projection inside a loop, and a connection of a neuron onto itself, arrives one step later at
  the earliest (:math:`d \ge 1`); others in the step of the spike. Delays are rounded to steps.
* The published neuron has no refractory time. Here it is rounded to steps in which u stays at its
  reset.

**Weights.** In continuous time, after a spike, the equation of the grid is
:math:`\dot u = -u/\tau_m + R\,w\,e^{-t/\tau_s}/\tau_s`, and that of eventsim
:math:`\tau_m \dot V = -V + R\,w\,e^{-t/\tau_s}`. So

.. math:: w_{exact} = w_{grid}\, \tau_m / \tau_s

with the time constants of the target, for any resistance; all other parameters are the same.
"""

from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats
from eventsim.errors import ParameterError
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.network.projection import Projection
from eventsim.summary import short_repr


@dataclass(frozen=True, eq=False)
class ClockedNetwork:
    """A network that runs in steps; made by :func:`from_network`.

    Attributes
    ----------
    grid
        The network, its weights in the units of the grid. Its arrays are live.
    dt
        Time step, ms.
    """

    grid: Network
    dt: float

    __repr__ = short_repr

    def to_network(self) -> Network:
        """The same network for exact event time; undoes :func:`from_network`. New arrays."""
        net = self.grid.copy()
        for projection in net.projections.values():
            projection.values[...] *= 1.0 / _grid_factor(net, projection)
        return net

    def check(self) -> None:
        """Raise ParameterError if a value has left its domain or a time constant is below dt."""
        self.grid.check()
        for population in self.grid.neurons.values():
            for name in ("tau_mem", "tau_syn"):
                smallest = float(population.parameters[name].min())
                if smallest < self.dt:
                    raise ParameterError(
                        f"ClockedNetwork, population {population.name!r}",
                        f"{name} is {smallest} ms",
                        f"at least dt = {self.dt} ms",
                        "Take a smaller dt.",
                    )


def from_network(net: Network, dt: float = 1.0) -> ClockedNetwork:
    """The fixed-step counterpart of a network.

    Parameters
    ----------
    net
        The network; not changed.
    dt
        Time step, ms, > 0 and at most the shortest time constant.

    Raises
    ------
    ParameterError
        ``dt`` is out of its domain.
    NetworkError
        There is a decision behind a readout, or an adaptive threshold.
    ShapeError
        A projection has delays per synapse; there is one per projection or source on the grid.
    """
    if not 0 < dt < np.inf:
        raise ParameterError("from_network", f"dt is {dt}", "a finite value > 0 (ms)")
    require("fixed_step", net)
    grid = net.to_host().copy()
    for projection in grid.projections.values():
        projection.values[...] *= _grid_factor(grid, projection)
    clocked = ClockedNetwork(grid, float(dt))
    clocked.check()
    return clocked


def _grid_factor(net: Network, projection: Projection) -> Floats:
    """tau_syn / tau_mem of the target of every weight, in a shape that fits the weights."""
    target = net.populations[projection.target]
    factor: Floats = projection.of_targets(target.tau_syn / target.tau_mem)
    return factor
