"""What limits each kernel: computing, memory, or too few threads.

Method   Nsight Compute over one step of W1 at batch 512 (``bench.gpu.small --profile``), sections
         SpeedOfLight, Occupancy, MemoryWorkloadAnalysis and LaunchStats; of every kernel the launch
         that took longest. ``compute`` and ``memory`` are percent of the card's peak: the larger
         one limits, and if both are below 60 it is latency.
Answer   see results/gpu-*.jsonl.
"""

import csv
import io
import subprocess
import sys
from typing import Any

from bench.gpu import tools
from bench.gpu.place import facts_of, options_of
from bench.harness import report
from eventsim.engine.cuda.device import kernel_source, signatures

SECTIONS = ("SpeedOfLight", "Occupancy", "MemoryWorkloadAnalysis", "LaunchStats")
# Names of Nsight Compute's metrics and of our columns.
METRICS = {
    "Duration": "duration_ns",
    "Compute (SM) Throughput": "compute_percent",
    "Memory Throughput": "memory_percent",
    "DRAM Throughput": "dram_percent",
    "L2 Hit Rate": "l2_hit_percent",
    "Achieved Occupancy": "occupancy_percent",
    "Theoretical Occupancy": "occupancy_limit_percent",
    "Registers Per Thread": "registers",
    "Grid Size": "blocks",
    "Block Size": "threads",
}
BUSY = 60.0  # percent of a peak, from which Nsight Compute calls it the limit


def command(tool: str, program: list[str]) -> list[str]:
    """Nsight Compute's words: our kernels alone, as a table."""
    ours = "|".join(signatures(kernel_source("single")))
    sections = [word for section in SECTIONS for word in ("--section", section)]
    return [
        tool,
        *("--profile-from-start", "off"),
        *("--kernel-name-base", "function", "--kernel-name", f"regex:^({ours})$"),
        *sections,
        *("--csv", "--page", "details", "--print-units", "base"),
        *program,
    ]


def read(output: str) -> list[dict[str, Any]]:
    """One row per kernel from Nsight Compute's table, the longest launch of each."""
    lines = output.splitlines()
    head = next((k for k, line in enumerate(lines) if line.startswith('"ID"')), None)
    if head is None:
        return []
    launches: dict[tuple[str, str], dict[str, Any]] = {}
    for line in csv.DictReader(io.StringIO("\n".join(lines[head:]))):
        name = line["Kernel Name"].partition("(")[0]
        launch = launches.setdefault((name, line["ID"]), {"bench": "gpu-profile", "kernel": name})
        column = METRICS.get(line["Metric Name"])
        # The memory section repeats the name "Memory Throughput" in bytes per second.
        if column and not (column == "memory_percent" and line["Metric Unit"] != "%"):
            launch[column] = _number(line["Metric Value"])
    longest: dict[str, dict[str, Any]] = {}
    for (name, _), launch in launches.items():
        if launch.get("duration_ns", 0.0) >= longest.get(name, {}).get("duration_ns", 0.0):
            longest[name] = launch
    rows = sorted(longest.values(), key=lambda row: -row.get("duration_ns", 0.0))
    return [row | {"limit": limit(row)} for row in rows]


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:  # "N/A": this card does not count it
        return float("nan")


def limit(row: dict[str, Any]) -> str:
    """Nsight Compute's rule of thumb."""
    compute, memory = row.get("compute_percent", 0.0), row.get("memory_percent", 0.0)
    if max(compute, memory) < BUSY:
        return "latency"
    return "compute" if compute > memory else "memory"


def main(words: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 nothing could be measured, 2 no device or no tool."""
    options = options_of(__doc__.splitlines()[0]).parse_args(words)
    facts = facts_of(host=options.host)
    tool = tools.find("ncu", package="nsight-compute")
    program = [sys.executable, "-m", "bench.gpu.small", "--profile"]
    done = subprocess.run(
        command(tool, program + (["--host"] if options.host else [])),
        capture_output=True,
        text=True,
        check=False,
    )
    rows = read(done.stdout)
    if not rows:
        print(done.stdout[-2000:] + done.stderr[-2000:], file=sys.stderr)
        if "ERR_NVGPUCTRPERM" in done.stdout + done.stderr:
            print(
                "The driver lets only the administrator read performance counters. Run as root, or "
                "load the driver with: options nvidia NVreg_RestrictProfilingToAdminUsers=0",
                file=sys.stderr,
            )
        return 1
    report(rows, options, device=facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
