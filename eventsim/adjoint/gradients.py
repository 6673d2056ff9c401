"""Gradients by the keys of a network, and by population and projection."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats
from eventsim.errors import NetworkError
from eventsim.summary import short_repr


class PartGradients:
    """Gradients of one population or projection, as attributes: ``.tau_mem``, ``.weights``."""

    def __init__(self, values: Mapping[str, Floats]):
        self._values = values

    def __getattr__(self, name: str) -> Floats:
        values: Mapping[str, Floats] = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"no gradient of {name!r}; there are {list(values)}")


@dataclass(frozen=True, eq=False)
class Gradients:
    """Result of :func:`eventsim.backward`.

    Attributes
    ----------
    values
        Under the keys, and in the shapes, of ``Network.parameters()``, in arrays of the network's
        library. Those of a linear decision are zero unless the loss reads it.
        ``grads["hidden1"].tau_mem`` and ``grads["input->hidden1"].weights`` find single ones.
    input_times
        dL/dt of every input event, shape [events].
    loss
        Value of the loss, or NaN when seeds were given.
    grazes
        Number of spikes at which V did not rise; their gradient is infinite and was left out.
    """

    values: Mapping[str, Floats]
    input_times: Floats
    loss: float = np.nan
    grazes: int = 0

    __repr__ = short_repr

    def __getitem__(self, name: str) -> PartGradients:
        parts: dict[str, dict[str, Floats]] = {}
        for key, values in self.values.items():
            part, _, kind = key.rpartition(".")
            parts.setdefault(part, {})[kind] = values
        if name in parts:
            return PartGradients(parts[name])
        known = list(parts)
        raise NetworkError("Gradients", f"nothing is called {name!r}; there are {known}")

    def flat(self) -> dict[str, Floats]:
        """The gradients under the keys, and in the shapes, of ``Network.parameters()``."""
        return dict(self.values)
