"""What calls of ``train.toml`` are made of beside ``things.py``: networks and their training."""

# ruff: noqa: F401 (the table uses what is imported here)

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.clocked import Grid, from_network
from eventsim.mapping import axon_graph, quantise
from eventsim.train import ActivityCost, QuantisedTraining, evaluate, prune
from tests.refusals.things import CONFIG, file, inputs_alone, silent, thing
from tests.support.nets import one_layer, random_net, with_adaptation
from tests.unit.train import test_training_decisions as decisions
from tests.unit.train.task import Stop, small_net, stop_at, two_patterns
from tests.unit.train.test_dale import DALE
from tests.unit.train.test_quantised import CHIP
from tests.unit.train.test_shared_values import shared_net


def trained(net=None, **settings):
    """What a run of one epoch on the patterns raises."""
    net = small_net() if net is None else net
    return es.train.train(net, two_patterns(8), replace(CONFIG, **settings))


def sparse(net=None, **given):
    return trained(net, sparse=es.train.SparseTraining(**given))


def on_chip(neurons=8, axons=20, fan_in=30, decay=7):
    """Training by the numbers of a chip of one's own."""
    text = CHIP.format(neurons=neurons, axons=axons, fan_in=fan_in, decay=decay)
    return QuantisedTraining(chip=str(file(text, "mine.toml")))


def delayed():
    net = one_layer("hidden1", np.ones((6, 2)), delays=np.ones((6, 2)))
    net.add_readout("output", 2)
    net.connect("hidden1", "output", np.ones((2, 2)))
    return net


def of_both_signs():
    """A neuron excites in one projection and inhibits in the other."""
    net = inputs_alone(2)
    for name in ("a", "b", "c"):
        net.add_population(name, 2)
    net.connect("a", "b", np.array([[1.0, 0.0], [1.0, 2.0]]))
    net.connect("a", "c", np.array([[1.0, 0.0], [0.0, -2.0]]))
    return net


def judged(n_outputs, **settings):
    """The evaluation of a network with a decision, and another readout."""
    net = decisions.network(n_outputs)
    net.add_readout("other", 2)
    return evaluate(net, two_patterns(4), replace(decisions.CONFIG, **settings))


def decided():
    net = small_net()
    net.decide("output", np.ones((2, 2)))
    return net


def again(folder, net=None, data=None, *, batch_size=8, **how):
    """What another run into a folder raises."""
    config = replace(CONFIG, batch_size=batch_size)
    data = two_patterns(24) if data is None else data
    return es.train.train(net or small_net(), data, config, folder, **how)


@thing
def half():
    """The folder of a run that was stopped in its second epoch."""
    with pytest.raises(Stop):
        again(Path("half"), callback=stop_at(1, 1))
    return Path("half")


@thing
def foreign():
    """The same, whose checkpoint is some other arrays."""
    np.savez(half() / "checkpoint.npz", a=np.zeros(3))
    return Path("half")


@thing
def exchanged():
    """The same, whose checkpoint is its network."""
    (half() / "checkpoint.npz").write_bytes(Path("half/initial.npz").read_bytes())
    return Path("half")
