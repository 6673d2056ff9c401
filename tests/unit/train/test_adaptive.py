"""Adaptive thresholds in training: choice, domain, losses of silent neurons, local rules."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.runs.networks import NetworkSettings
from eventsim.train import (
    AdamSettings,
    AdamW,
    LearningRates,
    NearMiss,
    TrainConfig,
    select,
    train,
)
from tests.support.nets import random_net, random_stream, with_adaptation
from tests.unit.train.task import small_net, two_patterns

BIP = (*TrainConfig().bip, "adaptation", "tau_adaptation")


def adaptive_task():
    return with_adaptation(small_net(), 3), two_patterns(24)


def test_kinds_mean_adaptive_populations_alone():
    net = with_adaptation(random_net(5), 6, populations=("hidden2",))
    assert select(net, ["adaptation", "tau_adaptation"]) == [
        "hidden2.adaptation",
        "hidden2.tau_adaptation",
    ]
    # A choice of settings for many networks fits those without one, too.
    assert select(random_net(5), ["tau_mem", "adaptation"]) == select(random_net(5), ["tau_mem"])


def test_many_large_steps_never_leave_the_domain():
    net = with_adaptation(random_net(5), 6)
    rates = LearningRates(taus=1.0, intrinsic=1.0)
    adam = AdamW(net, select(net, BIP), AdamSettings(rates=rates))
    reached = False
    for sign in (1.0, -1.0, 1.0):
        for _ in range(20):
            adam.step({k: np.full(v.shape, sign) for k, v in net.parameters().items()})
            net.check()
            assert (net.populations["hidden1"].adaptation >= 0.0).all()
            assert (net.populations["hidden1"].tau_adaptation >= 1.0).all()
            reached |= bool((net.populations["hidden1"].adaptation == 0.0).any())
    assert reached


def test_training_moves_both_and_keeps_them_where_bip_does_not_name_them():
    for bip, moves in ((BIP, True), (("tau_mem",), False)):
        net, data = adaptive_task()
        config = TrainConfig(epochs=1, batch_size=8, bip=bip, backend="cpu")
        before, after = net.parameters(), train(net, data, config).net.parameters()
        for kind in ("adaptation", "tau_adaptation"):
            key = f"hidden1.{kind}"
            assert (not np.array_equal(after[key], before[key])) == moves


def test_near_misses_of_silent_neurons_see_the_threshold_at_rest():
    # A neuron that has not fired has not adapted: its near misses are those of the plain neuron.
    plain, stream = random_net(7, delays="none"), random_stream(8, n_samples=2)
    plain.populations["hidden1"].threshold[:2] += 5.0
    net = with_adaptation(plain, 6)
    values = []
    for n in (plain, net):
        tape = es.simulate(n, stream, backend="cpu")
        loss = NearMiss(1.0, margin=20.0, populations=("hidden1",))
        value, _ = loss(n, tape)
        values.append((value, es.backward(n, tape, loss)["hidden1"].threshold[:2]))
    assert values[0][0] == values[1][0] > 0.0
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-12)


def test_settings_of_a_run_build_the_network():
    settings = NetworkSettings(hidden=(5,), adaptation=0.2, tau_adaptation=80.0)
    built = settings.build(4, 2, seed=0)
    assert built.populations["hidden1"].adaptation.tolist() == [0.2] * 5
    assert built.populations["hidden1"].tau_adaptation.tolist() == [80.0] * 5
    plain = NetworkSettings(hidden=(5,)).build(4, 2, seed=0)
    assert not plain.populations["hidden1"].is_adaptive
    with pytest.raises(ParameterError, match="adaptation"):
        NetworkSettings(adaptation=-0.1)
    with pytest.raises(ParameterError, match="adaptation: .*, expected model scsr or rsnn"):
        NetworkSettings.from_options({"model": "convolutional", "adaptation": 0.1})
    with pytest.raises(ParameterError, match="0 in a convolutional network"):
        NetworkSettings(model="convolutional", hidden=(2,), adaptation=0.1).build(16, 2, seed=0)
