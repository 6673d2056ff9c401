from types import SimpleNamespace

import numpy as np
import pytest

import eventsim as es

LINES = [
    {"epoch": 1, "loss": 2.0, "accuracy": 0.25, "validation_accuracy": 0.2, "seconds": 3.0},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.75, "validation_accuracy": 0.7, "seconds": 2.0},
]


@pytest.mark.parametrize("result", [LINES, SimpleNamespace(history=LINES)])
def test_curves_are_the_metrics_in_percent(result):
    axes = es.plot.history(result)

    curves = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert set(curves) == {"training", "validation"}
    np.testing.assert_allclose(curves["training"], [[1, 25], [2, 75]])
    np.testing.assert_allclose(curves["validation"], [[1, 20], [2, 70]])
    assert axes.get_ylabel() == "accuracy (%)"
    assert [text.get_text() for text in axes.texts] == ["75.0", "70.0"]


def test_metric_without_validation_has_one_curve():
    axes = es.plot.history(LINES, metric="loss")

    [line] = axes.lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 2], [2, 1]])
    assert axes.get_legend() is None


def test_history_of_no_epoch_is_empty():
    axes = es.plot.history([])

    axes.figure.canvas.draw()
    assert axes.lines[0].get_xdata().size == 0
    assert axes.get_xlabel() == "epoch"
