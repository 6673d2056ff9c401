"""Every accuracy of docs/benchmarks.md that an experiment gives, by one command.

Method   The recipes and tasks of ``eventsim experiment``, as they are: full length, several seeds,
         the last epoch on the test part, and what validation chose beside it. A stopped run goes
         on, a finished one is not run again; commit and threads of a row are those of the report.
         python -m bench.suite.accuracy [--only NAME ...] [--folder F] [--jobs N] [--quick]
         ``--quick`` is the same at the size of a smoke test, whose accuracies mean nothing.
Answer   see results/accuracy.jsonl and docs/benchmarks.md.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.harness import parser, report


@dataclass(frozen=True)
class Entry:
    """A recipe on a task; no conditions for all of them."""

    name: str
    recipe: str
    task: str
    seeds: int
    conditions: tuple[str, ...] = ()

    def command(self, options: argparse.Namespace) -> list[str]:
        """What anyone types to get its numbers."""
        out = options.folder / self.name
        words = ["experiment", self.recipe, "--data", self.task, "--out", str(out)]
        for condition in self.conditions:
            words += ["--condition", condition]
        words += ["--smoke"] if options.quick else ["--seeds", str(self.seeds)]
        return [*words, "--jobs", str(options.jobs), "--json"]


# In exact time, with one loss: what ScSr + BIP is compared with.
METHODS = ("bip", "weights", "feedforward", "lateral", "spikl")
HERE = Path(__file__).parent
SMALL_FSDD = str(HERE / "fsdd_400.toml")
SMALL_NMNIST = str(HERE / "nmnist_400.toml")
WARPED_NMNIST = str(HERE / "nmnist_warped.toml")
SMALL_YINYANG = str(HERE / "yinyang_small.toml")
WIDE = str(HERE / "wide.toml")
VOICES = str(HERE / "fsdd_voices.toml")
ACCENTS = str(HERE / "spoken_digits_accents.toml")
ADAPTIVE = str(HERE / "adaptive.toml")

ENTRIES = (
    Entry("fsdd", "delays", "fsdd", 5, ("random",)),
    Entry("fsdd_speakers", "delays", "fsdd_speakers", 3, ("random",)),
    Entry("fsdd_voices", "convolution", VOICES, 3, ("convolutional",)),
    Entry("spoken_digits", "convolution", "spoken_digits", 3, ("convolutional",)),
    Entry("spoken_digits_wide", WIDE, "spoken_digits", 3),
    Entry("spoken_digits_accents", WIDE, ACCENTS, 3),
    Entry("yinyang", "baselines", "yinyang", 5, METHODS),
    Entry("yinyang_small", "baselines", SMALL_YINYANG, 5, ("bip", "weights")),
    Entry("memory", str(HERE / "memory.toml"), str(HERE / "delayed_match.toml"), 5),
    Entry("architectures_400", "architectures", SMALL_FSDD, 5),
    Entry("baselines_400", "baselines", SMALL_FSDD, 5, METHODS),
    Entry("start_400", str(HERE / "start_400.toml"), SMALL_FSDD, 5),
    Entry("bip_400", "bip", SMALL_FSDD, 5),
    Entry("delays_400", "delays", SMALL_FSDD, 5),
    Entry("adaptive_400", ADAPTIVE, SMALL_FSDD, 5),
    Entry("adaptive_fsdd", ADAPTIVE, "fsdd", 3),
    Entry("adaptive_voices", ADAPTIVE, "spoken_digits", 3),
    Entry("steps_400", "grid", SMALL_FSDD, 3),
    Entry("nmnist_400", "grid", SMALL_NMNIST, 3, ("exact", "grid_1ms", "linear")),
    Entry("nmnist_warped", "baselines", WARPED_NMNIST, 3, ("bip", "weights")),
)


def rows_of(entry: Entry, found: dict[str, Any]) -> list[dict[str, Any]]:
    """One per condition."""
    return [
        {
            "bench": "accuracy",
            "case": entry.name,
            "recipe": Path(entry.recipe).stem,
            "task": Path(entry.task).stem,
            "condition": row["name"],
            "accuracies": row["values"],
            "selected_accuracies": row["selected_values"],
            "mean": row["over_seeds"]["mean"],
            "deviation": row["over_seeds"]["deviation"],
            "repeats": found["repeats"]["kind"],  # of the tests; mean and deviation are over seeds
            "parameters": row["parameters"],
            **row["measured"],
            "difference": (row["comparison"] or {}).get("difference"),
            "p_holm": row["p_holm"],
        }
        for row in found["rows"]
    ]


def main() -> None:
    """Run what is missing, and report what is there."""
    words = parser(__doc__ or "")
    names = [entry.name for entry in ENTRIES]
    words.add_argument("--only", action="append", choices=names, help="may be given again")
    words.add_argument("--folder", type=Path, default=Path("runs/accuracy"))
    words.add_argument("--jobs", type=int, default=2)
    words.add_argument("--quick", action="store_true")
    options = words.parse_args()
    for entry in ENTRIES:
        if options.only and entry.name not in options.only:
            continue
        command = [sys.executable, "-m", "eventsim", *entry.command(options)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        report(rows_of(entry, json.loads(done.stdout)), options)


if __name__ == "__main__":
    main()
