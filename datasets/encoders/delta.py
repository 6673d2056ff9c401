r"""Delta modulation (send on delta): an event for every step up or down of the signal.

Each channel keeps a reference :math:`r`, 0 before the clip. Between the ends of two frames its
signal goes in a straight line, and whenever it has moved by :math:`\delta`,

.. math::
    x(t) = r + \delta \;\Rightarrow\; \text{event "up"},\ r \leftarrow r + \delta, \qquad
    x(t) = r - \delta \;\Rightarrow\; \text{event "down"},\ r \leftarrow r - \delta .

The reference stays on the grid of multiples of :math:`\delta` and never further than :math:`\delta`
from the signal. Event times are those of the crossings, solved in float64; a jump of several
:math:`\delta` makes several events on its way. From a bank of :math:`n` channels come
:math:`2n`: the "up" events of channel :math:`c` on :math:`c`, its "down" events on :math:`n + c`.

================  ==========  =================
symbol            name        unit
================  ==========  =================
:math:`x`         values      as the bank gives
:math:`\delta`    delta       as the bank gives
================  ==========  =================

References
----------
Miskowicz (2006), Send-on-delta concept: an event-based data reporting strategy, Sensors 6:49.
Corradi and Indiveri (2015), A neuromorphic event-based neural recording system for smart
brain-machine-interfaces, IEEE Trans. Biomed. Circuits Syst. 9:699 (asynchronous delta modulator).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.datasets.encoders.frames import Events, Frames, in_order
from eventsim.entries import Positive, Settings


@dataclass(frozen=True)
class DeltaModulation(Settings):
    """Send on delta with this ``delta``, in units of what the bank gives.

    Raises
    ------
    ParameterError
        It is not a positive finite number.
    """

    delta: Positive

    def spikes(self, frames: Frames) -> Events:
        """Events of all channels, as :class:`eventsim.datasets.encoders.frames.SpikeCoder`."""
        return self.start(frames.values.shape[0], frames.step)(frames.values)

    def start(self, n_channels: int, step: float) -> Callable[[Floats], Events]:
        """As :class:`eventsim.datasets.encoders.frames.LiveCoder`.

        Carried of every channel: its :class:`DeltaFollower`.
        """
        followers = [DeltaFollower() for _ in range(n_channels)]

        def push(values: Floats) -> Events:
            times, channels = [np.zeros(0)], [np.zeros(0, np.int32)]
            for channel, (row, follower) in enumerate(zip(values, followers, strict=True)):
                t, up = crossings(row, self.delta, follower)
                times.append(t * step)
                channels.append(np.where(up, channel, n_channels + channel).astype(np.int32))
            return in_order(np.concatenate(times), np.concatenate(channels))

        return push

    def n_outputs(self, n_channels: int) -> int:
        """Number of event channels: one for each direction."""
        return 2 * n_channels


@dataclass
class DeltaFollower:
    """State of a channel between two chunks of its signal."""

    level: float = 0.0  # signal at the last frame, in deltas
    reference: int = 0  # in deltas
    frames: int = 0  # so far


def crossings(
    values: Floats, delta: float, follower: DeltaFollower | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Times of the events of one channel, in frames, and whether each is "up".

    Frame ``k`` of the values is the signal at time ``k + 1``; at time 0 it is 0. ``delta`` is the
    step of the reference. Of a piece of a signal, ``follower`` says what came before, and is moved
    on.
    """
    follower = follower or DeltaFollower()
    level = np.concatenate([[follower.level], values / delta])
    steps = _reference_steps(level, follower.reference)
    frame = np.repeat(np.arange(steps.size), np.abs(steps))
    up = steps[frame] > 0
    # The reference before the frame, and which of the frame's events this one is.
    before = follower.reference + np.concatenate([[0], np.cumsum(steps)[:-1]])
    first = np.concatenate([[0], np.cumsum(np.abs(steps))[:-1]])
    number = np.arange(frame.size) - first[frame] + 1
    reached = before[frame] + np.where(up, number, -number)
    rise = level[frame + 1] - level[frame]
    fraction = np.clip((reached - level[frame]) / rise, 0.0, 1.0)
    times = follower.frames + frame + fraction
    follower.level, follower.reference = float(level[-1]), follower.reference + int(steps.sum())
    follower.frames += steps.size
    return times, up


def _reference_steps(level: Floats, reference: int) -> NDArray[np.int64]:
    """Steps of the reference in every frame, in deltas."""
    steps = np.zeros(level.size - 1, dtype=np.int64)
    # A hysteresis has memory: one value after the other, as plain numbers.
    for k, x in enumerate(level[1:].tolist()):
        if x >= reference + 1:
            steps[k] = math.floor(x) - reference
        elif x <= reference - 1:
            steps[k] = math.ceil(x) - reference
        reference += int(steps[k])
    return steps
