"""One term of an energy."""

from dataclasses import dataclass
from typing import Any

from eventsim.arrays import Floats
from eventsim.chips import Quantity, Term


@dataclass(frozen=True, eq=False)
class TermCost:
    """One term of an energy.

    Attributes
    ----------
    term
        Its name, unit and meaning.
    basis
        ``exact``, ``step``, ``mapping`` or ``time``.
    counts
        How many, of each sample. For powers: ms, times cores. [samples]
    figure
        The price of one.
    energy_pj
        [samples]
    """

    term: Term
    basis: str
    counts: Floats
    figure: Quantity
    energy_pj: Floats

    def to_dict(self) -> dict[str, Any]:
        """Means over the samples, for JSON."""
        return {
            "name": self.term.name,
            "for_each": self.term.meaning,
            "basis": self.basis,
            "count_per_sample": float(self.counts.mean()),
            "figure": self.figure.value,
            "unit": self.figure.unit,
            "status": self.figure.status,
            "source": self.figure.source,
            "energy_pj_per_sample": float(self.energy_pj.mean()),
        }
