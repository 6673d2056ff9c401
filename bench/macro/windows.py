"""When is a loop faster by windows of its least delay than by its queue of events.

Method   One population with random lateral synapses, a fifth of the neurons inhibitory; inputs to
         100 neurons each, so many that in a window of one delay a neuron meets ``share`` of their
         events. Both ways give as many spikes, which is checked: in such a network roundings grow
         until spikes differ. One sample, one thread, minimum of the repeats. ``ratio`` is the
         queue's time over that of windows.
Answer   see results/windows.jsonl: windows pay from a share of about 0.25 on, from 0.03 with delays
         by synapse. A run does not ask for the share: eventsim.engine.algorithm takes 16 spikes/s
         of every source in its place.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import arguments, report, timed
from bench.macro.balanced import NEURON
from eventsim.engine import make_job
from eventsim.engine.algorithm import least_delay
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.registry import set_threads
from eventsim.engine.contract.windowing import make_windows
from eventsim.engine.cpu import queue_host
from eventsim.plan import make_plan

# Neurons, fan-out, least delay in ms, share; "spread": delays by synapse from there on, "0.1+ ms".
CASES: list[tuple[int, int, float, float, str]] = [
    (100, 100, 1.0, 0.1, "one"),
    (100, 100, 1.0, 1.0, "one"),
    (100, 10, 1.0, 10.0, "one"),
    (1_000, 100, 1.5, 0.1, "one"),
    (1_000, 100, 1.5, 0.25, "one"),
    (1_000, 100, 1.5, 1.0, "one"),
    (1_000, 100, 1.5, 10.0, "one"),
    (1_000, 1, 1.5, 1.0, "one"),
    (3_000, 100, 0.1, 0.25, "one"),
    (10_000, 100, 1.5, 0.1, "one"),
    (10_000, 100, 1.5, 1.0, "one"),
    # As nearly silent, and as busy, as recordings make a loop whose algorithm is the same for all.
    (200, 200, 0.1, 0.002, "one"),
    (128, 128, 1.0, 0.03, "one"),
    (128, 128, 1.0, 30.0, "one"),
    (1_000, 100, 0.01, 0.01, "spread"),
    (1_000, 100, 0.1, 0.1, "spread"),
    (15_000, 100, 0.01, 0.003, "spread"),
    (15_000, 100, 0.01, 0.01, "spread"),
    (15_000, 100, 0.1, 0.1, "spread"),
]
LONGEST_MS, MOST_EVENTS = 300.0, 3e6

# The two ways may differ by this share of the spikes.
SPIKES_RTOL = 0.05


def workload(n: int, fan_out: int, delay: float, share: float, delays: str) -> Job:
    """The job of the loop."""
    rng = np.random.default_rng(0)
    net, n_inputs = es.Network(), max(n // 5, 8)
    net.add_input("input", n_inputs)
    net.add_population("neurons", n, **NEURON)
    drive = sp.random_array((n_inputs, n), density=min(1, 100 / n), format="csr", rng=rng)
    drive.data[:] = 14.0
    lateral = sp.random_array((n, n), density=min(1, fan_out / n), format="csr", rng=rng)
    excites = rng.random(lateral.nnz) < 0.8
    lateral.data[:] = np.where(excites, 6.0, -30.0) * (100 / fan_out)
    lateral.setdiag(0)
    lateral.eliminate_zeros()
    net.connect("input", "neurons", drive)
    later = rng.uniform(delay, delay + 2.0, lateral.nnz)
    later[:: max(1, lateral.nnz // 20)] = delay
    net.connect(
        "neurons", "neurons", sp.csr_array(lateral), delays=later if delays == "spread" else delay
    )
    rate = share * n / delay  # synaptic events per ms
    duration = max(20 * delay, min(LONGEST_MS, MOST_EVENTS / rate))
    count = rng.poisson(rate * n_inputs / drive.nnz * duration)
    events = (np.sort(rng.uniform(0, duration, count)), rng.integers(0, n_inputs, count))
    stream = es.EventStream.from_samples([events], n_channels=n_inputs, duration=duration)
    plan = make_plan(net)
    return make_job(plan, plan.stages[0], replace(es.simulate(net, stream), trains={}))


def measure(case: tuple[int, int, float, float, str], repeats: int) -> dict[str, Any]:
    """One row."""
    job = workload(*case)
    prepared = queue_host.prepare(job)
    found, seconds = [], []
    windows = make_windows(job, least_delay(job.stage))
    for run in (
        lambda: queue_host.by_queue(job, prepared),
        lambda: queue_host.by_windows(job, prepared, windows),
    ):
        found.append(run())
        seconds.append(timed(run, repeats=repeats).minimum)
    if not np.isclose(len(found[0]), len(found[1]), rtol=SPIKES_RTOL):
        raise SystemExit(
            f"{case}: {len(found[0])} spikes by the queue, {len(found[1])} by windows."
        )
    more = "+" if case[4] == "spread" else ""
    return {
        "bench": "windows",
        "case": f"{case[0]} to {case[1]} neurons, {case[2]}{more} ms, share {case[3]}",
        "spikes": len(found[0]),
        "queue_s": seconds[0],
        "windows_s": seconds[1],
        "ratio": seconds[0] / seconds[1],
    }


def main() -> None:
    """All cases."""
    options = arguments(__doc__.splitlines()[0])
    set_threads(1, backend="cpu")
    report([measure(case, options.repeats) for case in CASES], options)


if __name__ == "__main__":
    main()
