"""The inputs of a backward pass must be finite: NaN or infinity is refused, with its place.

Kernels set tiny numbers to 0, and a comparison with NaN is false: NaN could turn into a number.
All arrays are checked together, since on a device each check costs time.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Array, namespace, to_host
from eventsim.errors import ParameterError
from eventsim.events import SpikeTrains


class Given(NamedTuple):
    """An array from a caller: what it is, and how the place of an entry is called."""

    what: str
    values: Array
    place: Callable[[int], str]


def all_finite(given: Sequence[Given]) -> list[Array]:
    """Whether all is finite: of every library of arrays one answer, an array without dimensions."""
    found: dict[Any, list[Array]] = {}
    for one in given:
        found.setdefault(namespace(one.values), []).append(one.values)
    return [_finite(xp, arrays) for xp, arrays in found.items()]


def _finite(xp: Any, arrays: Sequence[Array]) -> Array:
    """Whether arrays of one library are finite; on the host one by one, as a copy costs more."""
    if xp is np:
        return np.array(all(np.isfinite(values).all() for values in arrays))
    return xp.isfinite(xp.concatenate([values.ravel() for values in arrays])).all()


def require_finite(where: str, given: Sequence[Given]) -> None:
    """Raise ParameterError for the first entry that is not finite."""
    if all(bool(good) for good in all_finite(given)):
        return
    for what, values, place in given:
        flat = to_host(values).ravel()
        bad = np.flatnonzero(~np.isfinite(flat))
        if bad.size:
            raise ParameterError(
                where,
                f"{what} is {flat[bad[0]]} at {place(int(bad[0]))}",
                "a finite number",
                "Look for a division by zero or an overflow in the loss.",
            )


def require_finite_loss(where: str, value: float, loss: object) -> None:
    """Raise ParameterError unless the value of a loss is finite."""
    if not np.isfinite(value):
        raise ParameterError(
            where,
            f"the loss {type(loss).__name__} is {value}",
            "a finite number",
            "Look for a division by zero or an overflow in it, or in the network's values.",
        )


def of_spikes(trains: SpikeTrains) -> Callable[[int], str]:
    """Says which spike an entry belongs to."""

    def place(k: int) -> str:
        offsets = to_host(trains.offsets)
        sample = int(np.searchsorted(offsets, k, side="right")) - 1
        return f"spike {k} (sample {sample}, neuron {int(trains.neurons[k])})"

    return place


def of_neurons(size: int) -> Callable[[int], str]:
    """Says which sample and neuron an entry of [samples, size] belongs to."""
    return lambda k: f"sample {k // size}, neuron {k % size}"
