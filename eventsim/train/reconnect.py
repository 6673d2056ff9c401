"""Changes of the synapses while a run goes on: network and optimiser together.

What a synapse has, its weight, its moments and its mean, moves with it; a new one begins with
zeros. :mod:`eventsim.train.sparse` says which synapses there are.
"""

from collections.abc import Callable, Mapping

import numpy as np

from eventsim.arrays import Floats, Ints, to_host
from eventsim.network import Network
from eventsim.network.connectivity import all_numbers, moved, synapse_numbers, with_synapses
from eventsim.train.checkpoint import TrainState
from eventsim.train.config import TrainConfig
from eventsim.train.groups import select
from eventsim.train.method import AbstractMethod
from eventsim.train.optimiser import AdamW

Gradients = Callable[[Network], Mapping[str, Floats]]
"""Gradients of the loss of a batch by the weights of a network, by key of its parameters."""


def change_synapses(
    config: TrainConfig,
    state: TrainState,
    method: AbstractMethod,
    gradients: Gradients,
    *,
    n_done: int,
    total: int,
) -> None:
    """Prune and rewire, if it is due after ``n_done`` of ``total`` steps.

    Network and optimiser of the state are replaced. At steps that rewire, ``gradients`` is asked
    for the network with all possible synapses.
    """
    due = config.sparse.change(n_done, total)
    if due.progress is not None:
        _reconnect(config, state, method, config.sparse.pruned(state.net, due.progress))
    if due.exchanged:
        chosen = config.sparse.chosen(state.net)
        full = {p.name: all_numbers(p) for p in chosen}
        found = gradients(method.go_on(with_synapses(state.net.to_host(), full), config))
        by_name = {name: np.asarray(to_host(found[f"{name}.weights"])) for name in full}
        after = config.sparse.exchanged(state.net, due.exchanged, by_name)
        _reconnect(config, state, method, after)


def _reconnect(
    config: TrainConfig, state: TrainState, method: AbstractMethod, after: Mapping[str, Ints]
) -> None:
    """Give the run these synapses in these projections."""
    before, arrays = state.net.to_host(), state.optimiser.to_arrays()
    net = method.go_on(with_synapses(before, after), config)
    for name, numbers in after.items():
        projection = before.projections[name]
        ends = (".weights", ".delays") if projection.delay_per_synapse else (".weights",)
        for key in arrays:
            if key.endswith(tuple(f".{projection.name}{end}" for end in ends)):
                arrays[key] = moved(arrays[key], synapse_numbers(projection), numbers)
    optimiser = AdamW(net, select(net, config.trained()), config.adam_settings())
    optimiser.load_arrays(arrays)
    state.net, state.optimiser = net, optimiser
    state.memo = None  # of arrays that are gone
