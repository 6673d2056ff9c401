"""Weights of few bits: accuracy after rounding, and after training with them.

Method   The recipe quantised_400.toml beside this file, run as anybody runs it: the last epoch on
         the test part. Networks of single precision are rounded afterwards too, to the same numbers
         of bits. Every run is evaluated once more from its file, and the weights of those trained
         with few bits are held to their grid by arithmetic of this file. The same networks run in
         steps of 1 ms as well, by eventsim.clocked. A stopped run goes on, a
         finished one is not run again. The cores may be shared: seconds are rough.
         With --tune the networks of 45 epochs in single precision, whose runs must be there, are
         trained for 10 more epochs with a quarter of the learning rates: with 4 bits from the first
         step on, and in single precision beside it.
         python -m bench.suite.quantised [--seeds N] [--condition NAME ...] [--tune]
Answer   see results/quantised.jsonl and docs/benchmarks.md.
"""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import parser, report
from eventsim.clocked import Grid
from eventsim.mapping import quantise
from eventsim.network import Network
from eventsim.runs.run import Run, load_run
from eventsim.train import Exact, LearningRates, QuantisedTraining, evaluate, train

HERE = Path(__file__).parent
RECIPE, TASK = HERE / "quantised_400.toml", HERE / "fsdd_400.toml"
BITS = (8, 4, 3, 2)  # to which networks of single precision are rounded
TUNED, EPOCHS, SHARE = "plain_45", 10, 0.25  # what is tuned, how long, of the learning rates


def on_grid(net: Network, bits: int) -> bool:
    """Whether all weights are whole multiples of a unit of their projection."""
    for projection in net.projections.values():
        units = projection.values / np.abs(projection.values).max() * (2 ** (bits - 1) - 1)
        if np.abs(units - np.round(units)).max() > 1e-9:
            return False
    return True


def measured(run: Run, net: Network) -> dict[str, float]:
    """Accuracies of a network on the test part of a run, in exact time and in steps."""
    data, config = run.data("test"), run.config
    exact, steps = (evaluate(net, data, config, method=how) for how in (Exact(), Grid(dt=1.0)))
    return {"accuracy": exact.accuracy, "accuracy_in_steps": steps.accuracy}


def tuned(run: Run, bits: int | None) -> dict[str, Any]:
    """The row of a network that is trained on, with few bits or in single precision."""
    rates = {name: SHARE * rate for name, rate in asdict(run.config.rates).items()}
    config = replace(
        run.config,
        epochs=EPOCHS,
        rates=LearningRates(**rates),
        quantise=QuantisedTraining(bits=bits, begin=0.0),
    )
    found = train(run.net, run.data("train"), config)
    if bits is not None and not on_grid(found.net, bits):
        raise SystemExit(f"{run.folder}: tuned weights do not lie on the grid of {bits} bits.")
    kind = "in single precision" if bits is None else f"with {bits} bits"
    return {
        "bench": "quantised",
        "task": "fsdd_400",
        "condition": "tuned" if bits is None else f"tuned_{bits}",
        "title": f"single precision, 45 epochs, then {EPOCHS} {kind}",
        "seed": config.seed,
        **measured(run, found.net),
        "training_seconds": sum(line["seconds"] for line in found.history),
        "bits": bits,
        "rounded": None if bits is None else "in training",
    }


def rows_of(run: Run, known: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of one run: as it was trained, and rounded afterwards if it was not."""
    net, bits = run.net, run.config.quantise.bits
    again = measured(run, net)
    if again["accuracy"] != known["accuracy"]:
        raise SystemExit(f"{run.folder}: claims {known['accuracy']}, but its file gives {again}.")
    if bits is not None and not on_grid(net, bits):
        raise SystemExit(f"{run.folder}: weights do not lie on the grid of {bits} bits.")
    rows = [known | again | {"bits": bits, "rounded": None if bits is None else "in training"}]
    for fewer in BITS if bits is None else ():
        after = measured(run, quantise(net, fewer).net)
        rows.append(known | after | {"bits": fewer, "rounded": "afterwards"})
    return rows


def main() -> None:
    """Run what is missing, and report what is there."""
    words = parser(__doc__ or "")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--condition", action="append", help="may be given again")
    words.add_argument("--folder", type=Path, default=Path("runs/quantised"))
    words.add_argument("--jobs", type=int, default=1)
    words.add_argument("--tune", action="store_true")
    options = words.parse_args()
    if options.tune:
        folders = [options.folder / TUNED / f"seed-{seed}" for seed in range(options.seeds)]
        report([tuned(load_run(one), bits) for bits in (None, 4) for one in folders], options)
        return
    command = [sys.executable, "-m", "eventsim", "experiment", str(RECIPE), "--data", str(TASK)]
    command += ["--seeds", str(options.seeds), "--out", str(options.folder)]
    for condition in options.condition or ():
        command += ["--condition", condition]
    command += ["--jobs", str(options.jobs), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows = []
    for row in json.loads(done.stdout)["rows"]:
        for seed, accuracy in row["values"].items():
            folder = options.folder / row["name"] / f"seed-{seed}"
            result = json.loads((folder / "result.json").read_text("utf-8"))
            known = {
                "bench": "quantised",
                "task": "fsdd_400",
                "condition": row["name"],
                "title": row["title"],
                "seed": int(seed),
                "accuracy": accuracy,
                "training_seconds": result["training_seconds"],
            }
            rows += rows_of(load_run(folder), known)
    report(rows, options)


if __name__ == "__main__":
    main()
