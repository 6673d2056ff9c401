"""Chip files, those of eventsim by name and others by path, with checks.

A file in TOML::

    format = "eventsim-chip"
    version = 1
    name = "mine"
    title = "My chip"
    kind = "chip"              # or "technology": no limits and formats
    source = "data sheet, 2026"
    step_ms = 1.0              # leave out for an asynchronous chip

    [limits]                   # what is left out is no limit
    cores = 16
    mesh = [4, 4]              # columns, rows of tiles
    cores_per_tile = 1
    chips = [2, 1]             # a board: columns, rows of chips that the mesh is cut into
    chip_link = 4.0            # what a link between chips counts in a search; 1 if left out
    neurons_per_core = 256
    neuron_model = "lif"       # or "programmable"

    [formats]                  # what is left out is not rounded
    weight_bits = 8

    [energy.synaptic_event]    # names and units: eventsim.chips.terms
    value = 12.5
    unit = "pJ"
    status = "measured"        # measured, simulated or estimated
    source = "data sheet, table 3"
    includes = ["spike"]       # terms that this figure contains; may be left out

    [latency.synaptic_event]
    value = 4.0
    unit = "ns"
    status = "simulated"
    source = "data sheet, table 3"
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from eventsim.chips.chip import Chip, ChipError
from eventsim.entries import check_format, names_in, read, read_toml, unknown

FORMAT, VERSION = "eventsim-chip", 1


def chip_names() -> tuple[str, ...]:
    """Names of the chips and technologies that come with eventsim, sorted."""
    return names_in(files("eventsim.chips"), ".toml")


def load_chip(name_or_path: str | Path) -> Chip:
    """A chip that comes with eventsim by its name, or one from a TOML file by its path.

    Raises
    ------
    ChipError
        Unknown, unreadable, or malformed: with the file, the key, what came and what was expected.
    """
    name = str(name_or_path)
    if name in chip_names():
        return _read(files("eventsim.chips") / f"{name}.toml", f"{name}.toml", stem=name)
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.exists():
        return _read(path, str(path))
    own = "A file of your own ends in .toml."
    raise ChipError(*unknown("Chip", name, chip_names(), otherwise=own))


def _read(path: Traversable, label: str, *, stem: str | None = None) -> Chip:
    place = f"Chip file {label}"
    values = read_toml(path, place, ChipError)
    check_format(values, FORMAT, VERSION, place, ChipError, kind="chip file")
    chip = read(Chip, values, place, ChipError)
    if chip.is_technology == (chip.limits is not None):
        need = "no table limits" if chip.is_technology else "a table limits"
        raise ChipError(place, f"is of kind {chip.kind!r}", need)
    if stem is not None and chip.name != stem:
        raise ChipError(f"{place}, name", f"is {chip.name!r}", f"the file's own name, {stem!r}")
    return chip
