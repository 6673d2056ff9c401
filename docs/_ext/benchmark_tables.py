"""The tables of the page on benchmarks, from the lines of bench/results.

A table is a header and rows of text. No number is typed here: rows come from the files, and so do
commit, date and machine below each table.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

RESULTS = Path(__file__).parents[2] / "bench" / "results"
Row = Mapping[str, Any]
NUMBER = re.compile(r"-?[\d,.]+(e-?\d+)?( ± [\d.]+)?( to [\d,.]+)?")
DIRTY = "-dirty"

# Files without a table of their own, and why.
LEFT_OUT = {
    "training_terms": "settings that were tried, told in bench/results/defaults.md",
}


@dataclass(frozen=True)
class Table:
    """What a reader sees, and where it is from."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[Row]
    file: str
    command: str | None
    notes: Sequence[str] = ()


def lines_of(name: str) -> list[Row]:
    """The lines of a file of results."""
    text = (RESULTS / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def stamp(table: Table) -> str:
    """File, command, commit, date and machine of a table."""

    def known(key: str) -> str:
        return ", ".join(sorted({str(line[key]) for line in table.lines if line.get(key)}))

    parts = [f"`bench/results/{table.file}.jsonl`"]
    if table.command:
        parts.append(f"made by `python -m {table.command}`")
    parts += _commits(table)
    parts += [known(key) for key in ("date", "processor", "machine") if known(key)]
    for key, word in (("threads", "threads"), ("load", "load"), ("numba", "Numba")):
        if known(key):
            parts.append(f"{word} {known(key)}")
    return "; ".join(parts)


def _commits(table: Table) -> list[str]:
    """Every commit once; those with changes of their own apart."""
    found = {str(line["commit"]) for line in table.lines if line.get("commit")}
    changed = {name.removesuffix(DIRTY) for name in found if name.endswith(DIRTY)}
    clean = {name for name in found if not name.endswith(DIRTY)} - changed
    words = (("commit", clean), ("commit with changes", changed))
    return [f"{word} {', '.join(sorted(names))}" for word, names in words if names]


def numeric(cells: Iterable[str]) -> bool:
    """Whether a column holds numbers, beside blanks and words such as "none"."""
    cells = [cell for cell in cells if cell]
    rest = [cell for cell in cells if not NUMBER.fullmatch(cell)]
    return len(rest) < len(cells) and not any(re.search(r"\d", cell) for cell in rest)


def number(value: float | None, digits: int = 3) -> str:
    """A number with that many digits that count; a blank for none."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-3:
        return f"{value:.0e}"
    if size >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return f"{float(text):,}" if "e" in text else text


def percent(line: Row, mark: int = 5) -> str:
    """Mean and standard deviation over seeds in per cent, and how many seeds there were."""
    seeds = len(line["accuracies"])
    few = f" ({seeds} seeds)" if seeds != mark else ""
    return f"{100 * line['mean']:.1f} ± {100 * line['deviation']:.1f}{few}"


def _columns(
    file: str,
    command: str | None,
    columns: Mapping[str, Callable[[Row], Any]],
    lines: Sequence[Row],
) -> Table:
    rows = [[str(give(line)) for give in columns.values()] for line in lines]
    return Table(tuple(columns), rows, lines, file, command)


def _w1() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "precision": lambda r: r["precision"],
        "refractory ms": lambda r: number(r.get("refractory_ms", 0.0)),
        "forward s": lambda r: f"{r['forward_s']:.3f} (median {r['forward_median_s']:.3f})",
        "forward + backward s": lambda r: (
            f"{r['forward_backward_s']:.3f} (median {r['forward_backward_median_s']:.3f})"
        ),
        "forward, times naive C": lambda r: number(r.get("forward_by_naive"), 2),
        "forward + backward, times naive C forward": lambda r: number(
            r.get("forward_backward_by_naive"), 2
        ),
        "peak MB": lambda r: number(r.get("peak_mb")),
        "neuron-events, millions": lambda r: number(r["neuron_events"] / 1e6),
        "hidden spikes": lambda r: f"{r['hidden_spikes']:,}",
        "spikes without a partner": lambda r: (
            "the measure" if r["precision"] == "double" else r.get("unmatched_spikes", "")
        ),
        "median error ms": lambda r: number(r.get("median_error_ms"), 2),
        "above 1e-3 ms %": lambda r: number(r.get("above_1e-3_ms_percent"), 2),
        "99 % error ms": lambda r: number(r.get("p99_error_ms"), 2),
    }
    return _columns("w1", "bench.macro.w1", columns, lines_of("w1"))


def _readout() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "shape": lambda r: r["shape"],
        "precision": lambda r: r["precision"],
        "spikes": lambda r: f"{r['spikes']:,}",
        "outputs": lambda r: r["outputs"],
        "integral ms": lambda r: number(r["forward_ms"]),
        "back ms": lambda r: number(r["backward_ms"]),
        "largest voltage ms": lambda r: number(r["largest_ms"]),
        "back from it ms": lambda r: number(r["largest_backward_ms"]),
        "error of the integral": lambda r: number(r.get("error_integral"), 2),
        "of weights": lambda r: number(r.get("error_weights"), 2),
        "of the largest voltage": lambda r: number(r.get("error_largest"), 2),
        "of weights by it": lambda r: number(r.get("error_largest_weights"), 2),
    }
    return _columns("readout", "bench.macro.readout", columns, lines_of("readout"))


def _cliffs() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "network": lambda r: r["case"],
        "spikes/s": lambda r: number(r["rate_hz"]),
        "forward ns": lambda r: number(r["forward_ns"]),
        "backward ns": lambda r: number(r["backward_ns"]),
        "forward, first row is 1": lambda r: number(r["forward_times"]),
        "backward, first row is 1": lambda r: number(r["backward_times"]),
        "forward / backward ms": lambda r: _both(r, ""),
        "another program": lambda r: r.get("peer", ""),
        "its ms in steps of 10 ms": lambda r: _both(r, "peer_10ms_"),
        "of 1 ms": lambda r: _both(r, "peer_1ms_"),
    }
    return _columns("cliffs", "bench.macro.cliffs", columns, lines_of("cliffs"))


def _both(row: Row, of: str) -> str:
    """Milliseconds forward and backward; empty where another program has none."""
    if f"{of}forward_ms" not in row:
        return ""
    return f"{number(row[f'{of}forward_ms'])} / {number(row[f'{of}backward_ms'])}"


def _w2() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "case": lambda r: r["case"],
        "neurons": lambda r: f"{r['neurons']:,}",
        "connectivity %": lambda r: number(100 * r["density"]),
        "synaptic operations, millions": lambda r: number(r["synaptic_events"] / 1e6),
        "forward s": lambda r: number(r["forward_s"]),
        "backward s": lambda r: number(r["backward_s"]),
        "forward ns per event": lambda r: number(r["forward_ns_per_event"]),
    }
    return _columns("w2", "bench.macro.w2", columns, lines_of("w2"))


def _program(row: Row) -> str:
    """The first word of the case."""
    return str(row["case"]).partition(" ")[0]


def _balanced() -> Table:
    packages = {"Brian2": "brian2", "NEST": "nest-simulator"}
    steps = {"Brian2": "0.1 ms", "NEST": "0.1 ms, precise times"}
    columns: dict[str, Callable[[Row], Any]] = {
        "simulator": lambda r: f"{r['case']} {r.get(packages.get(_program(r), 'eventsim'), '')}",
        "time step": lambda r: steps.get(_program(r), "none"),
        "CPU s": lambda r: number(r["run_s"]),
        "whole program, CPU s": lambda r: number(r.get("whole_s")),
        "wall s": lambda r: number(r.get("wall_s")),
        "times eventsim's (double)": lambda r: number(r["times_eventsim_double"]),
        "times Brian2's loop": lambda r: number(r.get("times_brian2_loop")),
        "rate Hz": lambda r: number(r["rate_hz"]),
        "CV of intervals": lambda r: f"{r['cv_isi']:.2f}",
        "ns per synaptic operation": lambda r: number(r["ns_per_event"]),
    }
    lines = [r for r in lines_of("balanced") if "run_s" in r]
    return _columns("balanced", "bench.macro.balanced", columns, lines)


def _balanced_nest() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "first ms": lambda r: number(r["compared_ms"]),
        "spikes": lambda r: f"{r['spikes']:,}",
        "spikes of NEST": lambda r: f"{r['nest_spikes']:,}",
        "equal within 1e-6 ms": lambda r: f"{r['equal_within_1e-6_ms']:,}",
        "largest difference ms": lambda r: number(r["largest_gap_ms"]),
        "first spike that differs, ms": lambda r: number(r["first_differing_spike_ms"]),
    }
    lines = [r for r in lines_of("balanced") if "compared_ms" in r]
    return _columns("balanced", "bench.macro.balanced", columns, lines)


def _microcircuit() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "simulator": lambda r: r["case"],
        "scale": lambda r: number(r["scale"]),
        "input": lambda r: r["drive"],
        "threads": lambda r: r["threads"],
        "synapses": lambda r: f"{r['synapses']:,}",
        "building, CPU s": lambda r: number(r["build_s"]),
        "CPU s of 1 s": lambda r: number(r["cpu_s_per_s"]),
        "ns per synaptic operation": lambda r: number(r["ns_per_event"]),
        "bytes per synapse, network": lambda r: number(r["bytes_network"]),
        "bytes per synapse, peak": lambda r: number(r["bytes_run"]),
    }
    lines = [r for r in lines_of("microcircuit") if "run_s" in r]
    return _columns("microcircuit", "bench.macro.microcircuit", columns, lines)


def _microcircuit_rates() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "simulator": lambda r: r["case"],
        "scale": lambda r: number(r["scale"]),
        "input": lambda r: r.get("drive", ""),
        **{
            name: partial(lambda r, name: number(r[name], 2), name=name)
            for name in ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
        },
        "CV of intervals, L4E": lambda r: number(r.get("cv_isi"), 2),
        "synchrony, L4E": lambda r: number(r.get("synchrony"), 2),
    }
    lines = [r for r in lines_of("microcircuit") if "L4E" in r]
    return _columns("microcircuit", "bench.macro.microcircuit", columns, lines)


def _ranks(case: str) -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "processes": lambda r: r["processes"],
        "neurons": lambda r: f"{r['neurons']:,}",
        "synapses of a process": lambda r: f"{r['synapses']:,}",
        "MB of a process": lambda r: number(r["memory_mb"]),
        "drawing, CPU s": lambda r: number(r["build_cpu_s"]),
        "CPU s of the busiest": lambda r: number(r["cpu_s"]),
        "wall s": lambda r: number(r["run_s"]),
        "of which in MPI, s": lambda r: number(r["mpi_s"]),
        "messages per window": lambda r: number(r["messages_per_window"]),
        "bytes per window": lambda r: number(r["bytes_per_window"]),
        "digest of the spikes": lambda r: f"`{r['spikes_sha']}`",
    }
    lines = [r for r in lines_of("ranks") if r["case"] == case]
    return _columns("ranks", "bench.macro.ranks", columns, lines)


def _ranks_beside() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "program": lambda r: r["program"],
        "neurons": lambda r: f"{r['neurons']:,}",
        "CPU s": lambda r: number(r["cpu_s"]),
        "spikes": lambda r: f"{r['spikes']:,}",
        "ns per synaptic operation": lambda r: number(1e9 * r["cpu_s"] / r["synaptic_events"]),
        "first spike that differs from simulate_ranks', ms": lambda r: number(
            r.get("first_differing_spike_ms")
        ),
    }
    mine = "simulate_ranks, 1 process"
    lines = [
        {"program": mine if r["case"] == "strong" else r["case"]} | r
        for r in lines_of("ranks")
        if (r["bench"] == "ranks beside" and "cpu_s" in r)
        or (r["case"] == "strong" and r["processes"] == 1)
    ]
    return _columns("ranks", "bench.macro.ranks", columns, lines)


def _ranks_on_paper() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "neurons": lambda r: f"{r['neurons']:,}",
        "processes": lambda r: f"{r['processes']:,}",
        "synapses of a neuron": lambda r: f"{r['synapses_per_neuron']:,}",
        "GB of synapses, a process": lambda r: number(r["synapse_gb"]),
        "work s": lambda r: number(r["work_s"]),
        "latency s": lambda r: number(r["latency_s"]),
        "wire s": lambda r: number(r["wire_s"]),
        "s per s of the network": lambda r: number(r["seconds_per_second"]),
        "kB per window, a process": lambda r: number(r["kb_per_window"]),
    }
    lines = [r for r in lines_of("ranks") if r["case"] == "paper"]
    return _columns("ranks", "bench.macro.ranks", columns, lines)


def _scaling() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "neurons": lambda r: f"{r['neurons']:,}",
        "precision": lambda r: r["precision"],
        "synaptic operations, millions": lambda r: number(r["synaptic_events"] / 1e6),
        "seconds": lambda r: number(r["run_s"]),
        "ns per synaptic operation": lambda r: number(r["ns_per_event"]),
    }
    return _columns("scaling", "bench.macro.scaling", columns, lines_of("scaling"))


def _large() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "network": lambda r: r["shape"],
        "neurons": lambda r: f"{r['neurons']:,}",
        "precision": lambda r: r["precision"],
        "weights": lambda r: r.get("weights", "float64"),
        "synapses, millions": lambda r: number(r["synapses"] / 1e6),
        "bytes a synapse, network": lambda r: number(r["bytes_network"]),
        "peak of building": lambda r: number(r["bytes_built"]),
        "peak of a run": lambda r: number(r["bytes_run"]),
        "peak with gradients": lambda r: number(r.get("bytes_gradients")),
        "built in s": lambda r: number(r["build_s"]),
        "first run, s": lambda r: number(r["first_s"]),
        "ns per synaptic operation": lambda r: number(r["ns_per_event"]),
    }
    lines = [r for r in lines_of("large") if "failed" not in r]
    failed = [f"{r['case']}: {r['failed']}" for r in lines_of("large") if "failed" in r]
    return replace(_columns("large", "bench.macro.large", columns, lines), notes=failed)


_STREAM_WORK = {
    "chunks": "chunks of a stream",
    "gradients": "gradients of a stream in chunks",
    "gradients, loop": "the same, neurons that project to each other",
    "cochlea": "a stereo cochlea, in chunks of a second",
}


def _streams() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "work": lambda r: _STREAM_WORK.get(
            r["case"], f"{r.get('samples', 0):,} recordings on disk"
        ),
        "events, millions": lambda r: number(r["events"] / 1e6),
        "peak in the first tenth, MB": lambda r: number(r["first_mb"]) if "first_mb" in r else "",
        "peak in any tenth, MB": lambda r: number(r["most_mb"]),
        "CPU s": lambda r: number(r["run_s"]),
    }
    return _columns("streams", "bench.macro.streams", columns, lines_of("streams"))


def _live() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "pieces of, ms": lambda r: number(r["step_ms"]),
        "events per second": lambda r: f"{r['events_per_second']:,.0f}",
        "times real time": lambda r: number(r["speed"]),
        "load %": lambda r: number(100.0 * r["load"], 2),
        "median ms": lambda r: number(r["median_ms"]),
        "99th percentile ms": lambda r: number(r["p99_ms"]),
        "longest ms": lambda r: number(r["longest_ms"]),
    }
    lines = [r for r in lines_of("live") if r["case"] == "latency"]
    return _columns("live", "bench.macro.live", columns, lines)


def _live_hour() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "minutes of stream": lambda r: len(r["minutes_mb"]),
        "events": lambda r: f"{r['events']:,}",
        "MB after the first minute": lambda r: number(r["minutes_mb"][0]),
        "most MB after any minute": lambda r: number(max(r["minutes_mb"])),
        "CPU s": lambda r: number(r["cpu_s"]),
    }
    lines = [r for r in lines_of("live") if r["case"] == "hour"]
    return _columns("live", "bench.macro.live", columns, lines)


def _live_cochlea() -> Table:
    words = {
        "whole": "whole recordings",
        "streaming": "streaming",
        "voices": "streaming, synthetic voices",
        "people": "streaming, people (FSDD, 8 kHz)",
    }
    columns: dict[str, Callable[[Row], Any]] = {
        "learned by the cochlea": lambda r: words[r["learned"]],
        "heard by the cochlea": lambda r: words[r["heard"]],
        "recordings": lambda r: number(r["recordings"]),
        "accuracy %": lambda r: number(100.0 * r["accuracy"], 3),
        "95 % interval": lambda r: " to ".join(f"{100.0 * x:.1f}" for x in r["interval"]),
    }
    file = "live_cochlea"
    return _columns(file, "bench.macro.live_cochlea", columns, lines_of(file))


def _epoch() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "program": lambda r: f"{r['program']} ({r['version']})",
        "time step": lambda r: r["time_step"],
        "CPU s an epoch": _seconds("epoch_cpu_s"),
        "the same, recordings sorted by length": _seconds("epoch_cpu_s_bucketed"),
        "first epoch": _seconds("first_epoch_cpu_s"),
        "times the fastest at 10 ms": _seconds("times_fastest_10_ms"),
        "at 5 ms": _seconds("times_fastest_5_ms"),
        "at 1 ms": _seconds("times_fastest_1_ms"),
    }
    lines = [r for r in lines_of("epoch") if "epoch_cpu_s" in r]
    return _columns("epoch", "bench.macro.epoch", columns, lines)


def _ratios(file: str, command: str) -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "case": lambda r: r["case"],
        "forward, times as fast": lambda r: number(r["forward"], 2),
        "backward, times as fast": lambda r: number(r["backward"], 2),
    }
    return _columns(file, command, columns, lines_of(file))


def _windows() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "case": lambda r: r["case"],
        "spikes": lambda r: f"{r['spikes']:,}",
        "queue s": lambda r: number(r["queue_s"]),
        "windows s": lambda r: number(r["windows_s"]),
        "times as fast": lambda r: number(r["ratio"], 2),
    }
    return _columns("windows", "bench.macro.windows", columns, lines_of("windows"))


def _threads() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "work": lambda r: "a loop in C" if r["case"] == "cores" else r["case"],
        "one thread, wall s": lambda r: number(r["one_s"]),
        "two threads, wall s": lambda r: number(r["many_s"]),
        "two / one": lambda r: f"{r['ratio']:.2f}",
    }
    return _columns("threads", "bench.macro.threads", columns, lines_of("threads"))


def _process() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "what a process does": lambda r: r["case"],
        "CPU s": lambda r: f"{r['cpu_s']:.2f}",
    }
    return _columns("start", "bench.macro.start", columns, lines_of("start"))


def _boards() -> Table:
    def counted(row: Row, value: Callable[[], float]) -> str:
        return f"{value():,.0f}" if "instructions" in row else ""

    columns: dict[str, Callable[[Row], Any]] = {
        "network": lambda r: r["network"],
        "processor": lambda r: r["board"],
        "constants, kB": lambda r: f"{r['constants'] / 1e3:.1f}",
        "code, kB": lambda r: f"{r['code'] / 1e3:.1f}" if "code" in r else "",
        "RAM, kB": lambda r: f"{r['ram'] / 1e3:.1f}",
        "stack, kB": lambda r: f"{r['stack'] / 1e3:.1f}" if "stack" in r else "",
        "events": lambda r: f"{r['events']:,}",
        "instructions an event": lambda r: counted(r, lambda: r["instructions"] / r["events"]),
        "the longest event": lambda r: counted(r, lambda: r["longest"]),
        "millions a second of recording": lambda r: counted(
            r, lambda: r["instructions"] / 1e3 / r["duration_ms"]
        ),
        "CPU us a recording": lambda r: f"{r['microseconds']:,}" if "microseconds" in r else "",
    }
    order = ("this machine", "Cortex-M4F", "Cortex-M7")
    networks = ("48-48, 4 bits", "48-48 AdLIF, 4 bits", "128-128 (demo)")
    lines = sorted(
        lines_of("boards"),
        key=lambda r: (networks.index(r["network"]), order.index(r["board"])),
    )
    return _columns("boards", "bench.boards.counts", columns, lines)


def _counts() -> Table:
    phases = ("forward", "loss", "backward", "optimiser", "other")
    columns: dict[str, Callable[[Row], Any]] = {
        "network": lambda r: r["case"],
        "launches": lambda r: f"{r['launches']:,}",
        "reads": lambda r: r["reads"],
        **{
            f"{phase}: launches, reads": lambda r, phase=phase: (  # type: ignore[misc]
                f"{r[f'launches_{phase}']:,}, {r[f'reads_{phase}']}"
            )
            for phase in phases
        },
        "copies to the device": lambda r: r["uploads"],
        "memsets": lambda r: r["memsets"],
    }
    return _columns("counts", "bench.gpu.counts", columns, lines_of("counts"))


def _accuracy(cases: Iterable[str], *, training: bool = False) -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "`--only`": lambda r: f"`{r['case']}`",
        "condition": lambda r: r["condition"],
        "test accuracy %": percent,
        "parameters": lambda r: f"{r['parameters']:,.0f}",
        "p (Holm)": lambda r: number(r["p_holm"], 2),
    }
    if training:
        columns |= {
            "training s": lambda r: number(r["training_seconds"]),
            "peak MB": lambda r: number(r["peak_mb"]),
            "synaptic operations": lambda r: number(r["synaptic_operations_per_inference"]),
            "neuron updates": lambda r: number(r["neuron_updates_per_inference"]),
        }
    lines = [r for r in lines_of("accuracy") if r["case"] in set(cases)]
    return _columns("accuracy", "bench.suite.accuracy", columns, lines)


def _over_seeds(rows: Sequence[Row], key: str = "accuracy") -> str:
    """Mean and deviation over the seeds of one condition."""
    found = [r[key] for r in rows]
    spread = stdev(found) if len(found) > 1 else 0.0
    return percent({"accuracies": found, "mean": mean(found), "deviation": spread}, mark=3)


def _frontier(task: str) -> Table:
    found = [r for r in lines_of("frontier") if r["task"] == task]
    groups: dict[str, list[Row]] = defaultdict(list)
    for r in found:
        groups[r["title"]].append(r)
    rows = []
    for title, mine in groups.items():
        first = mine[0]
        keys = ("operations", "operations_of_neurons", "loihi_uj", "truenorth_uj", "45nm_sram_uj",
                "synapses")  # fmt: skip
        rows.append(
            [
                title,
                _over_seeds(mine),
                *("-" if first[k] is None else number(mean(r[k] for r in mine)) for k in keys),
                ", ".join(map(_axis, first["front"])) or "-",
            ]
        )  # fmt: skip
    header = ("condition", "test accuracy %", "operations", "of them by neurons",
              "loihi µJ", "truenorth µJ", "45nm_sram µJ", "synapses", "front of")  # fmt: skip
    return Table(header, rows, found, "frontier", "bench.suite.frontier")


def _axis(axis: str) -> str:
    """``loihi`` of ``energy_pj:loihi``; operations of what is no energy."""
    return axis.partition(":")[2] or "operations"


def _quantised() -> Table:
    found = lines_of("quantised")
    groups: dict[tuple[str, int, str], list[Row]] = defaultdict(list)
    for r in found:
        groups[r["title"], r["bits"] or 0, r["rounded"] or "-"].append(r)
    rows = []
    for (title, bits, rounded), mine in groups.items():
        exact, steps = (_over_seeds(mine, key) for key in ("accuracy", "accuracy_in_steps"))
        rows.append([title, f"{bits or 32}", rounded, exact, steps])
    header = ("training", "bits of weights", "rounded", "test accuracy %", "in steps of 1 ms %")
    return Table(header, rows, found, "quantised", "bench.suite.quantised")


def _costs() -> Table:
    found = lines_of("costs")
    chips = sorted({r["chip"] for r in found})
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for r in found:
        groups[r["data"], r["architecture"]].append(r)
    rows = []
    for (data, architecture), mine in groups.items():
        means = {
            key: mean(r[key] for r in mine)
            for key in ("test_accuracy", "spikes_per_sample", "synaptic_events_per_sample")
        }
        rows.append(
            [
                data,
                architecture,
                f"{100 * means['test_accuracy']:.1f}",
                number(means["spikes_per_sample"]),
                number(means["synaptic_events_per_sample"]),
                *(
                    number(mean(r["total_uj"] - r["leakage_uj"] for r in mine if r["chip"] == c), 2)
                    for c in chips
                ),
            ]
        )
    header = ["data", "network", "accuracy %", "spikes", "synaptic operations"]
    return Table([*header, *(f"µJ, {c}" for c in chips)], rows, found, "costs", "bench.suite.costs")


def _mapping(file: str, command: str) -> Table:
    found, rows = lines_of(file), []
    methods = ("first_fit", "first_fit + placed", "population_order", "refined", "hypergraph")
    for network, chip in dict.fromkeys((r["network"], r["chip"]) for r in found):
        mine = {r["method"]: r for r in found if (r["network"], r["chip"]) == (network, chip)}
        best = mine.get("hypergraph", {})
        if "infeasible" in best:
            rows.append([network, chip, "refused", *[""] * (len(methods) + 1)])
            continue
        less = best.get("fewer_than_first_fit")
        hops = [number(mine[m]["hops"] if m in mine else None) for m in methods]
        fewer = "" if less is None else f"{100 * less:.0f}"
        rows.append([network, chip, str(best["cores"]), *hops, fewer])
    words = [method.replace("_", " ") for method in methods]
    header = ["network", "chip", "cores", *words, "hypergraph: % fewer than first fit"]
    return Table(header, rows, found, file, command)


def _mapping_summary() -> Table:
    found, rows = lines_of("mapping"), []
    for network in dict.fromkeys(r["network"] for r in found):
        mine = [r for r in found if r["network"] == network and r["method"] == "hypergraph"]
        less = [
            100 * r["fewer_than_first_fit"]
            for r in mine
            if r.get("fewer_than_first_fit") is not None
        ]
        spread = (median(less), min(less), max(less))
        rows.append([network, str(len(less)), *(f"{value:.0f}" for value in spread)])
    header = ["network", "chips with traffic", "% fewer links, median", "least", "most"]
    return Table(header, rows, found, "mapping", "bench.mapping.traffic")


def _mapping_size() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "network": lambda r: r["network"],
        "neurons": lambda r: f"{r['neurons']:,}",
        "synapses": lambda r: f"{r['synapses']:,}" if "synapses" in r else "",
        "method": lambda r: r["method"],
        "cores": lambda r: f"{r['cores']:,}" if "cores" in r else r["failed"],
        "spikes between cores": lambda r: number(r.get("spikes_between_cores")),
        "links passed": lambda r: number(r.get("hops")),
        "s": lambda r: number(r.get("seconds")),
        "CPU s": lambda r: number(r.get("cpu_seconds")),
        "load": lambda r: number(r.get("load"), 2),
        "peak MiB": lambda r: number(r.get("peak_mib")),
        "check s": lambda r: number(r.get("check_seconds"), 2),
    }
    return _columns("mapping_size", "bench.mapping.size", columns, lines_of("mapping_size"))


def _sanafe() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "step ms": lambda r: r["step_ms"],
        "spikes, exact": lambda r: f"{r['spikes_exact']:,}",
        "spikes, SANA-FE": lambda r: f"{r['spikes_sanafe']:,}",
        "difference %": lambda r: number(100 * r["difference"], 2),
        "synaptic operations (both)": lambda r: f"{r['synaptic_events_sanafe']:,}",
        "energy, SANA-FE µJ": lambda r: number(1e6 * r["total_j_sanafe"]),
        "energy, exact run µJ": lambda r: number(1e6 * r["total_j_exact_run"]),
        "SANA-FE": lambda r: r["sanafe"],
    }
    return _columns(
        "mapping_sanafe", "bench.mapping.sanafe_run", columns, lines_of("mapping_sanafe")
    )


def _spread(shares: Sequence[float]) -> str:
    """Mean and standard deviation over seeds, in per cent."""
    return f"{100 * mean(shares):.1f} ± {100 * stdev(shares):.1f}"


def _connected() -> Table:
    found = lines_of("connected")
    groups: dict[str, list[Row]] = defaultdict(list)
    for r in found:
        groups[r["title"]].append(r)

    rows = [
        [
            title,
            _spread([r["label_error_rate"] for r in mine]),
            _spread([r["accuracy"] for r in mine]),
            f"{mean(r['operations'] for r in mine):,.0f}",
            f"{mine[0]['parameters']:,}",
            number(median(r["cpu_seconds"] for r in mine)),
        ]
        for title, mine in groups.items()
    ]
    header = ["network", "label error %", "strings right %", "operations", "parameters", "CPU s"]
    return Table(header, rows, found, "connected", "bench.suite.connected")


def _budget() -> Table:
    found = lines_of("budget")
    budgets = sorted({r["budget_s"] for r in found})
    rows = []
    for program in dict.fromkeys(r["program"] for r in found):
        mine = [r for r in found if r["program"] == program]
        row = [program, mine[0]["time_step"], f"{mine[0]['parameters']:,}"]
        for budget in budgets:
            held = [r for r in mine if r["budget_s"] == budget]
            row.append(f"{_spread([r['accuracy'] for r in held])} ({held[0]['epochs']})")
        longest = [r["operations"] for r in mine if r["budget_s"] == budgets[-1]]
        rows.append([*row, f"{mean(longest):,.0f}"])
    after = [f"% after {b:g} CPU s (epochs)" for b in budgets]
    header = ["program", "time step", "parameters", *after, "operations"]
    return Table(header, rows, found, "budget", "bench.suite.budget")


def _amount() -> Table:
    found = lines_of("amount")
    strengths = sorted({r["strength"] for r in found})
    rows = []
    for about in dict.fromkeys((r["data"], r["recordings"], r["steps"]) for r in found):
        mine = [r for r in found if (r["data"], r["recordings"], r["steps"]) == about]
        row = [about[0], f"{about[1]:,}", f"{about[2]:,}", str(mine[0]["epochs"])]
        for strength in strengths:
            held = [r for r in mine if r["strength"] == strength]
            learned = 100 * mean(r["train_accuracy"] for r in held)
            row.append(f"{_spread([r['accuracy'] for r in held])} ({learned:.1f})")
        rows.append(row)
    names = {0.0: "none", 0.5: "half", 1.0: "whole"}
    columns = [f"{names[s]}, % (learned)" for s in strengths]
    header = ["data", "recordings", "steps", "epochs", *columns]
    return Table(header, rows, found, "amount", "bench.suite.amount")


def _neurons() -> Table:
    """Of every task and kind the learning rate that recordings beside the test part chose."""
    found, rows = lines_of("neurons"), []
    for task, kind in dict.fromkeys((r["task"], r["kind"]) for r in found):
        by_rate = defaultdict(list)
        for r in found:
            if (r["task"], r["kind"]) == (task, kind):
                by_rate[r["rate_factor"]].append(r)
        chosen = max(by_rate, key=lambda f: mean(r["chosen_accuracy"] for r in by_rate[f]))
        mine, other = by_rate.pop(chosen), [r for held in by_rate.values() for r in held]
        rows.append([
            task,
            kind,
            str(mine[0]["hidden"]),
            f"{mine[0]['numbers']:,}",
            _spread([r["accuracy"] for r in mine]),
            ", ".join(f"{100 * r['accuracy']:.1f}" for r in mine),
            f"{mean(r['spikes'] for r in mine):,.0f}",
            f"{mean(r['synaptic_events'] for r in mine):,.0f}",
            number(mean(r["energy_uj"] for r in mine), 2),
            number(chosen),
            _spread([r["accuracy"] for r in other]),
            number(mean(r["cpu_seconds"] for r in mine), 2),
        ])  # fmt: skip
    header = ["task", "neuron", "hidden", "numbers", "accuracy %", "single seeds %", "spikes",
              "operations", "energy µJ", "rate times", "with the other rate %",
              "CPU s a training"]  # fmt: skip
    return Table(header, rows, found, "neurons", "bench.suite.neurons")


def _conformance() -> Table:
    found = lines_of("conformance")
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for r in found:
        groups[r["simulator"], r["version"], r["settings"]].append(r)
    rows = []
    for (name, version, settings), mine in groups.items():
        outcomes = [r["outcome"] for r in mine]
        run = [r for r in mine if "matched" in r]
        errors = sorted(r["worst_error_ms"] for r in run)
        rows.append(
            [
                ", ".join(part for part in (f"{name} {version}", settings) if part),
                *(
                    str(outcomes.count(word))
                    for word in ("passed", "failed", "error", "not supported")
                ),
                f"{sum(r['missing'] for r in run):,}",
                f"{sum(r['extra'] for r in run):,}",
                number(errors[len(errors) // 2], 1),
            ]
        )
    words = ("passed", "failed", "stopped", "cannot express", "missing", "extra")
    header = ["simulator", *words, "median error ms"]
    return Table(header, rows, found, "conformance", "bench.conformance.table")


def _nir() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "program": lambda r: f"{r['case']} ({r['version']})",
        "step ms": lambda r: r["dt_ms"],
        "exact spikes": lambda r: f"{r['exact_spikes']:,}",
        "its spikes": lambda r: f"{r['spikes']:,}",
        "with a partner %": lambda r: f"{100 * r['with_partner']:.1f}",
        "median distance ms": lambda r: number(r.get("median_ms"), 2),
    }
    lines = [r for r in lines_of("nir") if r["bench"] == "nir"]
    return _columns("nir", "bench.nir.peers", columns, lines)


def _nir_trained() -> Table:
    columns: dict[str, Callable[[Row], Any]] = {
        "program": lambda r: r["case"],
        "step ms": lambda r: r.get("dt_ms", "none"),
        "accuracy %": lambda r: f"{100 * r['accuracy']:.1f}",
        "same answers %": lambda r: f"{100 * r['same_answers']:.1f}" if "same_answers" in r else "",
        "spikes, first population": lambda r: f"{r['hidden1']:,.0f}",
        "spikes, second": lambda r: f"{r['hidden2']:,.0f}",
    }
    lines = [r for r in lines_of("nir") if r["bench"] == "nir_trained"]
    return _columns("nir", "bench.nir.trained", columns, lines)


def _peers(
    bench: str, columns: Mapping[str, Callable[[Row], Any]], *, without: Sequence[str] = ()
) -> Table:
    """Rows of other programs; what is to be said of one stands below the table, by number.

    Programs whose name begins as one in ``without`` are left out, and rows of one sample alone.
    """
    lines = [r for r in lines_of("peers") if r["bench"] == bench]
    if without:
        lines = [
            r for r in lines if r["samples"] > 1 and not r["program"].startswith(tuple(without))
        ]
    table = _columns("peers", None, columns, lines)
    notes = list(dict.fromkeys(r["note"] for r in lines if "note" in r))
    rows = [
        [f"{row[0]} {{sup}}`{notes.index(r['note']) + 1}`" if "note" in r else row[0], *row[1:]]
        for row, r in zip(table.rows, lines, strict=True)
    ]
    return replace(table, rows=rows, notes=notes)


def _seconds(key: str) -> Callable[[Row], Any]:
    return lambda r: number(r.get(key))


PEERS_W1: Mapping[str, Callable[[Row], Any]] = {
    "program": lambda r: f"{r['program']} ({r['version']})",
    "time step": lambda r: r["time_step"],
    "forward s": _seconds("forward_s"),
    "forward + backward s": _seconds("forward_backward_s"),
    "peak MB": lambda r: number(r.get("forward_backward_mb", r.get("forward_mb"))),
    "median error ms": lambda r: number(r.get("median_error_ms"), 2),
    "spikes without a partner %": lambda r: number(r.get("unmatched_percent")),
}
PEERS_MISPLACED: Mapping[str, Callable[[Row], Any]] = {
    "program": PEERS_W1["program"],
    "time step": PEERS_W1["time step"],
    "spikes without a partner %": PEERS_W1["spikes without a partner %"],
    "median error ms": PEERS_W1["median error ms"],
    "forward s": PEERS_W1["forward s"],
}
PEERS_INFERENCE: Mapping[str, Callable[[Row], Any]] = {
    "program": lambda r: r["program"],
    "time step": lambda r: r["time_step"],
    "batch": lambda r: r["batch"],
    "CPU ms a recording": lambda r: " to ".join(
        dict.fromkeys(number(r[key]) for key in ("cpu_ms_low", "cpu_ms_high"))
    ),
}
SHD_SECONDS: Mapping[str, Callable[[Row], Any]] = {
    "hidden neurons": lambda r: f"{r['hidden']:,}",
    "time step": lambda r: r["time_step"],
    "GeNN EventProp s": _seconds("genn_eventprop_s"),
    "Spyx s": _seconds("spyx_s"),
}
PUBLISHED: Mapping[str, Callable[[Row], Any]] = {
    "task": lambda r: r["task"],
    "method": lambda r: r["method"],
    "accuracy %": lambda r: f"{100 * r['accuracy']:.2f} ± {100 * r['deviation']:.2f}",
    "conditions": lambda r: r["conditions"],
    "source": lambda r: r["source"],
}

TABLES: Mapping[str, Callable[[], Table]] = {
    "w1": _w1,
    "readout": _readout,
    "cliffs": _cliffs,
    "w2": _w2,
    "balanced": _balanced,
    "balanced-nest": _balanced_nest,
    "microcircuit": _microcircuit,
    "microcircuit-rates": _microcircuit_rates,
    "scaling": _scaling,
    "large": _large,
    "streams": _streams,
    "live": _live,
    "live-cochlea": _live_cochlea,
    "live-hour": _live_hour,
    "ranks-strong": lambda: _ranks("strong"),
    "ranks-weak": lambda: _ranks("weak"),
    "ranks-beside": _ranks_beside,
    "ranks-on-paper": _ranks_on_paper,
    "epoch": _epoch,
    "filling": lambda: _ratios("filling", "bench.macro.filling"),
    "blocks": lambda: _ratios("blocks", "bench.macro.blocks"),
    "windows": _windows,
    "threads": _threads,
    "process": _process,
    "boards": _boards,
    "counts": _counts,
    "accuracy": lambda: _accuracy(
        (
            "fsdd",
            "fsdd_speakers",
            "fsdd_voices",
            "spoken_digits",
            "spoken_digits_wide",
            "spoken_digits_accents",
        )
    ),
    "architectures": lambda: _accuracy(
        ("yinyang", "yinyang_small", "baselines_400", "architectures_400", "nmnist_warped")
    ),
    "bip": lambda: _accuracy(("bip_400",)),
    "start": lambda: _accuracy(("start_400",)),
    "memory": lambda: _accuracy(("memory",)),
    "delays": lambda: _accuracy(("delays_400",)),
    "neurons": _neurons,
    "adaptive": lambda: _accuracy(("adaptive_400", "adaptive_fsdd", "adaptive_voices")),
    "amount": _amount,
    "budget": _budget,
    "connected": _connected,
    "steps": lambda: _accuracy(("steps_400", "nmnist_400"), training=True),
    "frontier": lambda: _frontier("fsdd_400"),
    **{
        f"frontier_{task}": partial(_frontier, task)
        for task in ("spoken_digits", "spoken_digits_30", "fsdd", "nmnist_400")
    },
    "quantised": _quantised,
    "costs": _costs,
    "mapping-summary": _mapping_summary,
    "mapping": lambda: _mapping("mapping", "bench.mapping.traffic"),
    "mapping-trained": lambda: _mapping("mapping_trained", "bench.mapping.trained"),
    "mapping-size": _mapping_size,
    "sanafe": _sanafe,
    "conformance": _conformance,
    "nir": _nir,
    "nir-trained": _nir_trained,
    "peers-w1": lambda: _peers("peers_w1", PEERS_W1),
    "peers-misplaced": lambda: _peers(
        "peers_w1", PEERS_MISPLACED, without=("eventax", "NEST", "naive C")
    ),
    "peers-inference": lambda: _peers("peers_inference", PEERS_INFERENCE),
    "shd-seconds": lambda: _peers("published_shd_seconds", SHD_SECONDS),
    "published": lambda: _peers("published_accuracy", PUBLISHED),
}
