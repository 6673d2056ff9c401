"""Labels as losses take them: what is refused."""

import numpy as np

from eventsim.train.softmax import smoothed


def test_smoothed_labels_give_each_class_its_part_of_one():
    found = smoothed(np.array([1, 0]), 4, smoothing=0.2)
    expected = [[0.05, 0.85, 0.05, 0.05], [0.85, 0.05, 0.05, 0.05]]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
