"""What a network costs on chips, on whose cores it is put: the sum of every command and page."""

from collections.abc import Mapping, Sequence

from eventsim.chips import Chip
from eventsim.energy import RunCosts, Widths, run_costs
from eventsim.events import EncoderOperations, SpikeTape
from eventsim.mapping import Mapping as ChipMapping
from eventsim.mapping.fits import Fit, fit_on
from eventsim.network import Network


def priced(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    *,
    step_ms: float | None,
    widths: Widths,
    encoder: EncoderOperations | None = None,
    mappings: Mapping[str, ChipMapping] | None = None,
) -> tuple[RunCosts, dict[str, Fit]]:
    """Costs on chips, with cores, axons and links; and whether the network fits, by name.

    ``mappings``, by name of the chip, are taken where they are given, else those of
    :func:`eventsim.mapping.fits.fit_on`. The rest is as in :func:`eventsim.energy.run_costs`.
    """
    known = {name: Fit.of(mapping) for name, mapping in (mappings or {}).items()}
    found = {chip.name: known.get(chip.name) or fit_on(net, chip, tape) for chip in chips}
    fits = {name: fit for name, fit in found.items() if fit is not None}
    mapped = {name: fit.mapped for name, fit in fits.items()}
    costs = run_costs(
        net, tape, chips, step_ms=step_ms, widths=widths, mapped=mapped, encoder=encoder
    )
    return costs, fits
