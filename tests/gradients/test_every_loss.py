"""Every loss that the package has, through ``es.backward`` and ``es.gradcheck``.

A loss is a class that is called as ``loss(net, tape)``. They are found by looking; one that has no
case here fails the last test.
"""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import eventsim as es
import eventsim.train
from eventsim.adjoint import merge_seeds
from eventsim.train import (
    CTC,
    ActivityCost,
    ClassTrains,
    CrossEntropy,
    FirstSpike,
    MeanSquaredError,
    NearMiss,
    RateBand,
    SpikeCount,
    SumOfLosses,
    VanRossum,
    VoltageCrossEntropy,
)
from eventsim.train.decode import StringLoss
from eventsim.train.softmax import smoothed
from tests.support.nets import random_net, random_stream
from tests.support.tiers import beyond

STREAM = random_stream(601, n_samples=3, duration=50.0)
LABELS = np.array([1, 0, 1])


def plain():
    return random_net(602, hidden=(5,), delays="source")


def decided():
    net = random_net(603, hidden=(5,), delays="source")
    net.decide("output", np.random.default_rng(604).normal(size=(3, 2)), bias=[0.1, -0.2])
    return net


def with_silent_neurons():
    net = random_net(609, hidden=(5,), delays="source")
    net.populations["hidden1"].threshold[1:3] = 50.0
    tape = es.simulate(net, STREAM, backend="cpu")
    largest = es.adjoint.linear.maximum.find_maximum(
        es.adjoint.linear.neurons.silent_neurons(net, tape, "hidden1", np.array([1, 2]))
    )
    net.populations["hidden1"].threshold[1:3] = largest.value.reshape(3, 2).max(axis=0) + 0.2
    return net


def targets():
    other = random_net(606, hidden=(5,), delays="source")
    return es.simulate(other, STREAM, backend="cpu")["hidden1"]


def strings():
    said = [(0,), (1, 0)]
    loss = CTC([said[k] for k in LABELS], readout="output", interval=9.0, gain=2.0)
    return StringLoss(LABELS, said, loss)


def followed():
    wanted = np.random.default_rng(607).normal(size=(3, 4, plain().population("output").size))
    wanted[1, 2] = np.nan
    return MeanSquaredError(wanted, [5.0, 13.0, 22.0, 30.0])


# Loss and network by name; "pseudo" where finite differences cannot know what the loss asks for.
CASES = {
    "cross entropy, weighted": (plain, lambda: CrossEntropy(LABELS, time_constant=25.0)),
    "largest voltage": (plain, lambda: VoltageCrossEntropy(LABELS)),
    "class trains": (plain, lambda: ClassTrains(LABELS, population="hidden1")),
    "ctc": (plain, lambda: CTC([(0, 1), (), (1, 1)], interval=9.0)),
    "cross entropy": (plain, lambda: CrossEntropy(LABELS)),
    "smoothed labels": (plain, lambda: CrossEntropy(smoothed(LABELS, 3, smoothing=0.3))),
    "cross entropy, onset": (plain, lambda: CrossEntropy(LABELS, time_constant=25.0, onset=13.0)),
    "last voltage": (plain, lambda: VoltageCrossEntropy(LABELS, at="last")),
    "largest voltage, decision": (decided, lambda: VoltageCrossEntropy(LABELS)),
    "last voltage, decision": (decided, lambda: VoltageCrossEntropy(LABELS, at="last")),
    "first spike": (plain, lambda: FirstSpike(LABELS, population="hidden1")),
    "first spike, pseudo": (
        with_silent_neurons,
        lambda: FirstSpike(LABELS, population="hidden1", miss_margin=2.0),
    ),
    "spike count, pseudo": (plain, lambda: SpikeCount(LABELS, population="hidden1")),
    "spike count with misses, pseudo": (
        with_silent_neurons,
        lambda: SpikeCount(LABELS, population="hidden1", miss_margin=2.0),
    ),
    "class trains with misses, pseudo": (
        with_silent_neurons,
        lambda: ClassTrains(LABELS, population="hidden1", miss_margin=2.0),
    ),
    "mean squared error": (plain, followed),
    "van Rossum": (plain, lambda: VanRossum(targets(), population="hidden1")),
    "ctc, decision": (decided, lambda: CTC([(0,), (), (0, 0)], interval=9.0)),
    "strings": (plain, strings),
    "near miss": (with_silent_neurons, lambda: NearMiss(1.0, margin=3.0)),
    "activity, pseudo": (plain, lambda: ActivityCost(target=30.0)),
    "rate band, pseudo": (plain, lambda: RateBand(10.0, 20.0, strength=0.1)),
    "sum": (
        plain,
        lambda: SumOfLosses(
            (
                (1.0, CrossEntropy(LABELS)),
                (0.5, VoltageCrossEntropy(LABELS)),
                (0.2, VanRossum(targets(), population="hidden1")),
            )
        ),
    ),
}


@pytest.mark.parametrize(
    "case", beyond(4, CASES, pytest.mark.thorough("a second each; the next test is quick"))
)
def test_every_loss_passes_through_gradcheck(case):
    make_net, make_loss = CASES[case]
    net, loss = make_net(), make_loss()
    check = es.gradcheck(net, STREAM, loss, step=1e-4, backend="cpu", n_directions=1)
    assert {row.name for row in check.rows} == {*net.parameters(), "input_times"}
    if case.endswith("pseudo"):
        # Finite differences see a constant where the pseudo-gradient pulls.
        assert np.isfinite(check.worst_relative_error)
        assert check.worst_relative_error > 1e-3
    else:
        assert check.fraction_compared > 0.7
        assert check.worst_relative_error < 1e-6


@pytest.mark.parametrize("case", CASES)
def test_a_loss_and_its_seeds_give_the_same_gradients(case):
    make_net, make_loss = CASES[case]
    net, loss = make_net(), make_loss()
    tape = es.simulate(net, STREAM, backend="cpu")
    value, seeds = loss(net, tape)
    whole, apart = es.backward(net, tape, loss), es.backward(net, tape, seeds)
    doubled = es.backward(net, tape, merge_seeds(seeds, seeds)).flat()
    assert whole.loss == value
    assert whole.flat().keys() == net.parameters().keys()
    for key, values in whole.flat().items():
        np.testing.assert_array_equal(apart.flat()[key], values)
        np.testing.assert_allclose(doubled[key], 2.0 * values, rtol=1e-9, atol=1e-12)


def losses_of_the_package():
    """Classes with ``__call__(self, net, tape)``, protocols left out."""
    found = set()
    for module in pkgutil.iter_modules(eventsim.train.__path__, "eventsim.train."):
        for one in vars(importlib.import_module(module.name)).values():
            protocol = getattr(one, "_is_protocol", False)
            if not inspect.isclass(one) or inspect.isabstract(one) or protocol:
                continue
            call = getattr(one, "__call__", lambda: None)  # noqa: B004
            if [*inspect.signature(call).parameters] == ["self", "net", "tape"]:
                found.add(one)
    return found


def test_no_loss_is_left_out():
    tested = {type(make_loss()) for _, make_loss in CASES.values()}
    assert losses_of_the_package() == tested
