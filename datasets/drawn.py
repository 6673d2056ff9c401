"""Data sets that are drawn at every use: the size and the seed of a split, and its source."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import in_domain
from eventsim.datasets.cache import Samples, code_digest
from eventsim.datasets.dataset import Split, check_split
from eventsim.datasets.sources import Source
from eventsim.entries.annotations import Bounds, Count
from eventsim.events import DatasetInfo, Recording


class DrawsSamples(Protocol):
    """Draws the samples."""

    def __call__(self, *, size: int, seed: int) -> Samples:
        """Draw ``size`` samples by a seed."""


def drawn(
    info: DatasetInfo,
    split: Split,
    draw: DrawsSamples,
    *,
    size: int | None,
    seed: int | None,
    sizes: Mapping[str, int],
    seeds: Mapping[str, int],
    parameters: Mapping[str, str],
    file: str,
) -> Source:
    """The source of a split that a program draws.

    Size (at least 1) and seed (0 .. 2^32 - 1) are those of the split where they are None;
    ``parameters`` is what else the samples depend on, and ``file`` the module, for the cache.
    Raises DataError where the set has no such split, ParameterError for a size or seed out of
    range.
    """
    check_split(info.name, split, info.parts)
    n = sizes[split] if size is None else size
    start = seeds[split] if seed is None else seed
    in_domain(info.name, "size", n, Count)
    in_domain(info.name, "seed", start, Annotated[int, Bounds(ge=0, lt=2**32)])
    return Source(
        info,
        split,
        make=lambda: draw(size=n, seed=start),
        key=lambda: {
            "size": str(n),
            "seed": str(start),
            **parameters,
            "code": code_digest(file, __file__),
        },
    )


def numbered(
    recordings: Iterable[Recording], labels: NDArray[np.int64], n_channels: int
) -> Samples:
    """Samples of no group, whose keys are their numbers."""
    n = labels.size
    return Samples(recordings, labels, np.full(n, ""), np.arange(n).astype(str), n_channels)
