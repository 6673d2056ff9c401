r"""Neurons of several states in NIR: receptors exactly, others by name in the metadata.

A ``CubaLIF`` is an ``LI`` that feeds a ``LIF``; the input of a node is the sum of what its edges
bring. So neurons with receptors are one ``LI`` for each, all into one ``LIF``,

.. math::
    \tau_r \dot I_r = -I_r + \tau_r S_r, \qquad
    \tau_{mem} \dot v = (v_{leak} - v) + R \sum_r I_r,

and a spike of weight w raises I by w. NIR has no other neurons of several states. Of these kind and
parameters stand in the metadata of a ``LIF`` that never fires, with the same currents before it: no
program takes it for the neuron.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.entries import parse_json, shown
from eventsim.errors import NetworkError
from eventsim.network.nir.dialects import OUT_OF_REACH
from eventsim.network.nir.package import exact_times, said, times
from eventsim.network.parts import Population
from eventsim.neuron.linear import LIF, LinearNeuron, neuron_described

RECEPTOR, KIND, ORDER = "eventsim_receptor", "eventsim_neuron", "eventsim_receptors"


def receptor_node(name: str, receptor: str) -> str:
    """Name of the current's node of a receptor, from that of its neurons."""
    return f"{name}.{receptor or 'current'}"


def linear_nodes(nir: Any, population: Population, name: str, ms: float) -> dict[str, Any]:
    """Nodes by name: the neurons', ``name``, and one for each receptor; ``ms`` per unit of time."""
    neuron, ones = population.neuron, np.ones(population.size)
    assert neuron is not None
    metadata: dict[str, Any] = {"eventsim_name": population.name}
    own = isinstance(neuron, LIF)
    if own:
        metadata[ORDER] = json.dumps(list(neuron.receptors))  # HDF5 sorts nodes
        metadata["eventsim_refractory_ms"] = population.refractory.copy()
        values = {
            "tau": times("tau_mem", population.tau_mem, ms, metadata),
            "r": population.resistance.copy(),
            "v_leak": population.v_leak.copy(),
            "v_threshold": population.threshold.copy(),
            "v_reset": population.v_reset.copy(),
        }
    else:
        metadata[KIND] = json.dumps(neuron.describe())
        for key, given in population.parameters.items():
            metadata[f"{KIND}_{key}"] = given.copy()
        values = {"tau": ones, "r": ones, "v_leak": 0.0 * ones, "v_reset": 0.0 * ones}
        values["v_threshold"] = np.full(population.size, OUT_OF_REACH)
    found = {name: nir.LIF(**values, metadata=metadata)}
    for receptor in neuron.receptors:
        said_of: dict[str, Any] = {RECEPTOR: receptor}
        tau = ones
        if own:
            tau = times("tau", population.parameters[_tau(receptor)], ms, said_of)
        found[receptor_node(name, receptor)] = nir.LI(
            tau=tau, r=tau.copy(), v_leak=0.0 * ones, metadata=said_of
        )
    return found


def read_linear(
    name: str, node: Any, currents: Mapping[str, Any], ms: float
) -> tuple[int, LinearNeuron]:
    """Number of neurons of a ``LIF`` with receptors, and their kind with its values.

    ``currents`` are its ``LI`` by receptor.

    Raises NetworkError (metadata is damaged), ParameterError (the kind is not defined here).
    """
    size, metadata = np.asarray(node.tau).size, node.metadata
    if KIND in metadata:
        neuron, known = _described(name, metadata, currents), metadata
        for key in neuron.names:
            missing = np.full(size, np.nan)
            neuron.values[key] = said(name, known, f"neuron_{key}", missing)
        return size, neuron
    by_receptor: dict[str, Floats] = {}
    order = parse_json(str(metadata.get(ORDER, "[]")), f"from_nir: {ORDER}", NetworkError)
    for receptor in dict.fromkeys([*filter(currents.__contains__, order), *currents]):
        current = currents[receptor]
        tau, jump = np.asarray(current.tau, np.float64), np.asarray(current.r, np.float64)
        if not np.array_equal(tau, jump):
            raise NetworkError(
                "from_nir",
                f"the current of receptor {receptor!r} before node {name!r} has an r that is not "
                "its tau: a spike of weight 1 would not raise it by 1",
                remedy="Make them equal and multiply the weights that lead there by r / tau.",
            )
        by_receptor[receptor] = exact_times(tau, current.metadata.get("eventsim_tau_ms"), ms)
    tau_mem = exact_times(np.asarray(node.tau), metadata.get("eventsim_tau_mem_ms"), ms)
    values = {
        "tau_mem": tau_mem,
        "resistance": np.asarray(node.r, np.float64),
        "v_leak": np.asarray(node.v_leak, np.float64),
        "threshold": np.asarray(node.v_threshold, np.float64),
        "v_reset": np.asarray(node.v_reset, np.float64),
        "refractory": said(name, metadata, "refractory_ms", np.zeros(size)),
    }
    return size, LIF(tau_syn=by_receptor, **values)


def _tau(receptor: str) -> str:
    return f"tau_syn_{receptor}" if receptor else "tau_syn"


def _described(name: str, metadata: Mapping[str, Any], currents: Mapping[str, Any]) -> LinearNeuron:
    place = f"from_nir: {KIND} in the metadata of node {name!r}"
    words = parse_json(str(metadata[KIND]), place, NetworkError)
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        raise NetworkError(place, f"is {shown(words)}", "a kind and its receptors")
    neuron = neuron_described(words[0], words[1:])
    if set(neuron.receptors) != set(currents):
        raise NetworkError(
            place,
            f"has receptors {sorted(neuron.receptors)}",
            f"{sorted(currents)}, those of the nodes before it",
        )
    return neuron
