"""to_nir: a network as a NIR graph."""

import json
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.errors import NetworkError
from eventsim.matrix import require
from eventsim.network.network import Network
from eventsim.network.nir import package
from eventsim.network.nir.beyond import beyond_graph
from eventsim.network.nir.branches import branches_of
from eventsim.network.nir.dialects import (
    OUT_OF_REACH,
    Dialect,
    Gauge,
    Target,
    faults,
    find_dialect,
    gauge_of,
    to_leak,
)
from eventsim.network.nir.linear import linear_nodes, receptor_node
from eventsim.network.nir.restore import ADAPTATION
from eventsim.network.parts import Population
from eventsim.network.projection import Projection
from eventsim.neuron.linear import LIF

MAX_ENTRIES = 2**24  # of one dense matrix; 128 MiB
MAX_BRANCHES = 16  # of a projection whose delays differ from synapse to synapse


@dataclass(eq=False)
class _Writing:
    """A graph as it grows, and how it is written."""

    nir: Any
    dialect: Dialect
    ms: float  # in a unit of the file's times
    step: float | None  # in that unit; None where a spike is an impulse
    max_entries: int
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, wanted: str, node: Any) -> str:
        name = package.unused(wanted, set(self.nodes))
        self.nodes[name] = node
        return name


def to_nir(
    net: Network,
    *,
    target: Target | None = None,
    dt: float | None = None,
    time_unit: package.TimeUnit = "s",
    lossy: bool = False,
    max_entries: int = MAX_ENTRIES,
) -> Any:
    """The network as a ``nir.NIRGraph``; the mapping is that of :mod:`eventsim.network.nir`.

    Parameters
    ----------
    net
        Any network.
    target
        Program that will read it: see :mod:`eventsim.network.nir.dialects`. None for plain NIR,
        which :func:`from_nir` reads back to the same spikes, to the bit.
    dt
        How long a step of the target lasts, in ms; the importer's own default if None. Only with a
        target.
    time_unit
        Of all times in the graph, ``s`` or ``ms``; other programs expect seconds.
    lossy
        Warn, in place of raising, of what the target will leave out, and of neurons for which NIR
        has no node.
    max_entries
        Largest weight matrix, in entries: NIR has no sparse ones, so a sparse projection becomes a
        dense matrix.

    Returns
    -------
    nir.NIRGraph
        New arrays.

    Raises
    ------
    NetworkError
        The target cannot express the network, a matrix is too large, or nir is missing.
    ParameterError
        A value of the network is outside its domain, or dt or time_unit is.

    Warns
    -----
    NirWarning
        Something that changes spikes, or of a target's file how the network answers, stands in
        metadata only.
    """
    nir = package.load_nir("to_nir")
    ms = package.check_unit("to_nir", time_unit)
    dialect, step = find_dialect("to_nir", target, dt)
    net.check()
    net = net.to_host()
    _judge(net, dialect, step, lossy)
    writing = _Writing(nir, dialect, *dialect.units(step, ms), max_entries)
    names = package.node_names(net)
    gauges = {p.name: gauge_of(p, dialect, step) for p in net.populations.values() if p.parameters}
    for population in net.populations.values():
        name = names[population.name]
        if population.neuron is not None:
            _linear(writing, population, name)
        else:
            writing.nodes[name] = _population(writing, population, gauges.get(population.name))
    for projection in net.projections.values():
        landing = _landing(net.populations[projection.target], names, projection.receptor)
        _projection(writing, projection, (names[projection.source], landing), gauges)
    _outputs(writing, net, names)
    metadata: dict[str, Any] = {
        "time_unit": time_unit,
        "eventsim_format": package.FORMAT,
        "eventsim_populations": json.dumps(list(names.values())),
        "eventsim_projections": json.dumps(
            [[p.source, p.target, *filter(None, [p.receptor])] for p in net.projections.values()]
        ),
    } | beyond_graph(net)
    if target is not None and step is not None:
        metadata |= {"eventsim_target": target, "eventsim_dt": step / ms}
    return nir.NIRGraph(writing.nodes, writing.edges, metadata)


def _judge(net: Network, dialect: Dialect, dt: float | None, lossy: bool) -> None:
    """Raise or warn of what the file cannot say."""
    if not dialect.plain_nodes:
        require("nir_target", net, where=f"to_nir, {dialect.title}")
    wrong: list[str] = []
    lost = _without_node(net, lossy)
    for population in net.neurons.values():
        errors, losses = faults(population, dialect, dt)
        wrong, lost = wrong + errors, lost + losses
    if net.decision is not None:
        lost.append(f"the linear decision behind {net.decision.readout!r}")
    if net.input.name not in {projection.source for projection in net.projections.values()}:
        wrong.append(f"{net.input.name!r} is the input and projects to nothing")
    if not dialect.plain_nodes:
        wrong += [f"{p.name!r} has delays" for p in net.projections.values() if p.delays.any()]
    if wrong or (lost and dt is not None and not lossy):
        advice = "Pass lossy=True (--lossy) to write the file without them."
        said = f"{dialect.title} cannot run this network: {'; '.join(wrong + lost)}"
        raise NetworkError("to_nir", said, remedy="Change the network." if wrong else advice)
    if net.answer is not None and dt is not None:
        told = f"by the rule {net.answer.rule!r} of {net.answer.population!r}"
        told += f", {net.answer.tail:g} ms after a recording's end" if net.answer.tail else ""
        warnings.warn(
            f"to_nir: {dialect.title} does not see how this network answers: {told}. Do so there "
            "yourself; it stands in the metadata, which eventsim reads.",
            package.NirWarning,
            stacklevel=3,
        )
    if lost:
        who = "other programs do" if dt is None else f"{dialect.title} does"
        warnings.warn(
            f"to_nir: NIR has no word for some of this network, and {who} not see it: "
            f"{'; '.join(lost)}. It stands in the metadata, which eventsim reads.",
            package.NirWarning,
            stacklevel=3,
        )


def _without_node(net: Network, lossy: bool) -> list[str]:
    """Populations whose kind NIR lacks, in words; NetworkError unless ``lossy``."""
    if not lossy:
        require("nir", net)
    kinds = {name: net.populations[name].neuron for name in net.linear}
    found = [
        f"{name!r} has neurons of kind {type(kind).__name__}"
        for name, kind in kinds.items()
        if not isinstance(kind, LIF)
    ]
    return [f"{text} (neurons that never fire stand in their place)" for text in found]


def _linear(writing: _Writing, population: Population, name: str) -> None:
    """Nodes of neurons with receptors: an LI for each, into a LIF; see :mod:`.linear`."""
    for wanted, node in linear_nodes(writing.nir, population, name, writing.ms).items():
        writing.nodes[wanted] = node
        if wanted != name:
            writing.edges.append((wanted, name))


def _landing(target: Population, names: dict[str, str], receptor: str) -> str:
    """Node at which arrivals of a projection end."""
    name = names[target.name]
    return name if target.neuron is None else receptor_node(name, receptor)


def _population(writing: _Writing, population: Population, gauge: Gauge | None) -> Any:
    nir, dialect = writing.nir, writing.dialect
    metadata: dict[str, Any] = {"eventsim_name": population.name}
    if gauge is None:
        return nir.Input({"input": np.array([population.size])}, metadata=metadata)
    if not gauge.neutral:
        metadata |= {
            "eventsim_voltage_shift": gauge.shift,
            "eventsim_voltage_scale": gauge.voltage,
            "eventsim_current_scale": gauge.current,
        }
    values = _membrane(writing, population, gauge, metadata)
    if population.is_spiking:
        if dialect.zero_reset and (population.v_reset != population.v_leak).any():
            metadata["eventsim_v_reset"] = population.v_reset.copy()
        if population.refractory.any():
            metadata["eventsim_refractory_ms"] = population.refractory.copy()
        for key, name in ADAPTATION.items() if population.is_adaptive else ():
            metadata[f"eventsim_{name}"] = population.parameters[key].copy()
        return nir.CubaLIF(**values, **_threshold(population, gauge, dialect), metadata=metadata)
    if dialect.plain_nodes:
        return nir.CubaLI(**values, metadata=metadata)
    still = {"v_threshold": np.full(population.size, OUT_OF_REACH)}
    return nir.CubaLIF(**values, **still, metadata=metadata)


def _membrane(
    writing: _Writing, population: Population, gauge: Gauge, metadata: dict[str, Any]
) -> dict[str, Floats]:
    """Parameters that readouts have as well."""
    tau_mem = package.times("tau_mem", population.tau_mem, writing.ms, metadata)
    tau_syn = package.times("tau_syn", population.tau_syn, writing.ms, metadata)
    resistance, w_in = gauge.voltage * population.resistance / gauge.current, tau_syn
    rest, steps = gauge.voltage * (population.v_leak - gauge.shift), None
    if writing.step is not None:
        w_in, steps = tau_syn / writing.step, tau_mem / writing.step
        # To the bit, where an importer compares.
        if writing.dialect.resistance != "own":
            resistance = steps - (writing.dialect.resistance == "tau/dt-1")
    return {
        "tau_mem": tau_mem,
        "tau_syn": tau_syn,
        "r": resistance,
        "v_leak": to_leak(writing.dialect.rest, rest, resistance, steps),
        "w_in": w_in,
    }


def _threshold(population: Population, gauge: Gauge, dialect: Dialect) -> dict[str, Floats]:
    threshold = gauge.voltage * (population.threshold - gauge.shift)
    reset = gauge.voltage * (population.v_reset - gauge.shift)
    if dialect.zero_reset:
        reset = 0.0 * reset
    # Importers that want one value compare to the bit; what is left here are roundings.
    if dialect.unit_threshold:
        threshold = np.ones(population.size)
    if "v_reset" in dialect.uniform:
        reset = np.full(population.size, reset[0])
    return {"v_threshold": threshold, "v_reset": reset}


def _projection(
    writing: _Writing, projection: Projection, ends: tuple[str, str], gauges: dict[str, Gauge]
) -> None:
    nir = writing.nir
    metadata: dict[str, Any] = {"eventsim_kind": projection.kind}
    if projection.delays.ndim or projection.delays.any():
        # HDF5 compresses no scalars.
        scalar = projection.delays.ndim == 0
        metadata["eventsim_delays_ms"] = (
            float(projection.delays) if scalar else projection.delays.astype(np.float64)
        )
        metadata["eventsim_delays_of"] = projection.delays_of
    current = gauges[projection.target].current
    if projection.one_to_one:
        weights = current * projection.weights
        node = nir.Scale(weights) if writing.dialect.plain_nodes else nir.Linear(np.diag(weights))
        node.metadata.update(metadata)
        delays = np.broadcast_to(projection.delays, (weights.size,))
        _branch(writing, ends, node, delays)
        return
    _check_entries(writing, projection)
    if projection.pattern is not None:
        metadata |= {
            "eventsim_indices": projection.pattern.indices.copy(),
            "eventsim_indptr": projection.pattern.indptr.copy(),
        }
    for number, (weights, lags) in enumerate(_branches(projection)):
        node = nir.Linear((weights * current).T.copy())
        node.metadata.update(metadata if number == 0 else {})
        _branch(writing, ends, node, lags)


def _branch(writing: _Writing, ends: tuple[str, str], node: Any, delays: Floats) -> None:
    """Edges from source to target through a delay, if there is one, and weights."""
    last, target = ends
    if delays.any():
        lag = writing.add(
            f"delay_{last}_{target}", writing.nir.Delay(delays.astype(np.float64) / writing.ms)
        )
        writing.edges.append((last, lag))
        last = lag
    weights = writing.add(f"w_{ends[0]}_{target}", node)
    writing.edges.append((last, weights))
    if writing.dialect.detour and ends[0] == target:
        unit = writing.nir.Linear(np.eye(node.weight.shape[0]))
        detour = writing.add(f"unit_{target}", unit)
        writing.edges.append((weights, detour))
        weights = detour
    writing.edges.append((weights, target))


def _check_entries(writing: _Writing, projection: Projection) -> None:
    """Raise NetworkError where a dense matrix of the projection has too many entries."""
    shape = projection.weights.shape
    if shape[0] * shape[1] > writing.max_entries:
        raise NetworkError(
            "to_nir",
            f"projection {projection.name!r} would be a dense matrix of {shape[0]:,} x "
            f"{shape[1]:,} entries ({shape[0] * shape[1] * 8 / 2**20:,.0f} MiB), since NIR has "
            f"no sparse ones; the limit is max_entries={writing.max_entries:,}",
            remedy="Pass a larger one.",
        )


def _branches(projection: Projection) -> list[tuple[Floats, Floats]]:
    """Dense weights of every branch, with the delay of every source there."""
    shape = projection.weights.shape
    if not projection.delay_per_synapse and not projection.has_multapses:
        return [
            (projection.matrix(projection.values), np.broadcast_to(projection.delays, shape[:1]))
        ]
    source, target = projection.sources(), projection.targets()
    delay, values = projection.synapse_delays(), projection.values.ravel()
    branch = branches_of(source, target, delay)
    count = int(branch.max(initial=0)) + 1
    if count > MAX_BRANCHES:
        raise NetworkError(
            "to_nir",
            f"projection {projection.name!r} has sources with up to {count} different delays or "
            "synapses of one pair",
            remedy="NIR delays belong to sources, so each takes a branch with a matrix of its "
            f"own; {MAX_BRANCHES} is the limit. Round the delays, or give one per source.",
        )
    found = []
    for k in range(count):
        weights, lags, mine = np.zeros(shape), np.zeros(shape[0]), branch == k
        weights[source[mine], target[mine]], lags[source[mine]] = values[mine], delay[mine]
        found.append((weights, lags))
    return found


def _outputs(writing: _Writing, net: Network, names: dict[str, str]) -> None:
    """An Output for every population that no other hears; of a ring, for its last."""
    for name in net.outputs:
        size = np.array([net.populations[name].size])
        output = writing.add("output", writing.nir.Output({"output": size}))
        writing.edges.append((names[name], output))
