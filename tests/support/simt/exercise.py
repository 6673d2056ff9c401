"""A fixed, small set of runs that goes through every kernel: forward, resumed, backward, readout.

Used with a backend in hand, or as a program, for builds that need a process of their own:

    python -m tests.support.simt.exercise FLAVOUR SEED PRECISION [--texts FOLDER] [--to FILE]

``--texts`` takes the CUDA text from ``FOLDER/single.cu`` or ``double.cu`` and builds it in FOLDER;
``--to`` writes all results to a file of NumPy's.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.sparse

import eventsim as es
from eventsim.engine.cuda import CudaBackend, queue, readout_host, shared, spikes
from eventsim.engine.job import Job, source_of
from eventsim.engine.members import split_members
from eventsim.engine.registry import using_backend
from eventsim.errors import RunawayError
from eventsim.plan import make_plan
from tests.support.nets import (
    lateral_net,
    one_neuron,
    one_sample,
    random_net,
    random_stream,
    ring_net,
)
from tests.support.simt.host_device import HostDevice

# Backends add up an event's effect over the neurons, and a readout's over its synapses, in another
# order: n terms of one size then differ by about sqrt(n) roundings of the state's type. Relative to
# the largest entry; measured at most 2e-7 and 4e-14.
GRADIENT_RTOL = {"single": 5e-6, "double": 1e-12}

SPIKES = ("times", "neurons", "offsets", "current", "restart_current")


@dataclass(frozen=True)
class Run:
    """A network and its stream.

    ``rate`` (1/ms) weights the readout; ``piece`` (ms) is the length of the pieces in which the
    stream is run a second time.
    """

    net: Callable[[], es.Network]
    stream: Callable[[], es.EventStream]
    rate: float = 0.05
    piece: float | None = None


def _random(seed, *, n_channels=6, duration=60.0, n_samples=3, rate=60.0, piece=None, **options):
    return Run(
        lambda: random_net(seed, n_inputs=n_channels, **options),
        lambda: random_stream(
            seed + 1, n_samples=n_samples, n_channels=n_channels, duration=duration, rate=rate
        ),
        piece=piece,
    )


def _changed(run, change):
    """The run with ``change`` made to every spiking population."""

    def net():
        made = run.net()
        for population in made.populations.values():
            if population.kind == "spiking":
                change(population)
        return made

    return replace(run, net=net)


def _without_holds(run):
    """Spikes do not hold V, so that the self-jump follows at once."""
    return _changed(run, lambda population: population.refractory.fill(0.0))


def _pacemakers(run):
    """The first neuron of each population rests above its threshold."""

    def change(population):
        population.v_leak[0] = population.threshold[0] + 0.3

    return _changed(run, change)


def _loop(net, duration=40.0):
    return Run(net, lambda: random_stream(26, n_samples=3, n_channels=5, duration=duration))


def _silent_samples():
    times = [np.zeros(0), np.array([1.0, 2.0, 2.0, 30.0]), np.zeros(0)]
    channels = [np.zeros(t.size, int) for t in times]
    samples = list(zip(times, channels, strict=True))
    return es.EventStream.from_samples(samples, n_channels=6, duration=[1.0, 40.0, 20.0])


def _pushed_down():
    """A neuron that rests above its threshold, and is long below it.

    In the end its current would be denormal, were it not flushed at the last arrival.
    """
    net = one_neuron([-60.0, 0.3, 0.0], v_leak=1.1, tau_mem=4.0, tau_syn=7.0, refractory=0.5)
    stream = one_sample([2.0, 90.0, 800.0], [0, 1, 2], n_channels=3, duration=850.0)
    return Run(lambda: net, lambda: stream)


def _ties(kind):
    """Eight equal neurons fire at one time, and their spikes arrive at one time."""
    rng = np.random.default_rng(27)
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("a", 8, tau_mem=10.0, tau_syn=5.0, refractory=1.0)
    net.add_population("b", 6, tau_mem=8.0, tau_syn=4.0, refractory=0.5)
    # Events at one time are met one after the other: sums depend on the order by their last bits.
    weights = rng.uniform(0.1, 1.5, (8, 6))
    if kind == "sparse":
        net.connect("input", "a", np.full((1, 8), 6.0), delays=0.5)
        net.connect("a", "b", scipy.sparse.csr_array(weights), delays=1.0)
        net.connect("b", "b", es.self_recurrent(np.full(6, 0.5)), delays=1.0)
    else:
        net.connect("input", "a", np.full((1, 8), 6.0))
        net.connect("a", "b", weights)
    if kind == "loop":
        net.connect("b", "a", 0.3 * weights.T)
        net.connect("a", "a", rng.uniform(-0.2, 0.4, (8, 8)), delays=1.0)
    stream = one_sample([1.0, 2.0, 2.0, 2.0, 3.0, 8.0], duration=30.0)
    return Run(lambda: net, lambda: stream)


def _runaway(sparse, self_delay):
    """A self-jump that nothing holds back, in the second sample."""
    net = one_neuron([0.0, 40.0], tau_mem=6.0, tau_syn=9.0)
    if sparse:
        net = es.Network()
        net.add_input("input", 2)
        net.add_population("hidden", 1, tau_mem=6.0, tau_syn=9.0)
        net.connect("input", "hidden", scipy.sparse.csr_array([[0.0], [40.0]]))
    net.connect("hidden", "hidden", es.self_recurrent([30.0]), delays=self_delay)
    samples = [(np.array([1.0]), np.array([k])) for k in (0, 1)]
    stream = es.EventStream.from_samples(samples, n_channels=2, duration=[9.0, 9.0])
    return Run(lambda: net, lambda: stream)


def _runaway_loop():
    """Two neurons that make each other fire at once, without end."""
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("a", 2, tau_mem=6.0, tau_syn=9.0)
    net.connect("input", "a", np.array([[40.0, 40.0]]))
    net.connect("a", "a", np.array([[0.0, 30.0], [30.0, 0.0]]))
    return Run(lambda: net, lambda: one_sample([1.0], duration=9.0))


RUNS = {
    # A tile and a half, other sizes than the block's; more events than are staged at once.
    "dense": _random(11, hidden=(97, 5), delays="none", self_delays="none", rate=90.0, n_samples=2),
    "dense, no holds": _without_holds(
        _random(12, hidden=(7,), delays="scalar", self_delays="none", rate=200.0)
    ),
    "dense, delays, in pieces": _random(
        13, hidden=(5, 4), delays="source", self_delays="none", piece=21.0, n_samples=2
    ),
    "dense, pacemakers": _random(
        14, hidden=(6, 5), delays="none", self_delays="none", pacemakers=True, tau_ratio=0.25
    ),
    "fan-in": _random(15, hidden=(9, 5), rate=120.0, n_samples=2, duration=30.0),
    "fan-in, no holds": _without_holds(_random(16, hidden=(6,), self_delays="scalar")),
    "fan-in, in pieces": _random(17, hidden=(5, 4), sparse=True, piece=21.0, n_samples=2),
    "sparse, pacemakers": _random(
        18,
        hidden=(130,),
        sparse=True,
        pacemakers=True,
        n_channels=40,
        duration=15.0,
        n_outputs=9,
        n_samples=2,
    ),
    "taus equal": _random(19, hidden=(5,), tau_ratio=1.0, delays="scalar", duration=30.0),
    "loop": _loop(lambda: lateral_net(22)),
    "loop, two warps": _loop(lambda: lateral_net(23, size=20, delays="none", gain=0.1), 25.0),
    "loop, no delays, no holds": _without_holds(
        _loop(lambda: lateral_net(24, delays="none", gain=0.05))
    ),
    "ring, returning": _pacemakers(_loop(lambda: ring_net(25))),
    "ties": _ties("dense"),
    "ties, sparse": _ties("sparse"),
    "ties, loop": _ties("loop"),
    "silent": Run(lambda: random_net(20, n_inputs=6, sparse=True), _silent_samples, rate=0.0),
    "silent, dense": Run(
        lambda: random_net(21, n_inputs=6, delays="none", self_delays="none"), _silent_samples
    ),
    "pushed down": _pushed_down(),
    "run-away": _runaway(sparse=False, self_delay=0.0),
    "run-away, sparse": _runaway(sparse=True, self_delay=0.0),
    "run-away, returning": _runaway(sparse=True, self_delay=1e-5),
    "run-away, loop": _runaway_loop(),
}


def results(backend, precision, runs=RUNS) -> dict[str, np.ndarray]:
    """All that a backend computes on the runs, on the host, by ``run/stage/what``."""
    found = {"sums": _sums(backend)}
    with small_work_space():
        for name, run in runs.items():
            for key, value in _run(backend, precision, run):
                found[f"{name}/{key}"] = value
    return found


@contextmanager
def small_work_space():
    """Little room for spikes and arrivals at first, and several samples in one part of the sums."""
    least = {queue: {"GUESS_LEAST": 4, "HEAP_LEAST": 16}, spikes: {"GUESS_LEAST": 1}}
    with ExitStack() as patches:
        for module, values in least.items():
            patches.enter_context(mock.patch.multiple(module, **values))
        for module in (queue, readout_host, shared):
            patches.enter_context(mock.patch.multiple(module, PARTS=2))
        yield


def differences(actual, expected, precision) -> list[str]:
    """What two results disagree in: gradients beyond their tolerance, all else by one bit."""
    if actual.keys() != expected.keys():
        return sorted(actual.keys() ^ expected.keys())
    wrong = []
    for key, value in actual.items():
        other = expected[key]
        if value.shape != other.shape or value.dtype != other.dtype:
            wrong.append(f"{key}: {value.dtype}{value.shape} and {other.dtype}{other.shape}")
        elif _is_exact(key):
            if not np.array_equal(value, other, equal_nan=value.dtype.kind == "f"):
                wrong.append(f"{key}: {_first(value, other)}")
        elif not np.abs(value - other).max(initial=0.0) <= (
            bound := GRADIENT_RTOL[precision] * np.abs(other).max(initial=0.0)
        ):
            wrong.append(f"{key}: off by {np.abs(value - other).max():.3e}, allowed {bound:.3e}")
    return wrong


def _is_exact(key):
    return key == "sums" or key.endswith((*SPIKES, "error", "grazes"))


def _first(value, other):
    if value.ndim == 0:
        return f"{value} and {other}"
    k = np.flatnonzero((value != other) & ~((value != value) & (other != other)))[0]
    return f"at {k} of {value.size}: {value.flat[k]!r} and {other.flat[k]!r}"


def _run(backend, precision, run):
    net, stream = run.net(), run.stream()
    plan, trains = make_plan(net), {"input": stream}
    rng = np.random.default_rng(0)
    for stage in plan.stages:
        job = _job(stage, stage.afferents, trains, stream, precision)
        if stage.population.kind == "readout":
            yield from _readout(backend, job, run.rate, rng, stage.name)
            continue
        forward = backend.queue_forward if stage.lateral else backend.layer_forward
        backward = backend.queue_backward if stage.lateral else backend.layer_backward
        try:
            found = forward(job)
        except RunawayError as error:
            yield f"{stage.name}/error", np.array(str(error))
            return
        for field in SPIKES:
            yield f"{stage.name}/{field}", fetched(getattr(found, field))
        trains |= split_members(stage, found)
        job = _job(stage, stage.projections, trains, stream, precision)
        yield from _backward(backend, backward, job, found, rng, stage.name)
    if run.piece is not None:
        yield from _in_pieces(backend, precision, net, stream.chunks(run.piece))


def _job(stage, projections, trains, stream, precision):
    sources = tuple(source_of(trains[projection.source]) for projection in projections)
    return Job(stage, sources, stream.duration, precision)


def _sums(backend):
    rng = np.random.default_rng(1)
    values, index = rng.standard_normal(500), rng.integers(0, 300, 500)
    return fetched(backend.sum_by(placed(backend, values), placed(backend, index), 301))


def _backward(backend, backward, job, trains, rng, name):
    seeds = [placed(backend, s) for s in rng.standard_normal((2, trains.times.size))]
    gradients = backward(job, trains, *seeds)
    yield from _gradients(name, gradients)
    # As if every third spike had only touched its threshold: no gradient by its time.
    flat = np.array(fetched(trains.current))
    flat[::3] = -1.0
    touching = replace(trains, current=placed(backend, flat))
    gradients = backward(job, touching, *seeds)
    yield f"{name}/touching/grazes", np.asarray(gradients.grazes)
    yield f"{name}/touching/weights", fetched(gradients.weights)


def _readout(backend, job, rate, rng, name):
    integral = fetched(backend.readout_forward(job, rate))
    yield f"{name}/integral", integral
    by_integral = rng.standard_normal(integral.shape)
    yield from _gradients(name, backend.readout_backward(job, rate, placed(backend, by_integral)))


def _gradients(name, gradients):
    for key, value in gradients.parameters.items():
        yield f"{name}/by {key}", fetched(value)
    for key in ("weights", "delays", "self_weights", "self_delays"):
        value = getattr(gradients, key)
        if value is not None:
            yield f"{name}/by {key}", fetched(value)
    for k, value in enumerate(gradients.source_times):
        yield f"{name}/by times of source {k}", fetched(value)
    yield f"{name}/grazes", np.asarray(gradients.grazes)


def _in_pieces(backend, precision, net, pieces):
    with using_backend(backend.name, backend):
        tapes = list(es.simulate_chunks(net, pieces, backend=backend.name, precision=precision))
    for k, tape in enumerate(tapes):
        for name in tape.names:
            for field in SPIKES:
                yield f"piece {k}/{name}/{field}", getattr(tape[name], field)


def fetched(values):
    """On the host."""
    return np.asarray(values.get() if hasattr(values, "get") else values)


def placed(backend, values):
    """Where the backend wants it."""
    return backend.asarray(values) if hasattr(backend, "asarray") else values


def main():
    """Run all, or the runs that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flavour")
    parser.add_argument("seed", type=int)
    parser.add_argument("precision")
    parser.add_argument("runs", nargs="*", default=list(RUNS))
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--to", type=Path)
    chosen = parser.parse_args()
    source = None
    if chosen.texts is not None:
        source = lambda precision: (chosen.texts / f"{precision}.cu").read_text("utf-8")  # noqa: E731
    device = HostDevice(chosen.seed, chosen.flavour, source=source, folder=chosen.texts)
    runs = {name: RUNS[name] for name in chosen.runs}
    found = results(CudaBackend(device), chosen.precision, runs)
    if chosen.to is not None:
        np.savez(chosen.to, **{key.replace("/", "|"): value for key, value in found.items()})


if __name__ == "__main__":
    main()
