"""Accuracy against energy: what do fewer operations cost, by the loss, by synapses, by size.

Method   eventsim frontier with the recipe frontier.toml or frontier_400.toml beside this file: the
         last epoch on the test part, and every network counted there and priced on each chip,
         leakage and links aside. One row per run, with the chips on whose front its condition is;
         the fronts are chosen by the test part itself, since these tasks hold nothing out. A
         stopped run goes on, a finished one is not run again; commit and threads of a row are those
         of the report. The cores may be shared: seconds are rough. Of a dense network operations
         are multiplications, and energies those in 45 nm.
         python -m bench.suite.frontier [--task fsdd_400|fsdd] [--seeds N] [--condition NAME ...]
                                        [--baseline gru --baseline ann]
Answer   see results/frontier.jsonl and docs/benchmarks.md.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.harness import parser, report

HERE = Path(__file__).parent
RECIPES = {"fsdd_400": HERE / "frontier_400.toml", "fsdd": HERE / "frontier.toml"}
TASKS = {"fsdd_400": str(HERE / "fsdd_400.toml"), "fsdd": "fsdd"}
FRONTS = ("energy_pj", "synaptic_operations")
CHIPS, PJ_PER_UJ = ("loihi", "truenorth", "45nm_sram"), 1e6


def row(task: str, point: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """What results/frontier.jsonl keeps of a run."""
    numbers = run["numbers"]
    return {
        "bench": "frontier",
        "task": task,
        "condition": point["name"],
        "title": point["title"],
        "kind": point["kind"],
        "seed": run["seed"],
        "accuracy": numbers["accuracy"],
        "operations": numbers["synaptic_operations"],
        "operations_of_neurons": numbers.get("synaptic_operations_of_neurons"),
        "spikes": numbers.get("spikes"),
        "synapses": numbers["synapses"],
        **{f"{chip}_uj": numbers[f"energy_pj:{chip}"] / PJ_PER_UJ for chip in CHIPS},
        "front": [axis for axis in point["front"] if axis.partition(":")[0] in FRONTS],
        "training_seconds": numbers["training_seconds"],
    }


def main() -> None:
    """Run what is missing, and report what is there, one row per run."""
    words = parser(__doc__ or "")
    words.add_argument("--task", choices=list(TASKS), default="fsdd_400")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--condition", action="append", help="may be given again")
    words.add_argument("--baseline", action="append", help="gru, rnn or ann, by PyTorch; repeat")
    words.add_argument("--folder", type=Path, default=Path("runs/frontier"))
    words.add_argument("--jobs", type=int, default=1)
    options = words.parse_args()
    out = options.folder / options.task
    command = [sys.executable, "-m", "eventsim", "frontier", str(RECIPES[options.task])]
    command += ["--data", TASKS[options.task], "--seeds", str(options.seeds), "--out", str(out)]
    for chip in CHIPS:
        command += ["--chip", chip]
    for baseline in options.baseline or ():
        command += ["--baseline", baseline]
    for condition in options.condition or ():
        command += ["--condition", condition]
    command += ["--jobs", str(options.jobs), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    points = json.loads(done.stdout)["points"]
    report([row(options.task, point, run) for point in points for run in point["runs"]], options)


if __name__ == "__main__":
    main()
