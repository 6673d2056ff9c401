"""Networks, runs and chips of the table ``costs.toml``: mapping, energy and formats of chips."""

# ruff: noqa: F401 (the table uses what is imported here)

from dataclasses import replace

import numpy as np

import eventsim as es
from eventsim.chips import Formats, board_of, chip_names, load_chip
from eventsim.energy import (
    ActivityPricing,
    Widths,
    clocked,
    costs_over_time,
    count,
    dense_equivalent,
    energy,
)
from eventsim.frontier import pareto_front
from eventsim.mapping import (
    axon_graph,
    check_mapping,
    check_room,
    compare_mappings,
    congestion,
    export_sanafe,
    load_cores,
    map_network,
    quantisation_study,
    quantise,
)
from tests.refusals.things import edited, empty, file, inputs_alone, thing
from tests.support import nets
from tests.support.nets import lateral_net, one_layer, ring_net
from tests.unit.energy.test_missing import price
from tests.unit.mapping.helpers import make_chip, random_net, random_stream
from tests.unit.mapping.test_linear_neurons import mixed, programmable
from tests.unit.mapping.test_sanafe import small as calm


@thing
def mapped():
    """A network of 39 neurons, whose weights are sparse."""
    return random_net()


@thing
def spikes():
    """Its run."""
    return es.simulate(random_net(), random_stream())


@thing
def placed():
    """Its mapping by the simplest method."""
    return map_network(mapped(), spikes(), CHIP, method="first_fit")


@thing
def calm_run():
    """A network that SANA-FE can run, its stream, and its mapping."""
    net, stream, _, mapping = calm()
    return net, stream, mapping


CHIP = make_chip(neurons_per_core=8)
TECHNOLOGY = load_chip("45nm")


def chip(**limits):
    """A chip of our own, with 4 x 3 tiles of two cores unless other numbers are given."""
    return make_chip(**limits)


def bipartite():
    """Four neurons that each reach four others."""
    net = one_layer("a", np.ones((1, 4)))
    net.add_population("b", 4)
    net.connect("a", "b", np.ones((4, 4)))
    return net


def other_run():
    """The run of another network with as many channels."""
    net = inputs_alone(3)
    net.add_population("hidden1", 4)
    net.add_population("hidden2", 16)
    return es.simulate(net, random_stream())


def convolved():
    """A network of convolutions with a linear decision."""
    return es.convolutional(6, (2,), 3, output_maps=2, kernel=(3, 2), stride=(1, 1))


def adaptive_one():
    return es.scsr(6, (4,), 3, alif=(0.2, 100.0))


def sanafe(run, *statements, stream=None, full=None, **options):
    """Export of a run to SANA-FE, of a network that statements change as ``it``."""
    net, given, mapping = run
    if full is not None:
        mapping = replace(mapping, usage=replace(mapping.usage, neurons=np.array([full])))
    given = given if stream is None else stream
    return export_sanafe(
        edited(net, *statements), mapping, given, ".", **{"step_ms": 1.0} | options
    )


# Energy


@thing
def counted():
    """A network, and its run of four samples."""
    net = nets.random_net(2, sparse=True, delays="source")
    return net, es.simulate(net, nets.random_stream(3, n_samples=4), backend="reference")


def run_of(net, **options):
    return es.simulate(net, nets.random_stream(3), backend="cpu", **options)


def unrecorded(net):
    """The run of a stream without a sample."""
    none = es.EventStream([], [], [0], n_channels=5, duration=[])
    return es.simulate(net, none, backend="cpu")


def first_two(counted):
    net, tape = counted
    return clocked(net, es.simulate(net, tape.stream[:2], backend="reference"), step_ms=1.0)


def exact_and_steps(counted):
    net, tape = counted
    return net, count(net, tape), clocked(net, tape, step_ms=3.0)
