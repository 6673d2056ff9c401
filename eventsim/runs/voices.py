"""Recordings by voices of eSpeak NG, as further training data."""

from collections.abc import Sequence

import numpy as np

from eventsim.datasets import spoken_digits
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.events import Dataset


def further_accents(learned: Dataset, n: int, encoder: CochleaEncoder) -> Dataset:
    """What the voices of the training part that are learned say in n more accents."""
    recipe = spoken_digits.SpeechRecipe(accents=1 + n, encoder=encoder)
    own = [str(u.key) for u in spoken_digits.utterances(spoken_digits.SpeechRecipe(), "train")]
    every = spoken_digits.load("train", recipe=recipe)
    assert every.keys is not None
    assert every.groups is not None
    assert learned.groups is not None
    more = np.isin(every.groups, np.unique(learned.groups)) & ~np.isin(every.keys, own)
    return every.subset(np.flatnonzero(more))


def spoken_classes(
    class_names: Sequence[str], *, accents: int, encoder: CochleaEncoder
) -> list[Dataset]:
    """The classes by all voices, as FSDD would have recorded them; groups are the voices."""
    recipe = spoken_digits.SpeechRecipe(
        accents=accents, encoder=encoder, sample_rate=8000, equaliser=6.0, noise=0.01
    )
    found, number = [], {name: k for k, name in enumerate(class_names)}
    for split in spoken_digits.SPLITS:
        data = spoken_digits.load(split, recipe=recipe)
        labels = np.array([number.get(name, -1) for name in data.class_names])[data.labels]
        said = np.flatnonzero(labels >= 0)
        assert data.groups is not None
        found.append(
            Dataset(data.stream[said], labels[said], class_names, groups=data.groups[said])
        )
    return found
