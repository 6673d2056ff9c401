"""from_nir: a NIR graph as a network, or why it cannot be one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.entries import parse_json, shown
from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.network.network import Network
from eventsim.network.nir.beyond import begin_beyond, restore_beyond
from eventsim.network.nir.dialects import DIALECTS, OUT_OF_REACH, Target, find_dialect, from_leak
from eventsim.network.nir.linear import read_linear
from eventsim.network.nir.package import FORMAT, TimeUnit, check_unit, exact_times, load_nir, said
from eventsim.network.nir.paths import Chain, chains
from eventsim.network.nir.simplify import simplified
from eventsim.network.nir.wiring import End, connect
from eventsim.network.parts import Population

LARGEST_SECONDS = 1.0  # a time constant above it is more likely one in ms


@dataclass(frozen=True)
class _Reading:
    """Units and dialect of the numbers of a graph."""

    source: str | None
    ms: float  # in a unit of the file's times
    step: float | None  # in that unit; None where a spike is an impulse


# Parameters of an adaptive threshold, and what they are called in a node's metadata.
ADAPTATION = {"adaptation": "adaptation", "tau_adaptation": "tau_adaptation_ms"}
# What eventsim alone reads, by what its keys in metadata begin with; names and units are no such.
HIDDEN = (
    "refractory_ms",
    "v_reset",
    *ADAPTATION.values(),
    "neuron",
    "decision",
    "shared",
    "answer",
)


@dataclass(frozen=True, eq=False)
class _Neurons:
    """A node as a population, and its parameters as eventsim means them."""

    end: End
    kind: str
    parameters: Mapping[str, Any]

    @property
    def is_input(self) -> bool:
        """Whether it is the input's channels."""
        return self.kind == "input"


def from_nir(
    graph: Any,
    *,
    source: Target | None = None,
    dt: float | None = None,
    time_unit: TimeUnit | None = None,
) -> Network:
    """The network that a NIR graph describes.

    Parameters
    ----------
    graph
        A ``nir.NIRGraph``, also with graphs inside. ``CubaLIF`` and ``CubaLI`` become populations;
        so does an ``LI`` that feeds one ``LIF`` or ``LI`` one to one, which is the same; several
        that feed one ``LIF`` are its receptors. Between populations lie ``Linear``, ``Scale``,
        ``Delay``, and ``Affine`` without bias.
    source
        Program that wrote it, whose spikes are 1 for one step and not impulses. A graph from
        eventsim says so itself; None for any other is NIR to the letter.
    dt
        How long a step of the source lasted, in ms. No file of another program says it.
    time_unit
        Of the graph's times. None: what its metadata says, else seconds, unless a time constant
        is above one second.

    Returns
    -------
    Network
        New arrays. What eventsim wrote as plain NIR gives the same spikes, to the bit.

    Raises
    ------
    NetworkError, ShapeError, ParameterError
        What eventsim cannot express, by node.

    Warns
    -----
    NirWarning
        Values that were shared are not equal any more.
    """
    nir = load_nir("from_nir")
    if not isinstance(graph, nir.NIRGraph):
        raise NetworkError("from_nir", f"got {type(graph).__name__}", "a nir.NIRGraph")
    graph = simplified(nir, graph)
    reading = _reading(graph, source, dt, time_unit)
    neurons = _find_neurons(nir, graph, reading)
    net = begin_beyond(graph.metadata)
    add: dict[str, Callable[..., Population]] = {
        "input": net.add_input,
        "readout": net.add_readout,
        "spiking": net.add_population,
    }
    for found in neurons.values():
        add[found.kind](found.end.name, found.end.size, **found.parameters)
    for chained in _by_pair(graph, neurons):
        target, receptor = graph.receptors.get(chained[0].target, (chained[0].target, None))
        begin, end = neurons[chained[0].source], neurons[target]
        if net.population(begin.end.name).is_readout:
            raise NetworkError(
                "from_nir",
                f"{begin.end.name!r} has no threshold but feeds {end.end.name!r}",
                remedy="Voltages that flow between populations are no events.",
            )
        if receptor is not None:
            end = replace(end, end=replace(end.end, receptor=receptor))
        connect(net, begin.end, end.end, chained, reading.ms)
    restore_beyond(net, graph.metadata)
    return net


def hide(graph: Any) -> None:
    """Drop from a graph of eventsim what other programs do not see."""
    for part in (graph, *graph.nodes.values()):
        seen = [k for k in part.metadata if not k.removeprefix("eventsim_").startswith(HIDDEN)]
        part.metadata = {key: part.metadata[key] for key in seen}


def _reading(
    graph: Any, source: str | None, dt: float | None, time_unit: TimeUnit | None
) -> _Reading:
    metadata = graph.metadata
    if int(metadata.get("eventsim_format", FORMAT)) != FORMAT:
        raise NetworkError(
            "from_nir",
            f"the graph's metadata is of eventsim's format {int(metadata['eventsim_format'])}",
            f"{FORMAT}, which this eventsim reads",
        )
    unit = time_unit or metadata.get("time_unit")
    if unit is None:
        largest = max((_largest_tau(node) for node in graph.nodes.values()), default=0.0)
        if largest > LARGEST_SECONDS:
            raise ParameterError(
                "from_nir",
                f"the graph does not say its unit of time, and a time constant is {largest:g}",
                remedy="Say which it is: time_unit='s' or time_unit='ms'.",
            )
        unit = "s"
    ms = check_unit("from_nir", unit)
    own = metadata.get("eventsim_target")
    if own is not None and source in (None, own):
        source = own
        dt = float(metadata["eventsim_dt"]) * ms if dt is None else dt
    dialect, step = find_dialect("from_nir", source, dt)
    if step is not None and dt is None:
        raise ParameterError(
            "from_nir",
            f"files of {dialect.title} do not say how long a step lasted in training",
            remedy="Name it: dt=1.0 (--dt 1) for frames of 1 ms.",
        )
    return _Reading(source, *dialect.units(step, ms))


def _largest_tau(node: Any) -> float:
    taus = [getattr(node, key) for key in ("tau", "tau_mem", "tau_syn") if hasattr(node, key)]
    return max((float(np.max(tau)) for tau in taus), default=0.0)


def _find_neurons(nir: Any, graph: Any, reading: _Reading) -> dict[str, _Neurons]:
    """Populations by the names of their nodes: one input, and at least one more."""
    neurons = {}
    written = _said_names(graph, "populations")
    for name in _in_order(written, graph.nodes):
        node = graph.nodes[name]
        # The package nir puts inputs of its own before neurons that have none.
        added = written and isinstance(node, nir.Input) and name not in written
        currents = {
            receptor: graph.nodes[current]
            for current, (fed, receptor) in graph.receptors.items()
            if fed == name
        }
        if currents:
            called = _called(name, node)
            size, neuron = read_linear(name, node, currents, reading.ms)
            neurons[name] = _Neurons(
                End(called, size, np.ones(size)), "spiking", {"neuron": neuron}
            )
        elif isinstance(node, nir.Input | nir.CubaLIF | nir.CubaLI) and not added:
            neurons[name] = _neurons(name, node, reading)
    inputs = [name for name, found in neurons.items() if found.is_input]
    if len(inputs) != 1:
        raise NetworkError(
            "from_nir",
            f"the graph has {len(inputs)} inputs {inputs}",
            "one",
            "Join them into one, whose channels are all of theirs.",
        )
    if len(neurons) == 1:
        raise NetworkError("from_nir", "the graph has no neurons", "one or more")
    return neurons


def _in_order(written: list[str], nodes: Mapping[str, Any]) -> list[str]:
    """Names as eventsim wrote them, which HDF5 sorts; of others the input first."""
    known = [name for name in written if name in nodes]
    inputs = [name for name, node in nodes.items() if type(node).__name__ == "Input"]
    return list(dict.fromkeys([*known, *inputs, *nodes]))


def _said_names(graph: Any, what: str) -> list[Any]:
    """Names of populations or projections, in the order that eventsim wrote."""
    key = f"eventsim_{what}"
    found = parse_json(
        str(graph.metadata.get(key, "[]")), f"from_nir: {key} in the metadata", NetworkError
    )
    if not isinstance(found, list):
        raise NetworkError("from_nir", f"{key} in the metadata is {shown(found)}", "a list")
    return found


def _by_pair(graph: Any, neurons: Mapping[str, _Neurons]) -> list[list[Chain]]:
    """The chains of every pair of populations, in the order in which eventsim wrote them."""
    sizes = {name: found.end.size for name, found in neurons.items()}
    inner = {name: size for name, size in sizes.items() if not neurons[name].is_input}
    inner |= {current: sizes[fed] for current, (fed, _) in graph.receptors.items()}
    pairs: dict[tuple[str, ...], list[Chain]] = {}
    for chain in chains(graph, sizes, inner):
        target, *receptor = graph.receptors.get(chain.target, (chain.target,))
        ends = (neurons[chain.source].end.name, neurons[target].end.name)
        pairs.setdefault((*ends, *filter(None, receptor)), []).append(chain)
    written = [tuple(pair) for pair in _said_names(graph, "projections") if isinstance(pair, list)]
    known = [pair for pair in written if pair in pairs]
    return [pairs[pair] for pair in known + [pair for pair in pairs if pair not in known]]


def _called(name: str, node: Any) -> str:
    """Name of a node's population."""
    called: str = node.metadata.get("eventsim_name", name.replace(".", "_").replace("->", "_to_"))
    return called


def _neurons(name: str, node: Any, reading: _Reading) -> _Neurons:
    metadata = node.metadata
    called = _called(name, node)
    if type(node).__name__ == "Input":
        size = int(np.prod(np.asarray(node.input_type["input"], dtype=np.int64)))
        return _Neurons(End(called, size, np.ones(size)), "input", {})
    raw = {
        key: np.array(getattr(node, key), dtype=np.float64)
        for key in ("tau_mem", "tau_syn", "r", "v_leak", "v_threshold", "v_reset", "w_in")
        if hasattr(node, key)
    }
    if raw["tau_mem"].ndim != 1:
        raise ShapeError(
            "from_nir",
            f"the parameters of node {name!r} have shape {raw['tau_mem'].shape}",
            "one dimension, one value per neuron",
            "Flatten them.",
        )
    fastest = min(raw["tau_mem"].min(), raw["tau_syn"].min())
    if reading.step is not None and 2.0 * fastest < reading.step:  # Euler would leap over 0 and on
        raise NetworkError(
            "from_nir",
            f"node {name!r} has a time constant of {fastest * reading.ms:g} ms",
            f"more than half a step of {reading.step * reading.ms:g} ms",
            "Norse's to_nir writes tau * 0.001, w_in = 1: set tau, and w_in = tau_syn / dt.",
        )
    size = raw["tau_mem"].size
    voltage = said(name, metadata, "voltage_scale", np.ones(size))
    current = said(name, metadata, "current_scale", np.ones(size))
    shift = said(name, metadata, "voltage_shift", np.zeros(size))
    silent = raw.get("v_threshold", np.zeros(size)).min() >= OUT_OF_REACH
    kind = "readout" if silent or "v_threshold" not in raw else "spiking"
    parameters = {
        "tau_mem": exact_times(raw["tau_mem"], metadata.get("eventsim_tau_mem_ms"), reading.ms),
        "tau_syn": exact_times(raw["tau_syn"], metadata.get("eventsim_tau_syn_ms"), reading.ms),
        "resistance": _resistance(raw, reading) * current / voltage,
        "v_leak": _rest(raw, reading) / voltage + shift,
    }
    if kind == "spiking":
        parameters["threshold"] = raw["v_threshold"] / voltage + shift
        parameters["v_reset"] = said(name, metadata, "v_reset", raw["v_reset"] / voltage + shift)
        parameters["refractory"] = said(name, metadata, "refractory_ms", np.zeros(size))
        if "eventsim_adaptation" in metadata:
            for key, written in ADAPTATION.items():
                parameters[key] = said(name, metadata, written, np.zeros(size))
    return _Neurons(End(called, size, _jump(raw, reading) / current), kind, parameters)


def _resistance(raw: Mapping[str, Floats], reading: _Reading) -> Floats:
    """R; Rockpool does not read r as one: it adds I to V at every step."""
    step = reading.step if reading.source == "rockpool" else None
    return raw["tau_mem"] / step if step else raw["r"]


def _rest(raw: Mapping[str, Floats], reading: _Reading) -> Floats:
    """Resting voltage in a file's units: v_leak as this dialect reads it."""
    if reading.source is None or reading.step is None:
        return raw["v_leak"]
    rest = DIALECTS[reading.source].rest
    return from_leak(rest, raw["v_leak"], raw["r"], raw["tau_mem"] / reading.step)


def _jump(raw: Mapping[str, Floats], reading: _Reading) -> Floats:
    """Jump of I for a spike of weight 1."""
    if reading.step is None:
        return raw["w_in"] / raw["tau_syn"]
    if reading.source == "rockpool":
        return np.ones(raw["w_in"].size)
    return raw["w_in"] * reading.step / raw["tau_syn"]
