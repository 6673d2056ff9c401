"""A mapping and its baselines, each checked against the chip's limits by an independent count."""

from collections.abc import Mapping as Table
from dataclasses import dataclass

from eventsim.chips import Chip
from eventsim.errors import InternalError
from eventsim.events import SpikeTape
from eventsim.hardware.errors import InfeasibleError
from eventsim.hardware.graph import Inputs, axon_graph
from eventsim.mapping.check import check_mapping
from eventsim.mapping.effort import Told
from eventsim.mapping.mapping import BASELINES, Mapping, Method, map_graph
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.summary import short_repr


@dataclass(frozen=True, eq=False)
class MappingComparison:
    """Mappings of one network onto one chip.

    Attributes
    ----------
    best
        By the method that was asked for.
    baselines
        By the others, as far as they found one.
    failed
        Why a baseline found none, by method.
    """

    best: Mapping
    baselines: tuple[Mapping, ...]
    failed: Table[str, str]

    __repr__ = short_repr

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """The best mapping, then the baselines."""
        return (self.best, *self.baselines)


def compare_mappings(
    net: Network,
    tape: SpikeTape,
    chip: Chip,
    *,
    method: Method,
    baselines: bool = True,
    inputs: Inputs = "external",
    seed: int = 0,
    seconds: float | None = None,
    told: Told | None = None,
) -> MappingComparison:
    """Map by a method and, with ``baselines``, by first-fit and population-order.

    Parameters
    ----------
    net, tape, chip, method, inputs, seed
        As in :func:`map_network`.
    baselines
        Whether to map by them, too. One that finds no mapping is no error.
    seconds, told
        As in :func:`map_network`, for the method that was asked for.

    Raises
    ------
    InfeasibleError
        The method that was asked for found no mapping.
    """
    require("map", net, chip, where=f"Chip {chip.name!r}")
    graph = axon_graph(net, tape, inputs=inputs)

    def checked(each: Method, seconds: float | None = None, told: Told | None = None) -> Mapping:
        mapping = map_graph(
            graph, chip, method=each, inputs=inputs, seed=seed, seconds=seconds, told=told
        )
        broken = check_mapping(net, chip, mapping.cores)
        if broken:
            raise InternalError(
                f"Method {each!r} broke a limit of {chip.name}",
                broken[0],
                remedy="This is a bug in eventsim; please report it with the network and the chip.",
            )
        return mapping

    best = checked(method, seconds, told)
    found: list[Mapping] = []
    failed: dict[str, str] = {}
    for other in [base for base in BASELINES if base != method] if baselines else []:
        try:
            found.append(checked(other))
        except InfeasibleError as error:
            failed[other] = str(error)
    return MappingComparison(best, tuple(found), failed)
