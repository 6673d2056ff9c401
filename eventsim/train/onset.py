r"""The onset of a recording: the time at which a loss of its mean voltage begins.

A recording often begins with silence. Until its first event all voltages are at rest. A weight
:math:`e^{-t/T_w}` from the start of the recording has decayed by then, and differently in
recordings with different first events. From an onset :math:`t_0` on

.. math::
    z_c = \frac{g}{W} \int_{t_0}^T e^{-(t-t_0)/T_w}\, V_c(t)\, dt, \qquad
    W = \int_{t_0}^T e^{-(t-t_0)/T_w}\, dt .

The onset is a time in ms, the same in every recording, or ``first_event``: that of the first event
of each recording, of any channel, 0 where there is none before the end. It counts as a
constant: gradients by parameters are exact; those by event times leave out that the first event
moves the onset.

The part before the onset is subtracted from the integral, so that rounding counts
:math:`e^{d/T_w}` times as much, where d is the time from the first spike of the recording to the
onset: at most ten time constants. Before a first event a network is at rest, unless it fires by
itself, so ``first_event`` may be at any time.
"""

import math

import numpy as np

from eventsim.adjoint.linear.voltage import weighted_time
from eventsim.arrays import Floats
from eventsim.entries import shown
from eventsim.errors import ParameterError
from eventsim.events import EventStream
from eventsim.events.begin import edges
from eventsim.network.answer import FIRST_EVENT, Onset


def check_onset(where: str, onset: Onset) -> None:
    """Raise ParameterError unless it is ``first_event`` or a time in ms."""
    if onset == FIRST_EVENT:
        return
    if isinstance(onset, str) or not 0.0 <= onset < math.inf:
        raise ParameterError(
            where, f"onset is {shown(onset)}", f"{FIRST_EVENT!r} or a time in ms, >= 0"
        )


def onsets(stream: EventStream, onset: Onset, where: str) -> Floats | None:
    """Onset of every sample, ms [samples]; None where all begin at the start. New array.

    Raises ParameterError, in the name of ``where``, if a recording ends before its onset.
    """
    if onset == 0.0:
        return None
    if onset == FIRST_EVENT:
        first = edges(stream).first
        return np.where(first < stream.duration, first, 0.0)
    found = np.full(stream.n_samples, float(onset))
    short = np.flatnonzero(found >= stream.duration)
    if short.size:
        raise ParameterError(
            f"{where}, sample {short[0]}",
            f"lasts {stream.duration[short[0]]:g} ms",
            f"longer than the onset of {onset:g} ms",
            f"State an earlier onset, or {FIRST_EVENT!r}, or run the network on after a recording "
            "(tail).",
        )
    return found


def time_after(duration: Floats, begin: Floats | None, time_constant: float) -> Floats:
    """Integral of the weight from the onsets to the ends, ms [samples]: it is 1 at the onset."""
    lasts = duration if begin is None else duration - begin
    whole: Floats = weighted_time(lasts, time_constant)
    return whole
