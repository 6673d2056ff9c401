"""A program for tools that watch a device: every kernel a few times, or one step of W1.

``python -m bench.gpu.small``            all cases of bench.gpu.check at a small size, in both
                                         precisions. CuPy's memory pool is off, so that every array
                                         is an allocation of its own and an access past its end
                                         is seen.
``python -m bench.gpu.small --profile``  one step of W1 at batch 512 between start and stop of the
                                         profiler, after one that is not watched.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

import eventsim as es
from bench.gpu.nets import CASES, loss_of, scsr_net, stream_of
from bench.gpu.place import Place, options_of, place
from bench.gpu.training import Trainer
from bench.gpu.w1 import cut
from bench.macro.w1 import workload

PROFILED_BATCH = 512


def every_kernel(where: Place) -> int:
    """Run all cases once; the number of spikes."""
    if not where.host:
        import cupy

        cupy.cuda.set_allocator(None)
    stream, spikes = stream_of(3, 100.0), 0
    for about in CASES.values():
        net = scsr_net(6 if where.host else 70, **about)
        for precision in ("single", "double"):
            tape = es.simulate(net, stream, backend="cuda", precision=precision)  # type: ignore[arg-type]
            es.backward(net, tape, loss_of(stream.n_samples))
            spikes += sum(len(tape[name]) for name in tape.names)
    trainer = Trainer(scsr_net(6, **next(iter(CASES.values()))), "cuda")
    for _ in range(2):  # the second looks at what the first has moved
        trainer.step((stream, loss_of(stream.n_samples)))
        trainer.optimiser.average()
    for delay in (0.01, 10.0):
        net = _loop(stream.n_channels, delay)
        es.simulate(net, stream, backend="cuda", precision="single")
    return spikes


def _loop(n_channels: int, delay: float) -> es.Network:
    """A loop whose neurons share their events; with a short delay windows have too little to do."""
    net = es.Network()
    net.add_input("input", n_channels)
    net.add_population("loop", 4)
    net.connect("input", "loop", np.full((n_channels, 4), 0.1))
    net.connect("loop", "loop", np.full((4, 4), 0.1), delays=delay)
    return net


def one_step(where: Place) -> None:
    """A step of W1, watched."""
    batch = 2 if where.host else PROFILED_BATCH
    net, stream, loss = workload(n_samples=batch, n_hidden=4 if where.host else 256)
    stream = cut(stream) if where.host else stream
    trainer = Trainer(net, "cuda")
    trainer.step((stream, loss))
    where.clock.wait()
    with _watched(where):
        trainer.step((stream, loss))
        where.clock.wait()


def _watched(where: Place) -> AbstractContextManager[Any]:
    if where.host:
        return nullcontext()
    import cupyx.profiler

    return cupyx.profiler.profile()


def main(words: list[str] | None = None) -> int:
    """Run one of the two."""
    parser = options_of(__doc__.splitlines()[0])
    parser.add_argument("--profile", action="store_true", help="one step of W1")
    options = parser.parse_args(words)
    with place(host=options.host) as where:
        if options.profile:
            one_step(where)
        else:
            print(f"{every_kernel(where)} spikes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
