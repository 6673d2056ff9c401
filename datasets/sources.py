"""From the files of a data set to its events, in memory or on disk, through the cache or not.

Every data set describes one split as a :class:`Source`; what can be done with it is the same for
all. ``load`` holds the events in memory. ``stored`` leaves them in the cache, where training and
simulation read the samples of a batch, so that a set may be larger than memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from inspect import getdoc, signature
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventsim.datasets.cache import Samples, cached
from eventsim.datasets.dataset import Split, Texts
from eventsim.errors import DataError, EventSimError
from eventsim.events import Dataset, DatasetInfo, StoredStream, gather
from eventsim.events.labelled import class_names_of

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, eq=False)
class Source:
    """A split of a data set before its events are there.

    Parameters
    ----------
    info, split
        As :class:`~eventsim.datasets.Dataset`.
    make
        Reads or encodes the samples.
    key
        Everything that the samples depend on: checksum of the files, parameters, code. It is asked
        for when the cache is used.
    choose
        Mask [samples] of those that belong to the split, from their keys; None for all. The cache
        holds what ``make`` gives.
    encoded
        ``make`` takes long: ``load`` goes through the cache as well.
    told
        What the cache says of how the recordings were read, for their description; None for none.
    """

    info: DatasetInfo
    split: Split
    make: Callable[[], Samples]
    key: Callable[[], Mapping[str, str]]
    choose: Callable[[Texts], NDArray[np.bool_]] | None = None
    encoded: bool = False
    told: Callable[[StoredStream], str] | None = None

    def load(self) -> Dataset:
        """The events in memory. New arrays.

        Raises
        ------
        DataError
            The files are not what they claim to be.
        """
        if self.encoded:
            return self._through_cache(lambda stored: self._described(stored).read())
        samples = self.make()
        try:
            stream = gather(samples.recordings, n_channels=samples.n_channels)
        except DataError:
            raise
        except EventSimError as error:
            raise DataError(f"{self.info.name}: events do not form a stream ({error})") from error
        data = Dataset(
            stream,
            samples.labels,
            samples.class_names or self.info.classes,
            self.info,
            samples.groups,
            samples.keys,
            self.split,
        )
        return data if self.choose is None else data.subset(self.choose(samples.keys))

    def stored(self) -> Dataset[StoredStream]:
        """The events left on disk, in the cache; the samples of a batch are read when asked for.

        Raises
        ------
        DataError
            The files are not what they claim to be.
        StorageError
            The cache cannot be written.
        """
        return self._through_cache(self._verified)

    def _verified(self, stored: StoredStream) -> Dataset[StoredStream]:
        stored.verify()
        return self._described(stored)

    def _through_cache(self, use: Callable[[StoredStream], T]) -> T:
        return cached(self.info.name, key=self.key(), make=self.make, use=use)

    def _described(self, stored: StoredStream) -> Dataset[StoredStream]:
        keys, info = stored.columns["keys"], self.info
        if self.told is not None:
            info = replace(info, description=f"{info.description}; {self.told(stored)}")
        data = Dataset[StoredStream](
            stored,
            stored.columns["labels"],
            class_names_of(stored) or info.classes,
            info,
            stored.columns["groups"],
            keys,
            self.split,
        )
        return data if self.choose is None else data.subset(self.choose(keys))


def loading(source: Callable[P, Source]) -> Callable[P, Dataset]:
    """The ``load`` that belongs to a ``source``: same parameters, with the events in memory."""

    @wraps(source)
    def load(*args: P.args, **kwargs: P.kwargs) -> Dataset:
        return source(*args, **kwargs).load()

    name = source.__name__
    load.__name__ = load.__qualname__ = "load" if name == "source" else f"load_{name[:-7]}"
    load.__doc__ = (getdoc(source) or "").replace("\nSource\n", "\nDataset\n")
    load.__signature__ = signature(source).replace(  # type: ignore[attr-defined]
        return_annotation=Dataset
    )
    load.__annotations__ = source.__annotations__ | {"return": Dataset}
    return load
