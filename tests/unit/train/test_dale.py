"""Dale's law in training: which weights keep their sign, and that a run is resumed with it."""

import numpy as np
import pytest
import scipy.sparse as sp

from eventsim.engine import place
from eventsim.errors import StorageError
from eventsim.network import RandomLateral, rsnn, self_recurrent
from eventsim.train import AdamSettings, AdamW, LearningRates, TrainConfig, select, train
from tests.support.nets import one_layer
from tests.unit.train.task import assert_same_net, two_patterns

BETWEEN = ("hidden1->hidden1", "hidden1->hidden2", "hidden2->hidden2")
DALE = AdamSettings(rates=LearningRates(weights=0.2), dale=True)


def ei_net(seed=0):
    lateral = RandomLateral(in_degree=3)
    return rsnn(6, (10, 8), 2, lateral=lateral, delays=(1.0, 3.0), inhibitory=0.3, seed=seed)


def dense(net, name):
    weights = net.projections[name].weights
    return weights.toarray() if sp.issparse(weights) else weights


def signs_of(net):
    """Sign of every hidden neuron, by its weights."""
    return {
        name: np.sign(dense(net, f"{name}->{name}").sum(axis=1)) for name in ("hidden1", "hidden2")
    }


def assert_signs_kept(net, signs):
    for name in BETWEEN:
        by_source = signs[name.partition("->")[0]][:, None]
        assert (dense(net, name) * by_source >= 0).all(), name


def random_steps(net, settings, n=10, *, seed=0):
    rng, keys = np.random.default_rng(seed), select(net, ["weights"])
    adam = AdamW(net, keys, settings)
    for _ in range(n):
        adam.step({key: rng.normal(size=net.parameters()[key].shape) for key in keys})
    return adam


def test_weights_between_spiking_neurons_keep_their_signs():
    net = ei_net()
    signs, before = signs_of(net), {name: dense(net, name).copy() for name in BETWEEN}
    random_steps(net, DALE)
    assert_signs_kept(net, signs)
    for name in BETWEEN:
        now = net.projections[name].values
        assert (now == 0).any()
        assert (now != 0).any()
        assert not np.array_equal(dense(net, name), before[name])
    free = ei_net()
    random_steps(free, AdamSettings(rates=LearningRates(weights=0.2)))
    with pytest.raises(AssertionError):
        assert_signs_kept(free, signs)


def test_a_step_is_the_free_step_with_the_wrong_signs_at_zero():
    bound, free = ei_net(), ei_net()
    signs = signs_of(bound)
    random_steps(bound, DALE, n=1)
    random_steps(free, AdamSettings(rates=LearningRates(weights=0.2)), n=1)
    for name in free.projections:
        expected = dense(free, name)
        if name in BETWEEN:
            expected = np.where(
                expected * signs[name.partition("->")[0]][:, None] > 0, expected, 0.0
            )
        np.testing.assert_array_equal(dense(bound, name), expected, err_msg=name)


def test_a_weight_that_is_zero_may_grow_again_with_its_sign():
    net = ei_net()
    key = "hidden1->hidden2.weights"
    adam = AdamW(net, [key], DALE)
    sign, values = signs_of(net)["hidden1"][:, None], net.parameters()[key]
    for _ in range(100):
        adam.step({key: sign * np.ones_like(values)})
    assert not values.any()
    for _ in range(100):
        adam.step({key: -sign * np.ones_like(values)})
    assert (values * sign > 0).all()


def test_weights_that_are_not_trained_stay_as_they_are():
    net = ei_net()
    before = net.projections["hidden1->hidden2"].values.copy()
    adam = AdamW(net, ["hidden1->hidden1.weights"], DALE)
    net.projections["hidden1->hidden2"].values[...] = -before
    adam.restore_signs()
    np.testing.assert_array_equal(net.projections["hidden1->hidden2"].values, -before)


def test_input_readout_and_self_weights_may_change_sign():
    net = one_layer("hidden", np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, 0.0]]), refractory=1.0)
    net.add_readout("output", 2)
    net.connect("hidden", "hidden", self_recurrent(np.array([0.1, -0.1, 0.1])))
    net.connect("hidden", "output", np.array([[1.0, -1.0]] * 3))
    before = {name: p.values.copy() for name, p in net.projections.items()}
    adam = AdamW(net, select(net, ["weights"]), DALE)
    for _ in range(30):
        adam.step({f"{name}.weights": np.sign(values) for name, values in before.items()})
    for name, values in before.items():
        assert (net.projections[name].values * values <= 0).all()
        assert (net.projections[name].values != 0).any()


def test_neuron_without_a_weight_excites():
    net = one_layer("a", np.ones((1, 2)))
    net.add_population("b", 1)
    net.connect("a", "b", np.array([[0.0], [-1.0]]))
    adam = AdamW(net, ["a->b.weights"], DALE)
    for gradient in (1.0, -1.0, -1.0, -1.0):
        adam.step({"a->b.weights": np.array([[gradient], [1.0]])})
    assert net.projections["a->b"].values[0] > 0
    assert net.projections["a->b"].values[1] < 0


def test_state_keeps_signs_that_the_weights_no_longer_show():
    net = ei_net()
    signs = signs_of(net)
    adam = random_steps(net, DALE)
    for name in BETWEEN:
        net.projections[name].values[...] = 0.0
    resumed = AdamW(net, adam.keys, DALE)
    resumed.load_arrays(adam.to_arrays())
    rng = np.random.default_rng(1)
    for _ in range(5):
        resumed.step({key: rng.normal(size=net.parameters()[key].shape) for key in resumed.keys})
    assert_signs_kept(net, signs)
    assert any((net.projections[name].values < 0).any() for name in BETWEEN)
    without = random_steps(ei_net(), AdamSettings()).to_arrays()
    with pytest.raises(StorageError, match="no signs of the neurons of 'hidden1'"):
        resumed.load_arrays(without)


def test_on_a_device_the_same_weights_come_out(fast_backend):
    mine, theirs = ei_net(), ei_net()
    random_steps(theirs, DALE)
    placed = place(mine, backend=fast_backend)
    random_steps(placed, DALE)
    assert_same_net(placed.to_host(), theirs, rtol=1e-12)


def test_training_keeps_signs():
    net, data = ei_net(seed=3), two_patterns(24)
    net.populations["hidden2"].threshold[:4] = 1e3  # silent, so lifted
    signs = signs_of(net)
    config = TrainConfig(
        epochs=3,
        batch_size=8,
        train_delays=True,
        max_delay=4.0,
        dale=True,
        rates=LearningRates(weights=0.1, delays=0.1),
        silent_lift=0.3,
        rate_strength=0.0,
    )
    assert_signs_kept(train(net, data, config).net, signs)
