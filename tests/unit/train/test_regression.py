"""Regression: the mean squared error against voltages of a tape, its gradients, and R2 by hand."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import DataError, ParameterError
from eventsim.events import Dataset
from eventsim.events.labelled import joined
from eventsim.events.targets import Values, differ
from eventsim.train import (
    LearningRates,
    MeanSquaredError,
    RegressionConfig,
    TrainConfig,
    evaluate_regression,
    regress,
)
from eventsim.train.regression import in_units

DURATION = [60.0, 45.0, 60.0]
TIMES = np.array([5.0, 20.0, 44.0, 58.0])
UNITS = np.array([2.0, 0.25])  # in which errors of the outputs count


@pytest.fixture(scope="module")
def stream():
    rng = np.random.default_rng(0)
    samples = [(np.sort(rng.uniform(0, end, 25)), rng.integers(0, 4, 25)) for end in DURATION]
    return es.EventStream.from_samples(samples, n_channels=4, duration=DURATION)


@pytest.fixture(scope="module")
def net(stream):
    return es.calibrate(es.scsr(4, (6,), 2, seed=3), stream, target_hz=40.0)


def targets():
    """Of the second recording nothing is wanted after its end, nor of one output at one time."""
    wanted = np.random.default_rng(1).normal(0.0, 0.5, (3, 4, 2))
    wanted[1, 3] = wanted[0, 1, 1] = np.nan
    return wanted


def test_value_is_the_mean_squared_distance_of_voltages(net, stream, backend):
    loss = MeanSquaredError(targets(), TIMES, scale=UNITS)
    tape = es.simulate(net, stream, backend=backend)
    voltages = es.voltage(net, tape, "output", TIMES)
    np.testing.assert_allclose(
        loss(net, tape)[0], np.nanmean(((voltages - targets()) / UNITS) ** 2), rtol=1e-6
    )
    some = es.simulate(net, stream[[2, 1]], backend=backend)
    mine = ((voltages[[2, 1]] - targets()[[2, 1]]) / UNITS) ** 2
    np.testing.assert_allclose(loss.of([2, 1])(net, some)[0], np.nanmean(mine), rtol=1e-6)
    found = loss.voltages(net, tape)
    given = ~np.isnan(targets())
    np.testing.assert_allclose(found[given], voltages[given], rtol=1e-6, atol=1e-7)
    assert np.isnan(found[~given]).all()


def test_gradients_match_finite_differences(net, stream):
    check = es.gradcheck(
        net, stream, MeanSquaredError(targets(), TIMES, scale=UNITS), n_directions=2
    )
    assert check.n_compared > 15
    assert check.worst_relative_error < 1e-6


def test_r2_is_that_by_hand_and_says_what_was_left_out(net, stream):
    wanted = targets()
    wanted[:, :, 1] = np.where(np.isnan(wanted[:, :, 1]), np.nan, 0.1)  # a constant has no R2
    found = evaluate_regression(net, stream, MeanSquaredError(wanted, TIMES), precision="double")
    voltages = es.voltage(net, es.simulate(net, stream), "output", TIMES)
    mine, answer = wanted[:, :, 0].ravel(), voltages[:, :, 0].ravel()
    mine, answer = mine[~np.isnan(mine)], answer[~np.isnan(mine)]
    r2 = 1 - ((answer - mine) ** 2).sum() / ((mine - mine.mean()) ** 2).sum()
    np.testing.assert_allclose(found.r2, [r2, np.nan], rtol=1e-9)
    assert (found.n_targets, found.left_out) == (21, 3)


def test_training_lowers_the_error_and_is_the_same_twice(net, stream):
    wanted = np.repeat(np.array([0.3, 0.1, -0.2])[:, None, None], 2, axis=2) * np.ones((3, 3, 2))
    loss = MeanSquaredError(wanted, TIMES[:3])
    config, told = RegressionConfig(epochs=25, batch_size=2), []
    before = evaluate_regression(net, stream, loss).mean_squared_error
    results = [regress(net, stream, loss, config, callback=told.append) for _ in range(2)]
    after = evaluate_regression(results[0].net, stream, loss).mean_squared_error
    assert after < 0.5 * before
    assert told[:25] == results[0].history == results[1].history
    for one, other in zip(*(r.net.parameters().values() for r in results), strict=True):
        np.testing.assert_array_equal(one, other)


def test_values_and_classes_are_not_taken_for_each_other(net, stream):
    plain = Dataset(stream, [0, 1, 0], ["a", "b"])
    wanted = Dataset(stream, [0] * 3, ["0"], targets=Values(targets(), np.tile(TIMES, (3, 1)), ()))
    values = TrainConfig(loss="mean_squared_error", epochs=1)
    for data, config, said in (
        (wanted, TrainConfig(epochs=1), "asks for classes"),
        (plain, values, "asks for values"),
    ):
        with pytest.raises(DataError, match=said):
            es.train(net, data, config)
    with pytest.raises(ParameterError, match="evaluate_regression"):
        es.train.evaluate(net, wanted, values)
    for wrong in ({"shards": 2}, {"augmentation": {"time_shift": 3.0}}, {"label_smoothing": 0.1}):
        with pytest.raises(ParameterError, match="mean_squared_error"):
            TrainConfig.from_dict(values.to_dict() | wrong)


def test_regress_asks_for_nothing_beside_the_loss(net, stream):
    times = np.array([10.0, 30.0])
    loss = MeanSquaredError(np.zeros((stream.n_samples, 2, 2)), times)
    config = RegressionConfig(epochs=1).of(loss)
    terms = ("rate_strength", "near_miss_strength", "silent_lift", "calibrate", "label_smoothing")
    assert {name: getattr(config, name) for name in terms} == dict.fromkeys(terms, 0.0)


def test_recordings_that_are_joined_keep_their_targets(stream):
    times = np.tile(TIMES, (3, 1))
    first = Dataset(stream, [0] * 3, ["0"], targets=Values(targets(), times, ("a", "b")))
    swapped = Values(targets()[:, :2, ::-1], times[:, :2], ("b", "a"))
    whole = joined(first, Dataset(stream, [0] * 3, ["0"], targets=swapped)).targets
    np.testing.assert_array_equal(whole.values[:3], targets())
    np.testing.assert_array_equal(whole.values[3:, :2], targets()[:, :2])
    assert np.isnan(whole.values[3:, 2:]).all()
    assert whole.times[3:].tolist() == [[5.0, 20.0, 20.0, 20.0]] * 3
    with pytest.raises(DataError, match="1 of 2 parts have targets"):
        joined(first, Dataset(stream, [0] * 3, ["0"]))


def test_regress_keeps_the_answer_of_a_network(net, stream):
    answering = net.copy()
    answering.set_answer(es.Answer(rule="maximum"))
    loss = MeanSquaredError(targets(), TIMES)
    found = regress(answering, stream, loss, RegressionConfig(epochs=1)).net
    assert found.answer == answering.answer
    assert regress(net, stream, loss, RegressionConfig(epochs=1)).net.answer is None


def test_equal_targets_are_known_as_such_though_their_deviation_is_rounded():
    values = np.full((3, 2, 2), 0.1)
    values[0, 0] = np.nan
    values[2, 1, 1] = 0.2
    values[1, 1, 0] = np.nan
    assert differ(values).tolist() == [False, True]
    assert not differ(np.full((2, 2, 1), np.nan)).any()


def test_a_part_without_any_target_has_no_loss_of_zero(net, stream):
    wanted = targets()
    wanted[1:] = np.nan
    data = Values(wanted, np.tile(TIMES, (3, 1)), ("a", "b"))
    recordings = Dataset(stream, [0, 0, 0], ["0"], targets=data)
    said = set()
    for seed in range(8):  # the only recording with targets is learned or held out
        config = TrainConfig(loss="mean_squared_error", validation_fraction=0.4, seed=seed)
        with pytest.raises(DataError, match="all targets of the (training|validation)") as told:
            es.train(net, recordings, config)
        said.add(str(told.value).split()[5])
    assert said == {"training", "validation"}
    nothing = MeanSquaredError(np.full_like(wanted, np.nan), TIMES)
    found = evaluate_regression(net, stream, nothing)
    assert np.isnan(found.mean_squared_error)
    assert (found.n_targets, found.left_out) == (0, wanted.size)


def test_every_target_counts_alike_in_the_loss_whatever_the_batch(net, stream):
    wanted = targets()
    wanted[0] = wanted[2, 1:] = np.nan
    still = {"bip": (), "rates": LearningRates(weights=0.0), "weight_decay": 0.0, "epochs": 1}
    loss = MeanSquaredError(wanted, TIMES)
    data = Values(loss.targets, loss.times, ("a", "b"))
    recordings = Dataset(stream, [0, 0, 0], ["0"], targets=data)
    by_hand, checked = evaluate_regression(net, stream, loss).mean_squared_error, []
    for size in (1, 2, 3):
        told = regress(net, stream, loss, RegressionConfig(batch_size=size, **still)).history
        np.testing.assert_allclose(told[0]["loss"], by_hand, rtol=1e-6)
        config = TrainConfig(
            loss="mean_squared_error", batch_size=size, validation_fraction=0.7, calibrate=0.0,
            silent_lift=0.0, rate_strength=0.0, **still,
        )  # fmt: skip
        checked.append(es.train.train(net, recordings, config).last["validation_loss"])
    np.testing.assert_allclose(checked, checked[-1], rtol=1e-6)


def test_network_in_units_answers_the_size_times_its_voltage_and_the_mean():
    net = es.scsr(4, (6,), 2, mean=5.0, seed=1)
    net.population("output").v_leak[...] = (0.5, -2.0)
    samples = [(np.linspace(1.0, 30.0, 40), np.arange(40) % 4)] * 2
    stream = es.EventStream.from_samples(samples, n_channels=4, duration=40.0)
    mean, size = np.array([50.0, -3.0]), np.array([10.0, 0.25])
    plain, found = (
        es.voltage(one, es.simulate(one, stream, backend="reference"), "output", [5.0, 20.0, 40.0])
        for one in (net, in_units(net, mean, size))
    )
    assert np.ptp(plain[..., 0]) > 0.1
    np.testing.assert_allclose(found, size * plain + mean, rtol=1e-12)
    assert net.population("output").v_leak.tolist() == [0.5, -2.0]  # a copy
