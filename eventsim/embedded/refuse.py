"""Refuses, by name, parts of a network that the C text does not support."""

from collections.abc import Mapping

from eventsim.engine.algorithm import Algorithm, algorithm_of
from eventsim.errors import NetworkError
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.network.answer import FIRST_EVENT, Answer
from eventsim.plan import Plan, Stage

# In the order of c/tables.h.
RULES = ("integral", "maximum", "last", "spike_count", "first_spike")
# How a stage runs in c/tables.h; that of sums is not there.
KINDS: Mapping[Algorithm, str] = {
    Algorithm.STRETCHES: "STRETCHES",
    Algorithm.LOOP_STRETCHES: "WINDOWS",
    Algorithm.FAN_IN: "EVENTS",
    Algorithm.QUEUE: "EVENTS",
}
MOST_NEURONS = 1 << 15  # a target has 15 bits
MOST_SYNAPSES = 1 << 22  # of all stages; 16 MB of flash


def refuse(net: Network, plan: Plan) -> Answer:
    """Raise NetworkError for a part that the C text does not support; returns the answer."""
    require("export_c", net)
    answer = net.answer
    assert answer is not None
    reasons = []
    if answer.onset not in (None, 0.0, FIRST_EVENT):
        reasons.append(f"onset of {answer.onset} ms (0 or {FIRST_EVENT})")
    for stage in plan.stages:
        reasons += _reasons(stage)
    n_synapses = sum(p.values.size for stage in plan.stages for p in stage.projections)
    if n_synapses > MOST_SYNAPSES:
        reasons.append(
            f"place for more than {MOST_SYNAPSES:,} synapses, and these are {n_synapses:,}"
        )
    if reasons:
        raise NetworkError(
            "export_c",
            f"the C text has no {'; no '.join(reasons)}",
            remedy="Run the network by eventsim.",
        )
    return answer


def _reasons(stage: Stage) -> list[str]:
    name, found = stage.name, list[str]()
    if not stage.is_readout and not stage.is_linear and algorithm_of(stage) not in KINDS:
        found.append(f"loop by {algorithm_of(stage).value}, as {name!r}: sparse, and busy")
    if stage.population.size > MOST_NEURONS:
        found.append(f"population of more than {MOST_NEURONS:,} neurons, as {name!r}")
    return found
