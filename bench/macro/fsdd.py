"""FSDD: how well does a ScSr-SNN with BIP learn spoken digits, and what do both add.

Method   Free Spoken Digit Dataset, official split (takes 0-4 test, 5-49 train), the speakers found
         under EVENTSIM_DATA; 64-channel cochlea; two hidden populations of 128 with all skip
         connections; three seeds; accuracy of the last epoch on the test part. ``scsr+bip`` has
         self-recurrence and trains the neurons' parameters, ``plain`` has neither, all else equal.
         Settings were chosen on 15 % of the training part, never on the test part.
Answer   see results/fsdd.jsonl and README.md.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import eventsim as es
from bench.harness import RESULTS, machine
from eventsim import datasets
from eventsim.train import Augmentation, LabelledEvents, RichProgress, TrainConfig, evaluate, train

CASES = {"scsr+bip": True, "plain": False}
AUGMENTATION = Augmentation(time_scale=0.2, channel_shift=2, drop=0.15, jitter=3.0)
EPOCHS = 30


def config(*, full: bool, seed: int, epochs: int, validation: float = 0.0) -> TrainConfig:
    """The settings of one run."""
    bip = TrainConfig().bip if full else ()
    return TrainConfig(
        epochs=epochs,
        seed=seed,
        validation_fraction=validation,
        augmentation=AUGMENTATION,
        bip=bip,
    )


def network(*, full: bool, seed: int) -> es.Network:
    """The network that a run starts from."""
    return es.scsr(64, (128, 128), 10, self_recurrent=full, seed=seed, tau_syn=10.0)


def load(split: str) -> LabelledEvents:
    """A part of FSDD as training takes it."""
    data = datasets.load("fsdd", split=split)
    return LabelledEvents(data.stream, data.labels, data.class_names)


def run(case: str, seed: int, epochs: int, folder: Path) -> dict[str, Any]:
    """Train one network, or go on with one that was stopped, and test its last epoch."""
    settings = config(full=CASES[case], seed=seed, epochs=epochs)
    home = folder / f"{case}-{seed}"
    with RichProgress() as progress:
        result = train(
            network(full=CASES[case], seed=seed),
            load("train"),
            settings,
            home,
            resume=(home / "checkpoint.npz").exists(),
            callback=progress,
        )
    tested = evaluate(result.net, load("test"), settings)
    return {
        "bench": "fsdd",
        "case": case,
        "seed": seed,
        "epochs": epochs,
        "test_accuracy": tested.accuracy,
        "test_samples": tested.n_samples,
        "train_accuracy": result.last["accuracy"],
        "train_s": sum(line["seconds"] for line in result.history),
        "epoch_s": float(np.median([line["seconds"] for line in result.history])),
        "rates_hz": {name: float(rates.mean()) for name, rates in tested.rates.items()},
        "synaptic_events_per_sample": sum(tested.synaptic_events.values()),
    }


def main() -> None:
    """Run what is asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--folder", type=Path, default=Path("runs/fsdd"))
    parser.add_argument("--save", action="store_true", help="append to bench/results/fsdd.jsonl")
    options = parser.parse_args()
    stamp, rows = machine(), []
    for case in options.cases:
        for seed in options.seeds:
            rows.append(run(case, seed, options.epochs, options.folder))
            if options.save:
                RESULTS.mkdir(exist_ok=True)
                with open(RESULTS / "fsdd.jsonl", "a") as file:
                    file.write(json.dumps(rows[-1] | stamp) + "\n")
    table = Table("case", "seeds", "test accuracy, last epoch", "mean", "standard deviation")
    for case in options.cases:
        found = [100 * row["test_accuracy"] for row in rows if row["case"] == case]
        shown = ", ".join(f"{value:.1f} %" for value in found)
        spread = np.std(found, ddof=1) if len(found) > 1 else float("nan")
        table.add_row(case, str(options.seeds), shown, f"{np.mean(found):.2f} %", f"{spread:.2f} %")
    Console().print(table)


if __name__ == "__main__":
    main()
