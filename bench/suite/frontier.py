"""Accuracy against operations: how much do fewer cost, by the loss and by fewer synapses.

Method   The recipe frontier.toml or frontier_400.toml beside this file, run as anybody runs it: the
         last epoch on the test part. Then every network runs once more on the test part, and its
         operations are counted: all, those that spikes of neurons cause, and the energy on Loihi in
         steps of 1 ms, leakage and links aside. A stopped run goes on, a finished one is not run
         again; commit and threads of a row are those of the report. The cores may be shared:
         seconds are rough.
         python -m bench.suite.frontier [--task fsdd_400|fsdd] [--seeds N] [--condition NAME ...]
Answer   see results/frontier.jsonl and docs/benchmarks.md.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.harness import parser, report
from eventsim.chips import load_chip
from eventsim.energy import cost
from eventsim.engine import simulate
from eventsim.runs.run import load_run

HERE = Path(__file__).parent
RECIPES = {"fsdd_400": HERE / "frontier_400.toml", "fsdd": HERE / "frontier.toml"}
TASKS = {"fsdd_400": str(HERE / "fsdd_400.toml"), "fsdd": "fsdd"}
CHIP, PJ_PER_UJ = "loihi", 1e6


def measured(folder: Path) -> dict[str, Any]:
    """Of one run: operations and energy per test recording."""
    run = load_run(folder)
    data, net, config = run.data("test"), run.net, run.config
    energy, operations = 0.0, dict.fromkeys(net.projections, 0)
    for index in data.stream.batches(config.batch_size):
        tape = simulate(net, data[index].stream, tail=config.tail, precision=config.precision)
        found = cost(net, tape, load_chip(CHIP))
        energy += found.part_pj("spikes", "step") * len(index) / PJ_PER_UJ
        for name, number in tape.synaptic_events.items():
            operations[name] += number
    by_neurons = [n for name, n in operations.items() if not name.startswith("input->")]
    return {
        "operations": sum(operations.values()) / len(data),
        "operations_of_neurons": sum(by_neurons) / len(data),
        f"{CHIP}_uj": energy / len(data),
        "synapses": sum(p.values.size for p in net.projections.values()),
    }


def main() -> None:
    """Run what is missing, and report what is there, one row per run."""
    words = parser(__doc__ or "")
    words.add_argument("--task", choices=list(TASKS), default="fsdd_400")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--condition", action="append", help="may be given again")
    words.add_argument("--folder", type=Path, default=Path("runs/frontier"))
    words.add_argument("--jobs", type=int, default=1)
    options = words.parse_args()
    out = options.folder / options.task
    command = [sys.executable, "-m", "eventsim", "experiment", str(RECIPES[options.task])]
    command += ["--data", TASKS[options.task], "--seeds", str(options.seeds), "--out", str(out)]
    for condition in options.condition or ():
        command += ["--condition", condition]
    command += ["--jobs", str(options.jobs), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows = []
    for row in json.loads(done.stdout)["rows"]:
        for seed, accuracy in row["accuracies"].items():
            folder = out / row["name"] / f"seed-{seed}"
            result = json.loads((folder / "result.json").read_text("utf-8"))
            rows.append(
                {
                    "bench": "frontier",
                    "task": options.task,
                    "condition": row["name"],
                    "title": row["title"],
                    "seed": int(seed),
                    "accuracy": accuracy,
                    **measured(folder),
                    "connection_sparsity": result["connection_sparsity"],
                    "spikes_per_neuron_and_second": result["spikes_per_neuron_and_second"],
                    "training_seconds": result["training_seconds"],
                }
            )
    report(rows, options)


if __name__ == "__main__":
    main()
