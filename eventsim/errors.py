"""Exception types: each says where, what came, what was expected, and what to do.

Mistakes of the caller derive from :class:`ValueError` as well, so that code which knows
nothing of eventsim can catch them. Facts are fields, so that a program can react.
"""

from typing import Any


class EventSimError(Exception):
    """Base class of everything that eventsim raises on purpose.

    It reads ``where: got, expected expected. remedy``, without the pieces that are empty. A single
    text is the message as it is.

    Attributes
    ----------
    where
        Function, object, file or place in a file.
    got
        What came; the whole message, if it was made of a single text.
    expected
        What was expected instead.
    remedy
        What to do, in whole sentences.
    """

    def __init__(
        self, where: object, got: object = None, expected: object = "", remedy: object = ""
    ):
        said = (where, got, expected, remedy)
        self.where, self.got, self.expected, self.remedy = map(
            str, ("", where, "", "") if got is None else said
        )
        super().__init__(where if got is None else self._composed())

    def _composed(self) -> str:
        text = ": ".join(filter(None, (self.where, self.got)))
        text += f"{', ' if self.got else ': '}expected {self.expected}" if self.expected else ""
        end = "" if text.endswith((".", "?", "!")) else "."
        return f"{text}{end} {self.remedy}".rstrip()

    def seen_from(
        self, place: object, kind: "type[EventSimError]", remedy: str = ""
    ) -> "EventSimError":
        """The same fault as an error of ``kind``, from the place around it; what else to do."""
        where = ": ".join(filter(None, dict.fromkeys((str(place), self.where))))
        return kind(where, self.got, self.expected, f"{self.remedy} {remedy}".strip())

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is made again from its message, which classes with fields do not take.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[EventSimError], arguments: tuple[Any, ...]) -> EventSimError:
    return kind.__new__(kind, *arguments)


class EventError(EventSimError, ValueError):
    """An event stream is malformed: unsorted, out of range, not finite."""


class ShapeError(EventSimError, ValueError):
    """An array has the wrong shape or type."""


class ParameterError(EventSimError, ValueError):
    """A value lies outside its domain, for example a time constant <= 0."""


class NetworkError(EventSimError, ValueError):
    """The network's graph is malformed or names something unknown."""


class StorageError(EventSimError, ValueError):
    """A file is truncated, foreign, of another version, or cannot be read."""


class DataError(EventSimError, ValueError):
    """A data set is missing, incomplete, or not what it claims to be."""


class MappingError(EventSimError, ValueError):
    """A network, chip, or mapping cannot be used as asked."""


class CaseError(EventSimError, ValueError):
    """A conformance case is unknown or its file malformed, or an adapter cannot be used."""


class BackendError(EventSimError, RuntimeError):
    """A backend is unknown or cannot run on this machine."""


class CacheWarning(UserWarning):
    """Nothing can be kept on disk: what is usually computed once is computed by every process."""


class PeerError(EventSimError, RuntimeError):
    """Another process of the same run failed, or does something else than this one."""


class RunawayError(EventSimError, RuntimeError):
    """A neuron fires without bound inside one gap between two of its inputs."""

    def __init__(self, *, population: str, sample: int, neuron: int, time: float, limit: int):
        self.population, self.sample, self.neuron = population, sample, neuron
        self.time, self.limit = time, limit
        super().__init__(
            f"Population {population!r}, sample {sample}",
            f"neuron {neuron} fired more than {limit} times per ms near {time:.6g} ms. No spike "
            "was dropped; the run stopped",
            remedy="Lower its self-recurrent weight or its drive, or give it a refractory time.",
        )


class CalibrationError(EventSimError, ValueError):
    """No factor of its incoming weights brings a population to a rate."""

    def __init__(self, text: str, *, population: str, rate: float):
        self.population, self.rate = population, rate
        super().__init__("calibrate", text)


class InternalError(EventSimError, RuntimeError):
    """A fact that only a bug in eventsim can break. Please report it."""
