"""Operations of a machine that makes the events of a signal itself, sample by sample.

==============  ====================================================================================
operation       what counts as one
==============  ====================================================================================
multiply-add    a product, with the sum that it goes into
addition        a sum or difference beside these, and a comparison
function        a power or a quotient
==============  ====================================================================================

The counts follow from the parameters of an encoder; those of its events are one addition each or
more. Reading and keeping its coefficients and states is not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Floats
from eventsim.summary import short_repr


@dataclass(frozen=True, kw_only=True)
class EncoderOperations:
    """Operations of an encoder; see the module.

    Attributes
    ----------
    multiply_adds, additions, functions
        Per second of the signal.
    event_additions
        Per event, besides.
    """

    multiply_adds: float = 0.0
    additions: float = 0.0
    functions: float = 0.0
    event_additions: float = 0.0

    __repr__ = short_repr

    def __add__(self, other: "EncoderOperations") -> "EncoderOperations":
        """Operations of both encoders, one after the other."""
        names = [one.name for one in fields(self)]
        return EncoderOperations(
            **{name: getattr(self, name) + getattr(other, name) for name in names}
        )

    def __mul__(self, times: float) -> "EncoderOperations":
        """Operations of so many encoders, or of one so much faster; per event unchanged."""
        return EncoderOperations(
            multiply_adds=self.multiply_adds * times,
            additions=self.additions * times,
            functions=self.functions * times,
            event_additions=self.event_additions,
        )

    def of(self, duration: ArrayLike, events: ArrayLike) -> Mapping[str, Floats]:
        """Operations of recordings, by name.

        Parameters
        ----------
        duration
            ms, [samples].
        events
            Of each recording, [samples].

        Returns
        -------
        ``multiply_adds``, ``additions``, ``functions``, [samples] each. New arrays.
        """
        seconds = np.asarray(duration, dtype=np.float64) / 1e3
        return {
            "multiply_adds": self.multiply_adds * seconds,
            "additions": self.additions * seconds + self.event_additions * np.asarray(events),
            "functions": self.functions * seconds,
        }


@dataclass(frozen=True, eq=False)
class AudioTables:
    """Tables for a program elsewhere that encodes audio as the streaming cochlea does.

    ``coefficients`` are float64 arrays by the sample rate of the audio, Hz; the first rate is that
    of the recordings which a network has learned.
    """

    coefficients: Mapping[float, Floats]

    __repr__ = short_repr

    @property
    def sample_rate(self) -> float:
        """Hz, of the recordings that were learned."""
        return next(iter(self.coefficients))

    @property
    def n_channels(self) -> int:
        """Channels of the cochlea."""
        return int(self.coefficients[self.sample_rate][0])
