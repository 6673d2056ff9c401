"""Energy of a run on a chip: the sum of terms, each a count times a published figure.

Every term keeps its count, its figure with status and source, and its basis: the ``exact`` spikes,
a ``step`` of given length, a ``mapping`` of neurons to cores, or the ``time`` of the recording.
Every term that the machine needs and the sum lacks is named (:mod:`eventsim.energy.missing`). A sum
with a missing term is a lower bound, and says so.

=====================  ===========================================================================
term                   what is counted per sample
=====================  ===========================================================================
synaptic_event         effective operations: a weight of 0 is no synapse on a chip, as in a mapping
spike                  spikes of neurons; events of the input are not made on the chip
event_in, event_out    events of the input; answers, or spikes of outputs without a readout
membrane_update        pairs (neuron, time) at which spikes arrive
neuron_update_active,  with a step: pairs (neuron, step) with and without an arrival
neuron_update_idle
ac, mac                with a step: effective ACs and MACs; without: effective operations, none;
                       the MACs of a linear decision besides
state_access           two for every update of a neuron: of all neurons in every step, or without a
                       step at arrivals
memory_byte            a weight for each ac and mac; V and I read and written at each update, and
                       the adaptation of an adaptive threshold or the further states of a neuron
step_sync              steps
axon_out, hops         what the mapping says
static_core            cores in use times ms
static_chip            ms
=====================  ===========================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Floats
from eventsim.checks import known as known_name
from eventsim.checks import shaped
from eventsim.chips import ENERGY_TERMS, Chip, Quantity
from eventsim.energy.counts import BITS_PER_BYTE, STATES, Counts, Widths, count
from eventsim.energy.encoder import EncoderCost, encoder_cost
from eventsim.energy.missing import Missing, missing_terms
from eventsim.energy.steps import ClockedCounts, clocked, total
from eventsim.energy.terms import TermCost
from eventsim.errors import ParameterError, ShapeError
from eventsim.events import EncoderOperations, SpikeTape
from eventsim.network import Network

Leakage = Literal["separate", "included", "missing"]

ACCESSES = 2  # of a state at its update: read and written
PJ_PER_UW_MS = 1000.0
MAPPED = ("axon_out", "hop_ew", "hop_ns", "hop_chip", "cores")
_STATIC = ("static_core", "static_chip")


@dataclass(frozen=True, eq=False)
class EnergyReport:
    """Energy of a run on a chip; means are over the samples.

    Attributes
    ----------
    chip
        Whose figures were taken.
    step_ms
        Of the terms that rest on steps; None if none was named.
    duration
        ms. [samples]
    terms
        The sum.
    missing
        What the sum lacks, term by term; the sum is a lower bound unless this is empty.
    encoder
        What making the input's events costs, beside the sum; None where no encoder was given.
    """

    chip: Chip
    step_ms: float | None
    duration: Floats
    terms: tuple[TermCost, ...]
    missing: tuple[Missing, ...]
    encoder: EncoderCost | None = None

    def __repr__(self) -> str:
        sign = ">=" if self.is_lower_bound else "="
        lacking = ", ".join(missing.name for missing in self.missing)
        bound = f", a lower bound without {lacking}" if lacking else ""
        return (
            f"EnergyReport({self.chip.name!r}: energy_pj_per_sample {sign} {self.total_pj:,.6g} "
            f"of {self.duration.size:,} samples{bound})"
        )

    @property
    def energy_pj(self) -> Floats:
        """Energy of every sample, [samples]."""
        return sum((t.energy_pj for t in self.terms), start=np.zeros(self.duration.size))

    @property
    def total_pj(self) -> float:
        """Mean energy of a sample."""
        return float(self.energy_pj.mean())

    @property
    def leakage(self) -> Leakage:
        """Whether static power is a term of its own, part of another term, or missing."""
        if any(cost.term.needs == "time" for cost in self.terms):
            return "separate"
        inside = {name for cost in self.terms for name in cost.figure.includes}
        return "included" if inside.intersection(_STATIC) else "missing"

    @property
    def is_lower_bound(self) -> bool:
        """Whether the sum lacks a term."""
        return bool(self.missing)

    @property
    def activity_is_lower_bound(self) -> bool:
        """Whether the sum without leakage lacks a term."""
        return not all(missing.of_leakage for missing in self.missing)

    @property
    def activity_pj(self) -> float:
        """Mean energy of what the network does: all but leakage."""
        return self.part_pj("spikes", "step", "mapping")

    @property
    def leakage_pj(self) -> float | None:
        """Mean energy of leakage; None where it is no term of its own."""
        return self.part_pj("time") if self.leakage == "separate" else None

    def part_pj(self, *needs: str) -> float:
        """Mean energy of the terms that need spikes, step, mapping or time."""
        return sum(float(t.energy_pj.mean()) for t in self.terms if t.term.needs in needs)

    def to_dict(self) -> dict[str, Any]:
        """Means over the samples, for JSON."""
        return {
            "chip": self.chip.name,
            "title": self.chip.title,
            "step_ms": self.step_ms,
            "samples": self.duration.size,
            "milliseconds_per_sample": float(self.duration.mean()),
            "terms": [cost.to_dict() for cost in self.terms],
            "missing": [missing.to_dict() for missing in self.missing],
            "lower_bound": {
                "energy_pj_per_sample": self.is_lower_bound,
                "energy_pj_per_sample_of_activity": self.activity_is_lower_bound,
                "energy_pj_per_sample_of_leakage": any(one.of_leakage for one in self.missing),
            },
            "leakage": self.leakage,
            "energy_pj_per_sample": self.total_pj,
            "energy_pj_per_sample_of_activity": self.activity_pj,
            "energy_pj_per_sample_of_leakage": self.leakage_pj,
            "encoder": None if self.encoder is None else self.encoder.to_dict(),
        }


def cost(
    net: Network,
    tape: SpikeTape,
    chip: Chip,
    *,
    step_ms: float | None = None,
    mapped: Mapping[str, ArrayLike] | None = None,
    widths: Widths | None = None,
) -> EnergyReport:
    """Count a run and price it: :func:`energy` of :func:`count` and :func:`clocked`.

    ``step_ms`` is the chip's own if None. For several chips, count once and call :func:`energy`.
    """
    step = chip.step_ms if step_ms is None else step_ms
    steps = None if step is None else clocked(net, tape, step_ms=step)
    return energy(count(net, tape, widths=widths), chip, clocked=steps, mapped=mapped)


def energy(
    counts: Counts,
    chip: Chip,
    *,
    clocked: ClockedCounts | None = None,
    mapped: Mapping[str, ArrayLike] | None = None,
    encoder: EncoderOperations | None = None,
) -> EnergyReport:
    """Price what a run did with the figures of a chip.

    Parameters
    ----------
    counts
        Of :func:`eventsim.energy.count`.
    chip
        Of :func:`eventsim.chips.load_chip`.
    clocked
        The same run in steps, of :func:`eventsim.energy.clocked`; None for a machine without.
    mapped
        What a mapping adds: ``axon_out``, ``hop_ew``, ``hop_ns``, ``hop_chip``, each as one number
        for all samples together or one per sample, and ``cores``, the number of cores in use.
    encoder
        Of the input's events, where the chip has to make them itself.

    Raises
    ------
    ParameterError, ShapeError
        ``mapped`` has other keys or shapes, or ``clocked`` is of other samples.
    """
    if clocked is not None and clocked.steps.size != counts.n_samples:
        raise ShapeError(
            "energy",
            f"counts have {counts.n_samples} samples, those in steps {clocked.steps.size}",
            remedy="Count the same tape.",
        )
    known = _known(counts, clocked) | _from_mapping(counts, mapped or {})
    terms = tuple(
        TermCost(
            term=ENERGY_TERMS[name],
            basis=known[name][0],
            counts=known[name][1],
            figure=figure,
            energy_pj=known[name][1] * figure.value * _scale(figure),
        )
        for name, figure in chip.energy.items()
        if name in known
    )
    step_ms = None if clocked is None else clocked.step_ms
    missing = missing_terms(chip, known, counts)
    made = None if encoder is None else encoder_cost(encoder, counts, chip)
    return EnergyReport(chip, step_ms, counts.duration, terms, missing, made)


def _scale(figure: Quantity) -> float:
    return PJ_PER_UW_MS if figure.unit == "uW" else 1.0


_Known = dict[str, tuple[str, Floats]]


def _known(counts: Counts, clocked: ClockedCounts | None) -> _Known:
    """Basis and number of everything that follows from the spikes, a step, and time."""
    n = counts.n_samples
    at_events, effective = total(counts.membrane_updates, n), total(counts.effective_events, n)
    known: dict[str, tuple[str, Any]] = {
        "synaptic_event": ("exact", effective),
        "spike": ("exact", total({name: counts.spikes[name] for name in counts.spiking}, n)),
        "membrane_update": ("exact", at_events),
        "event_in": ("exact", counts.events_in),
        "event_out": ("exact", counts.events_out),
        "static_chip": ("time", counts.duration),
    }
    if clocked is None:
        acs, macs, updates = effective, np.zeros(n, np.int64), at_events
        basis = "exact"
    else:
        acs, macs = total(clocked.effective_acs, n), total(clocked.effective_macs, n)
        updates, basis = clocked.neuron_updates, "step"
        active = total(clocked.active_updates, n)
        known["neuron_update_active"] = (basis, active)
        known["neuron_update_idle"] = (basis, updates - active)
        known["step_sync"] = (basis, clocked.steps)
    macs = macs + counts.decision_macs
    accesses = ACCESSES * updates
    states = STATES * updates + _further_states(counts, clocked)
    bits = (acs + macs) * counts.widths.weight + ACCESSES * states * counts.widths.state
    known |= {
        "ac": (basis, acs),
        "mac": (basis, macs),
        "state_access": (basis, accesses),
        "memory_byte": (basis, bits / BITS_PER_BYTE),
    }
    return {name: (basis, values.astype(np.float64)) for name, (basis, values) in known.items()}


def _further_states(counts: Counts, clocked: ClockedCounts | None) -> Any:
    """Adaptations, and states beside V and I, that are brought up to date in every sample."""
    if clocked is None:
        n = counts.n_samples
        return total(counts.adaptive_updates, n) + total(counts.state_updates, n)
    adaptive = sum(counts.sizes[name] for name in counts.adaptive_updates)
    further = sum(counts.sizes[name] * n for name, n in counts.further_states.items())
    return clocked.steps * (adaptive + further)


def _from_mapping(counts: Counts, mapped: Mapping[str, ArrayLike]) -> _Known:
    """Basis and number of what a mapping knows."""
    n = counts.n_samples
    known: _Known = {}
    for name, given in mapped.items():
        known_name("energy", "term of mapped", name, MAPPED, error=ParameterError)
        values = np.asarray(given, dtype=np.float64)
        words = f"one number or ({n},), one per sample"
        shaped("energy", f"mapped {name!r}", values, (), (n,), expected=words)
        if not (np.isfinite(values) & (values >= 0.0)).all():
            raise ParameterError("energy", f"mapped {name!r} is {given!r}", "numbers >= 0")
        if name == "cores":
            known["static_core"] = ("time", values * counts.duration)
        else:
            known[name] = (
                "mapping",
                np.broadcast_to(values / n if values.ndim == 0 else values, n),
            )
    return known
