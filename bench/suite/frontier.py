"""Accuracy against energy: what do fewer operations cost, by the loss, by synapses, by size.

Method   eventsim frontier: the last epoch on the test part, and every network counted there and
         priced on each chip, leakage aside (before 0.3.0 axons and links, too). fsdd_400 has the
         recipe frontier_400.toml beside this file; the other tasks have eventsim's own, all of it
         but the fixed-step
         counterpart, which takes hours there, in fewer epochs than the tasks ask for; only
         spoken_digits_30 has as many, for a few conditions. One row per run, with the chips on
         whose front its condition is, and one per network rounded afterwards (--bits), which is
         counted again. The fronts are chosen by what the task holds out for validation, and by the
         test part itself where that is nothing. A stopped run goes on, a finished one is not run
         again; commit and threads of a row are those of the report. The cores may be shared:
         seconds are rough. --baseline trains dense networks beside the runs of "plain" (dense.py,
         extra torch): their operations are multiplications, and energies those in 45 nm.
         python -m bench.suite.frontier [--task NAME] [--seeds N] [--condition NAME ...]
                                        [--baseline gru --baseline ann] [--bits 4]
         ``--task`` is one of SWEEPS.
Answer   see results/frontier.jsonl and docs/benchmarks.md.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness import parser, report
from eventsim.experiment import load_recipe, load_task
from eventsim.experiment.resolve import Selection, resolve

HERE = Path(__file__).parent


class Sweep(NamedTuple):
    """What ``eventsim frontier`` is asked for on a task, and the epochs in place of the task's."""

    recipe: str
    data: str
    epochs: int | None = None
    grid: bool = False

    def conditions(self) -> list[str]:
        """Names of the recipe's conditions, those on a grid only where the sweep has them."""
        found = resolve(load_recipe(self.recipe), load_task(self.data), Selection())
        return [one.name for one in found.variants if self.grid or one.grid is None]


SWEEPS = {
    "fsdd_400": Sweep(str(HERE / "frontier_400.toml"), str(HERE / "fsdd_400.toml"), grid=True),
    "fsdd": Sweep("frontier", "fsdd", epochs=15),
    "spoken_digits": Sweep("frontier", "spoken_digits", epochs=15),
    "spoken_digits_30": Sweep("frontier", "spoken_digits"),
    "nmnist_400": Sweep("frontier", str(HERE / "nmnist_400.toml"), epochs=10),
}
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
    words.add_argument("--task", choices=list(SWEEPS), default="fsdd_400")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--condition", action="append", help="may be given again")
    words.add_argument("--baseline", action="append", help="gru, rnn or ann, by PyTorch; repeat")
    words.add_argument("--bits", action="append", help="round trained networks too; repeat")
    words.add_argument("--folder", type=Path, default=Path("runs/frontier"))
    words.add_argument("--jobs", type=int, default=1)
    options = words.parse_args()
    sweep = SWEEPS[options.task]
    command = [sys.executable, "-m", "eventsim", "frontier", sweep.recipe, "--data", sweep.data]
    command += ["--seeds", str(options.seeds), "--out", str(options.folder / options.task)]
    command += ["--jobs", str(options.jobs), "--json"]
    if sweep.epochs is not None:
        command += ["--epochs", str(sweep.epochs)]
    given = {
        "--chip": CHIPS,
        "--condition": options.condition or sweep.conditions(),
        "--bits": options.bits or (),
    }
    for option, values in given.items():
        for value in values:
            command += [option, value]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    points = json.loads(done.stdout)["points"]
    plain = [run["folder"] for point in points if point["name"] == "plain" for run in point["runs"]]
    for kind in options.baseline or ():
        from bench.suite.dense import dense_point  # loads PyTorch

        folders = [options.folder / options.task / folder for folder in plain]
        points.append(dense_point(kind, folders, CHIPS))
    report([row(options.task, point, run) for point in points for run in point["runs"]], options)


if __name__ == "__main__":
    main()
