"""Networks of the table ``ranks.toml``: shared by processes, or run in fixed steps."""

# ruff: noqa: F401 (the table uses what is imported here)

from dataclasses import replace

import numpy as np

import eventsim as es
from eventsim import clocked, uniform
from eventsim.clocked import Grid
from eventsim.ranks import RandomNetwork, simulate_ranks
from eventsim.ranks.decomposition import Decomposition
from eventsim.train import Augmentation
from tests.refusals.things import edited, small, thing
from tests.support.nets import one_layer
from tests.unit.clocked.test_backward import skips_and_selves, stream_of
from tests.unit.clocked.test_training import config, on_grid, spiking_net
from tests.unit.ranks.nets import CHANNELS, distinct, noise
from tests.unit.ranks.nets import balanced as balanced_net
from tests.unit.ranks.test_decomposition import SIZES
from tests.unit.ranks.test_run import explicit
from tests.unit.train.task import two_patterns


@thing
def balanced():
    """Excitatory and inhibitory neurons that are drawn."""
    return balanced_net()


def drawn(*, source="exc", target="exc", **words):
    """A connection of 90 neurons to themselves."""
    net = RandomNetwork(seed=0)
    net.add_input("input", 4)
    net.add_population("exc", 90)
    net.connect(source, target, **{"rule": distinct(5), "weights": 1.0, "delays": 1.0} | words)


def silent_samples(n_samples=1, n_channels=CHANNELS):
    samples = [([], [])] * n_samples
    return es.EventStream.from_samples(samples, n_channels=n_channels, duration=1.0)


# Fixed steps


def one_neuron(**more):
    return one_layer("hidden", [[3.0]], **({"tau_mem": 20.0, "tau_syn": 5.0} | more))


def delayed_by_synapse():
    net = one_neuron()
    net.add_population("more", 2)
    net.connect("hidden", "more", [[1.0, 2.0]], delays=[[1.0, 2.0]])
    return net
