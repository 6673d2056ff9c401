"""Where rounding decides which neurons of a loop fire, a run says so."""

import logging

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.run.ties import collected_ties
from tests.support.nets import one_layer


def copies(size, *, delay=0.0, weight=-1.0):
    """Neurons that see the same and inhibit each other, and their input."""
    net = one_layer("copies", np.full((1, size), 12.0), tau_mem=27.0, tau_syn=13.0)
    inhibition = weight * (1.0 + 0.1 * np.arange(size * size).reshape(size, size))
    np.fill_diagonal(inhibition, 0.0)
    net.connect("copies", "copies", inhibition, delays=delay)
    stream = es.EventStream([1.0, 5.0], [0, 0], [0, 2], n_channels=1, duration=30.0)
    return net, stream


@pytest.mark.parametrize("size", [2, 3])
def test_copies_without_delay_are_named(caplog, backend, size):
    net, stream = copies(size)
    with collected_ties() as ties:
        tape = es.simulate(net, stream, backend=backend)
    (found,) = ties
    assert not caplog.records
    assert found.stage == "copies"
    assert (found.sample, found.neurons[0]) == (0, 0)
    assert found.time_ms == tape["copies"].times[0]
    assert found.to_dict()["text"] == str(found)
    with caplog.at_level(logging.WARNING, logger="eventsim"):
        es.simulate(net, stream, backend=backend)
    assert [record.getMessage() for record in caplog.records] == [str(found)]


@pytest.mark.parametrize(
    "case", [copies(3, delay=0.5), copies(3, weight=0.0)], ids=["delay", "apart"]
)
def test_what_is_decided_is_not_named(case):
    net, stream = case
    with collected_ties() as ties:
        tape = es.simulate(net, stream, backend="cpu")
    assert np.unique(tape["copies"].times[:2]).size == 1
    assert not ties
