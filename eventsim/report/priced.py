"""Costs of a network on chips, mapped onto their cores: the same for all commands and pages."""

from collections.abc import Mapping, Sequence

from eventsim.arrays import Floats
from eventsim.chips import Chip
from eventsim.energy import RunCosts, Widths, costs_over_time, run_costs
from eventsim.events import EncoderOperations, SpikeTape
from eventsim.mapping import Mapping as ChipMapping
from eventsim.mapping import counts_over_time
from eventsim.mapping.fits import Fit, place_on
from eventsim.network import Network

Places = Mapping[str, ChipMapping | Fit]
"""By name of the chip the mapping, or why there is none; nothing of technologies."""


def places_on(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    known: Mapping[str, ChipMapping] | None = None,
) -> Places:
    """Mappings on chips: those that are ``known``, else of :func:`eventsim.mapping.map_network`."""
    there = known or {}
    found = {chip.name: there.get(chip.name) or place_on(net, chip, tape) for chip in chips}
    return {name: place for name, place in found.items() if place is not None}


def priced(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    *,
    step_ms: float | None,
    widths: Widths,
    encoder: EncoderOperations | None = None,
    places: Places | None = None,
) -> tuple[RunCosts, dict[str, Fit]]:
    """Costs on chips, with cores, axons and links; and whether the network fits, by name.

    ``places`` are those of :func:`places_on`, which is asked for None. The rest is as in
    :func:`eventsim.energy.run_costs`.
    """
    places = places_on(net, tape, chips) if places is None else places
    fits = {k: Fit.of(one) if isinstance(one, ChipMapping) else one for k, one in places.items()}
    mapped = {name: fit.mapped for name, fit in fits.items()}
    costs = run_costs(
        net, tape, chips, step_ms=step_ms, widths=widths, mapped=mapped, encoder=encoder
    )
    return costs, fits


def priced_over_time(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    times: Floats,
    *,
    step_ms: float | None,
    widths: Widths,
    places: Places,
) -> tuple[RunCosts, ...]:
    """As :func:`priced`, up to each of some times, [samples, times], on the same cores."""
    sent = {
        name: counts_over_time(net, tape, place, times)
        for name, place in places.items()
        if isinstance(place, ChipMapping)
    }
    mapped = [{name: each[k] for name, each in sent.items()} for k in range(times.shape[1])]
    return costs_over_time(net, tape, chips, times, step_ms=step_ms, widths=widths, mapped=mapped)
