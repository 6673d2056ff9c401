"""What a network loses whose events come from another cochlea than those that it has learned.

Method   `eventsim train` with two layers of 48 on FSDD (8 kHz, five speakers, takes 0 to 4 are
         tested), once on events of the cochlea that hears whole recordings, once on those of the
         streaming one. Each is tested on the events of both. ``site``: the network of the site's
         first page, which has learned synthetic voices by the streaming cochlea, on the voices
         of its test part and on the ten digits of FSDD's people, also by the streaming cochlea;
         "oh" counts as an error there.
Answer   results/live_cochlea.jsonl.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import arguments, report
from eventsim.datasets import fsdd, spoken_digits
from eventsim.events import Dataset
from eventsim.measures import wilson
from eventsim.runs.data import DataSettings
from eventsim.train import load_network

RECIPE = (
    "--hidden 48 --hidden 48 --tau-syn 10 --forward-delays 0:150 --epochs 20 --seed 0 "
    "--batch-size 32 --set tail=150 --set augmentation.time_scale=0.2 "
    "--set augmentation.channel_shift=2 --set augmentation.drop=0.15 --set augmentation.jitter=3"
)
KINDS = {"whole": {}, "streaming": {"streaming": True}}
SITE = Path(__file__).parents[2] / "docs" / "live" / "digits.npz"


def trained(kind: str, folder: Path) -> es.Network:
    """A network that has learned FSDD by a cochlea."""
    chosen = [f"--encoder={name}={str(value).lower()}" for name, value in KINDS[kind].items()]
    command = [sys.executable, "-m", "eventsim", "train", "fsdd", *chosen, *RECIPE.split()]
    subprocess.run([*command, "--out", folder, "--json"], check=True, stdout=subprocess.DEVNULL)
    return es.load_run(folder).net


def row(case: str, learned: str, heard: str, right: int, of: int) -> dict[str, Any]:
    """One line of the results."""
    return {
        "bench": "live_cochlea", "case": case, "learned": learned, "heard": heard,
        "recordings": of, "accuracy": right / of, "interval": wilson(right / of, of),
    }  # fmt: skip


def right(net: es.Network, data: Dataset) -> int:
    """Recordings whose class is answered, by its name."""
    names = np.array(es.predict(net, data.stream).names)
    return int((names == np.array(data.class_names)[data.labels]).sum())


def rows() -> Iterator[dict[str, Any]]:
    """All cases."""
    tests = {
        kind: DataSettings(name="fsdd", encoder=encoder).labelled("test")[:]
        for kind, encoder in KINDS.items()
    }
    for learned in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            net = trained(learned, Path(folder, "run"))
        for heard, data in tests.items():
            yield row("fsdd", learned, heard, right(net, data), len(data))
    site, encoder = load_network(SITE), replace(spoken_digits.ENCODER, streaming=True)
    voices = DataSettings(name="spoken_digits", encoder={"streaming": True}).labelled("test")[:]
    yield row("site", "voices", "voices", right(site, voices), len(voices))
    people = fsdd.load("test", encoder=encoder)
    yield row("site", "voices", "people", right(site, people), len(people))


if __name__ == "__main__":
    report(rows(), arguments(__doc__.splitlines()[0]))
