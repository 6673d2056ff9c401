"""Values that are one: sums by group against loops, files, copies, and what is refused."""

import numpy as np
import pytest

import eventsim as es
from eventsim.network.sharing import Sharing
from tests.support.nets import random_net

GROUPS = np.array([[3, -1, 7], [7, 3, -2], [7, 0, -1]])
VALUES = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0], [64.0, 128.0, 256.0]])


@pytest.mark.parametrize(("how", "of"), [("sum", np.sum), ("least", np.min), ("largest", np.max)])
def test_spread_gives_every_value_what_its_group_has(how, of):
    expected = VALUES.copy()
    for group in (0, 3, 7):
        expected[group == GROUPS] = of(VALUES[group == GROUPS])
    sharing = Sharing(GROUPS)
    np.testing.assert_array_equal(sharing.spread(VALUES, how), expected)
    np.testing.assert_array_equal(
        Sharing(GROUPS.ravel()).spread(VALUES.ravel(), how), expected.flat
    )
    assert not sharing.agrees(VALUES)
    assert sharing.agrees(expected)


def test_values_of_a_group_count_once():
    sharing = Sharing(GROUPS)
    assert sharing.n_values == 3 + 3
    once = sharing.once()
    assert once.sum() == pytest.approx(sharing.n_values)
    assert (once[GROUPS == 7] == 1 / 3).all()
    assert (once[GROUPS < 0] == 1.0).all()


def test_without_groups_all_stand_alone():
    for groups in (np.full((2, 2), -1), np.zeros((0, 2), np.int64)):
        sharing, values = Sharing(groups), np.arange(groups.size, dtype=float).reshape(groups.shape)
        np.testing.assert_array_equal(sharing.spread(values, "sum"), values)
        np.testing.assert_array_equal(sharing.once(), np.ones(groups.shape))
        assert sharing.n_values == groups.size
        assert sharing.agrees(values)


def shared_net():
    net = random_net(3101, hidden=(4,), sparse=True, delays="source")
    net.population("hidden1").tau_mem[:] = [9.0, 11.0, 9.0, 11.0]
    net.share("hidden1.tau_mem", [0, 1, 0, 1])
    values = net.parameters()["input->hidden1.weights"]
    values[:2] = 0.5
    net.share("input->hidden1.weights", np.r_[4, 4, np.full(values.size - 2, -1)])
    return net


def test_groups_survive_copies_maps_and_files(tmp_path):
    net = shared_net()
    np.savez(tmp_path / "net.npz", **net.to_arrays())
    with np.load(tmp_path / "net.npz", allow_pickle=False) as file:
        stored = es.Network.from_arrays({name: file[name] for name in file.files})
    for twin in (net.copy(), net.map(np.array), stored):
        assert twin.shared.keys() == net.shared.keys()
        for key, sharing in net.shared.items():
            np.testing.assert_array_equal(twin.shared[key].groups, sharing.groups)


def test_sharing_twice_takes_the_last():
    net = shared_net()
    net.share("hidden1.tau_mem", [0, -1, 0, -1])
    assert net.shared["hidden1.tau_mem"].n_values == 3
