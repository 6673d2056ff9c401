"""Layout of the trained parameters in one vector, shared by gradients, moments and means.

Parameters of one kind lie side by side, so that one call serves all of them. On a device a call
costs its price whatever the size of its arrays.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from eventsim.arrays import Array, Floats, beside, namespace
from eventsim.checks import shaped


class Layout:
    """The places of parameters, arrays of the library ``xp``, in a vector.

    ``kinds`` are the slices of every kind (``weights``, ``tau_mem``, ..).
    """

    def __init__(self, parameters: Mapping[str, Floats]):
        self.xp: Any = namespace(next(iter(parameters.values()), np.zeros(0)))
        self.kinds: dict[str, slice] = {}
        self._places: dict[str, tuple[slice, tuple[int, ...]]] = {}
        self.size = 0
        for kind in dict.fromkeys(map(kind_of, parameters)):
            begin = self.size
            for key, value in parameters.items():
                if kind_of(key) == kind:
                    self._places[key] = slice(self.size, self.size + value.size), value.shape
                    self.size += value.size
            self.kinds[kind] = slice(begin, self.size)

    @property
    def keys(self) -> list[str]:
        """Keys of the parameters, in the order of the vector."""
        return list(self._places)

    def zeros(self) -> Floats:
        """A vector of zeros. New array."""
        vector: Floats = self.xp.zeros(self.size)
        return vector

    def join(self, arrays: Mapping[str, Array], *behind: Array) -> Floats:
        """The arrays as one vector, with ``behind`` after them; further keys are ignored.

        New array, of the layout's library. Raises ShapeError if one does not fit.
        """
        like, parts = self.xp.zeros(0), []
        for key, (_, shape) in self._places.items():
            shaped(
                "AdamW",
                f"the gradient of {key!r}",
                arrays[key],
                shape,
                expected=f"{shape}, that of the parameter",
            )
            parts.append(beside(arrays[key], like).ravel())
        vector: Floats = self.xp.concatenate([like, *parts, *behind])
        return vector

    def view(self, vector: Floats, key: str) -> Floats:
        """The part of one parameter, in its shape."""
        place, shape = self._places[key]
        return vector[place].reshape(shape)


def kind_of(key: str) -> str:
    """Last word of a key: ``weights`` of ``input->hidden1.weights``."""
    return key.rpartition(".")[2]
