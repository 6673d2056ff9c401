"""One vector of all trained parameters: kinds side by side, every key at its place."""

import numpy as np
import pytest

from eventsim.errors import ShapeError
from eventsim.train.groups import select
from eventsim.train.layout import Layout
from eventsim.train.optimiser import AdamW
from tests.support.nets import random_net
from tests.unit.train.task import assert_same_net

ARRAYS = {
    "a->b.weights": np.arange(6.0).reshape(2, 3),
    "b.tau_mem": np.array([7.0, 8.0]),
    "b->c.weights": np.array([9.0]),
    "b->c.delays": np.array(10.0),
}


def test_kinds_lie_side_by_side_and_every_key_is_found_again():
    layout = Layout(ARRAYS)
    joined = layout.join(ARRAYS | {"more": np.zeros(3)}, np.array([-1.0]))
    np.testing.assert_array_equal(joined, [0, 1, 2, 3, 4, 5, 9, 7, 8, 10, -1])
    assert layout.kinds == {"weights": slice(0, 7), "tau_mem": slice(7, 9), "delays": slice(9, 10)}
    for key, values in ARRAYS.items():
        np.testing.assert_array_equal(layout.view(joined, key), values)
        assert np.shares_memory(layout.view(joined, key), joined)


def test_an_array_of_another_shape_and_no_arrays_at_all():
    with pytest.raises(ShapeError, match=r"'b.tau_mem' of shape \(2, 1\), expected \(2,\)"):
        Layout(ARRAYS).join(ARRAYS | {"b.tau_mem": np.ones((2, 1))})
    assert Layout({}).join(ARRAYS).size == Layout({}).size == 0


def test_gradients_by_key_and_joined_take_the_same_step():
    nets = random_net(1), random_net(1)
    one, two = (AdamW(net, select(net, ["weights", "tau_mem"])) for net in nets)
    rng = np.random.default_rng(2)
    gradients = {key: rng.normal(size=v.shape) for key, v in nets[0].parameters().items()}
    assert one.step(gradients) == two.step_joined(two.layout.join(gradients))
    assert_same_net(nets[1], nets[0])
