"""The mean of the last steps: what it is, that it stays in the domains, that runs resume to it."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.clocked import Grid
from eventsim.train import (
    AdamSettings,
    AdamW,
    LearningRates,
    TrainConfig,
    evaluate,
    select,
    stratified_split,
    train,
)
from eventsim.train.checkpoint import TrainState
from eventsim.train.draws import Draw
from tests.unit.train.task import Stop, small_net, two_patterns

CONFIG = TrainConfig(
    epochs=3,
    batch_size=8,
    seed=5,
    validation_fraction=0.2,
    rates=LearningRates(weights=2e-2, taus=2e-2, intrinsic=1e-2),
    averaged=0.5,
    checkpoint_every=2,
)


@pytest.fixture(scope="module")
def data():
    return two_patterns(40)


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    return train(small_net(), data, CONFIG, tmp_path_factory.mktemp("straight"))


def values_of(net):
    return {key: array.copy() for key, array in net.parameters().items()}


@pytest.fixture
def after(monkeypatch):
    """The values after every step that counts in the mean, as training goes on."""
    noted, step = [], AdamW.average

    def average(optimiser):
        step(optimiser)
        noted.append(values_of(optimiser._net))

    monkeypatch.setattr(AdamW, "average", average)
    return noted


def test_mean_of_a_run_with_more_epochs_forgets_that_of_before(data, after, tmp_path):
    train(small_net(), data, replace(CONFIG, epochs=2), tmp_path)
    assert len(after) == 4
    after.clear()
    result = train(small_net(), data, replace(CONFIG, epochs=4), tmp_path, resume=True)
    assert len(after) == 8  # the last half of 16 steps
    for key, value in result.net.parameters().items():
        expected = np.mean([values[key] for values in after], axis=0)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14, err_msg=key)


def test_network_of_a_run_has_the_mean_of_its_last_steps(data, after, tmp_path):
    result = train(small_net(), data, CONFIG, tmp_path)
    # 32 recordings in 4 batches, 3 times: the last 6 of 12 steps.
    assert len(after) == 6
    for key, value in result.net.parameters().items():
        expected = np.mean([values[key] for values in after], axis=0)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14, err_msg=key)
    assert np.ptp([values["hidden1.tau_mem"] for values in after], axis=0).max() > 0


def test_steps_are_those_of_a_run_that_averages_nothing(data, straight, tmp_path):
    plain = train(small_net(), data, replace(CONFIG, averaged=0.0), tmp_path)
    moved = [one["loss"] for one in straight.history]
    assert moved == [one["loss"] for one in plain.history]
    one = straight.net.parameters()["hidden1.tau_mem"]
    assert not np.array_equal(one, plain.net.parameters()["hidden1.tau_mem"])


def test_validation_reads_the_mean(data, straight):
    seed = int(np.random.default_rng([CONFIG.seed, Draw.SPLIT]).integers(2**32))
    _, held_out = stratified_split(data.labels, fraction=0.2, seed=seed)
    found = evaluate(straight.net, data.subset(held_out), CONFIG)
    assert found.loss == pytest.approx(straight.last["validation_loss"], rel=1e-12)


def test_counterpart_in_fixed_steps_averages_as_well(data):
    settings = replace(CONFIG, epochs=2, bip=("tau_mem",))
    means, last = (
        train(small_net(), data, one, method=Grid()).net.parameters()["hidden1.tau_mem"]
        for one in (settings, replace(settings, averaged=0.0))
    )
    assert not np.array_equal(means, last)


def test_inside_the_mean_outside_the_values_also_after_an_error():
    net = small_net()
    optimiser = AdamW(net, select(net, ["weights"]), AdamSettings())
    weights = net.parameters()["input->hidden1.weights"]
    with optimiser.averaged():
        assert not np.isnan(weights).any()  # Nothing was counted: the values themselves.
    start = weights.copy()
    optimiser.average()
    weights += 2.0
    optimiser.average()
    seen = []

    def inside():
        with optimiser.averaged():
            seen.append(weights.copy())
            raise Stop

    with pytest.raises(Stop):
        inside()
    np.testing.assert_allclose(seen[0], start + 1.0)
    np.testing.assert_array_equal(weights, start + 2.0)


def test_mean_is_put_back_below_the_bound_of_self_weights():
    net = small_net()
    hidden = net.population("hidden1")
    hidden.refractory[:] = 0.0
    own = net.parameters()["hidden1->hidden1.weights"]
    optimiser = AdamW(net, select(net, ["weights", "tau_syn"]), AdamSettings())

    def bound():
        span = (hidden.threshold - hidden.v_reset) * hidden.tau_mem
        return 0.8 * span / (hidden.tau_syn * hidden.resistance)

    # The bound falls as 1 / tau_syn: between two values that it allows is a mean that it does not.
    means = []
    for tau_syn in (1.0, 20.0):
        hidden.tau_syn[:] = tau_syn
        own[...] = 0.99 * bound()
        means.append(own.copy())
        optimiser.average()
    with optimiser.averaged():
        assert (hidden.tau_syn == 10.5).all()
        assert (np.mean(means, axis=0) > 2.0 * bound()).all()
        np.testing.assert_allclose(own, bound(), rtol=1e-12)


def test_shares_of_the_last_steps():
    config, state = replace(CONFIG, epochs=4, averaged=0.25), TrainState(None, None)
    counted = []
    for state.epoch in range(4):
        for state.batch in range(5):
            counted.append(state.pace(config, 5).counts)
    assert counted == [False] * 15 + [True] * 5
    assert not state.pace(replace(config, averaged=0.0), 5).counts
