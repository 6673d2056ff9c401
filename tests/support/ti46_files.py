"""Folders of text spike files of TI46: ``{class}/{speaker}_u{utterance}_c{class}.dat``."""

import numpy as np

SPEAKERS = ("f1", "f2", "m1", "m2", "m3")


def spike_text(pairs):
    """The text of a file, from pairs (channel, step)."""
    return "-1\t-1\n" + "".join(f"{c}\t{s}\n" for c, s in pairs) + "-1\t-1\n"


def write_spikes(folder, *, speakers=SPEAKERS, utterances=2, classes=26, seed=0, prefix=""):
    """One file a class, speaker and utterance: a class is busy in channels of its own.

    Nothing happens before step 150; one spike of every file of class 0 lies past step 699.
    """
    rng = np.random.default_rng(seed)
    for label in range(classes):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        for speaker in speakers:
            for utterance in range(1, utterances + 1):
                channels = (3 * label + rng.integers(0, 6, 40)) % 78
                pairs = set(
                    zip(channels.tolist(), rng.integers(150, 400, 40).tolist(), strict=True)
                )
                late = {(77, 705)} if label == 0 else set()
                name = f"{prefix}{speaker}_u{utterance}_c{label}.dat"
                (folder / str(label) / name).write_text(spike_text(sorted(pairs | late)))
    return folder
