"""Dale's law in training: a neuron that excites does not learn to inhibit, nor the other way round.

Concerned are projections from one spiking population onto another or onto itself, where a neuron
meets others. Left out are the input's (channels, not neurons), what a readout receives (a decoder)
and weights of neurons onto themselves. A neuron's sign is that of its weights at the start, the
same in all of these projections; after a step, a weight of the other sign is set to zero.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, beside, namespace, to_host
from eventsim.errors import ParameterError, StorageError
from eventsim.network import Network, Projection


class NeuronSigns:
    """Signs of the neurons of a network, and the weights that must have them.

    :meth:`restore` changes the weights in place, those of trained ``keys`` alone. A neuron whose
    weights are all zero excites. Raises ParameterError if one starts with weights of both signs.
    """

    def __init__(self, net: Network, keys: Iterable[str]):
        trained = set(keys)
        self._concerned = [p for p in net.projections.values() if _concerned(net, p)]
        self._trained = [p for p in self._concerned if f"{p.name}.weights" in trained]
        sources = dict.fromkeys(p.source for p in self._concerned)
        self.signs = {name: self._start(name) for name in sources}
        self._prepare()

    def restore(self) -> None:
        """Set weights of the wrong sign to zero."""
        for projection, signs in zip(self._trained, self._by_synapse, strict=True):
            values = projection.values
            values[...] = namespace(values).where(values * signs > 0, values, 0.0)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Signs by population, for a checkpoint: later weights, some zero, may not tell them."""
        return {f"signs.{name}": signs.copy() for name, signs in self.signs.items()}

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take up what :meth:`to_arrays` gave; raises StorageError if it does not fit."""
        for name, signs in self.signs.items():
            stored = arrays.get(f"signs.{name}")
            if stored is None or stored.shape != signs.shape:
                raise StorageError(
                    "Optimiser state",
                    f"has no signs of the neurons of {name!r}",
                    remedy="It is of a run without dale, or of another network.",
                )
            signs[...] = stored
        self._prepare()

    def _start(self, population: str) -> Floats:
        signs: Floats | None = None
        for projection in self._concerned:
            if projection.source != population:
                continue
            least, most = _extremes(projection)
            if signs is None:
                signs = np.zeros(least.size)
            found = np.sign(least + most)
            mixed = np.flatnonzero(((least < 0) & (most > 0)) | (signs * found < 0))
            if mixed.size:
                raise ParameterError(
                    "dale",
                    f"neuron {mixed[0]} of {population!r} has weights of both signs "
                    f"({projection.name!r}: {least[mixed[0]]:.6g} .. {most[mixed[0]]:.6g})",
                    "one sign per neuron in all projections onto spiking populations",
                    "Build such a network with rsnn(..., inhibitory=0.2), or leave dale out.",
                )
            signs = np.where(signs == 0, found, signs)
        assert signs is not None
        return np.where(signs == 0, 1.0, signs)

    def _prepare(self) -> None:
        """Signs in the shape of the weights and where these are, so that a step copies nothing."""
        self._by_synapse = [
            p.of_sources(beside(self.signs[p.source], p.values)) for p in self._trained
        ]


def _concerned(net: Network, projection: Projection) -> bool:
    ends = {projection.source, projection.target}
    return not projection.one_to_one and ends <= net.spiking.keys()


def _extremes(projection: Projection) -> tuple[Floats, Floats]:
    """Least and greatest weight of every source, zero among them."""
    values = np.asarray(to_host(projection.values))
    sources = projection.sources()
    least, most = np.zeros((2, projection.weights.shape[0]))
    np.minimum.at(least, sources, values.ravel())
    np.maximum.at(most, sources, values.ravel())
    return least, most
