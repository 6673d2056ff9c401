r"""Connectionist temporal classification: strings of labels, without their times.

A readout has one neuron per class and a last one for the blank. Its voltages, exact and sampled at
:math:`t_q = q\,\Delta` (:mod:`eventsim.adjoint.linear.voltage`), times a gain are the logits of
frame :math:`q`, :math:`p_q = \mathrm{softmax}(g V(t_q))`. Where the network has a linear decision
behind the readout, its classes are those and the blank, the readout may have any neurons, and
:math:`p_q = \mathrm{softmax}(b + W^\top V(t_q))` without a gain. A path names a class or the blank
in every frame; it spells the string that remains when repeats are merged and then blanks removed.
With the target's labels separated and surrounded by blanks, :math:`l_1 .. l_{2U+1}`,

.. math::
    \alpha_q(u) = p_q(l_u) \bigl[\alpha_{q-1}(u) + \alpha_{q-1}(u-1) + s_u\,\alpha_{q-1}(u-2)
    \bigr], \qquad P = \alpha_Q(2U+1) + \alpha_Q(2U),

with :math:`s_u = 1` where :math:`l_u` is a label other than :math:`l_{u-2}`, and :math:`\beta` the
same sum from the end. :math:`L = -\ln P`, and with the posterior :math:`\gamma_q(u) = \alpha_q(u)
\beta_q(u) / P` of every place in every frame

.. math::
    \frac{\partial L}{\partial z_{q,k}} = p_{q,k} - \sum_{u : l_u = k} \gamma_q(u) .

All sums are of logarithms, on the host: there are few frames. Strings and recordings of a batch may
have any lengths.

References
----------
Graves, Fernandez, Gomez and Schmidhuber (2006), Connectionist temporal classification, ICML,
equations (6) to (16).
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np

from eventsim.adjoint import Seeds
from eventsim.adjoint.linear.voltage import Probe, joined_voltages, readout_at
from eventsim.arrays import Bools, Floats, Ints, to_host
from eventsim.checks import in_domain
from eventsim.entries import Above0
from eventsim.errors import DataError, ParameterError, ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Network
from eventsim.network.answer import count_frames
from eventsim.train.readouts import logits_back, logits_of, voltage_seeds

Strings = Sequence[Sequence[int]]


class FrameLogits(NamedTuple):
    """Logits of every frame, [samples, frames, classes + 1], and frames of every sample; NumPy.

    The last class is the blank. Frames beyond a sample's own mean nothing.
    """

    logits: Floats
    lengths: Ints


@dataclass(frozen=True, eq=False)
class CTC:
    r"""Mean CTC loss of the samples of a batch; see the module.

    Parameters
    ----------
    targets
        One string of class numbers per sample; may be empty.
    readout
        Name of the readout population: one neuron per class, the last is the blank; or any, behind
        which the network decides.
    interval
        :math:`\Delta` in ms, > 0, between frames. A recording needs a frame per label, and one
        more between equal neighbours.
    gain
        :math:`g`, > 0: voltage to logit; without effect behind a decision.
    """

    targets: Strings
    _: KW_ONLY
    readout: str = "output"
    interval: float = 10.0
    gain: float = 10.0

    def __post_init__(self) -> None:
        in_domain("CTC", "interval", self.interval, Above0)
        in_domain("CTC", "gain", self.gain, Above0)

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        value, seeds, _ = self.evaluate(net, tape)
        return value, seeds

    def evaluate(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds, FrameLogits]:
        """Value, seeds and frames in one pass."""
        probes, voltages, lengths = self._probed(net, tape)
        logits = logits_of(net, self.readout, voltages, gain=self.gain)
        losses, by_logit = ctc(frames := FrameLogits(logits, lengths), self.targets)
        by_logit /= losses.size
        by, seeds = logits_back(net, self.readout, voltages, by_logit, gain=self.gain)
        seeds += voltage_seeds(probes, by.transpose(0, 2, 1))
        return float(losses.sum()) / losses.size, {self.readout: tuple(seeds)}, frames

    def frames(self, net: Network, tape: SpikeTape) -> FrameLogits:
        """Logits of every frame. New arrays."""
        _, voltages, lengths = self._probed(net, tape)
        return FrameLogits(logits_of(net, self.readout, voltages, gain=self.gain), lengths)

    def lengths(self, duration: Floats) -> Ints:
        """Frames of recordings of those durations, ms. New array."""
        return count_frames(duration, self.interval)

    def _probed(self, net: Network, tape: SpikeTape) -> tuple[Sequence[Probe], Floats, Ints]:
        """Probes; their voltages [samples, frames, neurons] on the host; frames of every sample."""
        net.readout(self.readout, "CTC")
        duration, lengths = tape.stream.duration, self.lengths(tape.stream.duration)
        number = np.arange(1, max(int(lengths.max(initial=0)), 1) + 1)
        # Frames that a sample does not have stand at its end, which costs and means nothing.
        times = np.minimum(number * self.interval, duration[:, None])
        probes = readout_at(net, tape, self.readout, times)
        return probes, to_host(joined_voltages(probes)).transpose(0, 2, 1), lengths


def ctc(frames: FrameLogits, targets: Strings) -> tuple[Floats, Floats]:
    """Loss of every sample, and its derivative by every logit; NumPy, as the frames must be.

    Raises an error where the strings do not fit the samples, a label is no class, or there are too
    few frames.
    """
    n_classes = frames.logits.shape[2]
    _check(frames, targets)
    places, skips, ends = _places(targets, blank=n_classes - 1)
    log_p = log_softmax(frames.logits)
    at = np.broadcast_to(places[:, None, :], (*log_p.shape[:2], places.shape[1]))
    here = np.take_along_axis(log_p, at, axis=2).transpose(1, 0, 2)
    own = (np.arange(here.shape[0])[:, None] < frames.lengths)[:, :, None]
    forward, backward = _forward(here, own, skips), _backward(here, own, skips, ends)
    total = np.logaddexp.reduce(np.where(ends, forward[-1], -np.inf), axis=1)
    gamma = np.where(own, np.exp(forward + backward - total[:, None]), 0.0).transpose(1, 0, 2)
    shares = (places[:, :, None] == np.arange(n_classes)).astype(np.float64)
    by_logit = np.where(own.transpose(1, 0, 2), np.exp(log_p) - gamma @ shares, 0.0)
    return -total, by_logit


def log_softmax(logits: Floats) -> Floats:
    """Logarithm of the probability of every class, along the last axis. New array."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def frames_needed(string: Sequence[int]) -> int:
    """Least number of frames: one per label, and a blank between equal neighbours."""
    repeats = sum(one == two for one, two in zip(string[:-1], string[1:], strict=True))
    return len(string) + repeats


def _places(targets: Strings, *, blank: int) -> tuple[Ints, Bools, Bools]:
    """Labels between blanks, where two places may be skipped to, and where a path may end.

    Each [samples, places]; what lies behind a string's end is never reached from an end.
    """
    width = 2 * max((len(string) for string in targets), default=0) + 1
    places = np.full((len(targets), width), blank)
    ends = np.zeros(places.shape, dtype=bool)
    for row, string in enumerate(targets):
        places[row, 1 : 2 * len(string) : 2] = string
        ends[row, max(2 * len(string) - 1, 0) : 2 * len(string) + 1] = True
    skips = np.zeros(places.shape, dtype=bool)
    skips[:, 2:] = (places[:, 2:] != blank) & (places[:, 2:] != places[:, :-2])
    return places, skips, ends


def _forward(here: Floats, own: Bools, skips: Bools) -> Floats:
    """Logarithm of alpha, [frames, samples, places]; it stands still behind a sample's end."""
    alpha = np.full(here.shape, -np.inf)
    start = np.where(own[0], here[0], 0.0)
    alpha[0, :, :2] = start[:, :2]
    for q in range(1, here.shape[0]):
        before = alpha[q - 1]
        reached = np.logaddexp(before, _moved(before, 1))
        reached = np.logaddexp(reached, np.where(skips, _moved(before, 2), -np.inf))
        alpha[q] = np.where(own[q], reached + here[q], before)
    return alpha


def _backward(here: Floats, own: Bools, skips: Bools, ends: Bools) -> Floats:
    """Logarithm of beta, [frames, samples, places], without the frame's own probability."""
    beta = np.full(here.shape, -np.inf)
    beta[-1] = np.where(ends, 0.0, -np.inf)
    for q in range(here.shape[0] - 2, -1, -1):
        after = beta[q + 1] + here[q + 1]
        reached = np.logaddexp(after, _moved(after, -1))
        skipped = _moved(np.where(skips, after, -np.inf), -2)
        beta[q] = np.where(own[q + 1], np.logaddexp(reached, skipped), beta[-1])
    return beta


def _moved(values: Floats, by: int) -> Floats:
    """Values of the place ``by`` before, along the last axis; -inf where there is none."""
    moved = np.full(values.shape, -np.inf)
    if by > 0:
        moved[:, by:] = values[:, :-by]
    else:
        moved[:, :by] = values[:, -by:]
    return moved


def _check(frames: FrameLogits, targets: Strings) -> None:
    n_samples, n_frames, n_classes = frames.logits.shape
    if len(targets) != n_samples or frames.lengths.shape != (n_samples,):
        raise ShapeError(
            "CTC",
            f"{len(targets)} strings and {frames.lengths.size} lengths for {n_samples} samples",
            "one of each per sample",
        )
    for sample, string in enumerate(targets):
        bad = [label for label in string if not 0 <= label < n_classes - 1]
        if bad:
            raise ParameterError(
                f"CTC, sample {sample}",
                f"a label is {bad[0]}",
                f"0 .. {n_classes - 2}; {n_classes - 1} is the blank",
            )
        needed, there = frames_needed(string), min(int(frames.lengths[sample]), n_frames)
        if there < max(needed, 1):
            raise DataError(
                f"CTC, sample {sample}",
                f"{there} frames for a string of {len(string)} labels, which needs at least "
                f"{max(needed, 1)}",
                remedy="Make the interval between frames smaller.",
            )
