"""Labels as losses take them: what is refused."""

import numpy as np
import pytest

import eventsim as es
from eventsim.train.softmax import smoothed, softmax_loss

LOGITS = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0.5, 1.0]), "labels: has shape .* float64, expected an array of integers"),
        (np.array([0, 1j]), "labels: .*complex128"),
        (np.ma.array([0, 1], mask=[0, 1]), "labels: 1 values are masked"),
    ],
)
def test_labels_that_would_lose_a_part_are_refused(labels, message):
    with pytest.raises(es.errors.ShapeError, match=message):
        softmax_loss(LOGITS, labels, "CrossEntropy")


def test_shares_that_are_not_numbers_are_refused():
    shares = np.array([[0.5, 0.5, 0.0], [np.nan, 0.5, 0.5]])
    with pytest.raises(es.errors.ParameterError, match="CrossEntropy, sample 1: shares .*nan"):
        softmax_loss(LOGITS, shares, "CrossEntropy")


def test_smoothed_labels_give_each_class_its_part_of_one():
    found = smoothed(np.array([1, 0]), 4, smoothing=0.2)
    expected = [[0.05, 0.85, 0.05, 0.05], [0.85, 0.05, 0.05, 0.05]]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
