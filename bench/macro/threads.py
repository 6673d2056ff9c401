"""What two threads, or more, gain by the wall's clock, and whether the machine has as many cores.

Method   Each case on one thread and on ``--threads``, in turn, by the wall's clock, the minimum of
         the repeats, and of what two seconds have room for; ``ratio`` is the second over the first.
         The case ``cores`` is a loop in C, alone and in so many threads at once, each the whole:
         its ratio, by thread, is near 1 / threads where as many cores are free, and near 1 where
         they are one or other programs use them. Then the other ratios say little. W1 is that of
         w1.py, 32 samples and one; W2 that of w2.py; the balanced network that of balanced.py, one
         sample, which is cut into parts of its neurons; FSDD the first epoch of epoch.py without
         delays, of 480 recordings.
Answer   see docs/howto/speed.md.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from bench.macro import balanced, epoch, naive, w1, w2
from eventsim import datasets
from eventsim.engine.contract.registry import set_threads
from eventsim.train import TrainConfig

RECORDINGS = 480

# Of a case at least: a call that has lost a thread for a moment is not shared for a while.
LEAST_S = 2.0

# Columns of the table that matter most.
FIRST = ("case", "one_s", "many_s", "ratio")


def _steps() -> Iterator[tuple[str, Callable[[], Any]]]:
    """W1, of 32 samples and of one."""
    for words, n_samples in (("32 samples", 32), ("1 sample", 1)):
        net, stream, loss = w1.workload(n_samples=n_samples)

        def forward(net: es.Network = net, stream: es.EventStream = stream) -> Any:
            return es.simulate(net, stream, backend="cpu", precision="single")

        def both(net: es.Network = net, stream: es.EventStream = stream, loss: Any = loss) -> Any:
            return w1.step(net, stream, loss, "single")

        yield f"W1 forward, {words}", forward
        yield f"W1 with gradients, {words}", both


def _loops() -> Iterator[tuple[str, Callable[[], Any]]]:
    """W2 and the balanced network."""
    net, stream = w2.workload(*w2.CASES["W2"])
    tape = es.simulate(net, stream, backend="cpu", precision="single")
    seeds = {"hidden": np.ones(len(tape["hidden"]))}
    yield "W2 forward", lambda: es.simulate(net, stream, backend="cpu", precision="single")
    yield "W2 backward", lambda: es.backward(net, tape, seeds)
    own, events = balanced.network(balanced.workload(1.0, 1000.0))
    for precision in ("single", "double"):

        def run(precision: Any = precision) -> Any:
            return es.simulate(own, events, backend="cpu", precision=precision)

        yield f"balanced network, {precision}", run


def _epochs() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Training on spoken digits, if they are at hand."""
    data = datasets.load("fsdd", split="train")
    data = data[np.sort(np.random.default_rng(0).permutation(len(data))[:RECORDINGS])]
    for size in (epoch.BATCH, 4):
        config = TrainConfig(epochs=1, batch_size=size, precision="single", validation_fraction=0.0)

        def train(config: TrainConfig = config) -> Any:
            net = epoch.network(data.stream.n_channels, lateral=False, delays=False)
            return es.train(net, data, config)

        yield f"FSDD, first epoch, batches of {size}", train


def cores(n: int) -> Callable[[], Any]:
    """A loop in C in ``n`` threads at once, each the whole."""
    net, stream, _ = w1.workload(n_samples=2)

    def run() -> None:
        with ThreadPoolExecutor(n) as pool:
            list(pool.map(lambda _: naive.forward(net, stream), range(n)))

    return run


def measure(
    name: str, one: Callable[[], Any], many: Callable[[], Any], options: argparse.Namespace
) -> dict[str, Any]:
    """One row; ``one`` is called with one thread, ``many`` with as many as are asked for."""
    n, least = options.threads, {1: np.inf, options.threads: np.inf}
    started, turns = time.perf_counter(), 0
    while turns <= options.repeats or time.perf_counter() - started < LEAST_S:
        turns += 1
        for threads, call in ((1, one), (n, many)):
            set_threads(threads, backend="cpu")
            began = time.perf_counter()
            call()
            least[threads] = min(least[threads], time.perf_counter() - began)
    row = {"bench": "threads", "case": name, "clock": "wall", "threads": n}
    row |= {"one_s": least[1], "many_s": least[n], "ratio": least[n] / least[1]}
    return row | {"load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"}


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All cases one after the other."""
    row = measure("cores", cores(1), cores(options.threads), options)
    yield row | {"ratio": row["ratio"] / options.threads}
    for cases in (_steps(), _loops(), _epochs()):
        for name, call in cases:
            yield measure(name, call, call, options)


def main() -> None:
    """All cases."""
    words = parser(__doc__.splitlines()[0])
    words.add_argument("--threads", type=int, default=2)
    options = words.parse_args()
    report(rows(options), options, first=FIRST)


if __name__ == "__main__":
    main()
