"""Losses through a whole net: every parameter's gradient against central differences."""

import numpy as np
import pytest

from eventsim.adjoint import gradcheck
from eventsim.engine import simulate
from eventsim.network import Network, self_recurrent
from eventsim.train import CrossEntropy, FirstSpike, SumOfLosses, VanRossum
from tests.unit.train.task import small_net, two_patterns

STREAM = two_patterns(2, seed=3).stream
LABELS = np.array([0, 1])


def spiking_net():
    rng = np.random.default_rng(1)
    net = Network()
    net.add_input("input", 6)
    net.add_population("hidden1", 5, tau_mem=12.0, tau_syn=4.0, v_leak=0.1, v_reset=-0.2)
    net.add_population("output", 2, tau_mem=9.0, tau_syn=9.0, refractory=1.0)
    net.connect("input", "hidden1", rng.normal(0.8, 0.3, (6, 5)), delays=0.5)
    net.connect("hidden1", "hidden1", self_recurrent(rng.normal(0.0, 0.1, 5)), delays=0.7)
    net.connect("hidden1", "output", rng.normal(0.8, 0.3, (5, 2)))
    return net


def readout_net():
    net = small_net()
    net.parameters()["hidden1->hidden1.delays"][...] = 0.7
    return net


def van_rossum():
    other = spiking_net()
    other.populations["output"].threshold[:] = 1.3
    targets = simulate(other, STREAM, backend="cpu")["output"]
    return VanRossum(targets, population="output", time_constant=8.0)


CASES = {
    "cross entropy": lambda: (readout_net(), CrossEntropy(LABELS)),
    "weighted cross entropy": lambda: (readout_net(), CrossEntropy(LABELS, time_constant=25.0)),
    "first spike": lambda: (spiking_net(), FirstSpike(LABELS, population="output")),
    "van Rossum": lambda: (spiking_net(), van_rossum()),
    "sum": lambda: (
        spiking_net(),
        SumOfLosses(((1.0, FirstSpike(LABELS, population="output")), (0.3, van_rossum()))),
    ),
}


@pytest.mark.thorough("tests/gradients/test_every_loss.py has some of each kind in make test")
@pytest.mark.parametrize("case", CASES)
def test_gradients_of_the_loss_match_finite_differences(case):
    net, loss = CASES[case]()
    check = gradcheck(net, STREAM, loss, step=1e-5, backend="cpu", n_directions=3)
    # A first spike does not feel what happens after it: its zeros are left out.
    assert check.fraction_compared > (0.7 if case == "first spike" else 0.9)
    assert check.worst_relative_error < 1e-6
