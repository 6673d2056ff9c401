"""Whether a network fits onto a chip's cores, as ``eventsim map`` would find, and what that costs.

The mapping is that of :func:`eventsim.mapping.map_network` by default. If it finds none, the
network does not fit, with the limit as the reason. A network with a linear decision fits onto no
core. A technology has no cores, so every network fits. Cores, axons and links of this mapping are
in the energies of ``cost``, ``report`` and ``frontier``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from eventsim.chips import Chip
from eventsim.errors import MappingError, NetworkError
from eventsim.events import SpikeTape
from eventsim.hardware.errors import InfeasibleError
from eventsim.mapping.mapping import Mapping as ChipMapping
from eventsim.mapping.mapping import Method, map_network
from eventsim.network import Network
from eventsim.summary import cut

FitState = Literal["fits", "does not fit", "not checked"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a network fits on a chip.

    Attributes
    ----------
    state
        ``fits``, ``does not fit`` or ``not checked``.
    reason
        Why it does not, or was not checked; where it fits what was assumed, often nothing.
    method, cores
        Of the mapping that was found, and the cores that hold neurons; None unless it fits.
    mapped
        What :func:`eventsim.energy.energy` takes as ``mapped``; empty unless it fits.
    """

    state: FitState
    reason: str = ""
    method: Method | None = None
    cores: int | None = None
    mapped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Any) -> Self:
        """The fit of plain values; TypeError or ValueError where they are none."""
        found = cls(**values)
        if found.state not in get_args(FitState):
            raise ValueError(f"state is {cut(repr(found.state))}")
        return found

    @classmethod
    def of(cls, found: ChipMapping) -> Self:
        """The fit of a mapping."""
        return cls(
            state="fits", reason=" ".join(found.assumed), method=found.method,
            cores=found.n_cores, mapped=found.counts(),
        )  # fmt: skip

    @classmethod
    def of_runs(cls, found: Sequence["Fit | None"]) -> "Fit":
        """The fit of a condition, which fits if the networks of all its runs do."""
        for state in ("does not fit", "not checked"):
            worst = [one for one in found if (UNCHECKED if one is None else one).state == state]
            if worst:
                reason = UNCHECKED.reason if worst[0] is None else worst[0].reason
                many = "" if len(worst) == len(found) else f"{len(worst)} of {len(found)} runs: "
                return cls(state=state, reason=f"{many}{reason}")
        reasons = dict.fromkeys(one.reason for one in found if one is not None)
        return cls(state="fits", reason=next(iter(reasons))) if found else UNCHECKED


UNCHECKED = Fit(state="not checked", reason="Nothing is known of its place on the cores.")


def fit_on(net: Network, chip: Chip, tape: SpikeTape | None = None) -> Fit | None:
    """Whether a network fits on a chip; None for a technology, which has no cores.

    The spikes of a tape pass the links of its ``mapped``; without a tape every axon has one.
    """
    found = place_on(net, chip, tape)
    return Fit.of(found) if isinstance(found, ChipMapping) else found


def place_on(net: Network, chip: Chip, tape: SpikeTape | None = None) -> ChipMapping | Fit | None:
    """The mapping that :func:`fit_on` asks for; a Fit with the reason where there is none."""
    if chip.limits is None:
        return None
    try:
        return map_network(net, tape, chip)
    except (InfeasibleError, NetworkError) as error:  # a linear decision, other neurons
        return Fit(state="does not fit", reason=str(error))
    except MappingError as error:
        return Fit(state="not checked", reason=str(error))
