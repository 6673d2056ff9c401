"""What each capability of the matrix does, and how its number is known to be right."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import eventsim as es
from eventsim.clocked import from_network
from eventsim.matrix import can
from tests.matrix.cells import Row
from tests.matrix.networks import stream
from tests.support.compare import ATOL, assert_same_gradients, assert_same_spikes
from tests.support.losses import Sums

PROBES = {}


@dataclass(frozen=True)
class Case:
    """A network with the features of a row."""

    row: Row
    net: es.Network
    folder: Path

    @property
    def how(self):
        """Backend and precision."""
        given = self.row.by_axis
        return {k: given[k] for k in ("backend", "precision") if k in given}

    @property
    def support(self):
        """What the matrix says."""
        by_axis = self.row.by_axis
        words = [
            by_axis[k]
            for k in ("precision", "aim", "misses", "target", "group", "method")
            if k in by_axis
        ]
        backend = by_axis.get("backend", "cpu")
        return can(self.net, *words, backend=backend)[self.row.capability]

    def values(self):
        """All numbers of the network. New arrays."""
        return {key: values.copy() for key, values in self.net.parameters().items()}

    def tape(self, **how):
        """A run of the network."""
        return es.simulate(self.net, stream(), **{"backend": "cpu", **self.how, **how})


def probe(function):
    """Make a probe known by its name."""
    PROBES[function.__name__] = function
    return function


@probe
def simulate(case):
    tape = case.tape()
    expected = case.tape(backend="reference", precision="double")
    assert assert_same_spikes(tape, expected, atol_ms=ATOL[tape.precision], net=case.net)
    alone = es.simulate(case.net, stream()[1], **case.how)
    assert all(np.array_equal(alone[n].times, tape[n].sample(1)[0]) for n in tape.names)


@probe
def fixed_step(case):
    clocked = from_network(case.net, 0.5)
    back = clocked.to_network()
    assert back.parameters().keys() == case.net.parameters().keys()
    for key, values in back.parameters().items():
        np.testing.assert_allclose(values, case.net.parameters()[key], rtol=1e-6)


@probe
def chunks(case):
    whole = case.tape()
    tapes = list(es.simulate_chunks(case.net, stream().chunks(17.0), **case.how))
    for name in whole.names:
        samples = range(len(stream()))
        times = [tape[name].sample(k)[0] for k in samples for tape in tapes if len(tape.stream) > k]
        np.testing.assert_allclose(np.concatenate(times), whole[name].times, rtol=0, atol=1e-9)


def loss_of(net):
    return Sums(net, len(stream()))


@probe
def gradients(case):
    tape = case.tape()
    found = es.backward(case.net, tape, loss_of(case.net))
    plain = case.tape(backend="reference", precision="double")
    expected = es.backward(case.net, plain, loss_of(case.net))
    rtol = 1e-8 if tape.precision == "double" else 2e-3
    assert_same_gradients(found, expected, rtol=rtol, floor=1e-6)


@probe
def chunk_gradients(case):
    whole = es.backward(case.net, case.tape(), loss_of(case.net))
    pieces = list(stream().chunks(17.0))
    found = es.backward_chunks(case.net, pieces, loss_of(case.net), **case.how)
    for key, values in whole.flat().items():
        np.testing.assert_allclose(found.flat()[key], values, rtol=2e-3, atol=1e-6, err_msg=key)
