"""Networks, streams and runs of the table ``simulate.toml``."""

# ruff: noqa: F401 (the table uses what is imported here)

import numpy as np

import eventsim as es
from eventsim.embedded import footprint
from eventsim.energy import count
from eventsim.engine import get_backend, register_backend
from eventsim.hardware.graph import axon_graph
from eventsim.network.nir import tape_to_nir
from eventsim.train import (
    ActivityCost,
    ClassTrains,
    CrossEntropy,
    FirstSpike,
    NearMiss,
    RateBand,
    SpikeCount,
    SpiKL,
    VanRossum,
    decision_over_time,
)
from tests.parity.test_chunks import case
from tests.parity.test_scales import nets, scaled, stream_for
from tests.refusals.things import edited, saved, thing
from tests.support.nets import one_layer, one_sample, random_net, random_stream
from tests.unit.engine.test_registry import Plugged
from tests.unit.engine.test_starts import SILENT, alone


def started(**given):
    """What a population of three raises that starts so."""
    net = alone()
    net.add_readout("output", 2)
    return es.simulate(net, SILENT, start=es.Start(**given))


def explained(start=None, length=None):
    """The explanation of a run with a start, or of its last chunk."""
    net, state = alone(), None
    if length is None:
        return es.explain(net, es.simulate(net, SILENT, start=start, backend="cpu"), "cells", 0)
    for chunk in SILENT.chunks(length):
        tape, state = es.simulate_chunk(net, chunk, state, backend="reference")
    return es.explain(net, tape, "cells", 1)


# Tapes of some neurons


@thing
def net():
    made = random_net(601, hidden=(4, 3), sparse=True)
    made.set_answer(es.Answer(rule="integral", population="output"))
    return made


@thing
def stream():
    return random_stream(602, n_samples=3, duration=50.0)


@thing
def some():
    """A run of ``net`` that holds the spikes of two neurons."""
    return es.simulate(net(), stream(), backend="reference", record={"hidden2": [2, 0, 2]})


LABELS = np.zeros(3, np.int64)


# Chunks


def after_first(change, **options):
    """The chunk that comes after the first, where ``change`` takes another one or changes it."""
    net, stream = case("shared events")
    first, second, *_ = stream.chunks(10.0)
    _, state = es.simulate_chunk(net, first, None, backend="cpu")
    return es.simulate_chunk(net, change(net, first, second), state, backend="cpu", **options)


def with_tau(net, second):
    net.population("hidden1").tau_mem[0] = -1.0
    return second
