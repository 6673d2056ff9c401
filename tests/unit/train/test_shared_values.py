"""Training of shared values: they stay equal, move by the sum of their gradients, count once."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.train import Augmentation, SpiKL, TrainConfig, evaluate, train
from eventsim.train.counting import count_trained
from eventsim.train.optimiser import AdamSettings, AdamW, LearningRates
from eventsim.train.regularise import lift_silent
from tests.unit.train.task import CONV, shared_net, two_patterns

CONFIG = TrainConfig(
    epochs=10,
    batch_size=8,
    validation_fraction=0.0,
    precision="double",
    rates=LearningRates(weights=0.02, taus=0.04, intrinsic=0.02),
    augmentation=Augmentation(jitter=1.0),
)


def assert_shared(net):
    for key, sharing in net.shared.items():
        assert sharing.agrees(net.parameters()[key]), key


def test_training_keeps_them_equal_and_learns(tmp_path):
    config = replace(CONFIG, train_delays=True)
    before = shared_net()
    result = train(before, two_patterns(64), config, tmp_path)
    assert_shared(result.net)
    for key in ("input->maps.weights", "input->maps.delays", "maps.tau_mem", "maps->maps.weights"):
        assert (result.net.parameters()[key] != before.parameters()[key]).all(), key
    assert evaluate(result.net, two_patterns(60, seed=1), config).accuracy > 0.85


def test_the_first_step_is_that_of_the_sum_of_gradients():
    """Adam's first step has the size of the rate and the sign of the gradient."""
    net = shared_net()
    key, rng = "input->maps.weights", np.random.default_rng(5)
    gradient, before = rng.normal(size=net.parameters()[key].shape), net.parameters()[key].copy()
    settings = AdamSettings(rates=LearningRates(weights=0.01), weight_decay=0.0, clip_norm=np.inf)
    optimiser = AdamW(net, [key], settings)
    report = optimiser.step({key: gradient})
    groups = net.shared[key].groups
    total = np.bincount(groups, weights=gradient)
    np.testing.assert_allclose(
        net.parameters()[key], before - 0.01 * np.sign(total)[groups], rtol=1e-6
    )
    assert report.norm == pytest.approx(np.linalg.norm(total))


def test_a_bound_that_moves_one_of_a_group_moves_all():
    net = shared_net()
    p = net.population("maps")
    p.refractory[:] = 0.0
    p.tau_syn[0] = 50.0  # its self-weight has to stay smaller than those of others
    net.share("maps.tau_syn", np.full(CONV.n_targets, -1))
    net.parameters()["maps->maps.weights"][:] = 0.3
    optimiser = AdamW(net, ["maps->maps.weights"], AdamSettings(weight_decay=0.0))
    optimiser.step({"maps->maps.weights": np.full(CONV.n_targets, -1.0)})
    assert_shared(net)
    found = net.parameters()["maps->maps.weights"]
    limit = p.tau_mem[0] / p.tau_syn[0]
    assert (found[::4] < limit).all()
    assert (found[1::4] > 0.3).all()


def test_silent_neurons_lift_only_what_reaches_no_other():
    net = shared_net()
    key = "input->maps.weights"
    before = net.parameters()[key].copy()
    counts = np.ones(CONV.n_targets, np.int64)
    counts[0] = 0  # one neuron of map 0
    counts[1::4] = 0  # all of map 1
    lift_silent(net, {"maps": counts}, amount=0.25)
    maps = net.shared[key].groups % 4
    np.testing.assert_array_equal(net.parameters()[key] - before, np.where(maps == 1, 0.25, 0.0))
    assert_shared(net)


def test_local_rule_moves_a_map_by_its_mean(tmp_path):
    spikl = SpiKL(resistance=0.05, tau_mem=0.05)
    config = replace(CONFIG, epochs=1, bip=(), spikl=spikl)
    result = train(shared_net(), two_patterns(16), config, tmp_path)
    assert_shared(result.net)
    assert (result.net.population("maps").resistance != 1.0).all()


def test_parameters_that_are_one_count_once():
    net, config = shared_net(), replace(CONFIG, bip=("tau_mem",))
    # Of the convolution, self-weights and tau_mem by map, of the readout all.
    assert count_trained(net, config) == 3 * 4 + 4 + 2 * CONV.n_targets + 4 + 2
