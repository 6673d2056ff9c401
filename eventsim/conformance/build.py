"""The network and the input of a case for eventsim, and whether it needs a queue."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.conformance.case import Case, CaseNeuron, CaseProjection
from eventsim.events import EventStream
from eventsim.network import Network, self_recurrent
from eventsim.neuron.linear import COMMON, LinearNeuron, neuron_described
from eventsim.plan import make_plan


def network_of(case: Case) -> Network:
    """Network of a case.

    A projection of neurons onto themselves becomes self-recurrent. A projection with all possible
    synapses becomes dense, any other sparse.

    Raises
    ------
    NetworkError, ParameterError
        A value is outside its domain.
    """
    net = Network()
    for population in case.populations:
        if population is case.input:
            net.add_input(population.name, population.size)
        elif population.neuron is None:
            given: dict[str, Any] = dict(population.parameters)
            net.add_population(population.name, population.size, **given)
        else:
            neuron = kind_of(population.neuron, population.parameters)
            neuron.values.update(population.parameters)
            net.add_population(population.name, population.size, neuron=neuron)
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


class _GivenFlow(LinearNeuron):
    """Neurons that have the entries of their matrices as parameters."""

    def __init__(self, neuron: CaseNeuron, names: Iterable[str]) -> None:
        self.states, self.receptors = neuron.states, neuron.receptors
        self.parameters = {name: 0.0 for name in names if name not in COMMON}
        super().__init__()

    def flow(self, p: Any) -> Mapping[tuple[str, str], Any]:
        """The entries that are given."""
        pairs = [(to, by) for to in self.states for by in self.states]
        return {
            (to, by): getattr(p, name)
            for to, by in pairs
            if (name := flow_name(to, by)) in self.parameters
        }

    def reset(self, p: Any) -> Mapping[str, Any]:
        """V becomes its reset; other states change as given."""
        found = dict(super().reset(p))
        for state in self.states[1:]:
            if f"set_{state}" in self.parameters:
                found[state] = getattr(p, f"set_{state}")
            elif f"add_{state}" in self.parameters:
                found[state] = ("add", getattr(p, f"add_{state}"))
        return found


def flow_name(to: str, by: str) -> str:
    """Name of the entry by which one state drives another."""
    return f"flow_{to}_{by}"


def kind_of(neuron: CaseNeuron, names: Iterable[str]) -> LinearNeuron:
    """Neurons of a case as a kind of eventsim; ``names`` are those of their parameters.

    Raises ParameterError (the kind is unknown, or states and receptors contradict each other).
    """
    if neuron.gives_flow:
        return _GivenFlow(neuron, names)
    return neuron_described(neuron.kind, [name for name in neuron.receptors if name])


def is_lateral(case: Case) -> bool:
    """Whether populations form a loop, apart from neurons that project onto themselves only."""
    return any(stage.lateral for stage in make_plan(network_of(case)).stages)


def is_self_recurrent(projection: CaseProjection) -> bool:
    """Whether every synapse joins a neuron to itself."""
    inside = projection.source == projection.target
    return inside and all(synapse.source == synapse.target for synapse in projection.synapses)


def _connect(net: Network, projection: CaseProjection) -> None:
    source, target = net.population(projection.source), net.population(projection.target)
    rows = sorted(projection.synapses)  # CSR order: the delays are one per stored entry
    if is_self_recurrent(projection):
        own = {row.source: row for row in rows}
        weights = [own[j].weight if j in own else 0.0 for j in range(target.size)]
        delays = [own[j].delay if j in own else 0.0 for j in range(target.size)]
        _join(net, projection, self_recurrent(weights), delays=delays)
        return
    places = np.array([row.source for row in rows]), np.array([row.target for row in rows])
    values = np.array([row.weight for row in rows], dtype=np.float64)
    lags = np.array([row.delay for row in rows], dtype=np.float64)
    if len(rows) == source.size * target.size:
        dense, dense_lags = np.zeros((2, source.size, target.size))
        dense[places], dense_lags[places] = values, lags
        _join(net, projection, dense, delays=_one_or_all(dense_lags))
        return
    sparse = scipy.sparse.csr_array((values, places), shape=(source.size, target.size))
    _join(net, projection, sparse, delays=_one_or_all(lags), delays_of="synapse")


def _join(net: Network, projection: CaseProjection, weights: Any, **delays: Any) -> None:
    receptor = projection.receptor
    net.connect(projection.source, projection.target, weights, receptor=receptor, **delays)


def _one_or_all(delays: NDArray[np.float64]) -> NDArray[np.float64]:
    """The common delay as an array without dimensions, if there is one; else all delays."""
    return np.array(delays.flat[0]) if (delays == delays.flat[0]).all() else delays
