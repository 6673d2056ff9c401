"""Gradients by population and projection."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from eventsim.arrays import Floats
from eventsim.errors import NetworkError


@dataclass(frozen=True, eq=False)
class PopulationGradients:
    """dL/d(parameter) of a population, one array [size] per parameter, as attributes."""

    parameters: Mapping[str, Floats]

    def __getattr__(self, name: str) -> Floats:
        parameters: Mapping[str, Floats] = self.__dict__.get("parameters", {})
        if name in parameters:
            return parameters[name]
        raise AttributeError(f"no gradient of {name!r}; there are {list(parameters)}")


@dataclass(frozen=True, eq=False)
class ProjectionGradients:
    """Gradients of a projection.

    Attributes
    ----------
    weights
        Shape of the dense weights or self-weights; for a sparse projection [stored entries].
    delays
        Shape of the projection's delays.
    """

    weights: Floats
    delays: Floats


@dataclass(frozen=True, eq=False)
class Gradients:
    """Result of :func:`eventsim.backward`.

    Attributes
    ----------
    populations, projections
        By name; ``grads[name]`` finds both.
    input_times
        dL/dt of every input event, shape [events].
    loss
        Value of the loss, or NaN when seeds were given.
    grazes
        Spikes at which V did not rise, whose gradient is infinite and was left out.
    decision
        Of the network's linear decision by the keys of ``Network.parameters()``, in arrays of the
        network's library; empty if it has none. Zero unless a loss reads it.
    """

    populations: Mapping[str, PopulationGradients]
    projections: Mapping[str, ProjectionGradients]
    input_times: Floats
    loss: float = np.nan
    grazes: int = 0
    decision: dict[str, Floats] = field(default_factory=dict)

    def __getitem__(self, name: str) -> "PopulationGradients | ProjectionGradients":
        if name in self.populations:
            return self.populations[name]
        if name in self.projections:
            return self.projections[name]
        known = [*self.populations, *self.projections]
        raise NetworkError(f"Gradients: nothing is called {name!r}; there are {known}.")

    def flat(self) -> dict[str, Floats]:
        """All gradients under the keys, and in the shapes, of ``Network.parameters()``."""
        found = {
            f"{name}.{key}": values
            for name, population in self.populations.items()
            for key, values in population.parameters.items()
        }
        for name, projection in self.projections.items():
            found[f"{name}.weights"] = projection.weights
            found[f"{name}.delays"] = projection.delays
        return found | self.decision
