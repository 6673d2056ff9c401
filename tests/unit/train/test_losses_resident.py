"""Losses and near misses of spikes that stay on the device: the numbers of spikes on the host."""

import pytest

from tests.support.compare import assert_resident_agrees
from tests.support.losses import all_losses
from tests.support.nets import lateral_net, random_net, random_stream

NETS = {
    "dense": lambda: random_net(121, delays="source"),
    "sparse": lambda: random_net(122, sparse=True, delays="synapse"),
    "loop": lambda: lateral_net(123),
}


@pytest.mark.parametrize("case", NETS)
@pytest.mark.parametrize("placed", [False, True])
def test_losses_and_gradients_on_the_device_are_those_on_the_host(fast_backend, case, placed):
    net, stream = NETS[case](), random_stream(124, n_samples=3, duration=50.0)
    last = next(reversed([p for p in net.populations.values() if p.kind == "spiking"]))
    last.threshold[:2] = 30.0
    loss = all_losses(last.name)
    assert_resident_agrees(net, stream, fast_backend, loss, rtol=1e-10, placed=placed)
