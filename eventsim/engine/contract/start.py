"""States of a stage's neurons at time zero, where a user gives their voltages or currents."""

from typing import NamedTuple

from eventsim.arrays import Bools, Floats


class StageStart(NamedTuple):
    """NumPy, float64.

    ``state`` [samples, size, states]: V from v_leak, then the currents that arrivals raise (I of
    LIF neurons) and what else the neurons have. ``given`` [size] is whether V is given: if not, V
    is that of a run without a start.
    """

    state: Floats
    given: Bools
