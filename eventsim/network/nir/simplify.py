"""A NIR graph without graphs inside, its currents joined with their neurons.

An ``LI`` without leak that feeds one ``LIF`` one to one is that neuron's synapse,

    tau I' = -I + r S        =  CubaLIF with tau_syn = tau, w_in = r,

and before an ``LI`` it makes a ``CubaLI``. Several that feed one ``LIF``, or one that is said to be
a receptor, are its receptors. Neurons without such a synapse are refused: a spike moves their
voltage at once.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eventsim.errors import NetworkError
from eventsim.network.nir.linear import RECEPTOR

NEURONS = ("CubaLIF", "CubaLI")


@dataclass(eq=False)
class Graph:
    """Nodes and edges, as those of a ``nir.NIRGraph``."""

    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    # By the name of an LI: the LIF that it feeds, and what the receptor is called
    receptors: dict[str, tuple[str, str]] = field(default_factory=dict)


def simplified(nir: Any, graph: Any) -> Graph:
    """The graph with ``CubaLIF``, ``CubaLI`` and ``LIF`` with receptors as its only neurons.

    Raises NetworkError (other neurons are left).
    """
    flat = Graph(metadata=dict(graph.metadata))
    _flatten(nir, graph, "", flat)
    flat.edges = list(dict.fromkeys(flat.edges))
    _join_currents(nir, flat)
    for name, node in flat.nodes.items():
        kind = type(node).__name__
        known = [*flat.receptors, *(fed for fed, _ in flat.receptors.values())]
        if kind in ("LIF", "LI") and name not in known:
            raise NetworkError(
                "from_nir",
                f"node {name!r} is an {kind} without a synaptic current: a spike would move its "
                "voltage at once",
                remedy=f"eventsim's neurons have a synaptic time constant: make it a Cuba{kind}, "
                "or put an LI (tau_syn, v_leak = 0) one to one before it.",
            )
        if kind in ("IF", "I", "Threshold"):
            raise NetworkError(
                "from_nir",
                f"node {name!r} is of type {kind}, which has no leak or no synapse",
                " or ".join(NEURONS),
            )
    return flat


def _flatten(nir: Any, graph: Any, prefix: str, flat: Graph) -> tuple[list[str], list[str]]:
    """Add nodes and edges of ``graph``; the names of its first and of its last nodes."""
    begins: dict[str, list[str]] = {}
    ends: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            begins[name], ends[name] = _flatten(nir, node, f"{prefix}{name}.", flat)
        elif prefix and isinstance(node, nir.Input | nir.Output):
            begins[name] = ends[name] = []  # edges pass through, below
        else:
            flat.nodes[prefix + name] = node
            begins[name] = ends[name] = [prefix + name]
    gates = {name for name, node in graph.nodes.items() if isinstance(node, nir.Input | nir.Output)}
    inner = gates if prefix else set()
    for source, target in graph.edges:
        if source not in inner and target not in inner:
            flat.edges += [(a, b) for a in ends[source] for b in begins[target]]
    first = [b for source, target in graph.edges if source in inner for b in begins[target]]
    last = [a for source, target in graph.edges if target in inner for a in ends[source]]
    return first, last


def _join_currents(nir: Any, graph: Graph) -> None:
    """Replace every LI that is the synapse of one neuron, together with that neuron."""
    for name, node in list(graph.nodes.items()):
        kind = type(node).__name__
        before = [a for a, b in graph.edges if b == name]
        fits = before and all(_is_current(nir, graph, current, name) for current in before)
        if kind not in ("LIF", "LI") or not fits:
            continue
        current = graph.nodes[before[0]]
        if kind == "LIF" and (len(before) > 1 or RECEPTOR in current.metadata):
            for each in before:
                called = str(graph.nodes[each].metadata.get(RECEPTOR, each.replace(".", "_")))
                graph.receptors[each] = name, called
            continue
        if len(before) > 1:
            continue
        values = {
            "tau_syn": current.tau,
            "w_in": current.r,
            "tau_mem": node.tau,
            "r": node.r,
            "v_leak": node.v_leak,
            "metadata": dict(node.metadata),
        }
        if kind == "LIF":
            joined = nir.CubaLIF(v_threshold=node.v_threshold, v_reset=node.v_reset, **values)
        else:
            joined = nir.CubaLI(**values)
        graph.nodes[name] = joined
        del graph.nodes[before[0]]
        graph.edges = [(a, name if b == before[0] else b) for a, b in graph.edges if a != before[0]]


def _is_current(nir: Any, graph: Graph, name: str, fed: str) -> bool:
    """Whether the node is a current of that neuron and of no other."""
    node = graph.nodes[name]
    alone = [b for a, b in graph.edges if a == name] == [fed]
    return isinstance(node, nir.LI) and alone and not np.any(node.v_leak)
