"""What does one network over many processes cost, and what would a cluster make of it.

Method   A balanced random network, four fifths excitatory: every neuron has 80 excitatory, 20
         inhibitory and 100 input sources, delay 1.5 ms, neurons as in bench.macro.balanced; 1,000
         Poisson inputs at 20/s. 300 ms, double precision, one thread a process, all processes of
         MPICH on one machine of 2 cores: 4 and 8 processes share them, so that only CPU time says
         what a machine of as many cores would need.

         strong   the same network on 1, 2, 4 and 8 processes; ``spikes_sha`` must be one.
         weak     as many neurons in every process.
         beside   the whole network in one process: ``simulate``, and NEST (iaf_psc_exp_ps, 0.1 ms),
                  if it is installed, with the same synapses and events, CPU time of the run alone.
                  ``first_differing_spike_ms`` is where NEST leaves the spikes of one process.
         paper    from the measured numbers to clusters, see :func:`on_paper`.

         ``run_s`` is by the wall's clock, of the slowest process; ``cpu_s`` the CPU time of the
         busiest process outside of MPI, which waits by spinning, and ``mpi_s`` what it spent there.
         Drawing the network is apart, ``build_cpu_s``.
         Bytes and messages are what a process sends in a window, on average. ``memory_mb`` is the
         largest peak of a process above that of a process with a network of 320 neurons.
Answer   see results/ranks.jsonl and docs/benchmarks.md.
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import parser, report
from bench.macro.balanced import DELAY, NEURON, Balanced, Outcome, nest_run, spike_by_spike
from eventsim.ranks import RandomNetwork, RankRun, simulate_ranks
from eventsim.ranks.exchange import World

ROOT = Path(__file__).parents[2]
CHANNELS, RATE_HZ, INPUT, WEIGHT, G = 1_000, 20.0, 6.0, 10.0, 6.0
IN_DEGREE = {"input": 100, "exc": 80, "inh": 20}
PROCESSES = (1, 2, 4, 8)
MATCH_MS = 20.0

# What on_paper() takes for a cluster: seconds of a message, bytes a second of a process, and spikes
# a second of a neuron. The first two are those of InfiniBand among many processes of a node.
LATENCY_S, BYTES_PER_S, SPIKES_HZ = 2e-6, 1e9, 10.0
# (neurons, processes, synapses of a neuron)
CLUSTERS = (
    (10**5, 1, 200),
    (10**6, 10, 200),
    (10**7, 100, 200),
    (10**8, 1_000, 200),
    (10**8, 10_000, 200),
    (10**8, 10_000, 1_000),
)


# Columns of the table that matter most.
FIRST = ("case", "neurons", "processes", "run_s", "cpu_s", "mpi_s", "memory_mb", "spikes")


def network(n: int) -> RandomNetwork:
    """The rules for ``n`` neurons."""
    net = RandomNetwork(seed=1)
    net.add_input("input", CHANNELS)
    net.add_population("exc", n * 4 // 5, **NEURON)
    net.add_population("inh", n - n * 4 // 5, **NEURON)
    weights = {"input": INPUT, "exc": WEIGHT, "inh": -G * WEIGHT}
    for target in ("exc", "inh"):
        for source, k in IN_DEGREE.items():
            rule = es.fixed_indegree(k, allow_multapses=False, allow_autapses=False)
            net.connect(source, target, weights[source], rule=rule, delays=DELAY)
    return net


def stream(duration: float) -> es.EventStream:
    """Poisson events on all channels."""
    rng = np.random.default_rng(0)
    count = rng.poisson(CHANNELS * RATE_HZ * duration * 1e-3)
    events = (np.sort(rng.uniform(0.1, duration, count)), rng.integers(0, CHANNELS, count))
    return es.EventStream.from_samples([events], n_channels=CHANNELS, duration=duration)


def process(n: int, duration: float, path: Path) -> None:
    """One of the processes of a measurement; the first writes the row."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    simulate_ranks(network(320), stream(3.0), world)  # loads kernels
    before, began = _peak_mb(), time.process_time()
    network(n).part(world.Get_size(), world.Get_rank())
    built = time.process_time() - began
    run = simulate_ranks(network(n), stream(duration), world)
    mine = _facts(run) | {"build_cpu_s": built, "memory_mb": _peak_mb() - before}
    mine["spikes_sha"] = digest(run, world)
    everyone = world.allgather(mine)
    if world.Get_rank() == 0:
        path.write_text(json.dumps(_row(everyone, n, duration)))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _facts(run: RankRun) -> dict[str, Any]:
    traffic = run.traffic
    return {
        "synapses": run.n_synapses,
        "windows": traffic.windows,
        "run_s": run.seconds["run"],
        "cpu_s": run.seconds["cpu"],
        "mpi_s": traffic.seconds,
        "bytes_per_window": traffic.bytes / traffic.windows,
        "messages_per_window": traffic.messages / traffic.windows,
        "spikes": sum(len(trains) for trains in run.trains.values()),
        "synaptic_events": sum(run.synaptic_events.values()),
    }


def digest(run: RankRun, world: World | None) -> str:
    """Of all spikes of all processes, to the bit."""
    found = hashlib.sha256()
    for trains in run.gather(world).values():
        found.update(trains.times.tobytes() + trains.neurons.tobytes())
    return found.hexdigest()[:16]


def _row(everyone: list[dict[str, Any]], n: int, duration: float) -> dict[str, Any]:
    """Of all processes: sums of what they had, the most of what each took."""
    total = {key: sum(one[key] for one in everyone) for key in ("spikes", "synaptic_events")}
    most = ("synapses", "windows", "build_cpu_s", "run_s", "cpu_s", "mpi_s", "memory_mb")
    mean = ("bytes_per_window", "messages_per_window")
    (sha,) = {one["spikes_sha"] for one in everyone}
    return (
        {"bench": "ranks", "neurons": n, "processes": len(everyone), "ms": duration}
        | {key: max(one[key] for one in everyone) for key in most}
        | {key: sum(one[key] for one in everyone) / len(everyone) for key in mean}
        | total
        | {"rate_hz": total["spikes"] / n / duration * 1e3, "spikes_sha": sha}
    )


def measured(n: int, duration: float, processes: int) -> dict[str, Any]:
    """A row, by mpiexec."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.json"
        beside = Path(sys.executable).parent / "mpiexec"
        command = [str(beside) if beside.exists() else "mpiexec", "-n", str(processes)]
        command += [sys.executable, "-m", "bench.macro.ranks"]
        command += ["--process", str(path), "--neurons", str(n), "--duration", str(duration)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "EVENTSIM_THREADS": "1"}
        subprocess.run(command, check=True, env=environment, cwd=ROOT)
        return json.loads(path.read_text())


def beside(n: int, duration: float) -> list[dict[str, Any]]:
    """The same network in one process of other programs."""
    net, events = network(n).whole(), stream(duration)
    case = as_balanced(net, events)
    common = {"bench": "ranks beside", "neurons": n, "ms": duration}
    es.simulate(network(320).whole(), stream(3.0), backend="cpu")
    began = time.process_time()
    tape = es.simulate(net, events, backend="cpu")
    seconds = time.process_time() - began
    rows = [common | {"case": "simulate", "cpu_s": seconds, "spikes": _n_spikes(tape)}]
    rows[0]["synaptic_events"] = sum(tape.synaptic_events.values())
    run = simulate_ranks(network(n), events)
    mine = _joined(run, case.n_exc)
    row = common | {"case": "NEST iaf_psc_exp_ps"}
    try:
        found = nest_run(case)()
    except ImportError as error:
        return [*rows, row | {"missing": f"not installed: {error}"}]
    row |= {"cpu_s": found.seconds["run_s"], "synaptic_events": rows[0]["synaptic_events"]}
    row |= spike_by_spike(mine, found, MATCH_MS)
    return [*rows, row | {"spikes": found.times.size}]


def _joined(run: RankRun, n_exc: int) -> Outcome:
    """The spikes of both populations, in order of time."""
    exc, inh = run.trains["exc"], run.trains["inh"]
    times = np.concatenate([exc.times, inh.times])
    order = np.argsort(times, kind="stable")
    return Outcome(times[order], np.concatenate([exc.neurons, inh.neurons + n_exc])[order], {})


def _n_spikes(tape: es.SpikeTape) -> int:
    return sum(len(trains) for trains in tape.trains.values())


def as_balanced(net: es.Network, events: es.EventStream) -> Balanced:
    """The network as bench.macro.balanced hands it to NEST."""
    names = ("exc", "inh")

    def joined(sources: tuple[str, ...]) -> sp.csr_array:
        rows = [[net.projections[f"{s}->{t}"].weights for t in names] for s in sources]
        return sp.csr_array(sp.block_array(rows))

    sizes = [net.populations[name].size for name in names]
    duration = float(events.duration[0])
    return Balanced(
        *sizes, joined(("input",)), joined(names), events.times, events.channels, duration
    )


def on_paper(row: dict[str, Any]) -> list[dict[str, Any]]:
    """What clusters would make of it: seconds of a second of the network.

    A process of n neurons works ``c`` seconds per synaptic event, as measured on one process, for
    synapses times rate events (inputs at their own rate). In a window of the delay each of its
    spikes goes to the processes that have one of its targets, of K targets on P processes

        P (1 - (1 - 1/P)^K)

    on average. A window has two collective calls; the first sends 8 bytes to everyone in log2 P
    rounds, the second is taken for P - 1 messages of their own, each with its latency. Nothing
    overlaps. 12 bytes a spike; 20 bytes a synapse stay in memory: target, weight, and weight times
    resistance.
    """
    cost = row["cpu_s"] / row["synaptic_events"]
    found = []
    for n, p, synapses in CLUSTERS:
        mine, fan_out = n / p, synapses / 2
        windows = 1e3 / DELAY
        events = mine * synapses / 2 * (SPIKES_HZ + RATE_HZ)
        listeners = (p - 1) * (1.0 - (1.0 - 1.0 / p) ** fan_out)
        sent = 12.0 * mine * SPIKES_HZ * listeners / windows
        rounds = np.ceil(np.log2(p))
        latency = windows * LATENCY_S * (rounds + p - 1)
        wire = windows * (sent + 4.0 * p * rounds) / BYTES_PER_S
        found.append(
            {"bench": "ranks on paper", "case": "paper", "neurons": n, "processes": p}
            | {"synapses_per_neuron": synapses, "work_s": events * cost}
            | {"latency_s": float(latency), "wire_s": float(wire)}
            | {"seconds_per_second": float(events * cost + latency + wire)}
            | {"kb_per_window": sent / 1e3, "synapse_gb": 20e-9 * mine * synapses}
            | {"ns_per_event": 1e9 * cost, "latency_us": 1e6 * LATENCY_S}
            | {"gb_per_s": 1e-9 * BYTES_PER_S, "rate_hz": SPIKES_HZ}
        )
    return found


def main() -> None:
    """All rows, or, as one process of a measurement, a part of one."""
    words = parser(__doc__.splitlines()[0], repeats=1)
    words.add_argument("--neurons", type=int, default=20_000, help="of the strong scaling")
    words.add_argument("--each", type=int, default=10_000, help="per process, weak scaling")
    words.add_argument("--duration", type=float, default=300.0, help="biological time in ms")
    words.add_argument("--process", metavar="FILE", help="used by this benchmark itself")
    options = words.parse_args()
    if options.process:
        process(options.neurons, options.duration, Path(options.process))
        return
    rows = []
    for p in PROCESSES:
        rows.append({"case": "strong"} | measured(options.neurons, options.duration, p))
    if len({row["spikes_sha"] for row in rows}) != 1:
        raise SystemExit(f"Spikes differ: {[row['spikes_sha'] for row in rows]}")
    for p in PROCESSES:
        rows.append({"case": "weak"} | measured(options.each * p, options.duration, p))
    rows += beside(options.neurons, options.duration)
    rows += on_paper(rows[0])
    report(
        rows,
        options,
        device={"load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"},
        first=FIRST,
    )


if __name__ == "__main__":
    main()
