"""A network in a line, and as tables for notebooks."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from eventsim.arrays import Array, to_host
from eventsim.network.answer import Answer
from eventsim.network.decision import Decision
from eventsim.network.parts import ADAPTIVE, Population
from eventsim.network.projection import Projection
from eventsim.network.sharing import Sharing
from eventsim.summary import brief, html_card, html_table, number, span

# More names than these are counted in the line of a network.
MOST_NAMES = 12
POPULATION_COLUMNS = (
    "population", "kind", "size", "tau_mem (ms)", "tau_syn (ms)", "threshold", "refractory (ms)",
)  # fmt: skip
PROJECTION_COLUMNS = ("projection", "kind", "synapses", "weights", "delays (ms)")
SHOWN = ("tau_mem", "tau_syn", "threshold", "refractory")
# Shown where some population has them.
ADAPTIVE_COLUMNS = ("adaptation", "tau_adaptation (ms)")


class Described(Protocol):
    """Properties of a network that its overview shows; see :class:`eventsim.Network`."""

    @property
    def populations(self) -> Mapping[str, Population]:
        """Populations by name."""

    @property
    def projections(self) -> Mapping[str, Projection]:
        """Projections by name."""

    @property
    def weight_dtype(self) -> np.dtype[Any]:
        """Type of the weights."""

    @property
    def delay_dtype(self) -> np.dtype[Any]:
        """Type of the delays."""

    @property
    def decision(self) -> Decision | None:
        """Linear decision behind a readout, or None."""

    @property
    def answer(self) -> Answer | None:
        """Rule by which the network answers, or None."""

    @property
    def shared(self) -> Mapping[str, Sharing]:
        """Groups of shared values, by parameter."""

    def parameters(self) -> Mapping[str, Array]:
        """The live arrays of all parameters, by key."""


def line(net: Described) -> str:
    """Text of ``repr``: sizes, projections, decision and answer."""
    populations, projections = net.populations, net.projections
    decision, answer = net.decision, net.answer
    sizes = ", ".join(f"{p.name}: {p.size}" for p in list(populations.values())[:MOST_NAMES])
    if len(populations) > MOST_NAMES:
        sizes += f", {len(populations) - MOST_NAMES} more"
    names = list(projections)
    found = f"projections {names}" if len(names) <= MOST_NAMES else f"{len(names)} projections"
    adaptive = [p.name for p in populations.values() if p.is_adaptive]
    if adaptive:
        found += f", adaptive threshold in {', '.join(adaptive[:MOST_NAMES])}"
        found += f", {len(adaptive) - MOST_NAMES} more" if len(adaptive) > MOST_NAMES else ""
    kinds = [
        f"{type(p.neuron).__name__} neurons in {p.name}"
        for p in populations.values()
        if p.neuron is not None
    ]
    found += "".join(f", {kind}" for kind in kinds[:MOST_NAMES])
    behind = "" if decision is None else f", decision behind {decision.readout}"
    if answer is not None:
        behind += f", answers by {answer.rule} of {answer.population}"
        behind += f", tail {answer.tail:g} ms" if answer.tail else ""
    return f"Network({{{sizes}}}, {found}{behind})"


def html(net: Described) -> str:
    """Text of ``_repr_html_``: a table of populations and a table of projections."""
    populations, projections = net.populations, net.projections
    decision, answer = net.decision, net.answer
    neurons = sum(p.size for p in populations.values() if not p.is_input)
    synapses = sum(p.values.size for p in projections.values())
    about = f"{number(neurons)} neurons, {number(int(synapses))} synapses"
    if decision is not None:
        about += f"; linear decision of {decision.n_classes} classes behind {decision.readout}"
    if answer is not None:
        about += f"; answers by {answer.rule} of {answer.population}"
    some = any(p.is_adaptive for p in populations.values())
    shown = SHOWN + (ADAPTIVE if some else ())
    columns = POPULATION_COLUMNS + (ADAPTIVE_COLUMNS if some else ())
    rows = (
        [p.name, p.kind, number(p.size), *(_values(p, name) for name in shown)]
        for p in populations.values()
    )
    wires = (
        [
            p.name,
            p.kind,
            number(int(p.values.size)),
            span(to_host(p.values)),
            span(np.atleast_1d(to_host(p.delays))),
        ]
        for p in projections.values()
    )
    tables = [html_table(columns, rows)]
    if projections:
        tables.append(html_table(PROJECTION_COLUMNS, wires))
    if answer is not None and answer.class_names:
        tables.append(html_table(("classes",), [[brief(answer.class_names)]]))
    return html_card("Network", about, *tables)


def _values(population: Population, name: str) -> str:
    return span(to_host(population.parameters[name])) if name in population.parameters else ""
