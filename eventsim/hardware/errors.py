"""Errors of mapping; facts are fields, so that a program can react."""

from eventsim.errors import MappingError


class InfeasibleError(MappingError):
    """No mapping was found that respects a limit of the chip.

    Attributes
    ----------
    limit
        Name of the field of ``Limits``, for example ``"axons_in_per_core"``.
    needed, available
        What the network needs, and what the chip has.
    core
        The core on which the limit is exceeded; None if no core could hold it.
    neuron
        ``(population, index)`` if a single neuron exceeds the limit; None otherwise.
    """

    def __init__(
        self,
        *,
        chip: str,
        limit: str,
        needed: int,
        available: int,
        advice: str,
        core: int | None = None,
        neuron: tuple[str, int] | None = None,
    ):
        self.chip, self.limit = chip, limit
        self.needed, self.available = needed, available
        self.core, self.neuron = core, neuron
        where = "the network"
        if core is not None:
            where = f"core {core}"
        if neuron is not None:
            where = f"neuron {neuron[1]} of population {neuron[0]!r}"
        super().__init__(
            f"Chip {chip!r}",
            f"{where} needs {needed:,} of {limit}, the chip has {available:,} "
            f"({needed - available:,} too many)",
            remedy=advice,
        )
