"""Compile all kernels beforehand, for images of containers and for clusters.

Kernels are compiled when they first run and are kept on disk. :func:`warm_up` runs small networks
that need every one of them: dense and sparse projections, self-recurrence, thresholds that adapt,
loops by queue and by windows, readouts and their maxima, forward and backward, in double and single
precision.
"""

import logging
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, get_args

import numpy as np
import scipy

from eventsim.adjoint import SpikeSeed, backward
from eventsim.arrays import Precision
from eventsim.engine import describe_backend, simulate
from eventsim.engine.algorithm import least_delay
from eventsim.engine.compiling import compiled_kernels
from eventsim.engine.run import check_precision, make_job
from eventsim.errors import ParameterError
from eventsim.events import EventStream, SpikeTape
from eventsim.network import Network, self_recurrent
from eventsim.plan import make_plan
from eventsim.processors import n_processors
from eventsim.ranks import simulate_ranks
from eventsim.train.losses import CrossEntropy
from eventsim.train.readouts import VoltageCrossEntropy

LABELS = np.array([0, 1])


@dataclass(frozen=True)
class WarmedUp:
    """What :func:`warm_up` did.

    Attributes
    ----------
    backend, device
        Its name, and that of its device; None for the processor. The reference backend is plain
        Python: it has nothing to compile.
    compiled
        Names of the kernels that were compiled; () if all were there. One that two processes
        compiled at a time is there twice.
    folder
        Where they are kept; None if nothing can be kept.
    seconds
        How long it took.
    """

    backend: str
    device: str | None
    compiled: tuple[str, ...]
    folder: Path | None
    seconds: float


def warm_up(
    backend: str = "auto",
    *,
    precision: Precision | None = None,
    processes: int | None = 1,
    told: Callable[[int, int], None] | None = None,
) -> WarmedUp:
    """Compile every kernel of a backend that is not compiled yet.

    Parameters
    ----------
    backend
        ``cpu``, ``cuda``, or ``auto`` as elsewhere.
    precision
        Only those of ``double`` or of ``single``. None: all.
    processes
        Number of processes that compile side by side for the processor, with up to 1.4 GiB of
        memory each: one core compiles for minutes. None: as many as cores, and no more than there
        are steps. A script that asks for more than one has its work behind ``if __name__ ==
        "__main__"``.
    told
        Is given the number of steps that are done, and of all, at the start and after each.

    Raises
    ------
    BackendError
        The backend cannot be loaded, or the precision is no precision.
    ParameterError
        ``processes`` is below 1.
    """
    if precision is not None:
        check_precision(precision, "warm_up")
    if processes is not None and processes < 1:
        raise ParameterError(f"warm_up: processes is {processes}, expected 1 or more.")
    began, before = time.perf_counter(), len(compiled_kernels())
    found = describe_backend(backend)
    compiling: Any = None
    if found.name in ("cpu", "cuda"):
        compiling = import_module(f"eventsim.engine.{found.name}.compile")
    steps: list[Callable[[], None]] = []
    nothing_to_do = compiling is None or (found.name == "cpu" and compiling.is_warm())
    asked = get_args(Precision) if precision is None else (precision,)
    if not nothing_to_do:
        # Processes side by side then have most kernels to themselves.
        ways: list[Any] = [partial(_layers, sparse=sparse) for sparse in (False, True)]
        ways += [_loop, _adaptive] if found.name == "cpu" else [_loop]
        steps += [partial(way, found.name, each) for way in ways for each in asked]
    told = told or (lambda _done, _total: None)
    compiled: tuple[str, ...] = ()
    if found.name == "cpu" and compiling.kernel_folder() is not None and processes != 1:
        for done, names in enumerate(_side_by_side(steps, processes)):
            told(done, len(steps))
            compiled += names
    else:
        for done, step in enumerate(steps):
            told(done, len(steps))
            step()
        compiled = compiled_kernels()[before:]
    told(len(steps), len(steps))
    if steps and found.name == "cpu" and precision is None:
        compiling.mark_warm()
    return WarmedUp(
        found.name,
        found.device,
        compiled,
        None if compiling is None else compiling.kernel_folder(),
        time.perf_counter() - began,
    )


def _side_by_side(
    steps: Sequence[Callable[[], None]], processes: int | None
) -> Iterable[tuple[str, ...]]:
    """Nothing, at the start, and then what each step compiled, as they end."""
    number = min(processes or n_processors(), len(steps))
    if number == 0:
        return
    others = {*active_children()}
    with ProcessPoolExecutor(number, get_context("spawn"), initializer=_be_quiet) as pool:
        try:
            started = [pool.submit(_compiled_by, step) for step in steps]
            yield ()
            for ended in as_completed(started):
                yield ended.result()
        except BaseException:  # an interrupt above all: nobody waits for a minute's compiling
            pool.shutdown(wait=False, cancel_futures=True)
            for child in {*active_children()} - others:
                child.terminate()
            raise


def _be_quiet() -> None:
    """The command that this process works for shows a bar, and says how it ended."""
    logging.getLogger("eventsim").setLevel("ERROR")
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _compiled_by(step: Callable[[], None]) -> tuple[str, ...]:
    """Names of the kernels that a step compiles in this process."""
    before = len(compiled_kernels())
    step()
    return compiled_kernels()[before:]


def _layers(backend: str, precision: Precision, *, sparse: bool) -> None:
    """Two populations one behind the other and a readout, forward and backward."""
    rng = np.random.default_rng(0)
    net = Network()
    net.add_input("input", 64)
    size = 128 if sparse else 64  # so many targets of an event that it is spread to them
    net.add_population("a", size, tau_mem=10.0, tau_syn=5.0)
    net.add_population("b", 4, tau_mem=10.0, tau_syn=5.0)
    net.add_readout("output", 2)
    net.connect("input", "a", _weights(rng, (64, size), sparse=sparse), delays=1.0)
    net.connect("a", "b", _weights(rng, (size, 4), sparse=sparse), delays=1.0)
    net.connect("a", "a", self_recurrent(np.full(size, 0.1)), delays=1.0)
    # A sparse readout so small is kept with its zeros; delays of their own keep its events apart.
    delays = np.ones((4, 2)) if sparse else 0.0
    net.connect("b", "output", _weights(rng, (4, 2), sparse=False), delays=delays)
    stream = _stream(64)
    simulate(net, stream[:1], backend=backend, precision=precision)  # its arrays are of other kinds
    tape = simulate(net, stream, backend=backend, precision=precision)
    largest, last = VoltageCrossEntropy(LABELS), VoltageCrossEntropy(LABELS, at="last")
    for loss in (CrossEntropy(LABELS), largest, last):
        backward(net, tape, loss)


def _loop(backend: str, precision: Precision) -> None:
    """Populations that project to themselves, by every algorithm that there is for them.

    Neurons of the first share their events; those of the second do not.
    """
    for delays in (1.0, np.ones((4, 4))):
        net = _loop_net(delays, tau_mem=10.0, tau_syn=5.0)
        tape = _there_and_back(net, backend, precision)
        if backend == "cpu":
            _by_every_way(net, tape)


def _adaptive(backend: str, precision: Precision) -> None:
    """Thresholds that adapt: layers, dense and sparse, and loops, which run by their queue."""
    rng = np.random.default_rng(0)
    alif: Any = {"adaptation": 0.2, "tau_adaptation": 50.0}
    for sparse in (False, True):
        net = Network()
        net.add_input("input", 64)
        net.add_population("a", 64, **alif)
        net.connect("input", "a", _weights(rng, (64, 64), sparse=sparse))
        net.connect("a", "a", self_recurrent(np.full(64, 0.1)))
        _there_and_back(net, backend, precision)
    for delays in (1.0, np.ones((4, 4))):
        _there_and_back(_loop_net(delays, **alif), backend, precision)


def _loop_net(delays: Any, **neurons: Any) -> Network:
    """A population that projects to itself with those delays."""
    rng = np.random.default_rng(0)
    net = Network()
    net.add_input("input", 64)
    net.add_population("a", 4, **neurons)
    net.connect("input", "a", _weights(rng, (64, 4), sparse=False), delays=1.0)
    net.connect("a", "a", rng.normal(0.0, 0.1, (4, 4)), delays=delays)
    return net


def _there_and_back(net: Network, backend: str, precision: Precision) -> SpikeTape:
    """Spikes, and gradients by the times of those of ``a``."""
    tape = simulate(net, _stream(64), backend=backend, precision=precision)
    backward(net, tape, {"a": SpikeSeed(time=np.ones(len(tape["a"])))})
    return tape


def _by_every_way(net: Network, tape: SpikeTape) -> None:
    """By queue, by windows, in parts, as a share of many: the cpu backend takes one by its work."""
    from eventsim.engine.cpu import queue_host
    from eventsim.engine.windowing import make_windows

    plan = make_plan(net)
    (stage,) = plan.stages
    job = make_job(plan, stage, tape)
    prepared = queue_host.prepare(job)
    queue_host.by_queue(job, prepared)
    windows = make_windows(job, least_delay(stage))
    for parts in (1, 2):
        queue_host.by_windows(job, prepared, windows, parts)
    simulate_ranks(net, tape.stream[:1], backend="cpu", precision=job.precision)


def _weights(rng: np.random.Generator, shape: tuple[int, int], *, sparse: bool) -> Any:
    """Weights that make neurons fire; of a sparse matrix one of a row is stored, or four of 128."""
    weights = rng.normal(2.0, 1.0, shape)
    if not sparse:
        return weights
    stored, row = np.zeros(shape, bool), np.arange(shape[0])
    for k in range(0, max(shape[1] - 64, 1), 16):
        stored[row, (row + k) % shape[1]] = True
    return scipy.sparse.csr_array(np.where(stored, 8.0 * weights, 0.0))


def _stream(n_channels: int) -> EventStream:
    rng = np.random.default_rng(1)
    parts = [
        (np.sort(rng.uniform(0.0, 50.0, 200)), rng.integers(0, n_channels, 200)) for _ in LABELS
    ]
    return EventStream.from_samples(parts, n_channels=n_channels, duration=50.0)
