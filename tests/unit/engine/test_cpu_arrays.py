"""What the kernels of the cpu backend are given."""

import eventsim as es
from eventsim.engine.cpu import order, shared
from tests.support.losses import SpikeTimes
from tests.support.nets import random_net, random_stream


def test_kernels_are_compiled_once_for_read_only_streams_and_for_spikes():
    net, stream = random_net(seed=3), random_stream(seed=3)
    tape = es.simulate(net, stream, backend="cpu")
    assert not stream.times.flags.writeable
    assert all(len(tape[name]) for name in tape.names)
    es.backward(net, tape, SpikeTimes(*tape.names))
    for kernel in (order.group, order.count_rows, order.merge):
        assert len(kernel.signatures) <= 1
    for kernel in (shared.forward, shared.backward):
        assert len(kernel.signatures) <= 2  # single and double precision
