"""How fast and how exact is a balanced random network, beside Brian2 and NEST.

Method   4,000 excitatory and 1,000 inhibitory neurons, 10 % connectivity, delay 1.5 ms, g = 6;
         current-based, tau_mem 20 ms, tau_syn 2 ms, threshold 20 mV, reset 10 mV, refractory 2 ms;
         1,000 Poisson inputs at 20/s, each to 10 % of the neurons. All simulators get the same
         synapses and input events. 1 s, one sample, the simulators in turn, all in CPU time, on one
         thread but for the row that says so:

         eventsim  ``simulate`` as a whole, double and single precision, kernels compiled.
                   ``wall_s`` is by the wall's clock, for one thread beside two. All weights of a
                   projection are the same here, which it notices; where "weights differ", in
                   their ninth digit, it reads each.
         Brian2    C++ standalone, dt = 0.1 ms, exact integration, homogeneous delays. ``run_s`` is
                   the CPU time of its loop as its own program reports it (std::clock), ``whole_s``
                   that of the program with its synapses. Compiling is not counted. It has a
                   weight a synapse, or, where "weights shared", constants in its equations.
         NEST      iaf_psc_exp_ps, resolution 0.1 ms, precise spike times: ``run_s`` is Simulate
                   alone. Its first 50 ms are compared with eventsim's spike by spike.

         Rate, CV of inter-spike intervals (neurons with 5 or more) and synchrony are those of the
         excitatory neurons after 100 ms. Synchrony is the variance of their summed count in bins of
         2 ms over the sum of the variances: 1 if they are independent. A simulator that is not
         installed is left out and named.
Answer   see results/balanced.jsonl and docs/benchmarks.md.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import parser, report
from eventsim.engine.contract.registry import set_threads
from eventsim.processors import threads_asked

NEURON = {"tau_mem": 20.0, "tau_syn": 2.0, "threshold": 20.0, "v_reset": 10.0, "refractory": 2.0}
DELAY, DENSITY, G, STEP = 1.5, 0.1, 6.0, 0.1
EXC_MV, INPUT_MV, INPUT_HZ = 0.6, 0.9, 20.0
MATCH_MS = 50.0  # of spike-by-spike comparison
CLOSE_MS = 1e-6  # two spikes at most that far apart are one
SKIPPED_MS, BIN_MS = 100.0, 2.0

# Columns of the table that matter most.
FIRST = (
    "case",
    "missing",
    "clock",
    "run_s",
    "times_eventsim_double",
    "spikes",
    "rate_hz",
    "ns_per_event",
)


@dataclass(frozen=True, eq=False)
class Balanced:
    """Synapses [source, target] in pA or mV, and input events; inhibitory neurons come last."""

    n_exc: int
    n_inh: int
    inputs: sp.csr_array
    lateral: sp.csr_array
    times: np.ndarray
    channels: np.ndarray
    duration: float

    @property
    def size(self) -> int:
        return self.n_exc + self.n_inh


@dataclass(frozen=True, eq=False)
class Outcome:
    """Spikes of all neurons in order of (time, neuron), and seconds by name."""

    times: np.ndarray
    neurons: np.ndarray
    seconds: dict[str, float]
    events: int = 0


def workload(scale: float, duration: float, seed: int = 0) -> Balanced:
    """The network at ``scale`` times its size; weights keep the mean drive."""
    rng = np.random.default_rng(seed)
    n_exc, n_inh, n_inputs = int(4000 * scale), int(1000 * scale), int(1000 * scale)
    size = n_exc + n_inh
    unit = 10.0 / scale  # current whose response has the area of 1 mV over tau_mem, at scale 1
    lateral = sp.random_array((size, size), density=DENSITY, format="csr", rng=rng)
    row = np.repeat(np.arange(size), np.diff(lateral.indptr))
    lateral.data = np.where(row < n_exc, EXC_MV, -G * EXC_MV) * unit
    lateral = sp.csr_array(sp.csr_array(lateral - sp.diags_array(lateral.diagonal())))
    lateral.eliminate_zeros()
    inputs = sp.random_array((n_inputs, size), density=DENSITY, format="csr", rng=rng)
    inputs.data = np.full(inputs.nnz, INPUT_MV * unit)
    channels = rng.integers(0, n_inputs, rng.poisson(n_inputs * INPUT_HZ * duration * 1e-3))
    times = np.sort(rng.uniform(STEP, duration, channels.size))
    # Brian2 takes one event of a channel in a step.
    steps = np.floor(times / STEP).astype(np.int64)
    _, kept = np.unique(np.stack([steps, channels]), axis=1, return_index=True)
    kept = np.sort(kept)
    return Balanced(n_exc, n_inh, inputs, lateral, times[kept], channels[kept], duration)


def differing(case: Balanced) -> Balanced:
    """The same, but that weights differ in their ninth digit, so that each has to be read."""
    rng = np.random.default_rng(1)
    inputs, lateral = case.inputs.copy(), case.lateral.copy()
    for matrix in (inputs, lateral):
        matrix.data = matrix.data * rng.uniform(1.0 - 1e-9, 1.0 + 1e-9, matrix.nnz)
    return replace(case, inputs=inputs, lateral=lateral)


def network(case: Balanced) -> tuple[es.Network, es.EventStream]:
    """Two populations in one component, and their input."""
    cut, net = case.n_exc, es.Network()
    net.add_input("input", case.inputs.shape[0])
    net.add_population("exc", case.n_exc, **NEURON)
    net.add_population("inh", case.n_inh, **NEURON)
    for target, to in (("exc", slice(0, cut)), ("inh", slice(cut, None))):
        net.connect("input", target, sp.csr_array(case.inputs[:, to]), delays=DELAY)
        net.connect("exc", target, sp.csr_array(case.lateral[:cut, to]), delays=DELAY)
        net.connect("inh", target, sp.csr_array(case.lateral[cut:, to]), delays=DELAY)
    stream = es.EventStream.from_samples(
        [(case.times, case.channels)], n_channels=case.inputs.shape[0], duration=case.duration
    )
    return net, stream


def eventsim_run(case: Balanced, precision: Any, threads: int = 1) -> Callable[[], Outcome]:
    """``simulate`` is timed."""
    cut, (net, stream) = case.n_exc, network(case)

    def run() -> Outcome:
        set_threads(threads, backend="cpu")
        began, wall = time.process_time(), time.perf_counter()
        tape = es.simulate(net, stream, backend="cpu", precision=precision)
        seconds = {"run_s": time.process_time() - began, "wall_s": time.perf_counter() - wall}
        times = np.concatenate([tape["exc"].times, tape["inh"].times])
        neurons = np.concatenate([tape["exc"].neurons, tape["inh"].neurons + cut])
        return _ordered(times, neurons, seconds, sum(tape.synaptic_events.values()))

    return run


def brian2_run(case: Balanced, folder: str, *, shared: bool = False) -> Callable[[], Outcome]:
    """Compile a standalone program once, in a process of its own; each call runs it.

    ``shared``: the three kinds of synapses have a constant each in place of a weight a synapse.
    """
    if find_spec("brian2") is None:
        raise ImportError("No module named 'brian2'")
    process = ProcessPoolExecutor(1, get_context("spawn"))
    process.submit(_build_brian2, case, folder, shared).result()
    return lambda: process.submit(_run_brian2).result()


# Of the process of one program of Brian2: runs it.
_program: list[Callable[[], Outcome]] = []


def _run_brian2() -> Outcome:
    return _program[0]()


def _build_brian2(case: Balanced, folder: str, shared: bool) -> None:
    import brian2 as b2

    b2.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b2.defaultclock.dt = STEP * b2.ms
    group = b2.NeuronGroup(
        case.size,
        """dv/dt = (current - v) / tau_mem : 1 (unless refractory)
        dcurrent/dt = -current / tau_syn : 1""",
        threshold="v >= threshold",
        reset="v = v_reset",
        refractory=NEURON["refractory"] * b2.ms,
        method="exact",
        namespace={
            "tau_mem": NEURON["tau_mem"] * b2.ms,
            "tau_syn": NEURON["tau_syn"] * b2.ms,
            "threshold": NEURON["threshold"],
            "v_reset": NEURON["v_reset"],
        },
    )
    source = b2.SpikeGeneratorGroup(case.inputs.shape[0], case.channels, case.times * b2.ms)
    parts = [group, source, monitor := b2.SpikeMonitor(group)]
    rows = np.arange(case.size) < case.n_exc
    kinds = (
        [(group, case.lateral)]
        if not shared
        else [
            (group, sp.csr_array(sp.diags_array(mine.astype(float)) @ case.lateral))
            for mine in (rows, ~rows)
        ]
    )
    for pre, matrix in ((source, case.inputs), *kinds):
        entries = sp.csr_array(matrix).tocoo()
        there = entries.data != 0.0
        given = (pre, group) if shared else (pre, group, "w : 1")
        add = (
            f"current_post += {float(entries.data[there][0])!r}" if shared else "current_post += w"
        )
        wires = b2.Synapses(*given, on_pre=add, delay=DELAY * b2.ms)
        wires.connect(i=entries.row[there], j=entries.col[there])
        if not shared:
            wires.w = entries.data[there]
        parts.append(wires)
    network = b2.Network(parts)
    network.run(case.duration * b2.ms)
    b2.device.build(directory=folder, compile=True, run=False)

    def run() -> Outcome:
        began = _cpu_of_children()
        b2.device.run(folder, with_output=False, run_args=[])
        whole = _cpu_of_children() - began
        seconds = {"run_s": float(b2.device._last_run_time), "whole_s": whole}
        return _ordered(np.array(monitor.t / b2.ms), np.array(monitor.i), seconds)

    _program.append(run)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def nest_run(case: Balanced) -> Callable[[], Outcome]:
    """NEST in a process of its own: beside the threads of Numba, which eventsim had, it crashed."""
    if find_spec("nest") is None:
        raise ImportError("No module named 'nest'")
    process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    return lambda: process.submit(_nest, case).result()


def _nest(case: Balanced) -> Outcome:
    """Builds the network anew; V in mV, currents in pA, C = tau_mem."""
    import nest

    nest.verbosity = nest.VerbosityLevel.FATAL
    nest.ResetKernel()
    nest.resolution = STEP
    neurons = nest.Create("iaf_psc_exp_ps", case.size)
    neurons.set(
        tau_m=NEURON["tau_mem"], C_m=NEURON["tau_mem"], t_ref=NEURON["refractory"],
        tau_syn_ex=NEURON["tau_syn"], tau_syn_in=NEURON["tau_syn"],
        E_L=0.0, V_m=0.0, V_th=NEURON["threshold"], V_reset=NEURON["v_reset"],
    )  # fmt: skip
    sources = nest.Create("spike_generator", case.inputs.shape[0], {"precise_times": True})
    for k in range(case.inputs.shape[0]):
        sources[k].spike_times = case.times[case.channels == k].tolist()
    for pre, matrix in ((sources, case.inputs), (neurons, case.lateral)):
        entries = matrix.tocoo()
        nest.Connect(
            entries.row + pre.tolist()[0], entries.col + neurons.tolist()[0], "one_to_one",
            {"weight": entries.data, "delay": np.full(entries.nnz, DELAY)},
        )  # fmt: skip
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    began = time.process_time()
    nest.Simulate(case.duration)
    seconds = time.process_time() - began
    found = recorder.get("events")
    return _ordered(found["times"], found["senders"] - neurons.tolist()[0], {"run_s": seconds})


def _ordered(
    times: np.ndarray, neurons: np.ndarray, seconds: dict[str, float], events: int = 0
) -> Outcome:
    order = np.lexsort((neurons, times))
    return Outcome(times[order], neurons[order], seconds, events)


def statistics(
    outcome: Outcome, n_neurons: int, duration: float, skipped: float = SKIPPED_MS
) -> dict[str, float | None]:
    """Rate, irregularity and synchrony of the first neurons, after ``skipped`` ms."""
    tape = tape_of(outcome, n_neurons, duration)
    with warnings.catch_warnings(category=RuntimeWarning, action="ignore"):  # no neuron has a CV
        cv = float(np.nanmean(es.activity.cv(tape, "first", begin=skipped)))
    synchrony = float(es.activity.synchrony(tape, "first", width=BIN_MS, begin=skipped)[0])
    return {
        "rate_hz": float(es.activity.rates(tape, "first", begin=skipped).mean()),
        "cv_isi": None if np.isnan(cv) else cv,
        "synchrony": None if np.isnan(synchrony) else synchrony,
    }


def tape_of(outcome: Outcome, n_neurons: int, duration: float) -> es.SpikeTape:
    """Spikes of the first neurons as a tape, whoever computed them."""
    mine = outcome.neurons < n_neurons
    times, neurons = outcome.times[mine], outcome.neurons[mine].astype(np.int32)
    order, nothing = np.lexsort((neurons, times)), np.full(times.size, np.nan)
    trains = es.SpikeTrains(
        times[order], neurons[order], np.array([0, times.size]), n_neurons,
        current=nothing, restart_current=nothing,
    )  # fmt: skip
    silent = es.EventStream([], [], [0, 0], n_channels=1, duration=duration)
    return es.SpikeTape(silent, {"first": trains}, {}, "", "double")


def spike_by_spike(mine: Outcome, theirs: Outcome, until: float) -> dict[str, Any]:
    """The k-th spike of every neuron against the k-th, and when the first pair differs."""
    a, b = _numbered(mine), _numbered(theirs)
    keys = {**dict.fromkeys(a), **dict.fromkeys(b)}
    gaps, apart = [], [np.inf]
    for key in keys:
        one, two = a.get(key, np.inf), b.get(key, np.inf)
        if abs(one - two) > CLOSE_MS:
            apart.append(min(one, two))
        elif min(one, two) < until:
            gaps.append(abs(one - two))
    first = min(apart)
    return {
        "compared_ms": until,
        "spikes": int((mine.times < until).sum()),
        "nest_spikes": int((theirs.times < until).sum()),
        "equal_within_1e-6_ms": len(gaps),
        "median_gap_ms": float(np.median(gaps)) if gaps else None,
        "largest_gap_ms": float(max(gaps)) if gaps else None,
        "first_differing_spike_ms": first if np.isfinite(first) else None,
    }


def _numbered(outcome: Outcome) -> dict[tuple[int, int], float]:
    seen: dict[int, int] = {}
    spikes = {}
    for t, n in zip(outcome.times.tolist(), outcome.neurons.tolist(), strict=True):
        seen[n] = seen.get(n, -1) + 1
        spikes[n, seen[n]] = t
    return spikes


def _simulators(case: Balanced, folder: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Callables by name, and what is not there and why."""
    apart = differing(case)
    runs: dict[str, Any] = {
        "eventsim double": eventsim_run(case, "double"),
        "eventsim single": eventsim_run(case, "single"),
        "eventsim double, weights differ": eventsim_run(apart, "double"),
        "eventsim single, weights differ": eventsim_run(apart, "single"),
    }
    if threads_asked() > 1:
        runs["eventsim single, 2 threads"] = eventsim_run(case, "single", threads=2)
    missing = {}
    for name, make in (
        ("Brian2 C++", lambda: brian2_run(case, f"{folder}/by_synapse")),
        ("Brian2 C++, weights shared", lambda: brian2_run(case, f"{folder}/shared", shared=True)),
        ("NEST ps", lambda: nest_run(case)),
    ):
        try:
            runs[name] = make()
        except ImportError as error:
            missing[name] = f"not installed: {error}"
    return runs, missing


def _versions() -> dict[str, str]:
    found = {"load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"}
    for package in ("brian2", "nest-simulator"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    gcc = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=False)
    return found | {"g++": gcc.stdout.strip()}


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0], repeats=3)
    words.add_argument("--scale", type=float, default=1.0, help="0.1 for 400 + 100 neurons")
    words.add_argument("--duration", type=float, default=1000.0, help="biological time in ms")
    return words.parse_args()


def main() -> None:
    """All simulators in turn, a few times."""
    options = _options()
    case = workload(options.scale, options.duration)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        runs, missing = _simulators(case, folder)
        outcomes = {name: [run()] for name, run in runs.items()}  # compiles, loads
        for _ in range(options.repeats):
            for name, run in runs.items():
                outcomes[name].append(run())
    base = min(o.seconds["run_s"] for o in outcomes["eventsim double"][1:])
    loop = min((o.seconds["run_s"] for o in outcomes.get("Brian2 C++", [])[1:]), default=None)
    events = outcomes["eventsim double"][-1].events
    for name, found in outcomes.items():
        seconds = {key: min(o.seconds[key] for o in found[1:]) for key in found[0].seconds}
        rows.append(
            {"bench": "balanced", "case": name, "neurons": case.size, "ms": case.duration}
            | {"clock": "CPU", "threads": 2 if name.endswith("2 threads") else 1}
            | seconds
            | {"times_eventsim_double": seconds["run_s"] / base, "spikes": found[-1].times.size}
            | ({} if loop is None else {"times_brian2_loop": seconds["run_s"] / loop})
            | statistics(found[-1], case.n_exc, case.duration)
            | {"synaptic_events": found[-1].events or events}
            | {"ns_per_event": 1e9 * seconds["run_s"] / (found[-1].events or events)}
        )
    if "NEST ps" in outcomes:
        match = spike_by_spike(outcomes["eventsim double"][-1], outcomes["NEST ps"][-1], MATCH_MS)
        rows.append({"bench": "balanced", "case": "double against NEST ps"} | match)
    rows += [{"bench": "balanced", "case": k, "missing": why} for k, why in missing.items()]
    report(rows, options, device=_versions(), first=FIRST)


if __name__ == "__main__":
    main()
