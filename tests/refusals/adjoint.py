"""Networks, their runs and the losses of the table ``adjoint.toml``."""

# ruff: noqa: F401 (the table uses what is imported here)

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

import eventsim as es
from eventsim.adjoint import VoltageSeed, merge_seeds
from eventsim.adjoint.linear.neurons import silent_neurons
from eventsim.adjoint.linear.voltage import VoltageProbe
from eventsim.energy import count
from eventsim.engine import get_backend
from eventsim.hardware.graph import axon_graph
from eventsim.train import CTC, ClassTrains, CrossEntropy, IntegralLoss, VoltageCrossEntropy
from tests.gradients.test_loss_onset import recordings
from tests.refusals.things import saved, thing, with_bad
from tests.support.losses import SpikeTimes, Sums
from tests.support.nets import lateral_net, one_layer, random_net, random_stream, with_adaptation

LABELS = np.array([2, 0, 1])


def run(net=None, backend="cpu", *, duration=60.0, **options):
    """A network and its run of two recordings."""
    net = random_net(1, hidden=(6, 5)) if net is None else net
    stream = random_stream(7, n_samples=2, duration=duration)
    return net, es.simulate(net, stream, backend=backend, **options)


@thing
def three():
    """A network, and its run of three recordings."""
    net = random_net(107)
    return net, es.simulate(net, random_stream(101, n_samples=3, duration=70.0), backend="cpu")


@thing
def late():
    """A network, and its run of four recordings with a silence before each."""
    net = random_net(718)
    return net, es.simulate(net, recordings(), backend="reference")


def seeded(make, net=None, backend="cpu", *, kind=None, resident=False):
    """Gradients of a seed of the first population that has spikes, made of their number."""
    net, tape = run(net, backend, resident=resident)
    name = next(name for name in tape.names if len(tape[name]))
    seed = make(len(tape[name]))
    if kind:
        put = get_backend(backend).asarray if tape.placed_input else np.asarray
        seed = es.SpikeSeed(**{kind: put(seed)})
    return es.backward(net, tape, {name: seed})


def last(value):
    """Zeros, but ``value`` in the end."""
    return lambda n: np.append(np.zeros(n - 1), value)


class Broken(float):
    """A loss that has this value."""

    def __call__(self, net, tape):
        return float(self), {}


def turned(probe_of, *, by=np.transpose):
    """Gradients of voltages at times, whose seed is changed."""
    net, tape = probe_of
    probe = VoltageProbe.at(silent_neurons(net, tape, "output"), np.tile([4.0, 9.5], (9, 1)))
    return es.backward(net, tape, {"output": VoltageSeed(probe, by(np.ones((9, 2))))})


def decided(net, bias=0.0):
    """The same network with a linear decision."""
    net = net.copy()
    net.decide("output", np.ones((3, 2)))
    net.decision.bias[1] = bias
    return net


@thing
def cut():
    """A run in three chunks, a loss of it, and what the last one seeds."""
    net = random_net(900, hidden=(9, 7), n_inputs=6, delays="none", self_delays="none")
    stream = random_stream(910, n_samples=3, n_channels=6, duration=60.0)
    tapes, loss = list(es.simulate_chunks(net, stream.chunks(20.0), backend="cpu")), Sums(net, 3)
    _, later = es.backward_chunk(net, tapes[2], loss)
    return SimpleNamespace(net=net, stream=stream, tapes=tapes, loss=loss, later=later)


def firing_by_itself():
    """A network that fires before the first event of its recording, and the run."""
    net = one_layer("hidden", np.zeros((1, 1)), v_leak=2.0)
    net.add_readout("output", 2)
    net.connect("hidden", "output", np.ones((1, 2)))
    stream = es.EventStream([900.0], [0], [0, 1], n_channels=1, duration=950.0)
    return net, es.simulate(net, stream, backend="reference")


# Tapes of another network


def rewired():
    net = random_net(1, hidden=(6, 5), sparse=True)
    w = net.projections["input->hidden1"].weights
    taken = set(w.indices[: w.indptr[1]].tolist())
    w.indices[: w.indptr[1]] = sorted(list(taken)[1:] + [min(set(range(6)) - taken)])
    return net


OTHERS = {
    "larger": lambda: random_net(1, hidden=(9, 5), sparse=True),
    "smaller": lambda: random_net(1, hidden=(3, 5), sparse=True),
    "deeper": lambda: random_net(1, hidden=(6, 5, 4), sparse=True),
    "dense": lambda: random_net(1, hidden=(6, 5)),
    "rewired": rewired,
}


def strange(which):
    """A network, and the run of another one."""
    return OTHERS[which](), run(random_net(1, hidden=(6, 5), sparse=True))[1]
