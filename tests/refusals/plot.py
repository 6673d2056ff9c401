"""A stream and the run of a network of the table ``plot.toml``, drawn without a screen."""

# ruff: noqa: F401 (the table uses what is imported here)

import matplotlib
import numpy as np

import eventsim as es
from eventsim import plot
from eventsim.cli.options import forms_of
from tests.refusals.things import inputs_alone, thing

matplotlib.use("Agg")


@thing
def seen():
    """Two samples on four channels, the second one shorter."""
    samples = [([2.0, 3.0, 3.5, 9.0], [0, 3, 1, 0]), ([1.0, 4.0], [2, 2])]
    return es.EventStream.from_samples(samples, n_channels=4, duration=[40.0, 20.0])


@thing
def sketched():
    """A network of nine neurons, two further ones, and a readout."""
    net = es.Network()
    net.add_input("input", 4)
    net.add_population("first", 9)
    net.add_population("second", 2)
    net.add_readout("output", 3)
    net.connect("input", "first", np.full((4, 9), 9.0))
    net.connect("first", "second", np.full((9, 2), 1.5))
    net.connect("second", "output", np.ones((2, 3)))
    return net


@thing
def shown():
    """Its run."""
    return es.simulate(sketched(), seen(), backend="reference")
