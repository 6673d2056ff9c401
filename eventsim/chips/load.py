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

import difflib
import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, get_args

from eventsim.chips.chip import Chip, ChipError, Formats, Kind, Limits, Quantity, Status
from eventsim.chips.terms import ENERGY_TERMS, LATENCY_TERMS, Term

FORMAT, VERSION = "eventsim-chip", 1
KEYS = (
    "format", "version", "name", "title", "kind", "source", "step_ms", "limits", "formats",
    "energy", "latency",
)  # fmt: skip
_OPTIONAL = ("step_ms", "limits", "formats", "energy", "latency")
_COUNTED = tuple(field.name for field in fields(Limits) if field.name not in ("mesh", "source"))


def chip_names() -> tuple[str, ...]:
    """Names of the chips and technologies that come with eventsim, sorted."""
    found = (entry.name for entry in files("eventsim.chips").iterdir())
    return tuple(sorted(n.removesuffix(".toml") for n in found if n.endswith(".toml")))


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
    near = difflib.get_close_matches(name, chip_names(), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "A file of your own ends in .toml."
    raise ChipError(f"Chip {name!r} is unknown; there are {', '.join(chip_names())}. {hint}")


def _read(path: Traversable, label: str, *, stem: str | None = None) -> Chip:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChipError(f"Chip file {label}: cannot be read ({error}).") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ChipError(f"Chip file {label}: is not TOML ({error}).") from error
    entry = _Entry(f"Chip file {label}", values)
    chip = _parse(entry)
    if stem is not None and chip.name != stem:
        raise _Entry(f"{entry.place}, name", chip.name).wrong(f"the file's own name, {stem!r}")
    return chip


@dataclass(frozen=True)
class _Entry:
    """A value of the file and its place, for messages."""

    place: str
    value: Any

    def wrong(self, expected: str) -> ChipError:
        text = repr(self.value)
        came = text if len(text) <= 60 else f"{text[:57]}..."
        return ChipError(f"{self.place}: is {came}, expected {expected}.")

    def table(
        self, keys: Collection[str], *, optional: Collection[str] = ()
    ) -> dict[str, "_Entry"]:
        """The entries of a table that has no other keys than these, and all that must be."""
        if not isinstance(self.value, dict):
            raise self.wrong(f"a table with keys of {', '.join(keys)}")
        unknown = [key for key in self.value if key not in keys]
        if unknown:
            near = difflib.get_close_matches(unknown[0], keys, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Keys are {', '.join(keys)}."
            raise ChipError(f"{self.place}: has an unknown key {unknown[0]!r}.{hint}")
        missing = [key for key in keys if key not in self.value and key not in optional]
        if missing:
            raise ChipError(f"{self.place}: lacks {', '.join(missing)}.")
        return {key: _Entry(f"{self.place}, {key}", v) for key, v in self.value.items()}

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong("a text")
        return self.value

    def one_of(self, choices: Collection[str]) -> Any:
        if self.value not in choices:
            raise self.wrong(f"one of {', '.join(choices)}")
        return self.value

    def number(self, *, positive: bool = False) -> float:
        value = self.value
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or value < 0 or (positive and value == 0):
            raise self.wrong(f"a finite number {'> 0' if positive else '>= 0'}")
        return float(value)

    def whole(self) -> int:
        if type(self.value) is not int or self.value < 1:
            raise self.wrong("a whole number >= 1")
        return self.value


def _parse(entry: _Entry) -> Chip:
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
        step_ms=part["step_ms"].number(positive=True) if "step_ms" in part else None,
        limits=_limits(part["limits"]) if "limits" in part else None,
        formats=_formats(part["formats"]) if "formats" in part else None,
        energy=_quantities(part.get("energy"), ENERGY_TERMS),
        latency=_quantities(part.get("latency"), LATENCY_TERMS),
    )
    if (chip.kind == "chip") != (chip.limits is not None):
        need = "a table limits" if chip.kind == "chip" else "no table limits"
        raise ChipError(f"{entry.place}: is of kind {chip.kind!r}, which needs {need}.")
    return chip


def _limits(entry: _Entry) -> Limits:
    needed = ("cores", "mesh", "cores_per_tile")
    keys = (*needed, *(key for key in _COUNTED if key not in needed), "source")
    part = entry.table(keys, optional=[key for key in keys if key not in needed])
    mesh = part["mesh"]
    if not isinstance(mesh.value, list) or len(mesh.value) != 2:
        raise mesh.wrong("[columns, rows] of tiles")
    columns, rows = (_Entry(mesh.place, value).whole() for value in mesh.value)
    counted: dict[str, Any] = {key: part[key].whole() for key in _COUNTED if key in part}
    limits = Limits(mesh=(columns, rows), source=_source(part), **counted)
    places = columns * rows * limits.cores_per_tile
    if limits.cores > places:
        raise part["cores"].wrong(
            f"at most {places}: a mesh of {columns} x {rows} tiles with {limits.cores_per_tile}"
        )
    if limits.synapse_bits_per_core is not None and limits.bits_per_synapse is None:
        raise ChipError(f"{entry.place}: synapse_bits_per_core needs bits_per_synapse as well.")
    return limits


def _formats(entry: _Entry) -> Formats:
    keys = tuple(field.name for field in fields(Formats))
    part = entry.table(keys, optional=keys)
    counted: dict[str, Any] = {k: e.whole() for k, e in part.items() if k != "source"}
    return Formats(source=_source(part), **counted)


def _source(part: Mapping[str, _Entry]) -> str:
    return part["source"].text() if "source" in part else ""


def _quantities(entry: _Entry | None, terms: Mapping[str, Term]) -> dict[str, Quantity]:
    if entry is None:
        return {}
    part = entry.table(tuple(terms), optional=tuple(terms))
    found = {name: _quantity(part[name], terms[name], terms) for name in part}
    return {name: found[name] for name in terms if name in found}


def _quantity(entry: _Entry, term: Term, terms: Mapping[str, Term]) -> Quantity:
    keys = ("value", "unit", "status", "source", "includes")
    part = entry.table(keys, optional=("includes",))
    return Quantity(
        value=part["value"].number(),
        unit=part["unit"].one_of((term.unit,)),
        status=part["status"].one_of(get_args(Status)),
        source=part["source"].text(),
        includes=_included(part["includes"], terms) if "includes" in part else (),
    )


def _included(entry: _Entry, terms: Mapping[str, Term]) -> tuple[str, ...]:
    if not isinstance(entry.value, list):
        raise entry.wrong("a list of terms")
    return tuple(_Entry(entry.place, name).one_of(terms) for name in entry.value)
