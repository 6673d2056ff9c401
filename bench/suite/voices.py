"""Recordings by voices of eSpeak NG as further training data: the files of two tasks beside this.

Method   ``fsdd``: the recordings of FSDD, each three times, and 3,000 of the 75 voices of eSpeak
         NG, in two accents, each with a microphone and a room of its own; groups are speakers and
         the voices, so that a voice is never tested where speakers are left out in turn. Consonants
         are weak and high: both have a pre-emphasis, and a gain that keeps the number of events.
         ``spoken_digits``: its two parts, and in the training part what its 60 voices say in the
         seven accents that are not their own.
         python -m bench.suite.voices      (extra demo; FSDD as eventsim.datasets finds it)
Answer   runs/fsdd_voices.h5 and runs/spoken_digits_accents.h5, of which fsdd_voices.toml and
         spoken_digits_accents.toml are the tasks: bench/suite/accuracy.py.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from eventsim import datasets
from eventsim.datasets import fsdd, spoken_digits
from eventsim.datasets.spoken_digits import SpeechRecipe
from eventsim.events import Dataset
from eventsim.events.labelled import joined

COPIES, ACCENTS, FOLDER = 3, 2, Path("runs")
ENCODER = replace(fsdd.ENCODER, emphasis=0.95, gain=2340.0)


def people_and_voices(recordings: Dataset, recipe: SpeechRecipe) -> Dataset:
    """Recordings, ``COPIES`` times, and what all voices say of their classes."""
    number, found = {name: k for k, name in enumerate(recordings.class_names)}, []
    for split in spoken_digits.SPLITS:
        said = spoken_digits.load(split, recipe=recipe)
        labels = np.array([number.get(name, -1) for name in said.class_names])[said.labels]
        kept = np.flatnonzero(labels >= 0)
        found.append(
            Dataset(
                said.stream[kept], labels[kept], recordings.class_names, groups=said.groups[kept]
            )
        )
    return joined(*[recordings] * COPIES, *found)


def main() -> None:
    """Write both files."""
    halves = [fsdd.source(split, encoder=ENCODER).load() for split in ("train", "test")]
    recipe = SpeechRecipe(
        accents=ACCENTS, encoder=ENCODER, sample_rate=8000, equaliser=6.0, noise=0.01
    )
    FOLDER.mkdir(exist_ok=True)
    people_and_voices(joined(*halves), recipe).save(FOLDER / "fsdd_voices.h5")
    every = spoken_digits.load("train", recipe=SpeechRecipe(accents=len(spoken_digits.ACCENTS)))
    test = datasets.load("spoken_digits", split="test")
    splits = np.repeat(["train", "test"], [len(every), len(test)])
    joined(every, test).save(FOLDER / "spoken_digits_accents.h5", splits=splits)


if __name__ == "__main__":
    main()
