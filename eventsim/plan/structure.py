"""The network to which a tape belongs: names, kinds, sizes, and a digest of each sparse pattern.

Whether thresholds are adaptive is part of a kind, and so is the kind of linear neurons.

Values are no part of it: training changes weights between two runs, and finite differences change
them between a run and its gradients. A tape that was made by hand, or by a version without a
structure in its tapes, is compared by the names and sizes of its trains alone.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from eventsim.errors import NetworkError
from eventsim.events import SpikeTape
from eventsim.network import Population, Projection


def structure_of(populations: Iterable[Population], projections: Iterable[Projection]) -> str:
    """The structure as text; the order in which the network was built does not matter."""
    parts = {f"population {p.name!r}": _kind(p) for p in populations}
    parts |= {f"projection {p.name!r}": _facts(p) for p in projections}
    return json.dumps(parts, sort_keys=True)


def _kind(population: Population) -> str:
    facts = f"{population.kind} of {population.size}"
    if population.neuron is not None:
        kind, *receptors = population.neuron.describe()
        return f"{facts}, {kind} neurons with receptors {receptors}"
    return f"{facts}, adaptive threshold" if population.is_adaptive else facts


def _facts(projection: Projection) -> str:
    shape, pattern = tuple(projection.weights.shape), projection.pattern
    facts = f"{projection.kind}, {shape}, {projection.values.size} synapses"
    if pattern is None:
        return facts
    digest = hashlib.blake2b(digest_size=16)
    digest.update(np.ascontiguousarray(pattern.indptr, "<i8").data)
    digest.update(np.ascontiguousarray(pattern.indices, "<i4").data)
    return f"{facts} of pattern {digest.hexdigest()}"


def check_structure(
    here: Mapping[str, int], source: str, structure: str, tape: SpikeTape, where: str
) -> None:
    """Raise NetworkError unless the tape can belong to a network of that structure.

    ``here`` has the sizes of the populations that send spikes, ``source`` is the name of the input.
    """
    if tape.structure is not None and tape.structure != structure:
        _refuse_other(where, json.loads(structure), json.loads(tape.structure))
    there = {name: trains.size for name, trains in tape.trains.items()}
    there[source] = tape.stream.n_channels
    if here != there:
        _refuse_other(
            where,
            {f"population {name!r}": f"of {size}" for name, size in here.items()},
            {f"population {name!r}": f"of {size}" for name, size in there.items()},
        )


def _refuse_other(where: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> NoReturn:
    part = next((p for p in [*here, *there] if here.get(p) != there.get(p)), "structure")
    raise NetworkError(
        where,
        "the tape is that of another network",
        remedy=f"Its {part} is {there.get(part, 'missing')}, that of the network given is "
        f"{here.get(part, 'missing')}. Give the network that ran, or simulate again.",
    )
