"""Softmax cross-entropy of logits and its result, shared by the classifying losses."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.adjoint import Seeds
from eventsim.arrays import Array, Floats, Ints, is_masked, is_whole, namespace, to_host
from eventsim.checks import every, real_array, shaped, whole_array
from eventsim.errors import ParameterError
from eventsim.events import SpikeTape
from eventsim.network import Network

# Shares of classes have to sum to 1 within this.
SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Classified:
    """Outcome of a classifying loss on one batch."""

    value: float | Array  # mean loss; an array without dimensions where it is on a device
    seeds: Seeds  # where the backward pass starts
    # Shape [samples, classes]; the largest is the answer, unless ``answers`` says more
    logits: Floats
    # Class that is answered, [samples], or None for that of the largest logit
    answers: Ints | None = None
    # Wrong labels in every sample, [samples], where the classes are strings; else None
    label_errors: Ints | None = None

    @property
    def predicted(self) -> Ints:
        """Class that is answered, [samples]; where the logits are, or NumPy."""
        return predicted(self.logits) if self.answers is None else self.answers


class AbstractClassifier(ABC):
    """A loss whose answer is the class of the largest logit."""

    @abstractmethod
    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Logits, shape [samples, classes]. New array."""

    @abstractmethod
    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and logits in one pass."""

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        result = self.classify(net, tape)
        return float(result.value), result.seeds

    def predictions(self, net: Network, tape: SpikeTape) -> Ints:
        """Class of the largest logit in every sample, of equal ones the first. New array."""
        return predicted(self.logits(net, tape))


def softmax_loss(logits: Floats, labels: Ints | Floats, where: str) -> tuple[Array, Floats]:
    """Mean cross-entropy, and its derivative by every logit; both where the logits are.

    Logits are [samples, classes]. Labels are the class of every sample, whole numbers [samples], or
    the share of every class, [samples, classes], each row of which sums to 1. Errors name
    ``where``.
    """
    xp, shares = namespace(logits), shares_of(labels, logits.shape, where)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    shares = xp.asarray(shares)
    value = (shares * log_p).sum() / -logits.shape[0]
    return value, (xp.exp(log_p) - shares) / logits.shape[0]


def softmax(logits: Floats) -> Floats:
    """Probability of every class, [samples, classes]. New array."""
    xp = namespace(logits)
    grown = xp.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = grown / grown.sum(axis=1, keepdims=True)
    return shares


def smoothed(labels: Ints, n_classes: int, *, smoothing: float) -> Floats:
    """One-hot labels, ``smoothing`` of each spread over all classes; [samples, classes]."""
    shares = np.full((labels.size, n_classes), smoothing / n_classes)
    shares[np.arange(labels.size), labels] += 1.0 - smoothing
    return shares


def predicted(logits: Floats) -> Ints:
    """Class of the largest logit of every sample. New array."""
    best: Ints = logits.argmax(axis=1)
    return best


def shares_of(labels: Ints | Floats, shape: tuple[int, int], where: str) -> Floats:
    """Shares of classes, NumPy, checked."""
    given: Any = _plain(labels, where)
    if given.shape == shape and given.dtype.kind == "f":
        good = (given >= 0).all(axis=1) & (abs(given.sum(axis=1) - 1) <= SUM_TOLERANCE)
        bad = np.flatnonzero(~good)
        if bad.size:
            raise ParameterError(
                f"{where}, sample {bad[0]}",
                f"shares of the classes are {given[bad[0]].tolist()}",
                "values >= 0 whose sum is 1",
            )
        shares: Floats = given
        return shares
    check_labels(given, shape, where)
    return smoothed(whole_array(given, f"{where}: labels"), shape[1], smoothing=0.0)


def check_labels(given: Any, shape: tuple[int, int], where: str) -> None:
    """Raise unless every sample has one of the classes; ``shape`` is [samples, classes]."""
    n_samples, n_classes = shape
    shaped(where, "labels", given, (n_samples,), expected=f"({n_samples},), one per sample")
    words = f"0 .. {n_classes - 1}, the index of an output neuron"
    every(where, "label", given, (given >= 0) & (given < n_classes), words, of="sample")


def _plain(labels: Any, where: str) -> Any:
    """Labels as a NumPy array, those of an integer type as they are."""
    given = labels if is_masked(labels) else to_host(labels)
    if is_whole(given.dtype):
        return whole_array(given, f"{where}: labels")
    return real_array(given, f"{where}: labels")
