r"""The onset of a recording: the time at which a loss of its mean voltage begins.

A recording is often longer than what was said in it. Until its first event all voltages are at
rest; a weight :math:`e^{-t/T_w}` that runs from the start of the recording has fallen by then, and
falls differently in recordings that begin at different times. From an onset :math:`t_0` on

.. math::
    z_c = \frac{g}{W} \int_{t_0}^T e^{-(t-t_0)/T_w}\, V_c(t)\, dt, \qquad
    W = \int_{t_0}^T e^{-(t-t_0)/T_w}\, dt .

The onset is a time in ms, the same in every recording, or ``first_event``: that of the first event
of each recording, of any channel, 0 where there is none before the end. It counts as given: the
gradients by parameters are exact, and those by times of events leave out that the first one moves
the onset.

What came before the onset is taken off the integral from the start, so that rounding counts
:math:`e^{t_0/T_w}` times as much: a stated onset may be ten time constants late at most. Before a
first event there is nothing to take off but the leak, and the bound is that of the range of single
precision.
"""

import math

import numpy as np

from eventsim.adjoint.linear.voltage import weighted_time
from eventsim.arrays import Floats
from eventsim.entries import shown
from eventsim.errors import ParameterError
from eventsim.events import EventStream
from eventsim.network.answer import Onset

FIRST_EVENT = "first_event"
# Time constants between the start and the onset, at most.
LATEST_STATED, LATEST_EVENT = 10.0, 80.0


def check_onset(where: str, onset: Onset) -> None:
    """Raise ParameterError unless it is ``first_event`` or a time in ms."""
    if onset == FIRST_EVENT:
        return
    if isinstance(onset, str) or not 0.0 <= onset < math.inf:
        raise ParameterError(
            f"{where}: onset is {shown(onset)}, expected {FIRST_EVENT!r} or a time in ms, >= 0."
        )


def onsets(stream: EventStream, onset: Onset, where: str, *, time_constant: float) -> Floats | None:
    """Onset of every sample, ms [samples]; None where all begin at the start. New array.

    Parameters
    ----------
    stream
        The recordings.
    onset
        As in :class:`eventsim.Answer`.
    where
        Who asks, for errors.
    time_constant
        ms, of the weight.

    Raises
    ------
    ParameterError
        A recording ends before its onset, or the weight has faded until then.
    """
    if onset == 0.0:
        return None
    if onset == FIRST_EVENT:
        found, latest = _first_events(stream), LATEST_EVENT
    else:
        found, latest = np.full(stream.n_samples, float(onset)), LATEST_STATED
        short = np.flatnonzero(found >= stream.duration)
        if short.size:
            raise ParameterError(
                f"{where}, sample {short[0]}: lasts {stream.duration[short[0]]:g} ms, expected "
                f"longer than the onset of {onset:g} ms. State an earlier onset, or "
                f"{FIRST_EVENT!r}, or run the network on after a recording (tail)."
            )
    late = np.flatnonzero(found > latest * time_constant)
    if late.size:
        raise ParameterError(
            f"{where}, sample {late[0]}: its onset is at {found[late[0]]:g} ms, expected at most "
            f"{latest:g} time constants of {time_constant:g} ms after the start, or rounding "
            "decides. Use a longer time constant, or cut off what comes before."
        )
    return found


def time_after(duration: Floats, begin: Floats | None, time_constant: float) -> Floats:
    """Integral of ``exp(-t / time_constant)`` from the onsets to the ends, ms [samples]."""
    if begin is None:
        whole: Floats = weighted_time(duration, time_constant)
        return whole
    rest: Floats = np.exp(-begin / time_constant) * weighted_time(duration - begin, time_constant)
    return rest


def _first_events(stream: EventStream) -> Floats:
    found = np.zeros(stream.n_samples)
    there = np.flatnonzero(np.diff(stream.offsets))
    found[there] = stream.times[stream.offsets[there]]
    found[found >= stream.duration] = 0.0
    return found
