"""Losses and near misses of spikes that stay on the device: the numbers of spikes on the host."""

import numpy as np
import pytest

import eventsim as es
from eventsim.arrays import namespace, to_host
from eventsim.engine import get_backend, place
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
    there = place(net, backend=fast_backend) if placed else net
    resident = es.simulate(there, stream, backend=fast_backend, resident=True)
    actual = es.backward(there, resident, loss)
    expected = es.backward(net, es.simulate(net, stream, backend=fast_backend), loss)
    assert actual.loss == pytest.approx(expected.loss, rel=1e-11)
    assert namespace(actual.input_times) is get_backend(fast_backend).xp
    flat = actual.flat() | {"input_times": actual.input_times}
    for key, values in (expected.flat() | {"input_times": expected.input_times}).items():
        scale = np.abs(values).max(initial=1e-300)
        np.testing.assert_allclose(to_host(flat[key]), values, rtol=1e-9, atol=1e-11 * scale)
        if key != "input_times":
            assert namespace(flat[key]) is namespace(there.parameters()[key])
