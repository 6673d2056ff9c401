"""What the kernels of the cpu backend are given."""

import subprocess
import sys

# In a process of its own: other tests may give kernels arrays of other kinds.
PROGRAM = """
import eventsim as es
from eventsim.engine.cpu import fanin
from tests.support.losses import SpikeTimes
from tests.support.nets import random_net, random_stream

net, stream = random_net(seed=3), random_stream(seed=3)
tape = es.simulate(net, stream, backend="cpu")
assert not stream.times.flags.writeable
assert all(len(tape[name]) for name in tape.names)
es.backward(net, tape, SpikeTimes(*tape.names))
kernels = (fanin.bounds_of_blocks, fanin.count, fanin.fill, fanin.forward)
print([len(kernel.signatures) for kernel in kernels])
"""


def test_kernels_are_compiled_once_for_read_only_streams_and_for_spikes():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    counts = [int(word) for word in done.stdout.strip("[]\n").split(",")]
    assert max(counts) == 1
