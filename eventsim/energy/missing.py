"""Missing terms of a sum of energies: every term that a machine needs and the sum lacks.

A term is in the sum if the chip's file has a figure of it and its number is known. It needs none if
another figure of the sum includes it: one that names it under ``includes``, or one that includes it
by its meaning:

=====================================  =====================================================
term                                   needs no figure of its own where the sum has
=====================================  =====================================================
ac, mac, memory_byte (of weights)      synaptic_event
synaptic_event                         ac or mac; then both of these and memory_byte are owed
neuron_update_active                   membrane_update
neuron_update_idle                     membrane_update, on a machine without steps
membrane_update                        owed on a machine without steps only
state_access, memory_byte (of states)  owed as part of the updates, never beside them
static_core                            static_chip, which is the power of the whole chip
=====================================  =====================================================

A machine has steps if its file has a step, a step was named, or it prices an update in a step. A
term whose number is 0 is not missing: a run without spikes needs no figure of a spike. Two costs
have no term in a chip's file, and names of their own: ``decision_macs`` where the operations of
synapses are priced in another way than by ``mac``, ``adaptive_update``, and ``state_update`` of
neurons of more states than V and I.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.chips import ENERGY_TERMS, Chip
from eventsim.chips.terms import LINKS
from eventsim.energy.counts import Counts
from eventsim.energy.steps import total

NO_FIGURE = "no figure in the chip's file"
NOT_COUNTED = "is not counted"
NEEDS = {
    "step": "needs a time step",
    "mapping": "needs a mapping of neurons to cores",
    "time": "needs the number of cores in use, from a mapping",
    "spikes": NOT_COUNTED,
}
UPDATES = ("neuron_update_active", "neuron_update_idle")
_OTHER = {
    "decision_macs": "multiply-add of the linear decision",
    "adaptive_update": "update of an adaptive threshold",
    "state_update": "update of a neuron's state beside V and one current",
}

Known = Mapping[str, tuple[str, Floats]]
"""Basis and number, [samples], of the terms that are known."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A cost that is not in a sum, and why.

    Attributes
    ----------
    name
        Of the term as in a chip's file; or another word that never changes.
    what
        Its meaning in words.
    reason
        Why it is not in the sum.
    count
        Mean number per sample; None where it is not known, and for powers.
    """

    name: str
    what: str
    reason: str
    count: float | None = None

    @property
    def of_leakage(self) -> bool:
        """Whether it is a part of the static power."""
        return self.name in ENERGY_TERMS and ENERGY_TERMS[self.name].needs == "time"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dict(vars(self))


def missing_terms(chip: Chip, known: Known, counts: Counts) -> tuple[Missing, ...]:
    """Terms without a number, and terms without a figure, in the order of :data:`ENERGY_TERMS`."""
    found = {name: NEEDS[ENERGY_TERMS[name].needs] for name in chip.energy if name not in known}
    inside = {name: one.includes for name, one in chip.energy.items()}
    for name in list(found):  # what a figure includes is missing with it
        for part in inside[name]:
            found.setdefault(part, f"is in the figure of {name}, which {found[name]}")
    paid = {*chip.energy, *(part for name in inside if name in known for part in inside[name])}
    numbers = _numbers(known, counts)
    for name in _owed(chip, paid, known, counts):
        if name not in paid and numbers.get(name) != 0.0:
            found.setdefault(name, NO_FIGURE)
    order = [*ENERGY_TERMS, *_OTHER]
    return tuple(
        Missing(name=name, what=_meaning(name), reason=found[name], count=numbers.get(name))
        for name in sorted(found, key=order.index)
    )


def _meaning(name: str) -> str:
    return _OTHER[name] if name in _OTHER else ENERGY_TERMS[name].meaning


def _numbers(known: Known, counts: Counts) -> dict[str, float]:
    """Counts of the terms in a sample, as far as they are known."""
    found = {
        name: float(values.mean()) for name, (basis, values) in known.items() if basis != "time"
    }
    return found | {
        "mac": found["mac"] - counts.decision_macs,
        "decision_macs": float(counts.decision_macs),
        "adaptive_update": float(np.mean(total(counts.adaptive_updates, counts.n_samples))),
        "state_update": float(np.mean(total(counts.state_updates, counts.n_samples))),
    }


def _owed(chip: Chip, paid: set[str], known: Known, counts: Counts) -> Iterator[str]:
    """Terms that this machine pays, whether the file has a figure of them or not."""
    by_parts = "synaptic_event" not in paid and not paid.isdisjoint(("ac", "mac"))
    yield from ("ac", "mac") if by_parts else ("synaptic_event",)
    if by_parts or chip.is_technology or (counts.decision_macs and "mac" in paid):
        yield "memory_byte"
    yield from _updates(chip, paid, known)
    yield from ("spike", "event_in", "event_out", "axon_out")
    columns, rows = (2, 2) if chip.limits is None else chip.limits.mesh
    yield from (name for name, tiles in zip(LINKS, (columns, rows), strict=True) if tiles > 1)
    if "hop_chip" in known or (chip.limits is not None and chip.limits.chips != (1, 1)):
        yield "hop_chip"
    yield "static_chip"
    if chip.step_ms is not None:
        yield "step_sync"
    if "mac" not in paid:
        yield "decision_macs"
    yield from ("adaptive_update", "state_update")


def _updates(chip: Chip, paid: set[str], known: Known) -> Iterator[str]:
    stepped = chip.step_ms is not None or UPDATES[0] in known or not paid.isdisjoint(UPDATES)
    if "membrane_update" not in paid:
        yield from UPDATES if stepped else ("membrane_update",)
    elif chip.step_ms is not None:
        yield "neuron_update_idle"
