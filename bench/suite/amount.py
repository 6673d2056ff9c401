"""How much augmentation, and for how long, by how many recordings there are to learn from.

Method   The settings of the tasks of speech (``eventsim experiment``, task fsdd) with two hidden
         populations of 64, on FSDD (under EVENTSIM_DATA) and ``spoken_digits``, of both the
         training part alone. Of it some 400 recordings are held out and asked, of FSDD those of
         speakers that are learned as well, of ``spoken_digits`` all of voices that are not; 200
         others are learned, or all others. Augmentation is that of the task, half of it (every
         amount by 0.5) or none. Training takes a number of steps of 32 recordings, however many
         recordings there are. Accuracies are of the last epoch: of the 400, and without
         augmentation of those that were learned.
         python -m bench.suite.amount [--seeds N] [--data NAME] [--recordings N] [--steps N]
Answer   see results/amount.jsonl, docs/benchmarks.md and docs/howto/train.md.
"""

import argparse
import time
from dataclasses import fields, replace
from itertools import product
from typing import Any

import eventsim as es
from bench.harness import parser, report
from eventsim import datasets
from eventsim.engine.contract.registry import set_threads
from eventsim.events import Dataset
from eventsim.events.labelled import grouped_split
from eventsim.experiment import NetworkSettings, load_task
from eventsim.train import Augmentation, TrainConfig, stratified_split

SETS = {"fsdd": False, "spoken_digits": True}  # whether voices are held out
ASKED = 400  # recordings
FEW = 200  # recordings; 0 stands for all
STRENGTHS = (0.0, 0.5, 1.0)
STEPS = (500, 2000)
HIDDEN = (64, 64)

Row = dict[str, Any]


def weakened(augmentation: Augmentation, strength: float) -> Augmentation:
    """Every amount of it by ``strength``; channels and pixels are whole numbers."""
    amounts = {field.name: getattr(augmentation, field.name) for field in fields(augmentation)}
    del amounts["sensor_size"]
    scaled = {name: strength * amount for name, amount in amounts.items()}
    whole = {name: round(scaled[name]) for name in ("channel_shift", "pixel_shift")}
    return replace(augmentation, **scaled | whole)


def parts(training: Dataset, learned: int, *, voices: bool) -> tuple[Dataset, Dataset]:
    """Recordings to learn from and those that are asked: the latter are always the same ones."""
    share = ASKED / len(training)
    if voices:
        others, asked = grouped_split(training.groups, fraction=share, seed=0)
    else:
        others, asked = stratified_split(training.labels, fraction=share, seed=0)
    if learned:
        share = learned / others.size
        _, chosen = stratified_split(training.labels[others], fraction=share, seed=0)
        others = others[chosen]
    return training[others], training[asked]


def run(learned: Dataset, asked: Dataset, strength: float, steps: int, seed: int) -> Row:
    """One training."""
    task = load_task("fsdd")
    settings = NetworkSettings.from_options(task.network | {"hidden": list(HIDDEN)})
    net = settings.build(learned.stream.n_channels, len(learned.class_names), seed=seed)
    config = TrainConfig.from_dict(task.train)
    per_epoch = -(-len(learned) // config.batch_size)
    config = replace(
        config,
        epochs=max(1, round(steps / per_epoch)),
        seed=seed,
        precision="single",
        validation_fraction=0.0,
        augmentation=weakened(config.augmentation, strength),
    )
    began = time.process_time()
    found = es.train(net, learned, config)
    seconds = time.process_time() - began
    return {
        "epochs": config.epochs,
        "accuracy": es.evaluate(found.net, asked, config).accuracy,
        "train_accuracy": es.evaluate(found.net, learned, config).accuracy,
        "cpu_seconds": round(seconds, 1),
    }


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0])
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--data", action="append", choices=list(SETS))
    words.add_argument("--recordings", type=int, action="append", help="to learn from; 0 for all")
    words.add_argument("--steps", type=int, action="append")
    return words.parse_args()


def main() -> None:
    """One row per run."""
    options = _options()
    set_threads(1)
    sizes, lengths = options.recordings or (FEW, 0), options.steps or STEPS
    for name in options.data or SETS:
        training = datasets.load(name, split="train")
        divided = {size: parts(training, size, voices=SETS[name]) for size in sizes}
        for seed, size, steps, strength in product(range(options.seeds), sizes, lengths, STRENGTHS):
            learned, asked = divided[size]
            about = {"bench": "amount", "data": name, "recordings": len(learned), "steps": steps}
            about |= {"strength": strength, "seed": seed}
            report([about | run(learned, asked, strength, steps, seed)], options)


if __name__ == "__main__":
    main()
