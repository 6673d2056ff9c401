"""Keeps a run on spoken digits for the first page: network, and one recording of each class.

``python docs/live/packed.py RUN`` writes ``digits.npz`` and ``recordings.npz`` beside this
file. Those came with commit 8446f4d1; at which the run was made was not kept. Its command::

    eventsim train spoken_digits --encoder streaming=true --hidden 48 --hidden 48 --tau-syn 10 \
        --forward-delays 0:150 \
        --epochs 20 --quantise-bits 4 --seed 0 --batch-size 32 --set tail=150 \
        --set augmentation.time_scale=0.2 --set augmentation.channel_shift=2 \
        --set augmentation.drop=0.15 --set augmentation.jitter=3 --out RUN

Times are rounded to whole microseconds and kept as differences; everything is compressed.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import eventsim as es
from eventsim.datasets import SAMPLE_RATES, spoken_digits
from eventsim.events import AudioTables
from eventsim.events.labelled import spread

HERE = Path(__file__).parent


def recordings() -> es.Dataset:
    """One recording of each class, of voices that were not learned."""
    with np.load(HERE / "recordings.npz") as kept:
        stream = es.EventStream(
            np.cumsum(kept["steps"], dtype=np.int64) / 1e3,
            kept["channels"],
            kept["offsets"],
            n_channels=64,
            duration=kept["duration"],
        )
        return es.Dataset(stream, kept["labels"], class_names=kept["class_names"])


def audio() -> AudioTables:
    """The cochlea whose events the network has learned."""
    encoder = replace(spoken_digits.ENCODER, streaming=True)
    return encoder.tables(SAMPLE_RATES["spoken_digits"])


def main(run: str) -> None:
    """Write both files."""
    loaded = es.load_run(run)
    loaded.net.save(HERE / "digits.npz")
    data = loaded.data("test")
    data = data[spread(data.labels, len(data.class_names))]
    microseconds = np.round(data.stream.times * 1e3).astype(np.int64)
    np.savez_compressed(
        HERE / "recordings.npz",
        steps=np.diff(microseconds, prepend=0).astype(np.int32),
        channels=data.stream.channels.astype(np.uint8),
        offsets=data.stream.offsets.astype(np.int32),
        duration=data.stream.duration,
        labels=data.labels,
        class_names=np.array(data.class_names),
    )


if __name__ == "__main__":
    main(sys.argv[1])
