r"""From frames of probabilities to strings of labels, and how far these are from the right ones.

**Greedy.** The likeliest class of every frame; repeats are merged, then blanks removed.

**Prefix beam search.** For every string that some path may have spelled so far, the probabilities
that the path now stands on a blank, :math:`b`, or on the string's last label, :math:`n`. A frame
leaves a string as it is by a blank, :math:`b' = (b + n)\,p_{blank}`, or by its last label again,
:math:`n' = n\,p_{last}`; label :math:`k` makes it longer by :math:`p_k (b + n)`, or :math:`p_k b`
if it is the last label once more. The ``width`` likeliest strings are kept. Sums are of logarithms.

**Label error rate.** Labels to insert, delete or replace so that the found strings become the right
ones, over the number of right labels.

References
----------
Graves, Fernandez, Gomez and Schmidhuber (2006), Connectionist temporal classification, ICML,
section 3.2. Hannun et al. (2014), First-pass large vocabulary continuous speech recognition using
bi-directional recurrent DNNs, arXiv 1408.2873, algorithm 1 (here without a language model).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.adjoint import Seeds
from eventsim.arrays import Floats, Ints
from eventsim.checks import in_domain
from eventsim.entries import Count
from eventsim.errors import ParameterError, ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Network
from eventsim.network.answer import words_of
from eventsim.train.ctc import CTC, FrameLogits, Strings, log_softmax
from eventsim.train.softmax import Classified

String = tuple[int, ...]


def greedy_strings(frames: FrameLogits) -> list[String]:
    """The string of the likeliest path of every sample."""
    blank = frames.logits.shape[2] - 1
    found = []
    for best, length in zip(frames.logits.argmax(axis=2), frames.lengths, strict=True):
        path = best[:length]
        kept = np.concatenate([path[:1], path[1:][path[1:] != path[:-1]]])
        found.append(tuple(int(label) for label in kept if label != blank))
    return found


def beam_strings(frames: FrameLogits, *, width: int = 16) -> list[String]:
    """The likeliest string of every sample that a beam of ``width`` finds."""
    in_domain("beam_strings", "width", width, Count)
    log_p = log_softmax(frames.logits)
    return [
        _beam(log_p[sample, :length], width)[0][0] for sample, length in enumerate(frames.lengths)
    ]


def label_error_rate(found: Strings, right: Strings) -> float:
    """Edits between found and right strings per right label."""
    if len(found) != len(right):
        raise ShapeError("label_error_rate", f"{len(found)} strings were found", len(right))
    n_labels = sum(len(string) for string in right)
    if not n_labels:
        raise ParameterError("label_error_rate", "the right strings hold no label", "one or more")
    return sum(edits(one, two) for one, two in zip(found, right, strict=True)) / n_labels


def edits(found: Sequence[int], right: Sequence[int]) -> int:
    """Least number of labels to insert, delete or replace (Levenshtein's distance)."""
    row = list(range(len(right) + 1))
    for i, label in enumerate(found, start=1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(right, start=1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (label != wanted))
            diagonal, row[j] = row[j], cost
    return row[-1]


def _beam(log_p: Floats, width: int) -> list[tuple[String, float]]:
    """Strings and logarithms of their probabilities, likeliest first."""
    blank = log_p.shape[1] - 1
    kept: dict[String, tuple[float, float]] = {(): (0.0, -math.inf)}
    for frame in log_p.tolist():
        grown: dict[String, tuple[float, float]] = {}
        for string, (by_blank, by_label) in kept.items():
            both = _log_add(by_blank, by_label)
            last = string[-1] if string else None
            again = by_label + frame[last] if last is not None else -math.inf
            _add(grown, string, both + frame[blank], again)
            for label in range(blank):
                came_from = by_blank if label == last else both
                _add(grown, (*string, label), -math.inf, came_from + frame[label])
        likeliest = sorted(grown.items(), key=lambda item: -_log_add(*item[1]))
        kept = dict(likeliest[:width])
    return [(string, _log_add(*parts)) for string, parts in kept.items()]


def _add(
    into: dict[String, tuple[float, float]], string: String, blank: float, label: float
) -> None:
    before = into.get(string, (-math.inf, -math.inf))
    into[string] = (_log_add(before[0], blank), _log_add(before[1], label))


def _log_add(one: float, two: float) -> float:
    high, low = max(one, two), min(one, two)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def strings_of(class_names: Sequence[str]) -> list[String]:
    """The numbers of every name's words."""
    if not class_names:
        raise ParameterError("WordsLoss", "there are no class_names", "some, whose words are said")
    number = {word: k for k, word in enumerate(words_of(class_names))}
    return [tuple(number[word] for word in name.split()) for name in class_names]


@dataclass(frozen=True, eq=False)
class StringLoss:
    """CTC where every class is a string."""

    labels: Any  # class of every sample, [samples]
    strings: Sequence[String]  # one per class
    loss: CTC  # of the strings of the samples

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        return self.loss(net, tape)

    def predictions(self, net: Network, tape: SpikeTape) -> Ints:
        """Class whose string is heard by the likeliest path; their number if it is none."""
        return self.answers(self.heard(net, tape))

    def heard(self, net: Network, tape: SpikeTape) -> list[String]:
        """String of the likeliest path of every sample."""
        return greedy_strings(self.loss.frames(net, tape))

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds, answers and errors of labels in one pass."""
        value, seeds, frames = self.loss.evaluate(net, tape)
        heard = greedy_strings(frames)
        wrong = [edits(one, self.strings[k]) for one, k in zip(heard, self.labels, strict=True)]
        errors = np.array(wrong, dtype=np.int64)
        return Classified(value, seeds, frames.logits, self.answers(heard), errors)

    def answers(self, heard: Sequence[String]) -> Ints:
        """Class of every string; their number of one that is none."""
        number = {string: k for k, string in enumerate(self.strings)}
        return np.array([number.get(one, len(self.strings)) for one in heard], dtype=np.int64)
