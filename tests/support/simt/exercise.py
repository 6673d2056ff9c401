"""Goes through the runs of ``runs.py``: forward, in pieces, backward, readout.

Used with a backend in hand, or as a program, for builds that need a process of their own:

    python -m tests.support.simt.exercise FLAVOUR SEED PRECISION [--texts FOLDER] [--against FILE]

``--texts`` takes the CUDA text from ``FOLDER/single.cu`` and ``double.cu``, that for adaptive
thresholds from ``single-adaptive.cu`` and ``double-adaptive.cu``, that of linear neurons of n
states from ``double-n.cu``, and builds it in the folder that has FOLDER; ``--against`` holds all
results against those of a file, and ends at the first that differs, which it prints.
"""

import argparse
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np

import eventsim as es
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda import queue, readout_host, shared, spikes
from eventsim.engine.cuda.backend import CudaBackend
from eventsim.engine.cuda.device import kernel_source
from eventsim.engine.run.members import split_members
from eventsim.errors import RunawayError
from eventsim.events.source import source_of
from eventsim.memo import Memo
from eventsim.plan import make_plan
from eventsim.train import AdamSettings, AdamW
from tests.support.losses import Sums
from tests.support.nets import random_net, random_stream
from tests.support.simt import build
from tests.support.simt.host_device import HostDevice
from tests.support.simt.runs import LINEAR_RUNS, LINEAR_STATES, RUNS, Run

# Backends add up an event's effect over the neurons, and a readout's over its synapses, in another
# order: n terms of one size then differ by about sqrt(n) roundings of the state's type. Relative to
# the largest entry; measured at most 2e-7 and 4e-14.
GRADIENT_RTOL = {"single": 5e-6, "double": 1e-12}

# The parameters of this network are where the backend's arrays are.
PLACED = Run(
    lambda: random_net(9, hidden=(21, 18), delays="scalar", self_delays="none"),
    lambda: random_stream(10, n_samples=2, n_channels=5, duration=40.0, rate=60.0),
)

SPIKES = ("times", "neurons", "offsets", "current", "restart_current")


def results(backend, precision, runs=None) -> dict[str, np.ndarray]:
    """All that a backend computes on the runs, on the host, by ``run/stage/what``.

    Without ``runs``: on those of ``runs.py``, and what else it computes.
    """
    return dict(each_result(backend, precision, runs))


def each_result(backend, precision, runs=None):
    """The same, one by one."""
    with small_work_space():
        for name, run in (RUNS if runs is None else runs).items():
            for key, value in _run(backend, precision, run):
                yield f"{name}/{key}", value
    if runs is None:
        yield from _beside(backend, precision)


def _beside(backend, precision):
    """A network that is placed; sums, counts and steps of an optimiser, which no run asks for."""
    with small_work_space():
        for key, value in _run(backend, precision, PLACED, placed=True):
            yield f"placed/{key}", value
        for name, run in LINEAR_RUNS.items():
            for key, value in _run(backend, "double", run):
                yield f"{name}/{key}", value
    yield "sums", _sums(backend)
    yield "arrivals", _arrivals(backend)
    yield "extents", _extents(backend)
    yield "adam", _adam(backend)


@contextmanager
def small_work_space():
    """Little room for spikes and arrivals at first, and several samples in one part of the sums.

    Two blocks look at all pairs, for the others would find nothing.
    """
    least = {queue: {"GUESS_LEAST": 4, "HEAP_LEAST": 16}, spikes: {"GUESS_LEAST": 1, "BLOCKS": 2}}
    with ExitStack() as patches:
        for module, values in least.items():
            patches.enter_context(mock.patch.multiple(module, **values))
        for module in (queue, readout_host, shared):
            patches.enter_context(mock.patch.multiple(module, PARTS=2))
        yield


def differences(actual, expected, precision) -> list[str]:
    """What two results disagree in: gradients beyond their tolerance, all else by one bit."""
    each = [_difference(key, value, expected, precision) for key, value in actual.items()]
    missing = [f"{key}: only in one" for key in sorted(expected.keys() - actual.keys())]
    return [wrong for wrong in each if wrong is not None] + missing


def first_difference(found, expected, precision) -> str | None:
    """The same of results that come one by one, up to the first."""
    missing = dict(expected)
    for key, value in found:
        if (wrong := _difference(key, value, expected, precision)) is not None:
            return wrong
        del missing[key]
    return next((f"{key}: only in one" for key in missing), None)


def _difference(key, value, expected, precision):
    other = expected.get(key)
    if other is None:
        return f"{key}: only in one"
    if value.shape != other.shape or value.dtype != other.dtype:
        return f"{key}: {value.dtype}{value.shape} and {other.dtype}{other.shape}"
    if _is_exact(key):
        same = np.array_equal(value, other, equal_nan=value.dtype.kind == "f")
        return None if same else f"{key}: {_first(value, other)}"
    bound = GRADIENT_RTOL[precision] * np.abs(other).max(initial=0.0)
    off = np.abs(value - other).max(initial=0.0)
    return None if off <= bound else f"{key}: off by {off:.3e}, allowed {bound:.3e}"


def _is_exact(key):
    return key in ("sums", "arrivals", "extents") or key.endswith((*SPIKES, "error", "grazes"))


def _first(value, other):
    if value.ndim == 0:
        return f"{value} and {other}"
    k = np.flatnonzero((value != other) & ~((value != value) & (other != other)))[0]
    return f"at {k} of {value.size}: {value.flat[k]!r} and {other.flat[k]!r}"


def _run(backend, precision, run, *, placed=False):
    net, stream = run.net(), run.stream()
    net = net.map(backend.asarray) if placed else net
    plan, trains = make_plan(net, Memo(back=placed)), {"input": stream}
    rng = np.random.default_rng(0)
    for stage in plan.stages:
        job = _job(stage, stage.afferents, trains, stream, precision)
        if stage.population.kind == "readout":
            yield from _readout(backend, job, run.rate, rng, stage.name)
            continue
        kind = "linear" if stage.is_linear else "queue" if stage.lateral else "layer"
        forward, backward = (getattr(backend, f"{kind}_{way}") for way in ("forward", "backward"))
        try:
            found = forward(job)
        except RunawayError as error:
            yield f"{stage.name}/error", np.array(str(error))
            break
        for field in SPIKES:
            yield f"{stage.name}/{field}", fetched(getattr(found, field))
        trains |= split_members(stage, found)
        job = _job(stage, stage.projections, trains, stream, precision)
        yield from _backward(backend, backward, job, found, rng, stage.name)
    if run.piece is not None:
        yield from _in_pieces(backend, precision, net, stream.chunks(run.piece), run.back)


def _job(stage, projections, trains, stream, precision):
    sources = tuple(source_of(trains[projection.source]) for projection in projections)
    return Job(stage, sources, stream.duration, precision)


def _sums(backend):
    rng = np.random.default_rng(1)
    values, index = rng.standard_normal(500), rng.integers(0, 300, 500)
    found = [backend.sum_by(placed(backend, values), placed(backend, index), 301)]
    stream = random_stream(2, n_samples=3, n_channels=6, duration=20.0)
    for delays in ("source", "synapse"):
        net = random_net(3, n_inputs=6, hidden=(6, 6), delays=delays)
        stage = make_plan(net).stages[-1]
        trains = dict.fromkeys([p.source for p in stage.afferents], stream)
        job = _job(stage, stage.afferents, trains, stream, "double")
        for k in range(len(job.sources)):
            given = placed(backend, rng.standard_normal(stream.n_events))
            found.append(backend.sum_source(job, k, given))
    return np.concatenate([fetched(sums) for sums in found])


def _arrivals(backend):
    stream = random_stream(2, n_samples=3, n_channels=6, duration=20.0)
    pairs = [
        (projection, source_of(stream))
        for delays in ("scalar", "source", "synapse")
        for projection in random_net(3, n_inputs=6, delays=delays).projections.values()
        if projection.source == "input"
    ]
    # All is late in the first sample.
    return fetched(backend.count_arrivals(pairs, np.array([1e-3, 20.0, 20.0])))


def _extents(backend):
    a, b = np.random.default_rng(4).standard_normal((2, 700))
    a[5], b[6] = 0.0, np.nan
    given = [placed(backend, values) for values in (a, b)]
    lookup = backend.lookup([(given[0], None), (given[1], None), tuple(given)])
    if lookup is not None:
        return np.array(lookup.read(fetched(lookup.start())))
    sizes = (np.abs(v[(v != 0.0) & ~np.isnan(v)]) for v in (a, b, a - b))
    return np.array(
        [[v.min(), v.max(), n.min()] for v, n in zip((a, b, a - b), sizes, strict=True)]
    )


def _adam(backend):
    """Parameters after some steps of AdamW, as one vector, their mean, and the last norm."""
    rng, net = np.random.default_rng(5), random_net(6, hidden=(40, 5), delays="source")
    for population in net.spiking.values():
        population.refractory[::2] = 0.0
        population.v_leak[:] = population.threshold - 0.1
        population.v_reset[:] = population.threshold - 0.055  # a step or two above the margin
    net = net.map(backend.asarray)
    settings = AdamSettings(clip_norm=0.3, weight_decay=0.1, max_delay=12.0)
    with using_backend(backend.name, backend):
        optimiser = AdamW(
            net, [k for k in net.parameters() if not k.endswith(".v_reset")], settings
        )
        for size in (0.1, 0.001, 0.1):
            gradient = placed(backend, size * rng.standard_normal(optimiser.layout.size))
            report = optimiser.step_joined(gradient)
            optimiser.average()
    mean = optimiser.to_arrays()
    vectors = [fetched(values).ravel() for values in net.parameters().values()]
    vectors += [mean[f"mean.{key}"].ravel() for key in optimiser.keys]
    return np.concatenate([*vectors, [report.norm]])


def _backward(backend, backward, job, trains, rng, name):
    seeds = [placed(backend, s) for s in rng.standard_normal((2, trains.times.size))]
    gradients = backward(job, trains, *seeds)
    yield from _gradients(name, gradients)
    # As if every third spike had only touched its threshold: no gradient by its time.
    flat = np.array(fetched(trains.current))
    flat[::3] = -1.0
    touching = replace(trains, current=placed(backend, flat))
    gradients = backward(job, touching, *seeds)
    yield f"{name}/touching/grazes", fetched(gradients.grazes)
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
    yield f"{name}/grazes", fetched(gradients.grazes)


def _in_pieces(backend, precision, net, pieces, back):
    state, tapes, error = None, [], None
    with using_backend(backend.name, backend):
        for piece in pieces:
            try:
                tape, state = es.simulate_chunk(
                    net, piece, state, backend=backend.name, precision=precision
                )
            except RunawayError as found:
                error = str(found)
                break
            tapes.append(tape)
        for k, tape in enumerate(tapes):
            for name in tape.names:
                for field in SPIKES:
                    yield f"piece {k}/{name}/{field}", getattr(tape[name], field)
        if error is not None:
            yield "pieces/error", np.array(error)
        if error is not None or not back:
            return
        loss, later = Sums(net, len(tapes[0].stream)), None
        for k, tape in reversed(list(enumerate(tapes))):
            found, later = es.backward_chunk(net, tape, loss, later)
            for key, values in found.values.items():
                yield f"piece {k}/by {key}", fetched(values)
            yield f"piece {k}/by input", fetched(found.input_times)


def fetched(values):
    """On the host."""
    return np.asarray(values.get() if hasattr(values, "get") else values)


def placed(backend, values):
    """Where the backend wants it."""
    return backend.asarray(values) if hasattr(backend, "asarray") else values


def run_apart(flavour, seed, precision, *, texts=None, against=None, environment=None, limit=None):
    """The program of this module, in a process of its own; its output is in the result.

    ``limit`` are seconds of a processor, after which it ends by a signal.
    """
    if texts is None:
        for each in ("single", "double"):  # sums by group are double in both
            build.library(kernel_source(each), flavour)
        build.library(kernel_source(precision, adaptive=True), flavour)
        for states in LINEAR_STATES:
            build.library(kernel_source("double", states=states), flavour)
    options = [] if texts is None else ["--texts", str(texts)]
    options += [] if against is None else ["--against", str(against)]
    return run_program(
        [__name__, flavour, str(seed), precision, *options],
        build.sanitized_environment(flavour) | (environment or {}),
        limit,
    )


def run_program(words, environment, limit=None):
    """A module of the tests in a process of its own, that ends after seconds of a processor.

    What the environment preloads is for Python alone: a shell ends by signal 11 with libtsan in it.
    """
    limited = "" if limit is None else f"ulimit -t {limit} && "
    others = {name: value for name, value in environment.items() if name != "LD_PRELOAD"}
    preload = [f"LD_PRELOAD={environment['LD_PRELOAD']}"] if "LD_PRELOAD" in environment else []
    program = ["env", *preload, sys.executable, "-m", *words]
    command = ["sh", "-c", f'{limited}exec "$@"', "sh", *program]
    return subprocess.run(command, env=others, capture_output=True, text=True, check=False)


def text_name(precision, adaptive, states):
    """File of a CUDA text in a folder of texts."""
    return f"{precision}{'-adaptive' if adaptive else ''}{f'-{states}' if states else ''}.cu"


def write(path, found):
    """Keep results, for :func:`read`."""
    np.savez(path, **{key.replace("/", "|"): value for key, value in found.items()})


def read(path):
    """Results that :func:`write` has kept."""
    with np.load(path) as file:
        return {key.replace("|", "/"): file[key] for key in file.files}


def main():
    """Go through all runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flavour")
    parser.add_argument("seed", type=int)
    parser.add_argument("precision")
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--against", type=Path)
    chosen = parser.parse_args()

    def text(*key):
        return (chosen.texts / text_name(*key)).read_text("utf-8")

    own = {} if chosen.texts is None else {"source": text, "folder": chosen.texts.parent}
    backend = CudaBackend(HostDevice(chosen.seed, chosen.flavour, **own))
    if chosen.against is None:
        results(backend, chosen.precision)
        return
    found = each_result(backend, chosen.precision)
    if wrong := first_difference(found, read(chosen.against), chosen.precision):
        print(wrong)


if __name__ == "__main__":
    main()
