"""Tapes with the spikes of chosen populations or neurons alone.

Such a tape numbers the neurons of a population as they are held, 0 .. n - 1, so that all that
counts by neuron (``eventsim.activity``, rasters) is of these n. What needs the spikes of all
neurons refuses it by the row ``whole_tape`` of the matrix. Arrivals at synapses are counted in
full, and so is the number of spikes of every population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Ints
from eventsim.checks import every, instance, known, vector, whole_array
from eventsim.errors import ParameterError, ShapeError
from eventsim.events.npz import Form, check_forms, hold

Record = Sequence[str] | Mapping[str, ArrayLike]
"""Names of populations, or the numbers of neurons by name of population."""


class Recorded(NamedTuple):
    """Recorded neurons and number of spikes of a population, on a tape of chosen neurons.

    Attributes
    ----------
    size
        Neurons of the population.
    neurons
        int64 [held], ascending: numbers in the population of those whose spikes are held; none of a
        population that was not chosen.
    spikes
        Spikes of all its neurons in all samples, held or not.
    """

    size: int
    neurons: Ints
    spikes: int

    @property
    def is_whole(self) -> bool:
        """Whether the spikes of all neurons are held."""
        return self.neurons.size == self.size


def chosen_neurons(record: Record, sizes: Mapping[str, int], where: str) -> dict[str, Ints]:
    """Ascending numbers of the neurons that are to be recorded, of the populations with some.

    ``sizes`` has the spiking populations. Raises NetworkError for a name that none of them has,
    ParameterError or ShapeError for numbers that are none of a population, or no list.
    """
    instance(where, "record", record, str, Sequence, Mapping)
    named = [record] if isinstance(record, str) else record
    for name in named:
        known(where, "spiking population", name, sizes)
    if not isinstance(named, Mapping):
        return {name: np.arange(size) for name, size in sizes.items() if name in named}
    found = {}
    for name, size in sizes.items():
        if name not in named:
            continue
        of_one = f"{where}: neurons of {name!r}"
        numbers = whole_array(named[name], of_one)
        vector(of_one, "", numbers, "i", error=ShapeError)
        if not numbers.size:
            raise ParameterError(of_one, "are none", "one at least", f"Leave {name!r} out.")
        inside = (numbers >= 0) & (numbers < size)
        every(of_one, "one", numbers, inside, f"numbers in 0 .. {size - 1}")
        found[name] = np.unique(numbers)
    return found


def phrase_of(recorded: Mapping[str, Recorded]) -> str:
    """Recorded populations and neurons of a tape, in words."""
    held = [
        name if one.is_whole else f"{name} ({one.neurons.size} of {one.size} neurons)"
        for name, one in recorded.items()
        if one.neurons.size
    ]
    return f"the tape has the spikes of {', '.join(held) or 'no population'} alone"


def recorded_arrays(recorded: Mapping[str, Recorded]) -> dict[str, Any]:
    """For a file; no arrays of a tape that holds all spikes."""
    if not recorded:
        return {}
    parts = list(recorded.values())
    return {
        "recorded.names": np.array(list(recorded), dtype=str),
        "recorded.numbers": np.array([(p.size, p.spikes, p.neurons.size) for p in parts], np.int64),
        "recorded.neurons": np.concatenate([part.neurons for part in parts]),
    }


def check_recorded(claims: Mapping[str, Any]) -> None:
    """Raise unless what the headers of a file claim can be :func:`recorded_arrays`."""
    if not any(name.startswith("recorded.") for name in claims):
        return
    names = claims["recorded.names"]
    hold(len(names.shape) == 1 and np.issubdtype(names.dtype, np.str_), "recorded.names: no texts")
    forms = {"recorded.numbers": Form("i8", (*names.shape, 3))}
    check_forms(claims, forms | {"recorded.neurons": Form("i8", (None,))})


def recorded_in(arrays: Mapping[str, Any], held: Mapping[str, int]) -> dict[str, Recorded]:
    """Read :func:`recorded_arrays`; ValueError unless trains of the sizes ``held`` fit them."""
    if "recorded.names" not in arrays:
        return {}
    size, spikes, n = arrays["recorded.numbers"].T
    hold(bool((size >= 1).all() and (spikes >= 0).all() and (n >= 0).all()), "recorded numbers")
    ends = np.cumsum(n)
    hold(int(ends[-1:].sum()) == arrays["recorded.neurons"].size, "recorded neurons")
    found = {}
    parts = np.split(arrays["recorded.neurons"], ends[:-1])
    for name, some, total, count in zip(arrays["recorded.names"], parts, spikes, size, strict=True):
        good = (np.diff(some, prepend=-1) > 0).all() and (some < count).all()
        hold(bool(good), f"recorded neurons of {str(name)!r}")
        found[str(name)] = Recorded(int(count), some, int(total))
    there = {name: one.neurons.size for name, one in found.items() if one.neurons.size}
    hold(there == dict(held), "recorded populations are not those with spikes")
    return found
