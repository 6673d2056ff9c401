"""Network.save and Network.load."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import StorageError
from eventsim.train import load_network, save_network
from tests.support.nets import random_net, random_stream


@pytest.mark.parametrize("sparse", [False, True])
def test_network_read_back_fires_the_same_spikes(tmp_path, sparse):
    net, stream = random_net(3, sparse=sparse), random_stream(3)
    net.decide("output", np.ones((3, 2)))
    net.save(tmp_path / "net.npz")
    back = es.Network.load(str(tmp_path / "net.npz"))
    assert repr(back) == repr(net)
    for key, values in net.parameters().items():
        np.testing.assert_array_equal(back.parameters()[key], values)
    tapes = [es.simulate(n, stream, backend="cpu") for n in (net, back)]
    assert np.array_equal(*(tape["hidden2"].times for tape in tapes))


def test_old_names_write_and_read_the_same_file(tmp_path):
    net = random_net(4)
    save_network(tmp_path / "old.npz", net)
    net.save(tmp_path / "new.npz")
    files = [(tmp_path / f"{name}.npz").read_bytes() for name in ("old", "new")]
    assert files[0] == files[1]
    assert list(load_network(tmp_path / "new.npz").populations) == list(net.populations)


def test_file_that_holds_no_network_is_refused(tmp_path):
    random_stream(1).save(tmp_path / "events.npz")
    with pytest.raises(StorageError, match=r"events\.npz"):
        es.Network.load(tmp_path / "events.npz")
    with pytest.raises(StorageError, match=r"nothing\.npz"):
        es.Network.load(tmp_path / "nothing.npz")
