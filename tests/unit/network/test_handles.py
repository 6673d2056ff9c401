"""What add_population returns, in place of names."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import NetworkError


def small():
    net = es.Network()
    return (
        net,
        net.add_input("input", 3),
        net.add_population("hidden", 2),
        net.add_readout("out", 1),
    )


def test_add_returns_the_population_of_the_network():
    net, *added = small()
    assert added == list(net.populations.values())
    assert [repr(p) for p in added] == [
        "Population('input', 3 channels)",
        "Population('hidden', 2 spiking neurons)",
        "Population('out', 1 readout neuron)",
    ]


def test_connect_takes_populations_and_names_alike():
    net, sound, hidden, out = small()
    net.connect(sound, hidden, np.ones((3, 2)))
    net.connect(hidden, "out", np.ones((2, 1)))
    net.connect(hidden, hidden, es.self_recurrent(0.5))
    assert list(net.projections) == ["input->hidden", "hidden->out", "hidden->hidden"]
    assert (
        repr(net.projections["input->hidden"]) == "Projection('input->hidden', dense, 6 synapses)"
    )
    with pytest.raises(NetworkError, match="source is the readout 'out'"):
        net.connect(out, hidden, np.ones((1, 2)))
    with pytest.raises(NetworkError, match="target is the input 'input'"):
        net.connect(hidden, sound, np.ones((2, 3)))
