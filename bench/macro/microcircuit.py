"""How fast is the cortical microcircuit, with a delay of its own for every synapse, beside NEST.

Method   The network of bench/macro/potjans_diesmann.py at ``--scale``, for ``--duration`` ms.
         Input from outside is a constant current of the same mean, or ``--poisson``. Every case is
         a process of its own.

         eventsim  ``simulate`` as a whole, single and double precision, on ``--threads``; weights
                   and delays in single precision. ``first_s`` is the CPU time of the first call,
                   in which the network is planned, ``run_s`` the least of the later ones.
         NEST      ``iaf_psc_exp`` with a grid of 0.1 ms, and ``iaf_psc_exp_ps``, whose spikes are
                   off the grid; delays are multiples of 0.1 ms for both. ``run_s`` is the CPU time
                   of its Run alone. Both run at ``--nest`` times the size, and eventsim, too.

         ``cpu_s_per_s`` is CPU time for a second of biology, ``wall_s_per_s`` time by the clock on
         the wall. ``ns_per_event`` is ``run_s`` over synaptic events; those of NEST are its spikes
         times the mean out-degree of their population, and the mean number of Poisson events.
         Bytes are those of the process's memory above what it had before, by synapse: of the
         network, and at the peak of the first run.

         Rates (spikes/s by population, beside the published ones), the CV of inter-spike intervals
         (neurons with 5 or more) and synchrony (as in balanced.py) are those after the first three
         tenths, CV and synchrony of the neurons of L4E. With a constant current a network below a
         scale of about 0.2 falls silent: nothing there is noise but its own spikes.

         A simulator that is not installed is left out and named. ``pip install nest-simulator``
         gives NEST 3.10.
Answer   see results/microcircuit.jsonl and docs/benchmarks.md.
"""

import argparse
import gc
import json
import time
from importlib.util import find_spec
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from bench.macro import potjans_diesmann as model
from bench.macro.balanced import Outcome, statistics
from bench.macro.large import peak, resident, row_of_process
from eventsim.arrays import Precision
from eventsim.engine.contract.registry import set_threads

PRECISIONS: tuple[Precision, ...] = ("single", "double")
STEP = 0.1  # ms, of NEST
NEST = {"NEST grid": "iaf_psc_exp", "NEST precise": "iaf_psc_exp_ps"}
NEST_SCALE = 0.2  # beyond which NEST takes minutes
WARM = 0.02  # scale of the network that loads the kernels
SKIPPED = 0.3  # of the duration, before rates are counted
SECONDS = 3600.0  # that a case may take
FIRST = (
    "case",
    "missing",
    "scale",
    "synapses",
    "build_s",
    "run_s",
    "cpu_s_per_s",
    "ns_per_event",
    "bytes_network",
    "bytes_run",
    "cv_isi",
    "synchrony",
    *model.NAMES,
)


def measure(precision: Precision, options: argparse.Namespace) -> dict[str, Any]:
    """The row of eventsim."""
    scale, ms = options.scale, options.duration

    def run(net: es.Network, stream: es.EventStream) -> tuple[es.SpikeTape, float, float]:
        began, wall = time.process_time(), time.perf_counter()
        tape = es.simulate(net, stream, backend="cpu", precision=precision)
        return tape, time.process_time() - began, time.perf_counter() - wall

    set_threads(options.threads, backend="cpu")
    warm = min(WARM, scale)
    run(
        model.network(warm, poisson=options.poisson),
        model.events(warm, 5.0, poisson=options.poisson),
    )
    gc.collect()
    before, began = resident("VmRSS"), time.process_time()
    net = model.network(scale, poisson=options.poisson)
    built = time.process_time() - began
    gc.collect()
    held = resident("VmRSS")
    stream = model.events(scale, ms, poisson=options.poisson)
    with peak() as first:
        tape, first_s, _ = run(net, stream)
    runs = [run(net, stream)[1:] for _ in range(options.repeats)]
    cpu, wall = min(runs)
    events = sum(tape.synaptic_events.values())
    n = sum(projection.values.size for projection in net.projections.values())
    return (
        {"threads": options.threads, "synapses": n, "build_s": built, "first_s": first_s}
        | timing(cpu, wall, ms, events)
        | {"bytes_network": (held - before) / n, "bytes_run": (first.bytes - before) / n}
        | activity({name: (tape[name].times, tape[name].neurons) for name in model.NAMES}, options)
    )


def nest_row(neuron: str, options: argparse.Namespace) -> dict[str, Any]:
    """The row of NEST."""
    import nest

    scale, ms = options.scale, options.duration
    nest.verbosity = nest.VerbosityLevel.FATAL
    nest.ResetKernel()
    nest.set(resolution=STEP, local_num_threads=options.threads)
    gc.collect()
    before, began = resident("VmRSS"), time.process_time()
    groups = nest_network(nest, neuron, scale, poisson=options.poisson)
    recorders = {name: nest.Create("spike_recorder") for name in model.NAMES}
    for name, recorder in recorders.items():
        nest.Connect(groups[name], recorder)
    nest.Prepare()
    built = time.process_time() - began
    held = resident("VmRSS")
    with peak() as ran:
        began, wall = time.process_time(), time.perf_counter()
        nest.Run(ms)
        cpu, wall = time.process_time() - began, time.perf_counter() - wall
    nest.Cleanup()
    spikes = {}
    for name, recorder in recorders.items():
        found = recorder.get("events")
        spikes[name] = found["times"], found["senders"] - groups[name].tolist()[0]
    n = int(model.synapses(scale).sum())
    out_degree = model.synapses(scale).sum(axis=0) / model.sizes(scale)
    events = float(out_degree @ [times.size for times, _ in spikes.values()])
    if options.poisson:
        events += float(model.external_rates(scale) @ model.sizes(scale)) * ms * 1e-3
    return (
        {"threads": options.threads, "synapses": n, "build_s": built}
        | timing(cpu, wall, ms, events)
        | {"bytes_network": (held - before) / n, "bytes_run": (ran.bytes - before) / n}
        | activity(spikes, options)
    )


def nest_network(nest: Any, neuron: str, scale: float, *, poisson: bool) -> dict[str, Any]:
    """The populations of the same network in NEST, by its rules."""
    random, redraw = nest.random, nest.math.redraw
    groups, precise = {}, "_ps" if neuron.endswith("_ps") else ""
    for k, (name, size) in enumerate(zip(model.NAMES, model.sizes(scale).tolist(), strict=True)):
        groups[name] = nest.Create(neuron, size, {
            "tau_m": model.TAU_MEM, "C_m": model.TAU_MEM / model.RESISTANCE, "E_L": model.LEAK,
            "tau_syn_ex": model.TAU_SYN, "tau_syn_in": model.TAU_SYN, "t_ref": model.REFRACTORY,
            "V_th": model.THRESHOLD, "V_reset": model.RESET,
            "I_e": float(model.currents(scale, poisson)[k]), "V_m": random.normal(*model.START),
        })  # fmt: skip
        if poisson:
            rate = {"rate": float(model.external_rates(scale)[k])}
            source = nest.Create(f"poisson_generator{precise}", params=rate)
            weight = model.WEIGHT / np.sqrt(scale)
            nest.Connect(source, groups[name], syn_spec={"weight": weight, "delay": STEP})
    for i, target in enumerate(model.NAMES):
        for j, source_name in enumerate(model.NAMES):
            mean = model.weights(scale)[i, j]
            sign = {"min": 0.0} if mean > 0.0 else {"max": 0.0}
            delay = model.DELAYS[source_name[-1]]
            nest.Connect(
                groups[source_name], groups[target],
                {"rule": "fixed_total_number", "N": int(model.synapses(scale)[i, j])},
                {
                    "weight": redraw(
                        random.normal(mean, model.SPREAD * abs(mean)),
                        **{"min": -np.inf, "max": np.inf} | sign,
                    ),
                    "delay": redraw(
                        random.normal(delay.first, delay.second), min=delay.least, max=np.inf
                    ),
                },
            )  # fmt: skip
    return groups


def timing(cpu: float, wall: float, ms: float, events: float) -> dict[str, float]:
    """What a run of so many ms took."""
    return {
        "run_s": cpu,
        "cpu_s_per_s": cpu / ms * 1e3,
        "wall_s_per_s": wall / ms * 1e3,
        "synaptic_events": events,
        "ns_per_event": 1e9 * cpu / events if events else np.inf,
    }


def activity(
    spikes: dict[str, tuple[np.ndarray, np.ndarray]], options: argparse.Namespace
) -> dict[str, Any]:
    """Rates of the populations; irregularity and synchrony of L4E."""
    ms, found = options.duration, {}
    for name, size in zip(model.NAMES, model.sizes(options.scale).tolist(), strict=True):
        outcome = Outcome(*spikes[name], {})
        found[name] = statistics(outcome, size, ms, SKIPPED * ms)
    rates = {name: each["rate_hz"] for name, each in found.items()}
    return {name: found["L4E"][name] for name in ("cv_isi", "synchrony")} | rates


def apart(case: str, scale: float, options: argparse.Namespace) -> dict[str, Any]:
    """A case in a process of its own, or why it is left out."""
    row = {
        "bench": "microcircuit",
        "case": case,
        "scale": scale,
        "drive": "Poisson" if options.poisson else "constant",
        "ms": options.duration,
    }
    if case in NEST and find_spec("nest") is None:
        return row | {"missing": "not installed: pip install nest-simulator"}
    words = ["bench.macro.microcircuit", "--case", case, "--scale", str(scale)]
    words += ["--threads", str(options.threads), "--duration", str(options.duration)]
    words += ["--repeats", str(options.repeats), *["--poisson"] * options.poisson]
    return row | row_of_process(words, SECONDS)


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0], repeats=1)
    words.add_argument("--scale", type=float, default=0.2, help="of neurons and in-degrees")
    words.add_argument("--poisson", action="store_true", help="Poisson events from outside")
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--duration", type=float, default=1000.0, help="biological time in ms")
    words.add_argument("--nest", type=float, help="scale of NEST; at most 0.2 by default")
    words.add_argument("--case", help=argparse.SUPPRESS)
    return words.parse_args()


def main() -> None:
    """eventsim, and NEST at the scale that it takes."""
    options = _options()
    if options.case in NEST:
        print(json.dumps(nest_row(NEST[options.case], options)))
        return
    if options.case:
        print(json.dumps(measure(options.case.split()[1], options)))
        return
    least = min(options.scale, NEST_SCALE) if options.nest is None else options.nest
    own = [f"eventsim {precision}" for precision in PRECISIONS]
    cases = [(case, scale) for scale in dict.fromkeys((options.scale, least)) for case in own]
    cases += [(case, least) for case in NEST]
    published = {"bench": "microcircuit", "case": "published", "scale": 1.0}
    rates = dict(zip(model.NAMES, model.RATES.tolist(), strict=True))
    rows = (apart(case, scale, options) for case, scale in cases)
    report((published | rates, *rows), options, first=FIRST)


if __name__ == "__main__":
    main()
