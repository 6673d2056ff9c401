r"""Ben's Spiker Algorithm: the spikes of which a filter makes the signal again.

Every frame, times ``scale``, is held for ``hold`` steps, and as many zeros as the kernel is long
are appended. The kernel of length :math:`L` = 24 is

.. math::
    k_i = \frac{e^{-(i - 12)^2/25}}{\sum_j e^{-(j - 12)^2/25}}, \qquad i = 0, \dots, 23 .

From the first step to the last one, where taking the kernel away makes the rest of the signal
enough smaller,

.. math::
    \sum_j |s_{i+j} - k_j| < \sum_j |s_{i+j}| - \vartheta,

the channel spikes at step :math:`i + 1`, and :math:`s_{i+j} \leftarrow s_{i+j} - k_j`. Spikes from
step ``limit`` on are left out. Sums run in the order of :math:`j`: the algorithm as it was
published, to the bit.

===================  =========  ================
symbol               name       unit
===================  =========  ================
:math:`s`            values     value times scale
:math:`\vartheta`    threshold  value times scale
===================  =========  ================

References
----------
Schrauwen and Van Campenhout (2003), BSA, a fast and accurate spike train encoding scheme, Proc.
IJCNN, 2825-2830. Zhang, Li, Jin, Choe (2015), A digital liquid state machine with biologically
inspired learning and its application to speech recognition, IEEE Trans. Neural Netw. Learn. Syst.
26:2635 (the constants, for TI46).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.datasets.encoders.frames import Events, Frames, in_order
from eventsim.entries import Count, Positive, Settings

KERNEL_SIZE = 24


@dataclass(frozen=True, kw_only=True)
class Bsa(Settings):
    """Parameters of the algorithm; two equal ones give equal spikes.

    Parameters
    ----------
    threshold
        See the table of :mod:`eventsim.datasets.encoders.bsa`.
    scale
        Factor of every frame.
    hold
        Steps per frame.
    limit
        Spikes from this step on are left out; None to keep all.

    Raises
    ------
    ParameterError
        A value lies outside its domain.
    """

    threshold: Positive = 0.6
    scale: Positive = 2000.0
    hold: Count = 10
    limit: Count | None = 700

    def spikes(self, frames: Frames) -> Events:
        """Events of all channels, as :class:`eventsim.datasets.encoders.frames.SpikeCoder`.

        A step lasts ``frames.step / hold``, 1.6 ms for TI46.
        """
        steps, channels = self.steps(frames.values)
        times = np.asarray(steps * (frames.step / self.hold), dtype=np.float64)
        return in_order(times, channels)

    def n_outputs(self, n_channels: int) -> int:
        """Number of event channels: that of the bank."""
        return n_channels

    def steps(self, values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Step and channel of every spike of frames [channels, frames], ordered by step."""
        n_channels, n_frames = values.shape
        # Time first: adding row to row sums every channel in the order of the steps. A lone column
        # would be summed in pairs, so there are two.
        signal = np.zeros((n_frames * self.hold + KERNEL_SIZE, max(n_channels, 2)))
        held = np.repeat(values.T * self.scale, self.hold, axis=0)
        signal[: n_frames * self.hold, :n_channels] = held
        k = kernel()[:, None]
        n_steps = n_frames * self.hold
        if self.limit is not None:
            n_steps = min(n_steps, self.limit - 1)
        fired = np.zeros((n_steps, signal.shape[1]), dtype=bool)
        for i in range(n_steps):
            window = signal[i : i + KERNEL_SIZE]
            without = np.abs(window - k).sum(axis=0)
            fired[i] = without < np.abs(window).sum(axis=0) - self.threshold
            if fired[i].any():
                window[:, fired[i]] -= k
        step, channel = np.nonzero(fired)
        return step + 1, channel.astype(np.int32)


def kernel() -> Floats:
    """The kernel, its sum is 1. New array."""
    # Plain numbers: NumPy's exponential and its sum end on other bits than the published programs.
    k = [math.exp(-((i - KERNEL_SIZE / 2) ** 2) / 25.0) for i in range(KERNEL_SIZE)]
    total = 0.0
    for value in k:
        total += value
    return np.array(k) / total
