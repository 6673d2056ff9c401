"""Audio encoders: how long do they take, and which block and batch suit Lyon's ear.

Method   Noise of 1 s at 12.5 kHz (the cochlea: at 8 kHz), seed 0; up to 32 clips side by side;
         seconds per second of audio, one thread, minimum and median of 5 calls.
Answer   Lyon's ear: sixteen clips side by side in blocks of 400 samples -> BATCH, BLOCK.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from bench.harness import arguments, report, timed
from eventsim.datasets.encoders import Bsa, CochleaEncoder, Frames, LyonEar, lyon

RATE = 12500
CLIPS = 16
SIZES = [(batch, block) for batch in (1, 8, 16, 32) for block in (200, 400, 1600)]


def cases() -> Iterator[tuple[dict[str, Any], int, Callable[[], Any]]]:
    """Description, seconds of audio and call of every case."""
    rng = np.random.default_rng(0)
    clips = [0.05 * rng.normal(size=RATE) for _ in range(CLIPS)]
    yield {"case": "cochlea"}, 1, partial(CochleaEncoder().encode, clips[0][:8000], 8000)
    heard: list[Frames] = LyonEar().frames_of(clips, RATE)
    yield {"case": "bsa"}, 1, partial(Bsa().spikes, heard[0])
    for batch, block in SIZES:
        yield (
            {"case": "lyon", "batch": batch, "block": block},
            batch,
            partial(_hear, clips[:batch], batch, block),
        )


def _hear(clips: list[Any], batch: int, block: int) -> None:
    kept = lyon.BATCH, lyon.BLOCK
    lyon.BATCH, lyon.BLOCK = batch, block
    try:
        LyonEar().frames_of(clips * max(1, batch // CLIPS), RATE)
    finally:
        lyon.BATCH, lyon.BLOCK = kept


def main() -> None:
    """Time every case."""
    options = arguments(__doc__ or "")
    rows = []
    for case, seconds, call in cases():
        timing = timed(call, repeats=min(options.repeats, 5), warm_up=0)
        rows.append(
            {"bench": "encoders"}
            | case
            | {
                "s_per_s_minimum": timing.minimum / seconds,
                "s_per_s_median": timing.median / seconds,
            }
        )
    report(rows, options)


if __name__ == "__main__":
    main()
