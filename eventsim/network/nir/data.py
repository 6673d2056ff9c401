"""Spikes of a run as NIR's data: one EventData for each population, by the names of its nodes."""

from collections.abc import Sequence
from typing import Any

from eventsim.events import SpikeTape
from eventsim.events.nir_data import event_data
from eventsim.events.source import source_of
from eventsim.network.network import Network
from eventsim.network.nir.package import load_nir, node_names


def tape_to_nir(net: Network, tape: SpikeTape, *, names: Sequence[str] | None = None) -> Any:
    """Input events and spikes of a run as a ``nir.NIRGraphData``, for ``nir.write_data``.

    Parameters
    ----------
    net, tape
        The network and its run.
    names
        Populations, the input among them; all by default.

    Returns
    -------
    nir.NIRGraphData
        Under the names of nodes that :func:`to_nir` gives, observable ``spikes``: times in
        seconds, rows filled up with (-1, inf). New arrays.
    """
    nir = load_nir("tape_to_nir")
    tape.require_all("tape_to_nir")
    tape = tape.to_host()
    nodes = node_names(net)
    known = [name for name in net.populations if name not in net.readouts]
    found = {}
    for name in known if names is None else names:
        sent = source_of(tape.stream if net.population(name) is net.input else tape[name])
        data = event_data(*sent, duration=tape.stream.duration)
        found[nodes[name]] = nir.NIRNodeData({"spikes": data})
    return nir.NIRGraphData(found)
