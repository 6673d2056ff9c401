"""Other synapses for a network: which of all possible ones its projections have; fewer neurons.

A pair of neurons has a number, ``source * target.size + target``, and so has its synapse: those of
a projection are a sorted list of whole numbers, and values move from one list to another by number.
Where some pair has several synapses, at most m, synapse k of a pair has m times the number of the
pair, plus k. Chosen synapses are stored as sparse weights; a dense projection becomes a sparse one.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.errors import NetworkError
from eventsim.network.forms import SHARED
from eventsim.network.network import Network
from eventsim.network.projection import Projection


def synapse_numbers(projection: Projection) -> Ints:
    """Number of every synapse of a dense or sparse projection, in the order of its values."""
    pairs, most = _pairs(projection), most_of_a_pair(projection)
    return pairs if most == 1 else pairs * most + _places_in_pairs(pairs)


def most_of_a_pair(projection: Projection) -> int:
    """The largest number of synapses that a pair of neurons has there, at least 1."""
    if not projection.has_multapses:
        return 1
    return 1 + int(_places_in_pairs(_pairs(projection)).max())


def all_numbers(projection: Projection) -> Ints:
    """Numbers of a synapse of every pair of neurons, and of all further ones that there are."""
    pairs: Ints = np.arange(int(np.prod(projection.weights.shape)))
    most = most_of_a_pair(projection)
    return pairs if most == 1 else np.union1d(pairs * most, synapse_numbers(projection))


def _pairs(projection: Projection) -> Ints:
    numbers: Ints = projection.sources() * int(projection.weights.shape[1]) + projection.targets()
    return numbers


def _places_in_pairs(pairs: Ints) -> Ints:
    """Number of synapses of the same pair before each synapse; pairs ascend."""
    number = np.arange(pairs.size)
    found: Ints = number - np.searchsorted(pairs, pairs)
    return found


def moved(values: Floats, before: Ints, after: Ints) -> Floats:
    """Values of the synapses ``after``, from those of ``before``; 0 of new ones. New array."""
    found = np.zeros(after.size, values.dtype)
    place = np.searchsorted(before, after)
    there = place < before.size
    there[there] = before[place[there]] == after[there]
    found[there] = values.ravel()[place[there]]
    return found


def with_synapses(net: Network, chosen: Mapping[str, Ints]) -> Network:
    """A network with other synapses in some projections. New arrays, on the host.

    ``chosen`` are the numbers of the synapses that a dense or sparse projection shall have,
    ascending, each once; new ones have the weight 0. Raises NetworkError where a projection is of
    another kind or shared, or its delays, one per synapse, would be without a value.
    """
    arrays = net.to_arrays()
    structure = json.loads(str(arrays["structure"]))
    for name, after in chosen.items():
        projection = net.projections[name]
        require_free(net, projection, "with_synapses")
        before, (n_sources, n_targets) = synapse_numbers(projection), projection.weights.shape
        pairs = after // most_of_a_pair(projection)
        arrays[f"{name}.weights"] = moved(arrays[f"{name}.weights"], before, after)
        counts = np.bincount(pairs // n_targets, minlength=n_sources)
        arrays[f"{name}.indptr"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        arrays[f"{name}.indices"] = (pairs % n_targets).astype(np.int32)
        if projection.delay_per_synapse:
            if not np.isin(after, before).all():
                raise NetworkError(
                    "with_synapses",
                    f"projection {name!r} has a delay per synapse, {before.size} in all",
                    remedy="Choose some of its synapses.",
                )
            arrays[f"{name}.delays"] = moved(arrays[f"{name}.delays"], before, after)
            known = structure.get("delays_of_synapses", [])
            structure["delays_of_synapses"] = list(dict.fromkeys([*known, name]))
        structure["projections"][list(net.projections).index(name)][2] = "sparse"
    return Network.from_arrays(arrays | {"structure": np.array(json.dumps(structure))})


def is_free(net: Network, projection: Projection) -> bool:
    """Whether synapses of a projection can be chosen: none onto the neuron itself, none shared."""
    return not projection.one_to_one and f"{projection.name}.weights" not in net.shared


def require_free(net: Network, projection: Projection, where: str) -> None:
    """Raise NetworkError, which names ``where``, unless synapses can be chosen one by one."""
    if not is_free(net, projection):
        why = "has one weight per neuron" if projection.one_to_one else "has shared weights"
        raise NetworkError(
            where,
            f"projection {projection.name!r} {why}",
            "one whose synapses can be chosen one by one",
            "Leave it out.",
        )


def without_neurons(net: Network, kept: Mapping[str, Ints]) -> Network:
    """A network with some neurons of its spiking populations only. New arrays, on the host.

    ``kept`` are the neurons that stay, by population, ascending, each once, at least one; synapses
    from and onto the others go with them. Raises NetworkError where a population is of another
    kind, or the one that answers, or as :func:`with_synapses`.
    """
    arrays, sizes = net.to_arrays(), dict[str, int]()
    structure = json.loads(str(arrays["structure"]))
    answering = None if net.answer is None else net.answer.population
    for name, neurons in kept.items():
        population = net.population(name)
        if not population.is_spiking or name == answering or not neurons.size:
            raise NetworkError(
                "without_neurons",
                f"population {name!r} ({population.kind}) keeps {neurons.size} neurons",
                "one or more of a spiking population that does not answer",
            )
        for key in population.parameters:
            _take(arrays, f"{name}.{key}", neurons)
        sizes[name] = neurons.size
    for row in structure["populations"]:
        row[1] = sizes.get(row[0], row[1])
    for projection in net.projections.values():
        if projection.source in kept or projection.target in kept:
            ends = (
                kept.get(name, np.arange(net.populations[name].size))
                for name in (projection.source, projection.target)
            )
            _take_synapses(arrays, projection, *ends)
    return Network.from_arrays(arrays | {"structure": np.array(json.dumps(structure))})


def _take_synapses(
    arrays: dict[str, Any], projection: Projection, sources: Ints, targets: Ints
) -> None:
    """Leave the synapses between these neurons in the arrays of a projection."""
    name, pattern = projection.name, projection.pattern
    place: Any = sources if projection.one_to_one else np.ix_(sources, targets)
    if pattern is not None:
        there = np.isin(projection.sources(), sources) & np.isin(pattern.indices, targets)
        counts = np.bincount(projection.sources()[there], minlength=pattern.indptr.size - 1)
        arrays[f"{name}.indptr"] = np.concatenate([[0], np.cumsum(counts[sources])])
        arrays[f"{name}.indices"] = np.searchsorted(targets, pattern.indices[there])
        place = there
    _take(arrays, f"{name}.weights", place)
    if projection.delay_per_synapse:
        _take(arrays, f"{name}.delays", place)
    elif projection.delays.ndim:
        _take(arrays, f"{name}.delays", sources)


def _take(arrays: dict[str, Any], key: str, place: Any) -> None:
    """Leave some entries of a parameter, and of its groups where values are one."""
    for one in (key, f"{SHARED}{key}"):
        if one in arrays:
            arrays[one] = arrays[one][place]
