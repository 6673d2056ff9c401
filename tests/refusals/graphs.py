"""NIR graphs of the table ``graphs.toml``, and networks that no graph holds."""

# ruff: noqa: F401 (the table uses what is imported here)

import json
import warnings

import nir
import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim.network.nir import NirWarning, from_nir, read_nir, to_nir
from tests.refusals.things import edited, file
from tests.support.nets import one_layer, random_net
from tests.unit.network.test_nir_beyond import receptors_net, shared_net
from tests.unit.network.test_nir_import import W, between, cuba, graph
from tests.unit.network.test_nir_targets import changed as otherwise
from tests.unit.network.test_nir_targets import small_net
from tests.unit.network.test_value_dtype import every_kind

ONE, THREE = np.ones(1), np.ones(3)


def plain(**changed):
    """A graph of one matrix and one neuron, whose parameters are in seconds."""
    return between(nir.Linear(W), neuron=cuba(3, **changed))


def with_metadata(name, value, node=None):
    given = plain()
    (given.nodes[node] if node else given).metadata[name] = value
    return given


def of_readout():
    """Two currents that a readout has of its own."""
    current = {"tau": THREE * 0.005, "r": THREE * 0.005, "v_leak": 0.0 * THREE}
    nodes = {name: nir.Linear(W) for name in ("w1", "w2")}
    nodes |= {name: nir.LI(**current) for name in ("i1", "i2", "out")}
    edges = [("input", "w1"), ("input", "w2"), ("w1", "i1"), ("w2", "i2")]
    return graph(nodes, [*edges, ("i1", "out"), ("i2", "out")])


def of_two_inputs():
    nodes = {"w": nir.Linear(W), "lif": cuba(3), "more": nir.Input({"input": np.array([3])})}
    return graph(nodes, [("input", "w"), ("w", "lif"), ("more", "lif")])


def of_a_voltage_that_flows_on():
    li = nir.CubaLI(tau_syn=THREE * 0.01, tau_mem=THREE * 0.01, r=THREE, v_leak=THREE)
    nodes = {"w": nir.Linear(W), "li": li, "lif": cuba(3)}
    return graph(nodes, [("input", "w"), ("w", "li"), ("li", "lif")])


def of_a_loop_without_a_neuron():
    nodes = {"w": nir.Linear(np.eye(2)), "s": nir.Scale(np.ones(2)), "lif": cuba(2)}
    return graph(nodes, [("input", "w"), ("w", "s"), ("s", "w"), ("w", "lif")])


def unconnected():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("alone", 2, v_leak=2.0)
    return net


def delayed(n):
    return one_layer("hidden", np.ones((1, n)), delays=np.arange(float(n))[np.newaxis])


def written(net, name, value, node=None, **options):
    """The graph of a network, in whose metadata, or that of a node, one entry is another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        given = to_nir(net, **options)
    (given.nodes[node] if node else given).metadata[name] = value
    return given


def read(net, name, value, node=None, **options):
    """What reading it raises; what else is lost is told before."""
    given = written(net, name, value, node, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        return from_nir(given)


def answering():
    net = random_net(0)
    net.set_answer(es.Answer())
    return net
