"""Chip files, those of eventsim by name or any by path: read and checked, with places of mistakes.

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
    neurons_per_core = 256

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

from collections.abc import Mapping
from dataclasses import fields, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, get_args

from eventsim.chips.chip import Chip, ChipError, Formats, Kind, Limits, Quantity, Status
from eventsim.chips.terms import ENERGY_TERMS, LATENCY_TERMS, Term
from eventsim.entries import Entry, names_in, read_toml, unknown

FORMAT, VERSION = "eventsim-chip", 1
KEYS = (
    "format", "version", "name", "title", "kind", "source", "step_ms", "limits", "formats",
    "energy", "latency",
)  # fmt: skip
_OPTIONAL = ("step_ms", "limits", "formats", "energy", "latency")
_COUNTED = tuple(field.name for field in fields(Limits) if field.name not in ("mesh", "source"))


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
    raise ChipError(unknown("Chip", name, chip_names(), otherwise=own))


def _read(path: Traversable, label: str, *, stem: str | None = None) -> Chip:
    place = f"Chip file {label}"
    entry = Entry(place, read_toml(path, place, ChipError), ChipError)
    chip = _parse(entry)
    if stem is not None and chip.name != stem:
        raise entry.inner("name", chip.name).wrong(f"the file's own name, {stem!r}")
    return chip


def _parse(entry: Entry) -> Chip:
    if entry.value.get("format") != FORMAT:
        raise ChipError(
            f"{entry.place}: is no chip file (its format is {entry.value.get('format')!r}, not "
            f"{FORMAT!r})."
        )
    if entry.value.get("version") != VERSION:
        raise ChipError(
            f"{entry.place}: has version {entry.value.get('version')!r}, this eventsim reads "
            f"{VERSION}."
        )
    part = entry.table(KEYS, optional=_OPTIONAL)
    chip = Chip(
        name=part["name"].text(),
        title=part["title"].text(),
        kind=part["kind"].one_of(get_args(Kind)),
        source=part["source"].text(),
        step_ms=part["step_ms"].number("positive") if "step_ms" in part else None,
        limits=_limits(part["limits"]) if "limits" in part else None,
        formats=_formats(part["formats"]) if "formats" in part else None,
        energy=_quantities(part.get("energy"), ENERGY_TERMS),
        latency=_quantities(part.get("latency"), LATENCY_TERMS),
    )
    if (chip.kind == "chip") != (chip.limits is not None):
        need = "a table limits" if chip.kind == "chip" else "no table limits"
        raise ChipError(f"{entry.place}: is of kind {chip.kind!r}, which needs {need}.")
    return chip


def _limits(entry: Entry) -> Limits:
    needed = ("cores", "mesh", "cores_per_tile")
    keys = (*needed, *(key for key in _COUNTED if key not in needed), "source")
    part = entry.table(keys, optional=[key for key in keys if key not in needed])
    mesh = part["mesh"]
    if not isinstance(mesh.value, list) or len(mesh.value) != 2:
        raise mesh.wrong("[columns, rows] of tiles")
    columns, rows = (_whole(replace(mesh, value=value)) for value in mesh.value)
    counted: dict[str, Any] = {key: _whole(part[key]) for key in _COUNTED if key in part}
    limits = Limits(mesh=(columns, rows), source=_source(part), **counted)
    places = columns * rows * limits.cores_per_tile
    if limits.cores > places:
        raise part["cores"].wrong(
            f"at most {places}: a mesh of {columns} x {rows} tiles with {limits.cores_per_tile}"
        )
    if limits.synapse_bits_per_core is not None and limits.bits_per_synapse is None:
        raise ChipError(f"{entry.place}: synapse_bits_per_core needs bits_per_synapse as well.")
    return limits


def _formats(entry: Entry) -> Formats:
    keys = tuple(field.name for field in fields(Formats))
    part = entry.table(keys, optional=keys)
    counted: dict[str, Any] = {k: _whole(e) for k, e in part.items() if k != "source"}
    return Formats(source=_source(part), **counted)


def _source(part: Mapping[str, Entry]) -> str:
    return part["source"].text() if "source" in part else ""


def _quantities(entry: Entry | None, terms: Mapping[str, Term]) -> dict[str, Quantity]:
    if entry is None:
        return {}
    part = entry.table(tuple(terms), optional=tuple(terms))
    found = {name: _quantity(part[name], terms[name], terms) for name in part}
    return {name: found[name] for name in terms if name in found}


def _quantity(entry: Entry, term: Term, terms: Mapping[str, Term]) -> Quantity:
    keys = ("value", "unit", "status", "source", "includes")
    part = entry.table(keys, optional=("includes",))
    return Quantity(
        value=part["value"].number("not negative"),
        unit=part["unit"].one_of((term.unit,)),
        status=part["status"].one_of(get_args(Status)),
        source=part["source"].text(),
        includes=_included(part["includes"], terms) if "includes" in part else (),
    )


def _included(entry: Entry, terms: Mapping[str, Term]) -> tuple[str, ...]:
    if not isinstance(entry.value, list):
        raise entry.wrong("a list of terms")
    return tuple(replace(entry, value=name).one_of(terms) for name in entry.value)


def _whole(entry: Entry) -> int:
    if type(entry.value) is not int or entry.value < 1:
        raise entry.wrong("a whole number >= 1")
    return entry.value
