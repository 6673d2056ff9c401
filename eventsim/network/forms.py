"""The arrays that a network is in a file: which there must be, and of which shapes.

``structure`` is JSON: names, sizes and kinds of populations, ends and kinds of projections, the
readout of a decision, which populations have an adaptive threshold, kind and receptors of linear
neurons, which sparse projections have a delay for each synapse, and the types of weights and delays
unless they are float64. All other shapes and types follow from it, so that it is read first, and
the headers of the arrays are held to it before their values are read.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import csr_array, to_host
from eventsim.checks import whole_array
from eventsim.entries import Entry, parse_json, read
from eventsim.errors import EventSimError, NetworkError, ParameterError, StorageError
from eventsim.events.npz import Archive, Form, check_forms
from eventsim.network.answer import Answer
from eventsim.network.overview import Described
from eventsim.network.parts import ADAPTIVE, PARAMETERS, Population, PopulationKind, make_population
from eventsim.network.projection import (
    VALUE_TYPES,
    DelaysOf,
    ProjectionKind,
    SelfRecurrent,
    projection_name,
)
from eventsim.neuron.linear import LinearNeuron, neuron_described

NETWORK_VERSION = 1
# Before the keys of groups in files; no population or projection is called so.
SHARED = "->shared."
ANSWER = "answer"  # key of the JSON that says how the network answers, if anything does
LARGEST = np.iinfo(np.int32).max  # neurons of a population, numbered in 32 bits
LONGEST_NAME = 1000  # characters


_TYPES = ("weight_dtype", "delay_dtype")
_OPTIONAL = ("decision", "adaptive", "neurons", "delays_of_synapses", *_TYPES)


class Structure(NamedTuple):
    """Contents of ``structure``: populations with sizes and kinds, projections with kinds.

    A projection has the names of its ends and of its receptor, ``""`` where that has none.
    """

    populations: dict[str, tuple[int, PopulationKind]]
    projections: dict[tuple[str, str, str], ProjectionKind]
    decision: str | None
    adaptive: tuple[str, ...]
    neurons: dict[str, LinearNeuron]
    delays_of_synapses: tuple[str, ...]
    weight_dtype: str
    delay_dtype: str

    def keys_of(self, name: str) -> tuple[str, ...]:
        """Parameters of a population."""
        if name in self.neurons:
            return self.neurons[name].names
        return PARAMETERS[self.populations[name][1]] + (ADAPTIVE if name in self.adaptive else ())

    def name_of(self, source: str, target: str, receptor: str) -> str:
        """Name of a projection."""
        return projection_name(source, target, self.neurons.get(target), receptor)


def read_structure(text: str) -> Structure:
    """The structure, or a StorageError with the place of a mistake."""
    place = "Network: the structure"
    value = parse_json(text, place, StorageError)
    part = Entry(place, value, StorageError).table(
        ("populations", "projections", *_OPTIONAL), optional=_OPTIONAL
    )
    populations: dict[str, tuple[int, PopulationKind]] = {}
    for row in part["populations"].rows():
        name, size, kind = _three(row, "[name, size, kind]")
        if type(size.value) is not int or not 1 <= size.value <= LARGEST:
            raise size.wrong(f"a whole number from 1 to {LARGEST}")
        populations[_new(name, populations)] = size.value, kind.one_of(tuple(PARAMETERS))
    if [kind for _, kind in populations.values()].count("input") > 1:
        raise part["populations"].wrong("at most one input")
    neurons = _neurons(part["neurons"], populations) if "neurons" in part else {}
    projections: dict[tuple[str, str, str], ProjectionKind] = {}
    for row in part["projections"].rows():
        *three, receptor = _projection(row, neurons)
        source, target, kind = three
        ends = source.one_of(tuple(populations)), target.one_of(tuple(populations))
        if (*ends, receptor) in projections:
            raise row.wrong("each pair of populations once")
        projections[(*ends, receptor)] = kind.one_of(get_args(ProjectionKind))
    decision = part["decision"].one_of(tuple(populations)) if "decision" in part else None
    spiking = tuple(name for name, (_, kind) in populations.items() if kind == "spiking")
    adaptive = (
        [row.one_of(spiking) for row in part["adaptive"].rows()] if "adaptive" in part else []
    )
    types = tuple(one.name for one in VALUE_TYPES)
    given = [part[key].one_of(types) if key in part else types[0] for key in _TYPES]
    known = Structure(populations, projections, decision, tuple(adaptive), neurons, (), *given)
    names = tuple(known.name_of(*ends) for ends in projections)
    apart = (
        [row.one_of(names) for row in part["delays_of_synapses"].rows()]
        if "delays_of_synapses" in part
        else []
    )
    return known._replace(delays_of_synapses=tuple(apart))


def _neurons(
    rows: Entry, populations: Mapping[str, tuple[int, PopulationKind]]
) -> dict[str, LinearNeuron]:
    found: dict[str, LinearNeuron] = {}
    spiking = tuple(name for name, (_, kind) in populations.items() if kind == "spiking")
    for row in rows.rows():
        name, kind, *receptors = row.rows("[population, kind, receptors ..]")
        try:
            neuron = neuron_described(kind.text(), [one.text() for one in receptors])
        except ParameterError as error:
            raise error.seen_from(f"Network, population {name.text()!r}", StorageError) from error
        found[name.one_of(spiking)] = neuron
    return found


def _projection(row: Entry, neurons: Mapping[str, LinearNeuron]) -> tuple[Any, ...]:
    """Source, target and kind of a projection as they stand there, and the receptor."""
    parts = row.rows("[source, target, kind] or [source, target, kind, receptor]")
    if len(parts) == 4 and parts[1].text() in neurons:
        return (*parts[:3], parts[3].one_of(tuple(neurons[parts[1].text()].receptors)))
    return (*_three(row, "[source, target, kind]"), "")


def _delays_of(
    structure: Structure, name: str, delays: NDArray[Any], shape: tuple[int, int]
) -> DelaysOf:
    """The unit that each delay of a projection in a file belongs to: source or synapse.

    Files of before 0.3 do not say it: there as many delays as sources are one per source.
    """
    if name in structure.delays_of_synapses:
        return "synapse"
    return "source" if delays.shape in ((), shape[:1]) else "synapse"


def _three(row: Entry, expected: str) -> list[Entry]:
    parts = row.rows(expected)
    if len(parts) != 3:
        raise row.wrong(expected)
    return parts


def _new(name: Entry, known: Mapping[str, Any]) -> str:
    text = name.text()
    if text in known or len(text) > LONGEST_NAME:
        raise name.wrong(f"a name of its own, of at most {LONGEST_NAME} characters")
    return text


def check_network(claims: Mapping[str, Any], structure: Structure, prefix: str = "") -> None:
    """Raise unless arrays, or what headers claim of them, are those of the structure.

    Raises KeyError, ValueError (an array is missing, or of another form).
    """
    sizes = {name: size for name, (size, _) in structure.populations.items()}
    for name, (size, _) in structure.populations.items():
        keys = structure.keys_of(name)
        check_forms(claims, {f"{prefix}{name}.{key}": Form("f8", (size,)) for key in keys})
    for (source, target, receptor), projection in structure.projections.items():
        where = f"{prefix}{structure.name_of(source, target, receptor)}"
        shape = sizes[source], sizes[target]
        types = structure.weight_dtype, structure.delay_dtype
        _check_projection(claims, where, projection, shape, types)
    if structure.decision is not None:
        weights = f"{prefix}decision.weights"
        check_forms(claims, {weights: Form("f8", (sizes[structure.decision], None))})
        n_classes = claims[weights].shape[1]
        check_forms(claims, {f"{prefix}decision.bias": Form("f8", (n_classes,))})
    for name in claims:
        if name.startswith(f"{prefix}{SHARED}"):
            shared = claims[f"{prefix}{name.removeprefix(f'{prefix}{SHARED}')}"]
            check_forms(claims, {name: Form("i8", shared.shape)})


def arrays_of(net: Described) -> dict[str, NDArray[Any]]:
    """Structure and values of a network as arrays, as :func:`check_network` wants them."""
    populations, projections, decision = net.populations, net.projections, net.decision
    structure: dict[str, Any] = {
        "populations": [[p.name, p.size, p.kind] for p in populations.values()],
        "projections": [
            [p.source, p.target, p.kind, *([p.receptor] if p.receptor else [])]
            for p in projections.values()
        ],
        "neurons": [
            [p.name, *p.neuron.describe()] for p in populations.values() if p.neuron is not None
        ],
        "decision": None if decision is None else decision.readout,
        "adaptive": [p.name for p in populations.values() if p.is_adaptive],
        # Of dense weights the shape says it.
        "delays_of_synapses": [
            p.name for p in projections.values() if p.pattern and p.delay_per_synapse
        ],
    }
    for key, one in zip(_TYPES, (net.weight_dtype, net.delay_dtype), strict=True):
        structure[key] = None if one == VALUE_TYPES[0] else one.name
    said = {key: one for key, one in structure.items() if one or key not in _OPTIONAL}
    arrays: dict[str, NDArray[Any]] = {"structure": np.array(json.dumps(said))}
    arrays |= {key: np.array(to_host(values)) for key, values in net.parameters().items()}
    for projection in projections.values():
        if projection.pattern is not None:
            arrays[f"{projection.name}.indices"] = projection.pattern.indices
            arrays[f"{projection.name}.indptr"] = projection.pattern.indptr
    if net.answer is not None:
        arrays[ANSWER] = np.array(json.dumps(net.answer.to_dict()))
    return arrays | {f"{SHARED}{key}": one.groups for key, one in net.shared.items()}


def read_network(
    begin: Callable[[str, str], tuple[Any, Callable[[Population], Population]]],
    arrays: Mapping[str, NDArray[Any]],
) -> Any:
    """The Network that :func:`arrays_of` described.

    ``begin`` makes an empty one from the types of its weights and delays, and what adds a
    population to it.
    Raises StorageError (something is missing, or malformed).
    """
    try:
        structure = read_structure(str(arrays["structure"]))
        check_network(arrays, structure)
        net, add = begin(structure.weight_dtype, structure.delay_dtype)
        for name, (size, kind) in structure.populations.items():
            given = {key: arrays[f"{name}.{key}"] for key in structure.keys_of(name)}
            add(make_population(name, size, kind, given, structure.neurons.get(name)))
        for (source, target, receptor), of in structure.projections.items():
            name = structure.name_of(source, target, receptor)
            shape = net.populations[source].size, net.populations[target].size
            weights, delays = _weights(arrays, name, of, shape), arrays[f"{name}.delays"]
            each = _delays_of(structure, name, delays, shape)
            net.connect(
                source, target, weights, delays=delays, delays_of=each, receptor=receptor or None
            )
        if structure.decision is not None:
            net.decide(structure.decision, arrays["decision.weights"], bias=arrays["decision.bias"])
        for key in [key for key in arrays if key.startswith(SHARED)]:
            net.share(key.removeprefix(SHARED), arrays[key])
        if ANSWER in arrays:
            said = parse_json(str(arrays[ANSWER]), "Network: the answer", StorageError)
            net.set_answer(read(Answer, said, "Network: the answer", StorageError))
        return net
    except EventSimError:
        raise
    except (KeyError, ValueError) as error:
        lacks = isinstance(error, KeyError)
        came = f"the description lacks {error}" if lacks else f"is damaged ({error})"
        raise StorageError("Network", came, remedy="Save the network again.") from error


def _weights(
    arrays: Mapping[str, NDArray[Any]], name: str, kind: ProjectionKind, shape: tuple[int, int]
) -> Any:
    """Weights of a projection in the form that :meth:`Network.connect` takes.

    Raises NetworkError (they are sparse, and no whole CSR).
    """
    weights: Any = arrays[f"{name}.weights"]
    if kind == "self":
        return SelfRecurrent(weights)
    if kind == "dense":
        return weights
    indices, indptr = (
        whole_array(arrays[f"{name}.{key}"], f"Projection {name!r}: {key}")
        for key in ("indices", "indptr")
    )
    try:
        return csr_array((weights, indices, indptr), shape=shape)
    except ValueError as error:
        raise NetworkError(
            f"Projection {name!r}",
            f"sparse weights are malformed: {error}",
            remedy="Make the file anew.",
        ) from error


def check_claims(archive: Archive, prefix: str = "") -> None:
    """Raise unless what the headers of a file claim are the arrays of a network."""
    structure = read_structure(archive.text(f"{prefix}structure"))
    check_network(archive.claims, structure, prefix)


def _check_projection(
    claims: Mapping[str, Any],
    where: str,
    kind: ProjectionKind,
    shape: tuple[int, int],
    types: tuple[str, str],
) -> None:
    weights, delays = f"{where}.weights", f"{where}.delays"
    per_synapse: tuple[int | None, ...] = shape if kind == "dense" else (shape[0],)
    if kind == "sparse":
        per_synapse = (None,)
    check_forms(claims, {weights: Form(types[0], per_synapse)})
    if kind == "sparse":
        per_synapse = claims[weights].shape
        for name, length in (("indices", per_synapse[0]), ("indptr", shape[0] + 1)):
            width = "i8" if claims[f"{where}.{name}"].dtype.itemsize == 8 else "i4"
            check_forms(claims, {f"{where}.{name}": Form(width, (length,))})
    allowed = {(), (shape[0],), per_synapse}
    if claims[delays].shape not in allowed:
        raise ValueError(f"{delays} has shape {claims[delays].shape}, expected one of {allowed}")
    check_forms(claims, {delays: Form(types[1], claims[delays].shape)})
