r"""Latency of a network's answer: its scores at every time, latency, and early exit.

The scores at a time :math:`t` are those of the recording that ends there: only arrivals before
:math:`t` count. They follow from one tape in closed form, with
work that grows with spikes plus times, never with their product:

===============  ===================================================================  ============
rule             score of class :math:`c` at :math:`t`                                rests on
===============  ===================================================================  ============
``integral``     :math:`\frac{g}{W(t)} \int_0^t e^{-u/T_w}\, V_c(u)\, du`, with       integral
                 :math:`W(t) = \int_0^t e^{-u/T_w}\, du`
``last``         :math:`g\, V_c(t)`, or that of the linear decision                   voltage
``spike_count``  :math:`g\, N_c(t)\, \tau / t`, with :math:`N_c(t)` spikes so far     spikes
``first_spike``  :math:`-\min(t_c, t) / \tau`, with the first spike at :math:`t_c`    spikes
===============  ===================================================================  ============

Integral and voltage are those of :class:`eventsim.adjoint.linear.voltage.VoltageProbe`, in double
precision whatever that of the run. The rules ``maximum``, ``van_rossum`` and ``ctc`` are refused:
a running maximum, and what a distance or a path would be at every time, are not computed here.

**Latency** is the earliest time after which the answer is always the last one, with a score above
that of any other class. A tie, as before the first arrival, is no answer. If the last scores are
tied, latency is the last time. It is too late by less than the step between two times; a change of
the answer between two times is not seen.

**Early exit** stops at the first of the times at which the leading class is ahead by a margin. With
:math:`p = \mathrm{softmax}(z)` the margin is :math:`p_{(1)} - p_{(2)}`, largest less second. Where
it is never reached, the last time and its answer count. Neither label nor length of the recording
are used. Before the first arrival the margin is that of the resting potentials of the readout:
a smaller margin is reached at once. Choose the margin on validation data.

References
----------
Wu, Jin, Li, Yi and Huang (2023), Optimising event-driven spiking neural network with regularisation
and cutoff, arXiv 2301.09522, for a cutoff by the gap between the two largest outputs. Li, Geller,
Kim and Panda (2023), SEENN: towards temporal spiking early-exit neural networks, NeurIPS, for a
threshold on the softmax's confidence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from eventsim.adjoint.linear.neurons import silent_parts
from eventsim.adjoint.linear.voltage import VoltageProbe
from eventsim.arrays import Bools, Floats, Ints, Precision
from eventsim.checks import in_domain, real_array, shaped, times_by_sample, whole_array
from eventsim.engine import place, simulate
from eventsim.entries import Bounds
from eventsim.errors import ParameterError
from eventsim.events import EventStream, SpikeTape, StoredStream
from eventsim.matrix import require
from eventsim.network import Answer, Network
from eventsim.network.late import one_warning, warn_late
from eventsim.plan import make_plan
from eventsim.summary import short_repr
from eventsim.train.onset import onsets, time_after
from eventsim.train.prediction import BATCH, require_answers
from eventsim.train.readouts import logits_of
from eventsim.train.softmax import softmax

MARGIN = 0.9  # of probabilities, by default
SHARES = np.arange(1, 101) / 100.0  # of the time of a recording, by default


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """Times at which a network stops that waits for a margin; see :mod:`eventsim.train.latency`.

    Attributes
    ----------
    margin
        Between the probabilities of the two leading classes.
    times
        ms, [samples].
    classes
        Number of the class that is answered there, int64 [samples].
    reached
        Whether the margin was reached; where not, the last time counts. [samples]
    """

    margin: float
    times: Floats
    classes: Ints
    reached: Bools

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class DecisionOverTime:
    """Scores of all classes at some times; see :mod:`eventsim.train.latency`.

    Attributes
    ----------
    times
        ms, ascending, none after the end of its sample. [samples, times]
    scores
        Logits, float64 [samples, times, classes].
    """

    times: Floats
    scores: Floats

    __repr__ = short_repr

    @property
    def classes(self) -> Ints:
        """Class of the largest score, of equal ones the first; int64 [samples, times]."""
        best: Ints = self.scores.argmax(axis=2)
        return best

    @property
    def margins(self) -> Floats:
        """Margin of the leading class in probability, in [0, 1]; [samples, times]."""
        flat = softmax(self.scores.reshape(-1, self.scores.shape[2]))
        return _lead(flat).reshape(self.times.shape)

    def latency(self) -> Floats:
        """Earliest time after which the answer is always the last one; ms, [samples]."""
        classes = self.classes
        settled = (classes == classes[:, -1:]) & (_lead(self.scores) > 0.0)
        settled = np.logical_and.accumulate(settled[:, ::-1], axis=1)[:, ::-1]
        return self._times_of(settled)

    def early_exit(self, margin: float = MARGIN) -> EarlyExit:
        """Stop where the leading class is ahead by ``margin``, in (0, 1]; else ParameterError."""
        require_margin("early_exit", margin)
        there = self.margins >= margin
        number, every = _first(there), np.arange(there.shape[0])
        classes, reached = self.classes[every, number], there[every, number]
        return EarlyExit(margin, self._times_of(there), classes, reached)

    def accuracy(self, labels: ArrayLike) -> Floats:
        """Share of samples whose class is right at each time, [times]."""
        right: Floats = (self.classes == self._labels(labels)[:, None]).mean(axis=0)
        return right

    def summary(self, labels: ArrayLike, *, margin: float = MARGIN) -> dict[str, Any]:
        """Latency and early exit in a few numbers, for JSON; at least one sample.

        Parameters
        ----------
        labels
            Right class of every sample, [samples].
        margin
            As :meth:`early_exit`.
        """
        right, latency, stopped = self._labels(labels), self.latency(), self.early_exit(margin)
        return {
            "latency_ms": _middle(latency),
            "latency_ms_of_right_answers": _middle(latency[self.classes[:, -1] == right]),
            "time_ms": _middle(self.times[:, -1]),
            "early_exit": {
                "margin": margin,
                "accuracy": float((stopped.classes == right).mean()),
                "time_ms": _middle(stopped.times),
                "reached": float(stopped.reached.mean()),
            },
        }

    def _labels(self, given: ArrayLike) -> Ints:
        labels = whole_array(given, "DecisionOverTime: labels")
        n_samples = self.times.shape[0]
        words = f"({n_samples},), one per sample"
        shaped("DecisionOverTime", "labels", labels, (n_samples,), expected=words)
        return labels

    def _times_of(self, there: Bools) -> Floats:
        """The first time that is marked in every sample, or the last time."""
        found: Floats = self.times[np.arange(there.shape[0]), _first(there)]
        return found


def decision_over_time(net: Network, tape: SpikeTape, times: ArrayLike) -> DecisionOverTime:
    """Answers of a network if the recording ended at each of some times, exact to rounding.

    Parameters
    ----------
    net, tape
        A network with an answer of the rule ``integral``, ``last``, ``spike_count`` or
        ``first_spike``, and its run from the start, of any backend.
    times
        ms, > 0, ascending: one-dimensional, the same for all samples, or [samples, times]. After
        the end of a sample its last answer stays.

    Returns
    -------
    DecisionOverTime
        New arrays, in NumPy. Of the rule ``integral`` all scores are 0 up to its onset.

    Raises
    ------
    NetworkError
        The network has no answer or one of another rule, or the tape is that of another network.
    ParameterError, ShapeError
        Times do not ascend or are not positive; the tape is that of a later chunk.

    See Also
    --------
    predict_over_time : The same of recordings.

    Examples
    --------
    >>> import eventsim as es
    >>> from eventsim.train import decision_over_time
    >>> net = es.scsr(4, (8,), 2, mean=4.0)
    >>> net.set_answer(es.Answer())
    >>> stream = es.EventStream([5.0, 9.0], [0, 3], [0, 2], n_channels=4, duration=60.0)
    >>> tape = es.simulate(net, stream, backend="reference")
    >>> decision_over_time(net, tape, [20.0, 40.0, 60.0]).scores.shape
    (1, 3, 2)
    """
    require("predict_over_time", net, where="decision_over_time")
    answer = _answer(net)
    net, tape = net.to_host(), tape.to_host()
    make_plan(net).check_tape(tape, "decision_over_time")
    tape.require_whole("decision_over_time")
    asked = times_by_sample(times, tape.stream.duration, "decision_over_time")
    return DecisionOverTime(np.array(asked), _RULES[answer.rule](net, tape, answer, asked))


def predict_over_time(
    net: Network,
    stream: EventStream | StoredStream,
    *,
    shares: ArrayLike = SHARES,
    tail: float | None = None,
    backend: str = "auto",
    precision: Precision = "single",
) -> DecisionOverTime:
    """Answers of a network to every recording, cut after each of some shares of its time.

    Parameters
    ----------
    net
        As :func:`decision_over_time`.
    stream
        The recordings, in memory or in a file.
    shares
        Of the time of every recording, the tail included: ascending, in (0, 1]; by default every
        hundredth.
    tail, backend, precision
        As :func:`eventsim.predict`.

    Returns
    -------
    DecisionOverTime
        New arrays, in NumPy.

    Raises
    ------
    NetworkError, ParameterError, ShapeError, BackendError, RunawayError
        As :func:`decision_over_time` and :func:`eventsim.simulate`.
    """
    require_answers("predict_over_time", net, backend, precision)
    answer, placed = _answer(net), place(net, backend=backend)
    wanted = real_array(shares, "predict_over_time: shares")
    if wanted.ndim != 1 or not ((wanted > 0.0) & (wanted <= 1.0)).all():
        raise ParameterError(
            "predict_over_time",
            f"shares are {wanted}",
            "one dimension of values in (0, 1]: shares of the time of a recording",
        )
    n_classes = net.population(answer.population).size
    if net.decision is not None:
        n_classes = net.decision.n_classes
    times, scores = [np.zeros((0, wanted.size))], [np.zeros((0, wanted.size, n_classes))]
    with one_warning():
        warn_late(net, stream)
        for index in stream.batches(BATCH):
            tape = simulate(placed, stream[index], tail=tail, backend=backend, precision=precision)
            found = decision_over_time(net, tape, wanted * tape.stream.duration[:, None])
            times.append(found.times)
            scores.append(found.scores)
    return DecisionOverTime(np.concatenate(times), np.concatenate(scores))


def require_margin(where: str, margin: float) -> None:
    """Raise ParameterError unless the margin is in (0, 1]."""
    in_domain(where, "margin", margin, Annotated[float, Bounds(gt=0, le=1)])


def _answer(net: Network) -> Answer:
    answer = net.answer
    assert answer is not None
    answer.check(net.populations, net.decision)
    return answer


def _integrals(net: Network, tape: SpikeTape, answer: Answer, times: Floats) -> Floats:
    assert answer.time_constant is not None
    assert answer.gain is not None
    assert answer.onset is not None
    constant, onset, where = answer.time_constant, answer.onset, "decision_over_time"
    begin = onsets(tape.stream, onset, where)
    if begin is None:
        integral = _of_readout(net, tape, answer, times, lambda probe: probe.integral(constant))
        weight = time_after(times, None, constant)
    else:
        first = begin[:, None]
        asked = np.concatenate([first, np.maximum(times, first)], axis=1)
        integral = _of_readout(
            net, tape, answer, asked, lambda probe: probe.integral(constant, since_first=True)
        )[:, 1:]
        weight = time_after(times, np.minimum(first, times), constant)
    # Up to the onset nothing counts yet: all scores are 0.
    scale = np.divide(answer.gain, weight, out=np.zeros(weight.shape), where=weight > 0.0)
    mean: Floats = integral * scale[:, :, None]
    return mean


def _voltages(net: Network, tape: SpikeTape, answer: Answer, times: Floats) -> Floats:
    assert answer.gain is not None
    voltages = _of_readout(net, tape, answer, times, lambda probe: probe.value)
    return logits_of(net, answer.population, voltages, gain=answer.gain)


def _of_readout(
    net: Network,
    tape: SpikeTape,
    answer: Answer,
    times: Floats,
    read: Callable[[VoltageProbe], Floats],
) -> Floats:
    """A number of every readout neuron at every time, [samples, times, neurons]."""
    n_samples, n_times = times.shape
    parts = []
    for part in silent_parts(net, tape, answer.population):
        probe = VoltageProbe.at(part, np.repeat(times, part.chosen.size, axis=0))
        parts.append(read(probe).reshape(n_samples, part.chosen.size, n_times))
    return np.concatenate(parts, axis=1).transpose(0, 2, 1)


def _spike_counts(net: Network, tape: SpikeTape, answer: Answer, times: Floats) -> Floats:
    assert answer.time_constant is not None
    assert answer.gain is not None
    trains = tape[answer.population]
    n_samples, n_times = times.shape
    # A spike counts at the times after it; the last place is for those that count at none.
    counts = np.zeros((n_samples, n_times + 1, trains.size))
    for sample in range(n_samples):
        spikes, neurons = trains.sample(sample)
        first = np.searchsorted(times[sample], spikes, side="right")
        np.add.at(counts[sample], (first, neurons), 1.0)
    counts = np.cumsum(counts[:, :-1], axis=1)
    scores: Floats = counts * (answer.gain * answer.time_constant / times)[:, :, None]
    return scores


def _first_spikes(net: Network, tape: SpikeTape, answer: Answer, times: Floats) -> Floats:
    assert answer.time_constant is not None
    trains = tape[answer.population]
    first = np.full(trains.n_samples * trains.size, np.inf)
    np.minimum.at(first, trains.train_numbers(), trains.times)
    fired = np.minimum(first.reshape(-1, 1, trains.size), times[:, :, None])
    scores: Floats = fired / -answer.time_constant
    return scores


_Rule = Callable[[Network, SpikeTape, Answer, Floats], Floats]
_RULES: Mapping[str, _Rule] = {
    "integral": _integrals,
    "last": _voltages,
    "spike_count": _spike_counts,
    "first_spike": _first_spikes,
}


def _lead(values: Floats) -> Floats:
    """Largest less second along the last axis; of one class, which nothing can overtake, 1."""
    if values.shape[-1] == 1:
        return np.ones(values.shape[:-1])
    two = np.partition(values, -2, axis=-1)[..., -2:]
    lead: Floats = two[..., 1] - two[..., 0]
    return lead


def _first(there: Bools) -> Ints:
    """Number of the first time that is marked in every sample, that of the last where none is."""
    found: Ints = np.where(there.any(axis=1), there.argmax(axis=1), there.shape[1] - 1)
    return found


def _middle(values: Floats) -> dict[str, float | None]:
    if not values.size:
        return {"median": None, "mean": None}
    return {"median": float(np.median(values)), "mean": float(values.mean())}
