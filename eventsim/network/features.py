"""Features of a network, as the columns of the support matrix call them.

Each is found by its own function, which gives the phrase that names where it is, or None. Only
those that are asked for are looked for: a run asks for few, and values may be on a device.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np

from eventsim.arrays import to_host
from eventsim.network.answer import FIRST_EVENT
from eventsim.network.parts import Population
from eventsim.network.projection import Projection
from eventsim.neuron.linear import LIF, AdLIF, Resonator

Net = Any  # A Network, whose module imports this one
# What C takes: neurons that run together (a target has 15 bits), and synapses (16 MB of flash).
MOST_NEURONS, MOST_SYNAPSES = 1 << 15, 1 << 22
_KINDS: Mapping[type, str] = {LIF: "receptors", AdLIF: "adlif", Resonator: "resonator"}


def kind_of(population: Population) -> str:
    """Feature of a spiking population on the axis ``neuron``."""
    if population.neuron is not None:
        return _KINDS.get(type(population.neuron), "own_neuron")
    return "adaptive" if population.is_adaptive else "lif"


def delay_of(projection: Projection) -> str:
    """Feature of a projection with delays on the axis ``delay``."""
    if projection.delays.ndim == 0:
        return "delay"
    return "delay_by_synapse" if projection.delay_per_synapse else "delay_by_source"


def features_of(net: Net, names: Collection[str] | None = None) -> dict[str, str]:
    """Features that the network has, of ``names`` or of all, each with its phrase."""
    asked = _FINDERS if names is None else [name for name in _FINDERS if name in names]
    found = {name: next(_FINDERS[name](net), None) for name in asked}
    return {name: phrase for name, phrase in found.items() if phrase is not None}


Finder = Callable[[Net], Iterator[str]]


def _of_kind(kind: str) -> Finder:
    def find(net: Net) -> Iterator[str]:
        for population in net.spiking.values():
            if kind in (kind_of(population), "linear" if population.neuron is not None else ""):
                yield from neurons_of(population).values()

    return find


def neurons_of(population: Population) -> dict[str, str]:
    """The feature of the neurons of one population, with its phrase."""
    said = "has an adaptive threshold" if population.is_adaptive else "has LIF neurons"
    if population.neuron is not None:
        said = f"has neurons of kind {type(population.neuron).__name__}"
    return {kind_of(population): f"population {population.name!r} {said}"}


def neurons_at(net: Net, output: str) -> dict[str, str]:
    """Whether the output, and whether hidden neurons, are linear between events."""
    found: dict[str, str] = {}
    for name in net.linear:
        where = "linear_output" if name == output else "linear_hidden"
        found |= dict.fromkeys([where], *neurons_of(net.populations[name]).values())
    return found


def _neurons_at(where: str) -> Finder:
    def find(net: Net) -> Iterator[str]:
        output = "output" if net.answer is None else net.answer.population
        yield from (said for name, said in neurons_at(net, output).items() if name == where)

    return find


def delays_of(projection: Projection) -> dict[str, str]:
    """The feature of the delays of one projection, with its phrase."""
    kind = delay_of(projection)
    return {kind: f"projection {projection.name!r} {_DELAYS[kind]}"}


def _projections(holds: Callable[[Projection], bool], said: str) -> Finder:
    def find(net: Net) -> Iterator[str]:
        for name, projection in net.projections.items():
            if holds(projection):
                yield f"projection {name!r} {said}"

    return find


def _is_lateral(projection: Projection) -> bool:
    return projection.source == projection.target and not projection.one_to_one


def _delayed(kind: str) -> Callable[[Projection], bool]:
    return lambda p: not p.one_to_one and delay_of(p) == kind and bool(p.delays.any())


def _undelayed(net: Net) -> Iterator[str]:
    for name, p in net.projections.items():
        if p.source in net.neurons and not p.one_to_one and not (p.delays > 0.0).all():
            yield f"projection {name!r} has a synapse without delay"


def _is_self(*, delayed: bool) -> Callable[[Projection], bool]:
    return lambda p: p.one_to_one and bool(p.delays.any()) == delayed


def _skips(net: Net) -> Iterator[str]:
    for name in net.neurons:
        sources = {p.source for p in net.projections.values() if p.target == name} - {name}
        if len(sources) > 1:
            yield f"population {name!r} has several sources"


def loops(net: Net) -> list[set[str]]:
    """Populations that reach each other, by loop of two populations or more."""
    reach = {name: {p.target for p in net.projections.values() if p.source == name}
             for name in net.populations}  # fmt: skip
    for middle, one in product(reach, reach):
        if middle in reach[one]:
            reach[one] |= reach[middle]
    found = [{b for b in reach[a] if a in reach[b]} for a in reach]
    return [loop for k, loop in enumerate(found) if len(loop) > 1 and loop not in found[:k]]


def _loops(net: Net) -> Iterator[str]:
    for loop in loops(net):
        yield f"populations {sorted(loop)} are in a loop"


def _mixed_loops(net: Net) -> Iterator[str]:
    if len({kind_of(p) == "adaptive" for p in net.spiking.values()}) < 2:
        return  # all alike, as in most networks, whose runs ask this every time
    for loop in loops(net):
        adaptive = sorted(name for name in loop if net.populations[name].is_adaptive)
        if adaptive and any(net.populations[name].neuron is not None for name in loop):
            yield f"population {adaptive[0]!r} has an adaptive threshold"


def _shared(net: Net) -> Iterator[str]:
    for key in net.shared:
        yield f"values of {key!r} are shared"


def shared_apart(net: Net, trained: Collection[str] = ()) -> Iterator[str]:
    """Shared weights whose neurons have different time constants, or may after training."""
    for name, p in net.projections.items():
        sharing, target = net.shared.get(f"{name}.weights"), net.populations[p.target]
        if sharing is None or target.neuron is not None:
            continue
        values = [target.tau_syn / target.tau_mem]
        for tau in {"tau_mem", "tau_syn"}.intersection(trained):
            alike = net.shared.get(f"{target.name}.{tau}")
            values.append(np.arange(float(target.size)) if alike is None else alike.groups)
        spread = (np.broadcast_to(p.of_targets(to_host(v)), p.values.shape) for v in values)
        if not all(sharing.agrees(one) for one in spread):
            yield f"shared weights {name!r} reach neurons of different time constants"


def _values(what: str, kind: str) -> Finder:
    def find(net: Net) -> Iterator[str]:
        if getattr(net, f"{what}_dtype").name == kind:
            yield f"{what}s are {kind}"

    return find


def _readouts(least: int, most: float, said: str) -> Finder:
    def find(net: Net) -> Iterator[str]:
        if least <= len(net.readouts) <= most:
            yield said.format(*net.readouts)

    return find


def _decision(net: Net) -> Iterator[str]:
    if net.decision is not None:
        yield f"the network has a linear decision behind {net.decision.readout!r}"


def _answers(rule: str) -> Finder:
    def find(net: Net) -> Iterator[str]:
        if net.answer is not None and net.answer.rule == rule:
            yield f"the network answers by the rule {rule!r}"

    return find


def _onset(net: Net) -> Iterator[str]:
    onset = None if net.answer is None else net.answer.onset
    if onset not in (None, 0.0, FIRST_EVENT):
        yield f"the network answers from an onset of {onset} ms on"


def _stages(net: Net) -> tuple[Any, ...]:
    """The stages of its plan. Rooms above this one say what runs together, and how."""
    if len(net.neurons) == len(net.populations):
        return ()  # without an input, and so without a plan
    stages: tuple[Any, ...] = import_module("eventsim.plan").make_plan(net).stages
    return stages


def _by_sums(net: Net) -> Iterator[str]:
    engine = import_module("eventsim.engine.algorithm")
    for stage in _stages(net):
        if not stage.is_readout and engine.algorithm_of(stage) is engine.Algorithm.SUMS:
            yield f"population {stage.name!r} is in a loop by sums of windows, sparse and busy"


def _many_neurons(net: Net) -> Iterator[str]:
    for stage in _stages(net):
        n_neurons = sum(population.size for population in stage.members)
        if n_neurons > MOST_NEURONS:
            yield f"population {stage.name!r} has {n_neurons:,} neurons, above {MOST_NEURONS:,}"


def _many_synapses(net: Net) -> Iterator[str]:
    n_synapses = sum(p.values.size for stage in _stages(net) for p in stage.projections)
    if n_synapses > MOST_SYNAPSES:
        yield f"the network has {n_synapses:,} synapses, above {MOST_SYNAPSES:,}"


def _no_answer(net: Net) -> Iterator[str]:
    if net.answer is None:
        yield "the network has no answer"


_KINDS_OF_NEURONS = ("lif", "adaptive", "linear", "receptors", "adlif", "resonator", "own_neuron")
_DELAYS = {
    "delay": "has one delay",
    "delay_by_source": "has a delay per source",
    "delay_by_synapse": "has a delay per synapse",
}
_RULES = ("integral", "maximum", "last", "first_spike", "spike_count", "van_rossum", "ctc")
_FINDERS: Mapping[str, Finder] = {
    **{kind: _of_kind(kind) for kind in _KINDS_OF_NEURONS},
    **{where: _neurons_at(where) for where in ("linear_output", "linear_hidden")},
    "self": _projections(_is_self(delayed=False), "has self-weights"),
    "self_delayed": _projections(_is_self(delayed=True), "has self-weights with a delay"),
    "skip": _skips,
    "lateral": _projections(_is_lateral, "is lateral"),
    "loop": _loops,
    "mixed_loop": _mixed_loops,
    "shared": _shared,
    "shared_apart": shared_apart,
    "dense": _projections(lambda p: p.all_to_all, "is dense"),
    "sparse": _projections(lambda p: p.kind == "sparse", "is sparse"),
    "multapses": _projections(lambda p: p.has_multapses, "has two synapses of one pair"),
    "no_delay": _undelayed,
    **{name: _projections(_delayed(name), said) for name, said in _DELAYS.items()},
    "float64": _values("weight", "float64"),
    "float32": _values("weight", "float32"),
    "delays64": _values("delay", "float64"),
    "delays32": _values("delay", "float32"),
    "readout": _readouts(1, float("inf"), "{0!r} is a readout"),
    "several_readouts": _readouts(2, float("inf"), "{0!r} and {1!r} are readouts"),
    "no_readout": _readouts(0, 0, "the network has no readout"),
    "decision": _decision,
    "no_answer": _no_answer,
    "onset": _onset,
    "by_sums": _by_sums,
    "many_neurons": _many_neurons,
    "many_synapses": _many_synapses,
    **{rule: _answers(rule) for rule in _RULES},
}
FEATURES = frozenset(_FINDERS)
