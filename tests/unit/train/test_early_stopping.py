"""Early stopping, and Wilson's interval, against values by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq

import eventsim as es
from eventsim.measures import wilson
from eventsim.train import Evaluation, TrainConfig
from eventsim.train.checkpoint import best_epoch
from tests.unit.train.task import assert_same_net, small_net, two_patterns

CONFIG = TrainConfig(epochs=40, batch_size=8, validation_fraction=0.25, patience=3)


@pytest.mark.parametrize(
    ("by", "values", "stops"),
    [
        ("loss", [3.0, 2.0, 2.5, 2.5, 2.0], True),  # an equal value is no improvement
        ("loss", [3.0, 2.0, 2.5, 2.5, 1.9], False),
        ("loss", [3.0, 2.0, 2.5], False),
        ("accuracy", [0.5, 0.9, 0.8, 0.9, 0.7], True),
        ("accuracy", [0.5, 0.6, 0.7, 0.8, 0.9], False),
        ("loss", [np.nan, 3.0, 2.0, 1.0, 0.5], False),  # no number is no best
    ],
)
def test_run_stops_once_validation_has_not_improved_for_patience_epochs(by, values, stops):
    config = TrainConfig(patience=3, patience_by=by)
    assert config.stops_after([{f"validation_{by}": value} for value in values]) == stops
    assert not TrainConfig().stops_after([{f"validation_{by}": value} for value in values])


@pytest.mark.parametrize(
    ("accuracies", "losses", "best"),
    [
        ([0.5, 0.9, 0.8], [3.0, 2.0, 1.0], 1),  # the accuracy says it
        ([0.9, 0.9, 0.9], [2.0, 1.0, 3.0], 1),  # of equal ones the loss
        ([0.9, 0.9, 0.9], [2.0, 1.0, 1.0], 1),  # of equal ones the earliest
        (None, [2.0, 3.0, 1.0], 2),  # a regression has no accuracy
        (None, [np.nan, 3.0, 1.0], 2),  # no number is no best
    ],
)
def test_best_epoch_is_that_of_the_accuracy_then_of_the_loss(accuracies, losses, best):
    history = [{"validation_loss": loss} for loss in losses]
    for line, accuracy in zip(history, accuracies or (), strict=False):
        line["validation_accuracy"] = accuracy
    assert best_epoch(history) is history[best]


def test_stopped_run_resumes_to_the_same_end_and_stays_stopped(tmp_path):
    data = two_patterns(32)
    whole = es.train(small_net(), data, CONFIG, tmp_path / "a")
    losses = [line["validation_loss"] for line in whole.history]
    assert len(losses) < CONFIG.epochs
    assert np.argmin(losses) == len(losses) - 1 - CONFIG.patience
    resumed = es.train(small_net(), data, CONFIG, tmp_path / "a", resume=True)
    assert len(resumed.history) == len(losses)
    assert_same_net(resumed.net, whole.net)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (47, 50), (10, 10), (900, 1000)])
def test_interval_is_that_of_shares_whose_z_score_is_below_1_96(right, n):
    low, high = wilson(right / n, n)

    def z(p):
        return (right / n - p) ** 2 - 1.959963984540054**2 * p * (1 - p) / n

    if right:
        np.testing.assert_allclose(low, brentq(z, 1e-12, right / n - 1e-6), atol=1e-9)
    else:
        assert low == 0.0
    if right < n:
        np.testing.assert_allclose(high, brentq(z, right / n + 1e-6, 1 - 1e-12), atol=1e-9)
    else:
        assert high == pytest.approx(1.0, abs=1e-12)
    assert wilson(0.0, 0) == (0.0, 1.0)


def test_accuracy_by_class_is_that_of_the_confusion_matrix():
    confusion = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 2]])
    found = Evaluation(5 / 8, 0.1, confusion, {}, {}, 8)
    assert found.interval == wilson(5 / 8, 8)
    a, b, c = found.by_class(("a", "b", "c"))
    assert (a["accuracy"], a["samples"], a["interval"]) == (0.75, 4, list(wilson(0.75, 4)))
    assert (b["accuracy"], b["samples"], b["interval"]) == (None, 0, None)
    assert c["accuracy"] == 0.5
