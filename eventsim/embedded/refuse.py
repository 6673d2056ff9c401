"""Refuses, by name, parts of a network that the C text does not support."""

from collections.abc import Mapping

from eventsim.engine.algorithm import Algorithm
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.network.answer import Answer

# In the order of c/tables.h.
RULES = ("integral", "maximum", "last", "spike_count", "first_spike")
# How a stage runs in c/tables.h; that of sums is not there.
KINDS: Mapping[Algorithm, str] = {
    Algorithm.STRETCHES: "STRETCHES",
    Algorithm.LOOP_STRETCHES: "WINDOWS",
    Algorithm.FAN_IN: "EVENTS",
    Algorithm.QUEUE: "EVENTS",
}


def refuse(net: Network) -> Answer:
    """Raise NetworkError for a part that the C text does not support; returns the answer."""
    require("export_c", net)
    assert net.answer is not None
    return net.answer
