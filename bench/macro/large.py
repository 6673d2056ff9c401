"""What a synapse costs in bytes and a synaptic event in time, as networks grow.

Method   10,000 and 100,000 neurons, with ``--million`` 1,000,000, each source with 100 targets
         (drawn with replacement, doubles merged) and one delay of 1.5 ms, 100 ms of biological
         time. ``feedforward``: as many inputs as neurons, 10/s each. ``recurrent``: neurons / 5
         inputs at 20/s, and neurons onto neurons, a fifth of them inhibitory, as in scaling.py.
         Neurons as in balanced.py. Targets are drawn in blocks of sources.

         Every case is a process of its own. Bytes are those of the process's resident memory at
         its peak, above what it had with all kernels loaded and before the network was built, by
         synapse of the network: while it is ``built``, for the first ``run``, in which it is
         planned, and for the ``gradients`` of weighted spike times. ``network`` is what is held
         before the run. All that goes by neuron, event or spike is in them, too.

         ``build_s`` and ``first_s`` are by the wall's clock. ``ns_per_event`` is CPU time on one
         thread, minimum of the repeats, less that of the same network run for 0.1 ms. ``caches``
         are those of a core; the arrays that events touch, ``state_mb`` (neurons) and
         ``synapses_mb``, fit into them or do not.

         ``weights`` is the type in which the network holds its weights.

         A case that fails says with what; ``--gib`` limits the address space of each.
Answer   see results/large.jsonl and docs/benchmarks.md.
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike

import eventsim as es
from bench.harness import in_turn, parser, report
from bench.macro.balanced import DELAY, NEURON, G
from bench.macro.scaling import EXC_MV, FAN_OUT, INPUT_HZ, INPUT_MV, SHORT_MS
from eventsim.arrays import Precision

Shape = Literal["feedforward", "recurrent"]

SIZES, MILLION = (10_000, 100_000), 1_000_000
MS = 100.0
FORWARD_HZ, FORWARD_MV = 10.0, 1.2  # of inputs without a recurrent network behind
DRAWN = 10_000  # sources whose targets are drawn together
WARM = 2_000  # neurons of the network that loads the kernels: too many to share events
STATE_WORDS = 20  # numbers of a neuron that an event may touch: its state and its parameters
SECONDS = 900.0  # that a case may take


# Columns of the table that matter most.
FIRST = (
    "shape",
    "neurons",
    "precision",
    "weights",
    "run_s",
    "ns_per_event",
    "peak_mb",
    "build_s",
    "rate_hz",
)


def network(
    shape: Shape, n_neurons: int, seed: int = 0, dtype: DTypeLike = np.float64
) -> es.Network:
    """A network of one population, its weights of a type."""
    rng = np.random.default_rng(seed)
    unit = NEURON["tau_mem"] / NEURON["tau_syn"]
    n_inputs, drive = n_neurons, FORWARD_MV
    if shape == "recurrent":
        n_inputs, drive = n_neurons // 5, INPUT_MV
    net = es.Network(weight_dtype=dtype)
    net.add_input("input", n_inputs)
    net.add_population("neurons", n_neurons, **NEURON)
    wires = draw_wires(rng, np.full(n_inputs, drive * unit, dtype), n_neurons, own=True)
    net.connect("input", "neurons", wires, delays=DELAY)
    if shape == "recurrent":
        weights = np.where(np.arange(n_neurons) < 0.8 * n_neurons, EXC_MV, -G * EXC_MV)
        wires = draw_wires(rng, (weights * unit).astype(dtype), n_neurons, own=False)
        net.connect("neurons", "neurons", wires, delays=DELAY)
    return net


def events(shape: Shape, net: es.Network, duration: float, seed: int = 0) -> es.EventStream:
    """Poisson events of all inputs."""
    rng, n_inputs = np.random.default_rng(seed), net.input.size
    rate = INPUT_HZ if shape == "recurrent" else FORWARD_HZ
    channels = rng.integers(0, n_inputs, rng.poisson(n_inputs * rate * duration * 1e-3))
    samples = [(np.sort(rng.uniform(0.0, duration, channels.size)), channels)]
    return es.EventStream.from_samples(samples, n_channels=n_inputs, duration=duration)


def draw_wires(
    rng: np.random.Generator, weights: np.ndarray, n_targets: int, *, own: bool
) -> sp.csr_array:
    """At most FAN_OUT synapses per source, all of its weight; onto its own number if ``own``."""
    # One array: what is freed of many small ones stays with the process, and would be counted.
    targets, n = np.empty(weights.size * FAN_OUT, np.int32), 0
    counts = [np.zeros(1, np.int64)]
    for low in range(0, weights.size, DRAWN):
        source = np.arange(low, min(low + DRAWN, weights.size))[:, np.newaxis]
        target = rng.integers(0, n_targets, (source.size, FAN_OUT), dtype=np.int32)
        target.sort(axis=1)
        kept = np.ones(target.shape, bool) if own else target != source
        kept[:, 1:] &= target[:, 1:] != target[:, :-1]
        counts.append(kept.sum(axis=1))
        last = n + int(counts[-1].sum())
        targets[n:last], n = target[kept], last
    counted = np.concatenate(counts)
    index = np.cumsum(counted).astype(np.int32)
    entries = (np.repeat(weights, counted[1:]), targets[:n], index)
    return sp.csr_array(entries, shape=(weights.size, n_targets))


def resident(what: Literal["VmRSS", "VmHWM"]) -> int:
    """Bytes of the process in memory, now or at the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {what}; this benchmark needs Linux")


@contextmanager
def peak() -> Iterator[SimpleNamespace]:
    """Notes ``bytes`` in memory at the peak of the block, and its ``seconds``."""
    found = SimpleNamespace()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    yield found
    found.seconds = time.perf_counter() - began
    found.bytes = resident("VmHWM")


def caches() -> str:
    """Sizes of the caches of the first core."""
    folders = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    found = {(f / "level").read_text().strip(): (f / "size").read_text().strip() for f in folders}
    return ", ".join(f"L{level} {size}" for level, size in found.items())


def case_of(shape: Shape, n_neurons: int, precision: str, weights: str) -> str:
    """Its name; float64 weights are not in it, as before there were others."""
    return ", ".join([shape, str(n_neurons), precision, *([weights] * (weights != "float64"))])


def measure(
    shape: Shape,
    n_neurons: int,
    precision: Precision,
    weights: str,
    repeats: int,
    gradients: bool,
) -> dict[str, Any]:
    """One row of the table."""

    def run(net: es.Network, stream: es.EventStream) -> es.SpikeTape:
        return es.simulate(net, stream, backend="cpu", precision=precision)

    def back(net: es.Network, tape: es.SpikeTape) -> None:
        times = np.ones(len(tape["neurons"]))
        es.backward(net, tape, {"neurons": es.SpikeSeed(time=times)})

    small = network(shape, min(WARM, n_neurons), dtype=weights)
    tape = run(small, events(shape, small, MS))
    if gradients:
        back(small, tape)
    before = resident("VmRSS")
    with peak() as built:
        net = network(shape, n_neurons, dtype=weights)
    gc.collect()
    held = resident("VmRSS")
    n_synapses = sum(projection.values.size for projection in net.projections.values())
    stream = events(shape, net, MS)
    with peak() as first:
        tape = run(net, stream)
    with peak() as gone_back:
        if gradients:
            back(net, tape)
    short = events(shape, net, SHORT_MS)
    seconds = in_turn(
        {"fixed": lambda: run(net, short), "whole": lambda: run(net, stream)},
        repeats=repeats,
        warm_up=0,
    )
    fixed, whole = seconds["fixed"].minimum, seconds["whole"].minimum
    met, spikes = sum(tape.synaptic_events.values()), len(tape["neurons"])
    real = 4 if precision == "single" else 8
    return {
        "bench": "large",
        "case": case_of(shape, n_neurons, precision, weights),
        "shape": shape,
        "neurons": n_neurons,
        "precision": precision,
        "weights": weights,
        "fan_out": FAN_OUT,
        "ms": MS,
        "synapses": n_synapses,
        "synaptic_events": met,
        "rate_hz": spikes / n_neurons / MS * 1e3,
        "bytes_network": (held - before) / n_synapses,
        "bytes_built": (built.bytes - before) / n_synapses,
        "bytes_run": (first.bytes - before) / n_synapses,
        "bytes_gradients": (gone_back.bytes - before) / n_synapses if gradients else None,
        "peak_mb": first.bytes / 2**20,
        "build_s": built.seconds,
        "first_s": first.seconds,
        "clock": "CPU",
        "threads": 1,
        "run_s": whole,
        "fixed_s": fixed,
        "ns_per_event": 1e9 * (whole - fixed) / met,
        "state_mb": n_neurons * STATE_WORDS * real / 2**20,
        "synapses_mb": n_synapses * (4 + np.dtype(weights).itemsize) / 2**20,
        "caches": caches(),
        "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    }


def apart(
    shape: Shape, n_neurons: int, precision: str, weights: str, options: argparse.Namespace
) -> dict[str, Any]:
    """:func:`measure` in a process of its own, or what it failed with."""
    case = [shape, str(n_neurons), precision, weights]
    words = ["bench.macro.large", "--case", *case]
    words += ["--repeats", str(options.repeats), "--gib", str(options.gib)]
    words += ["--forward-only"] if options.forward_only else []
    name = {"bench": "large", "case": case_of(shape, n_neurons, precision, weights)}
    return name | row_of_process(words, SECONDS)


def row_of_process(words: list[str], seconds: float) -> dict[str, Any]:
    """The row that a module prints in a process of its own, or what it failed with."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if done.returncode == 0:
            row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return row
        said = done.stderr.strip().splitlines()
        failed = said[-1] if said else f"exit status {done.returncode}"
    except subprocess.TimeoutExpired:
        failed = f"took more than {seconds:g} s"
    return {"failed": failed, "after_s": time.perf_counter() - began}


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0], repeats=3)
    words.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    words.add_argument("--million", action="store_true", help="a million neurons, too")
    words.add_argument("--precisions", nargs="+", default=list(get_args(Precision)))
    words.add_argument("--weights", nargs="+", default=["float64", "float32"])
    words.add_argument("--forward-only", action="store_true", help="without gradients")
    words.add_argument("--gib", type=float, default=24.0, help="address space of a case")
    words.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    return words.parse_args()


def main() -> None:
    """All sizes, both shapes, both precisions."""
    options = _options()
    if options.case:
        limit = int(options.gib * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        shape, size, precision, weights = options.case
        gradients = not options.forward_only
        row = measure(shape, int(size), precision, weights, options.repeats, gradients)
        print(json.dumps(row))
        return
    sizes = [*options.sizes, *([MILLION] if options.million else [])]
    report(
        [
            apart(shape, size, precision, weights, options)
            for precision in options.precisions
            for weights in options.weights
            for shape in get_args(Shape)
            for size in sizes
        ],
        options,
        first=FIRST,
    )


if __name__ == "__main__":
    main()
