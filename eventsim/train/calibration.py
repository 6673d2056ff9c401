r"""Calibration of initial weights: useful rates, and a loss that begins at chance.

Exact gradients do not see that a spike appears, so a silent population learns nothing. Which
weights make it fire depends on the input: its channels, their rates, the time constants. For every
population, upstream first, one factor :math:`c > 0` multiplies the weights of all projections from
upstream populations, so that the mean rate

.. math::
    r(c) = \frac{1}{n\,T} \sum_{\text{recordings}} \text{spikes of the } n \text{ neurons}

in the :math:`T` seconds of events of a few recordings is the target: from the first event of each
to the last, and then for the memory of the network, which is its longest delay and five of its
longest time constants, up to the end of the recording. The search doubles or halves c until r
has passed the target, then bisects :math:`\log c`. The factor is at most 10,000. The search is
deterministic and only simulates.

Weights of neurons onto themselves stay as they are, and so do those inside a loop of populations,
which counts as one: one factor, and the mean rate of all its neurons. Readouts have no rate and
stay.

Training by default scales only populations below a tenth of the target. Rates above the target do
no harm to LIF neurons: every spike has a gradient, and :class:`.RateBand` lowers a rate. They do to
resonators and other neurons that oscillate: a spike ends an oscillation, and a neuron that fires
more often than it oscillates selects no frequency. So a population of them whose rate is above the
median of their frequencies is scaled down, to the target or to that median, whichever is lower.

**Logits.** A readout receives hundreds of spikes, so with weights like those of hidden neurons
its logits begin far apart. The network is then sure of wrong answers, and the first epochs only
reduce the logits, with gradients that are clipped at every step. So training
by default divides the weights into the readout until the standard deviation of the logits over the
classes is 1. With the loss ``ctc``, whose logits are those of frames, nearly all frames are for the
blank: with equal classes, the first epochs would only learn this, by silencing the
neurons that excite the words. So the blank begins with the fraction of frames that it will
have: with U labels in F frames and K words, its resting voltage times the gain, or its bias, is
:math:`\ln(K (F - U) / U)`.

With values in place of classes, the weights into the readout are divided where its answers lie
farther from the targets than its resting voltage does, until their distance from it is that of the
targets. A network that was trained is better than that, and stays as it is.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints, Precision, counts_of, largest, to_host
from eventsim.checks import in_domain, instance
from eventsim.engine import simulate
from eventsim.engine.run.run import Course, begin_course
from eventsim.entries import Positive
from eventsim.errors import CalibrationError, RunawayError
from eventsim.events import AnyDataset, EventStream, SpikeTape, SpikeTrains, StoredStream
from eventsim.events.begin import edges
from eventsim.memo import Memo
from eventsim.network import Network
from eventsim.network.domain import MOST_WEIGHT
from eventsim.network.late import REACH, memory, one_warning, warn_late
from eventsim.plan import Stage
from eventsim.train.choice import make_loss
from eventsim.train.config import TrainConfig
from eventsim.train.decode import StringLoss
from eventsim.train.loss_settings import ClassifyingLoss
from eventsim.train.readouts import decision_behind
from eventsim.train.regularise import MS_PER_S
from eventsim.train.values import MeanSquaredError

_LOGGER = logging.getLogger(__name__)

SAMPLES = 32  # recordings, evenly spaced
QUIET = 0.1  # of the target: below, training scales a population
TOLERANCE = 0.05  # of the target, where a search ends
REACHED = 2.0  # times more or less than the target count as reached
BISECTIONS = 20
LARGEST = 1e4  # factor, and 1 / LARGEST the least
SCALED_RULES = ("integral", "maximum", "last", "ctc")  # answers whose logits are calmed


@dataclass(frozen=True)
class Calibration:
    """Result of :func:`calibrate` for one population, or for the populations of one loop.

    Attributes
    ----------
    populations
        Names.
    factor
        By which the weights from upstream populations were multiplied.
    before, after
        Mean rate, spikes per neuron and second of events: with the weights as they were (and
        upstream populations calibrated), and with the new ones.
    recordings, recordings_in_all
        Number of recordings that were run, and of all.
    """

    populations: tuple[str, ...]
    factor: float
    before: float
    after: float
    recordings: int
    recordings_in_all: int

    def __str__(self) -> str:
        names = ", ".join(map(repr, self.populations))
        return (
            f"{names}: incoming weights times {self.factor:.4g}, {self.before:.3g} -> "
            f"{self.after:.3g} spikes per neuron and second of events"
        )


def calibrate(
    net: Network,
    stream: EventStream | StoredStream,
    *,
    target_hz: float = 10.0,
    backend: str = "auto",
    precision: Precision = "double",
    callback: Callable[[Calibration], None] | None = None,
) -> Network:
    """Scale initial weights so that every spiking population fires at a target rate.

    Populations are scaled in the order in which they run: one factor for the weights of all
    projections from upstream populations, found by bisection. Self-recurrent weights, those inside
    a loop of populations, readouts and delays stay as they are; signs, sparse patterns and shared
    weights are kept.

    Parameters
    ----------
    net
        Not changed. The network runs on for ``net.answer.tail`` after a recording, if it has one.
    stream
        Recordings like those that the network is for. At most 32 of them are run, evenly spaced.
    target_hz
        Spikes per neuron and second of events, > 0: the mean of a population, or of all neurons of
        a loop. Time counts from the first event of a recording to the last, and then for the memory
        of the network: its longest delay and five of its longest time constants.
    backend, precision
        As :func:`eventsim.simulate`.
    callback
        Called with what was done, for every population: ``calibrate(net, stream, callback=print)``.

    Returns
    -------
    Network
        A new network. The rate of every population is within 5 % of the target, or as near as its
        few spikes allow.

    Raises
    ------
    CalibrationError
        There are no events; or a population cannot come within twice or half of the target: it has
        no input from upstream, only inhibitory input, fires without input, or would take a factor
        beyond 10,000.
    ParameterError, ShapeError, NetworkError, BackendError
        As :func:`eventsim.simulate`.
    """
    given: Any = stream
    remedy = "Of labelled recordings pass data.stream."
    instance("calibrate", "stream", given, EventStream, StoredStream, remedy=remedy)
    target: float = in_domain("calibrate", "target_hz", target_hz, Positive)

    def refuse(error: CalibrationError) -> None:
        raise error

    net = net.copy()
    with one_warning():
        warn_late(net, stream)
        found = scale(net, stream, target, backend=backend, precision=precision, refuse=refuse)
    if callback is not None:
        for done in found:
            callback(done)
    return net


def scale(
    net: Network,
    stream: EventStream | StoredStream,
    target: float,
    *,
    least: float = math.inf,
    n_samples: int = SAMPLES,
    backend: str,
    precision: Precision,
    refuse: Callable[[CalibrationError], None],
) -> list[Calibration]:
    """:func:`calibrate` in place, of populations that need it.

    With ``least`` these are those whose rate is below it, in Hz, and those that fire more often
    than they swing. Run are ``n_samples`` recordings, all at once. ``refuse`` is told of what
    cannot be reached; if it returns, that population stays as it is.
    """
    n = min(n_samples, stream.n_samples)
    few = stream[_spaced(n, stream.n_samples)]
    course = begin_course(net, few, tail=None, backend=backend, precision=precision)
    # In which the network fires for the events: from the first on, until it forgets.
    (tau, delay), found = memory(net), edges(few)
    end = np.minimum(few.duration, found.last + delay + REACH * tau)
    seconds = float(np.nansum(end - found.first)) / MS_PER_S
    if not few.n_events or not seconds:
        reason = f"there are no events in {n} recordings. Give recordings with events."
        refuse(CalibrationError(reason, population=net.input.name, rate=0.0))
        return []
    done = []
    for stage in course.plan.stages:
        if stage.is_readout:
            continue
        unit = _Unit(course, stage, seconds)
        before, swing = unit.rate(1.0), _swing(stage)
        often = least < math.inf and 0.0 < swing < before
        if before < least or often:
            try:
                unit.reach(min(target, swing) if often else target)
                names = tuple(member.name for member in stage.members)
                after = unit.tried[unit.factor]
                done.append(Calibration(names, unit.factor, before, after, n, stream.n_samples))
            except CalibrationError as error:
                refuse(error)
                unit.rate(1.0)
        if unit.spikes is None:
            break  # without bound: only a run can say where
        course.send(unit.spikes)
    return done


def _swing(stage: Stage) -> float:
    """Median of the frequencies with which the neurons swing, Hz; 0 where most do not."""
    found = []
    for member in stage.members:
        values = {name: to_host(value) for name, value in member.parameters.items()}
        neuron = member.neuron
        found.append(np.zeros(member.size) if neuron is None else neuron.swing(values))
    return float(np.median(np.concatenate(found)))


@dataclass(frozen=True)
class LogitScale:
    """Result of :func:`calm`: the change of the weights behind the logits."""

    factor: float  # by which they were multiplied
    # Standard deviation of the logits over the classes, mean over the recordings, or their frames;
    # of values, root mean square distance of the answers from the resting voltage, in units of loss
    before: float
    after: float
    # So many were looked at, of so many
    recordings: int
    recordings_in_all: int
    # New resting voltage of the blank, of a decision its bias; None where it stayed
    blank: float | None = None
    targets: float | None = None  # of values, the same distance of the targets; None of classes

    def __str__(self) -> str:
        if self.targets is not None:
            return (
                f"weights into the readout times {self.factor:.4g}, whose answers lay "
                f"{self.before:.3g} units of the loss from its resting voltage, the targets "
                f"{self.targets:.3g}"
            )
        raised = "" if self.blank is None else f"; the blank rests at {self.blank:.3g}"
        return (
            f"weights behind the logits times {self.factor:.4g}, whose spread over the classes was "
            f"{self.before:.3g}{raised}"
        )


def calm(net: Network, data: AnyDataset, config: TrainConfig, *, log: bool) -> LogitScale | None:
    """Scale the weights into a readout, in place, as ``config.initial_logits`` says.

    None where nothing was to be done. What was done is logged where ``log`` is True.
    """
    goal = config.initial_logits
    scaled = config.fits_values or config.loss.rule in SCALED_RULES
    if not goal or not scaled or not len(data):
        return None
    few = data[_spaced(min(SAMPLES, config.batch_size, len(data)), len(data))]
    precision = _precision(config)
    tape = simulate(net, few.stream, tail=config.tail, backend=config.backend, precision=precision)
    loss = make_loss(config, few.labels, few.class_names, values=few.targets)
    if isinstance(loss, MeanSquaredError):
        return _calm_values(net, tape, loss, goal, (len(few), len(data)), log=log)
    before = after = _spread(net, tape, loss)
    factor, blank = 1.0, None
    if goal < before < math.inf:
        factor = goal / before
        for weights in _behind(net, config.output):
            weights *= factor
        # A readout sends nothing back: the spikes are still those.
        after = _spread(net, tape, loss)
    if isinstance(loss, StringLoss) and after < math.inf:
        blank = _raise_blank(net, tape, loss, config.output)
    if factor == 1.0 and blank is None:
        return None
    done = LogitScale(factor, before, after, len(few), len(data), blank)
    # Usual, and nothing for the user to do: no warning.
    _LOGGER.log(logging.INFO if log else logging.DEBUG, "initial_logits: %s", done)
    return done


def _calm_values(
    net: Network,
    tape: SpikeTape,
    loss: MeanSquaredError,
    goal: float,
    looked: tuple[int, int],
    *,
    log: bool,
) -> LogitScale | None:
    """As :func:`calm`, of answers that lie farther from the targets than no weights would leave."""
    before, targets, error = loss.from_rest(net, tape)
    if not goal * targets < before < math.inf or error <= targets:
        return None
    factor = goal * targets / before
    for weights in _behind(net, loss.readout):
        weights *= factor
    after = loss.from_rest(net, tape)[0]
    done = LogitScale(factor, before, after, *looked, targets=targets)
    _LOGGER.log(logging.INFO if log else logging.DEBUG, "initial_logits: %s", done)
    return done


def _spaced(n: int, total: int) -> Ints:
    """Numbers of n of ``total`` recordings, evenly spaced."""
    return np.arange(n) * total // max(n, 1)


def _spread(net: Network, tape: SpikeTape, loss: ClassifyingLoss) -> float:
    """Standard deviation of the logits over the classes, mean over the recordings or frames."""
    if isinstance(loss, StringLoss):
        logits, lengths = loss.loss.frames(net, tape)
        own = np.arange(logits.shape[1]) < lengths[:, np.newaxis]
        return float(logits[own].std(axis=-1).mean()) if own.any() else 0.0
    return float(to_host(loss.classify(net, tape).logits).std(axis=-1).mean())


def blank_logit(n_words: int, n_frames: int, n_labels: int) -> float:
    """Logit of the blank, beside words at 0, that leaves the words the share of their labels."""
    return math.log(n_words * (n_frames - n_labels) / n_labels)


def _raise_blank(net: Network, tape: SpikeTape, loss: StringLoss, output: str) -> float | None:
    """Let the blank of strings begin with its share of the frames, in place; see above."""
    n_frames = int(loss.loss.lengths(tape.stream.duration).sum())
    n_labels = sum(len(target) for target in loss.loss.targets)
    key, gain = f"{output}.v_leak", loss.loss.gain
    if decision_behind(net, output) is not None:
        key, gain = "decision.bias", 1.0
    if key in net.shared or not 0 < n_labels < n_frames:
        return None
    rest = net.parameters()[key]
    found = blank_logit(rest.size - 1, n_frames, n_labels) / gain
    if found <= rest[-1]:
        return None
    rest[-1] = found
    return found


def _behind(net: Network, output: str) -> list[Floats]:
    """The weights in which the logits are linear, live."""
    decision = decision_behind(net, output)
    if decision is not None:
        return [decision.weights]
    return [p.values for p in net.projections.values() if p.target == output != p.source]


def _precision(config: TrainConfig) -> Precision:
    return "double" if config.backend == "reference" else config.precision


def wake(
    net: Network, stream: EventStream | StoredStream, config: TrainConfig, *, log: bool
) -> list[Calibration]:
    """Scale what is nearly silent, in place, as ``config.calibrate`` says.

    What was done, and what could not be, is logged where ``log`` is True.
    """
    target, level = config.calibrate, logging.WARNING if log else logging.DEBUG
    if not target or not net.spiking:
        return []
    done = scale(
        net,
        stream,
        target,
        least=QUIET * target,
        n_samples=min(SAMPLES, config.batch_size),  # what fits into memory
        backend=config.backend,
        precision=_precision(config),
        refuse=lambda error: _LOGGER.log(level, "%s", error),
    )
    for one in done:
        _LOGGER.log(level, "calibrate: %s (TrainConfig.calibrate = 0 leaves them)", one)
    return done


@dataclass(eq=False)
class _Unit:
    """A population or a loop whose incoming weights are scaled, in place.

    ``tried`` has the rates by factor; ``factor`` and ``spikes`` are those of the last one, spikes
    None of a run without bound.
    """

    course: Course
    stage: Stage
    seconds: float
    tried: dict[float, float] = field(default_factory=dict)
    factor: float = 1.0
    spikes: dict[str, SpikeTrains] | None = None

    def __post_init__(self) -> None:
        self._weights = [projection.values.copy() for projection in self.stage.afferents]

    def rate(self, factor: float) -> float:
        """Spikes per neuron and second with weights times ``factor``."""
        for projection, weights in zip(self.stage.afferents, self._weights, strict=True):
            projection.values[...] = weights * factor
        self.factor = factor
        try:
            # A memo of its own: the weights are others than in the run before.
            self.spikes = self.course.run(replace(self.stage, memo=Memo()))
        except RunawayError:
            self.spikes = None
            self.tried[factor] = math.inf
        else:
            n_spikes = sum(len(trains) for trains in self.spikes.values())
            n_neurons = sum(member.size for member in self.stage.members)
            self.tried[factor] = n_spikes / (n_neurons * self.seconds)
        return self.tried[factor]

    def reach(self, target: float) -> None:
        """Find the factor and leave it set; raises CalibrationError."""
        if self._miss(1.0, target) <= TOLERANCE:
            return
        obstacle = self._obstacle(target)
        best = 1.0 if obstacle else self._search(target)
        if self._miss(best, target) > math.log(REACHED):
            obstacle = obstacle or self._nearest(best)
            before = self.tried[1.0]
            raise CalibrationError(
                f"population {self.stage.name!r} fires {before:.3g} times per neuron and second "
                f"and cannot be brought to {target:g}: {obstacle}",
                population=self.stage.name,
                rate=before,
            )
        if best != self.factor:
            self.rate(best)

    def _nearest(self, best: float) -> str:
        """Text about the result of the search, and what to do."""
        rate = self.tried[best]
        reached = max(self.tried, key=lambda factor: abs(math.log(factor)))
        if max(reached, 1.0 / reached) * 2.0 > LARGEST:
            return (
                f"with its incoming weights times {reached:.3g}, where the search stops, it fires "
                f"{self.tried[reached]:.3g} times. Are weights and thresholds of one unit, and do "
                "its sources fire? Scale the weights by hand, or give another target."
            )
        return (
            f"{rate:.3g} is the nearest rate that a factor gives ({best:.3g}). Give more or "
            "longer recordings, or another target."
        )

    def _miss(self, factor: float, target: float) -> float:
        """Distance of the rate from the target, in natural logarithms."""
        rate = self.tried[factor]
        return abs(math.log(rate / target)) if 0.0 < rate < math.inf else math.inf

    def _obstacle(self, target: float) -> str:
        """Why no factor can reach the target, and what to do; empty where one may."""
        if not self.stage.afferents:
            return "no upstream population projects to it. Connect one, or set v_leak."
        if self.tried[1.0] < target:
            silent = "no source with spikes excites it. Give it positive weights from one."
            return "" if self._excited else silent
        if (alone := self.rate(0.0)) < target:
            return ""
        return (
            f"it fires {alone:.3g} times without its input. Lower v_leak or weights inside its "
            "loop, or raise its threshold."
        )

    @property
    def _excited(self) -> bool:
        """Whether a source that sends spikes has a positive weight."""
        for projection, weights in zip(self.stage.afferents, self._weights, strict=True):
            source = self.course.sent[projection.source]
            sends = counts_of(to_host(source.neurons), source.size) > 0
            if ((to_host(weights) > 0.0) & projection.of_sources(sends)).any():
                return True
        return False

    def _search(self, target: float) -> float:
        """The factor whose rate is nearest to the target, of those that a bisection tries."""
        heaviest = max(largest(abs(weights)) for weights in self._weights)
        most = min(LARGEST, MOST_WEIGHT / max(heaviest, 1.0))
        step = 2.0 if self.tried[1.0] < target else 0.5
        inner = outer = 1.0
        while (self.tried[outer] < target) == (step > 1.0) and 1.0 / LARGEST < outer * step < most:
            inner, outer = outer, outer * step
            self.rate(outer)
        for _ in range(BISECTIONS):
            best = min((self._miss(factor, target), factor) for factor in self.tried if factor)
            if best[0] <= TOLERANCE:
                break
            middle = math.sqrt(inner * outer)
            if (self.rate(middle) < target) == (step > 1.0):
                inner = middle
            else:
                outer = middle
        return best[1]
