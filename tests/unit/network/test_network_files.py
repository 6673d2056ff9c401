"""Network.save and Network.load."""

from functools import partial

import numpy as np
import pytest

import eventsim as es
from eventsim.train import load_network, save_network
from tests.support.nets import random_net, random_stream, with_adaptation

NETS = {
    f"{'sparse' if sparse else 'dense'}, delays: {delays}": partial(
        random_net, 3, hidden=(4, 3), sparse=sparse, delays=delays
    )
    for sparse in (False, True)
    for delays in ("none", "scalar", "source", "synapse")
}
NETS["adaptive"] = lambda: with_adaptation(random_net(24), 25, populations=("hidden2",))


@pytest.mark.parametrize("name", NETS)
def test_network_read_back_fires_the_same_spikes(tmp_path, name):
    net, stream = NETS[name](), random_stream(3)
    net.decide("output", np.ones((3, 2)))
    net.save(tmp_path / "net.npz")
    back = es.Network.load(str(tmp_path / "net.npz"))
    assert repr(back) == repr(net)
    assert list(back.projections) == list(net.projections)
    found, expected = back.parameters(), net.parameters()
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key].shape == values.shape
        np.testing.assert_array_equal(found[key], values)
    tapes = [es.simulate(n, stream, backend="cpu") for n in (net, back)]
    for population in tapes[0].names:
        assert np.array_equal(*(tape[population].times for tape in tapes))
    assert ("adaptive threshold in hidden2" in repr(back)) == (name == "adaptive")
    assert back.copy().populations["hidden2"].is_adaptive == (name == "adaptive")


def test_old_names_write_and_read_the_same_file(tmp_path):
    net = random_net(4)
    save_network(tmp_path / "old.npz", net)
    net.save(tmp_path / "new.npz")
    files = [(tmp_path / f"{name}.npz").read_bytes() for name in ("old", "new")]
    assert files[0] == files[1]
    assert list(load_network(tmp_path / "new.npz").populations) == list(net.populations)
