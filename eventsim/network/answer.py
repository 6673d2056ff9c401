r"""Answer of a network: its class, read by a rule from a population.

===============  =================================================  ========  =================
rule             score of a class                                   output    values
===============  =================================================  ========  =================
``integral``     mean voltage of its neuron from the onset on,      readout   time_constant,
                 weighted by :math:`e^{-t/\tau}`; :math:`\tau` may             gain, onset
                 be infinite
``maximum``      largest voltage of its neuron                      readout   gain
``last``         voltage of its neuron at the end                   readout   gain
``first_spike``  minus the time of its neuron's first spike         spiking   time_constant
``spike_count``  spikes of its neuron by length of the recording    spiking   time_constant,
                                                                              gain
``van_rossum``   how much nearer its neuron's spike train is to     spiking   time_constant,
                 regular firing at ``rate`` than to silence                   rate
``ctc``          none: the class is the string of words on the      readout   gain, interval
                 likeliest path
===============  =================================================  ========  =================

``onset`` is the time in ms at which the mean begins, 0 (the default) for the start of the
recording, or ``first_event``: that of the recording's first event, of any channel; it counts from
the start where a recording has no event.

The class of the largest score is the answer. Behind a linear decision (:mod:`.decision`) the scores
of ``maximum`` and ``last``, and what ``ctc`` reads in every frame, are those of the decision. Times
are in ms, rates in Hz. For ``ctc`` a class name is a string of words with blanks between them; the
readout, or the decision behind it, has one neuron or class per word, in the order of the sorted
words, and a last one for the blank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.entries import Above0, Bounds, NotNegative, Positive, Settings
from eventsim.errors import NetworkError, ShapeError
from eventsim.network.decision import Decision
from eventsim.network.parts import Population

Rule = Literal["integral", "maximum", "last", "first_spike", "spike_count", "van_rossum", "ctc"]
RULES: tuple[Rule, ...] = get_args(Rule)
SPIKING_RULES: tuple[Rule, ...] = ("first_spike", "spike_count", "van_rossum")
DECIDING_RULES: tuple[Rule, ...] = ("maximum", "last", "ctc")  # those that read a linear decision
# Values that each rule takes, and their defaults.
VALUES: Mapping[Rule, Mapping[str, float]] = {
    "integral": {"time_constant": 300.0, "gain": 20.0, "onset": 0.0},
    "maximum": {"gain": 20.0},
    "last": {"gain": 20.0},
    "first_spike": {"time_constant": 10.0},
    "spike_count": {"time_constant": 10.0, "gain": 20.0},
    "van_rossum": {"time_constant": 30.0, "rate": 50.0},
    "ctc": {"gain": 20.0, "interval": 10.0},
}
LONGEST_TAIL = 1e9  # ms; the largest time of the conformance cases, told apart to 1e-7 ms
Onset = Literal["first_event"] | NotNegative
FIRST_EVENT = "first_event"
Tail = Annotated[float, Bounds(ge=0, le=LONGEST_TAIL)]


@dataclass(frozen=True, kw_only=True)
class Answer(Settings):
    """Rule by which a network answers, with its values; see the module.

    Attributes
    ----------
    population
        Name of the population that answers.
    rule
        One of the table of the module.
    time_constant, gain, rate, interval
        Values of the rule, each > 0: None for its default, or where the rule has no such value.
        ``gain`` turns a voltage or a trace into a score; ``interval`` is between frames of ``ctc``.
    onset
        Of the rule ``integral``, see the module; None for its default, or where the rule has none.
    tail
        ms of silence during which the network runs on after every recording, >= 0.
    class_names
        Name of every class; empty if they are unknown.

    Raises
    ------
    ParameterError
        A value is outside its domain, or the rule has no such value.
    """

    population: str = "output"
    rule: Rule = "integral"
    time_constant: Above0 | None = None
    gain: Positive | None = None
    rate: Positive | None = None
    interval: Positive | None = None
    onset: Onset | None = None
    tail: Tail = 0.0
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("time_constant", "gain", "rate", "interval", "onset"):
            value, default = getattr(self, name), VALUES[self.rule].get(name)
            expected = f"None with the rule {self.rule!r}, which takes no such value"
            self.require(name, value, value is None or default is not None, expected)
            object.__setattr__(self, name, default if value is None else value)
        finite = self.time_constant != math.inf or self.rule == "integral"
        self.require("time_constant", self.time_constant, finite, "a finite number > 0")

    @property
    def kind(self) -> Literal["spiking", "readout"]:
        """Kind of the population that answers."""
        return "spiking" if self.rule in SPIKING_RULES else "readout"

    @property
    def n_outputs(self) -> int:
        """Neurons that the classes need."""
        if self.rule == "ctc":
            return len(words_of(self.class_names)) + 1
        return len(self.class_names)

    def name_of(self, number: int) -> str:
        """Name of a class; ``#number`` of one that has none."""
        return self.class_names[number] if number < len(self.class_names) else f"#{number}"

    def spelled(self, labels: Sequence[int]) -> str:
        """Words of a string of ``ctc``, as a class has them; ``#number`` of a label without one."""
        words = words_of(self.class_names)
        said = [words[k] if k < len(words) else f"#{k}" for k in labels]
        return next((name for name in self.class_names if name.split() == said), " ".join(said))

    def check(self, populations: Mapping[str, Population], decision: Decision | None) -> None:
        """Raise NetworkError or ShapeError unless a network of these parts can answer so."""
        output = populations.get(self.population)
        if output is None or output.kind != self.kind:
            came = "no such population" if output is None else f"of kind {output.kind!r}"
            raise NetworkError(
                f"Output {self.population!r}",
                came,
                f"a population of kind {self.kind!r} for the rule {self.rule!r}",
                f"The network has { {name: p.kind for name, p in populations.items()} }.",
            )
        if decision is not None:
            self._check_decision(decision)
        else:
            self._check_number(f"Output {self.population!r}", output.size, "neurons")

    def _check_number(self, where: str, number: int, what: str) -> None:
        """Raise ShapeError unless there are enough of them for the classes."""
        if self.rule == "ctc" and self.class_names and number != self.n_outputs:
            words = f"{self.n_outputs}, one per word and one for the blank"
            raise ShapeError(where, f"has {number} {what}", words)
        if number < self.n_outputs:
            raise ShapeError(
                where, f"has {number} {what}", f"at least {self.n_outputs}, one per class"
            )

    def _check_decision(self, decision: Decision) -> None:
        if decision.readout != self.population:
            raise NetworkError(
                "Decision",
                f"is behind {decision.readout!r}",
                f"the output {self.population!r}",
                "Name that readout as the output, or decide() behind the output.",
            )
        if self.rule not in DECIDING_RULES:
            raise NetworkError(
                f"Rule {self.rule!r}",
                f"does not read the linear decision behind {decision.readout!r}",
                remedy="Choose maximum, last or ctc; for training, the loss "
                "cross_entropy_maximum, cross_entropy_last or ctc.",
            )
        self._check_number(f"Decision behind {decision.readout!r}", decision.n_classes, "classes")


def count_frames(duration: Floats, interval: float) -> Ints:
    """Frames of ``ctc``, an interval apart, in recordings of those durations, ms. New array."""
    frames: Ints = np.floor(duration / interval * (1.0 + 1e-12)).astype(np.int64)
    return frames


def words_of(class_names: Sequence[str]) -> list[str]:
    """The words of all names, sorted, each once."""
    return sorted({word for name in class_names for word in name.split()})
