"""The network and the input of a case, as eventsim takes them; and whether it needs a queue."""

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.conformance.case import Case, CaseProjection
from eventsim.events import EventStream
from eventsim.network import Network, self_recurrent


def network_of(case: Case) -> Network:
    """Network of a case.

    A projection of neurons onto themselves becomes self-recurrent, one with all its synapses
    dense, any other sparse.

    Raises
    ------
    NetworkError, ParameterError
        A value is outside its domain.
    """
    net = Network()
    for population in case.populations:
        if population.kind == "input":
            net.add_input(population.name, population.size)
        else:
            given: dict[str, Any] = dict(population.parameters)
            net.add_population(population.name, population.size, **given)
    for projection in case.projections:
        _connect(net, projection)
    return net


def stream_of(case: Case) -> EventStream:
    """Input of a case: one sample; raises EventError if an event is out of range."""
    events = sorted(case.events)
    return EventStream(
        np.array([event.time for event in events], dtype=np.float64),
        np.array([event.channel for event in events], dtype=np.int64),
        [0, len(events)],
        n_channels=case.input.size,
        duration=case.duration,
    )


def is_lateral(case: Case) -> bool:
    """Whether populations form a loop, apart from neurons that project onto themselves only."""
    after: dict[str, set[str]] = {population.name: set() for population in case.populations}
    for projection in case.projections:
        if not is_self_recurrent(projection):
            after[projection.source].add(projection.target)
    return any(name in _reached(after, name) for name in after)


def is_self_recurrent(projection: CaseProjection) -> bool:
    """Whether every synapse joins a neuron to itself."""
    inside = projection.source == projection.target
    return inside and all(synapse.source == synapse.target for synapse in projection.synapses)


def _reached(after: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(after[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += after[name]
    return found


def _connect(net: Network, projection: CaseProjection) -> None:
    source, target = net.population(projection.source), net.population(projection.target)
    rows = sorted(projection.synapses)  # CSR order: the delays are one per stored entry
    if is_self_recurrent(projection):
        own = {row.source: row for row in rows}
        weights = [own[j].weight if j in own else 0.0 for j in range(target.size)]
        delays = [own[j].delay if j in own else 0.0 for j in range(target.size)]
        net.connect(source.name, target.name, self_recurrent(weights), delays=delays)
        return
    places = np.array([row.source for row in rows]), np.array([row.target for row in rows])
    values = np.array([row.weight for row in rows], dtype=np.float64)
    lags = np.array([row.delay for row in rows], dtype=np.float64)
    if len(rows) == source.size * target.size:
        dense, dense_lags = np.zeros((2, source.size, target.size))
        dense[places], dense_lags[places] = values, lags
        net.connect(source.name, target.name, dense, delays=_one_or_all(dense_lags))
        return
    sparse = scipy.sparse.csr_array((values, places), shape=(source.size, target.size))
    lags = _one_or_all(lags)
    net.connect(source.name, target.name, sparse, delays=lags, delays_of="synapse")


def _one_or_all(delays: NDArray[np.float64]) -> NDArray[np.float64]:
    """The common delay as an array of no dimension, if there is one."""
    return np.array(delays.flat[0]) if (delays == delays.flat[0]).all() else delays
