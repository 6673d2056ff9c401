"""Case files: the published ones by name, or any; read and checked, with the place of a mistake.

The format is described in :mod:`eventsim.conformance.case`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from eventsim.conformance.build import is_lateral, network_of, stream_of
from eventsim.conformance.case import (
    FORMAT,
    LATERAL,
    VERSION,
    Case,
    CasePopulation,
    CaseProjection,
    Event,
    Synapse,
)
from eventsim.errors import CaseError, EventSimError
from eventsim.network.parts import PARAMETERS

Kind = Literal["input", "spiking"]

SPIKE_DIGITS = 30
MAX_SIZE = 10_000  # neurons of a population; a case is small enough to be read by a person
KEYS = (
    "format", "version", "name", "title", "description", "needs", "units", "populations",
    "projections", "events", "duration", "spikes", "tolerance", "condition", "margin", "answer",
)  # fmt: skip


def case_names() -> list[str]:
    """Names of the published cases, sorted."""
    found = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".json") for name in found if name.endswith(".json"))


def load_case(name: str) -> Case:
    """The published case of that name; raises CaseError if there is none."""
    if name not in case_names():
        near = [known for known in case_names() if name in known]
        hint = f"Did you mean {', '.join(near)}?" if near else "See eventsim conformance --list."
        raise CaseError(f"Conformance case {name!r} is unknown. {hint}")
    return _read(_folder() / f"{name}.json", f"{name}.json")


def load_cases(names: Sequence[str] = ()) -> list[Case]:
    """The published cases of these names, or all if none is given."""
    return [load_case(name) for name in names or case_names()]


def read_case(path: str | Path) -> Case:
    """A case from any file; raises CaseError with the place in the file and what was expected."""
    return _read(Path(path), str(path))


def _folder() -> Traversable:
    return files("eventsim.conformance") / "cases"


def _read(path: Traversable, label: str) -> Case:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"Case file {label}: cannot be read ({error}).") from error
    try:
        entry = json.loads(text)
    except ValueError as error:
        raise CaseError(f"Case file {label}: is not JSON ({error}).") from error
    return _parse(_Entry(f"Case file {label}", entry), path.name.removesuffix(".json"))


@dataclass(frozen=True)
class _Entry:
    """A value of the file and its place, for messages."""

    place: str
    value: Any

    def wrong(self, expected: str) -> CaseError:
        text = repr(self.value)
        came = text if len(text) <= 60 else f"{text[:57]}..."
        return CaseError(f"{self.place}: is {came}, expected {expected}.")

    def table(self, keys: Sequence[str]) -> list["_Entry"]:
        """The entries of an object that has exactly these keys."""
        if not isinstance(self.value, dict):
            raise self.wrong(f"an object with the keys {', '.join(keys)}")
        missing = [key for key in keys if key not in self.value]
        unknown = [key for key in self.value if key not in keys]
        if missing or unknown:
            what = [f"lacks {missing}"] if missing else []
            what += [f"has unknown {unknown}"] if unknown else []
            raise CaseError(f"{self.place}: {' and '.join(what)}; keys are {', '.join(keys)}.")
        return [_Entry(f"{self.place}, {key}", self.value[key]) for key in keys]

    def rows(self, expected: str = "a list") -> list["_Entry"]:
        if not isinstance(self.value, list):
            raise self.wrong(expected)
        return [_Entry(f"{self.place}[{k}]", item) for k, item in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            raise self.wrong("a text")
        return self.value

    def number(self) -> float:
        value = self.value
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise self.wrong("a finite number")
        return float(value)

    def index(self, end: int, *, first: int = 0) -> int:
        if type(self.value) is not int or not first <= self.value < end:
            raise self.wrong(f"a whole number from {first} to {end - 1}")
        return self.value


def _parse(entry: _Entry, stem: str) -> Case:
    if not isinstance(entry.value, dict) or entry.value.get("format") != FORMAT:
        raise CaseError(f"{entry.place}: is no conformance case (its format is not {FORMAT!r}).")
    if entry.value.get("version") != VERSION:
        raise CaseError(
            f"{entry.place}: has version {entry.value.get('version')!r}, this eventsim reads "
            f"{VERSION}."
        )
    part = dict(zip(KEYS, entry.table(KEYS), strict=True))
    if part["name"].value != stem:
        raise part["name"].wrong(f"the file's own name, {stem!r}")
    populations = _populations(part["populations"])
    sizes = {population.name: population.size for population in populations}
    case = Case(
        name=part["name"].text(),
        title=part["title"].text(),
        description=part["description"].text(),
        needs=tuple(item.text() for item in part["needs"].rows()),
        units=_texts(part["units"], ("time", "voltage", "weights")),
        populations=populations,
        projections=_projections(part["projections"], sizes),
        events=tuple(_event(row, populations[0].size) for row in part["events"].rows()),
        duration=part["duration"].number(),
        spikes=_spikes(part["spikes"], populations, part["duration"].number()),
        tolerance=_tolerance(part["tolerance"]),
        condition=_numbers(part["condition"], ("parameters", "times")),
        margin=None if part["margin"].value is None else part["margin"].number(),
        answer=_answer(part["answer"]),
    )
    _check_whole(entry, part, case)
    return case


def _check_whole(entry: _Entry, part: Mapping[str, _Entry], case: Case) -> None:
    """What only the parts together can break: domains, event times, loops that are not named."""
    try:
        network_of(case).check()
        stream_of(case)
    except EventSimError as error:
        raise CaseError(f"{entry.place}: {error}") from error
    expected = [LATERAL] if is_lateral(case) else []
    if list(case.needs) != expected:
        raise part["needs"].wrong(f"{expected}, as the projections have it")


def _populations(entry: _Entry) -> tuple[CasePopulation, ...]:
    found = [_population(row, first=k == 0) for k, row in enumerate(entry.rows())]
    names = [population.name for population in found]
    if len(found) < 2 or len(set(names)) != len(names):
        raise CaseError(
            f"{entry.place}: has {names}, expected an input and others, each named once."
        )
    return tuple(found)


def _population(entry: _Entry, *, first: bool) -> CasePopulation:
    kind: Kind = "input" if first else "spiking"
    keys = PARAMETERS[kind]
    name, its_kind, size, *values = entry.table(("name", "kind", "size", *keys))
    if its_kind.value != kind:
        raise its_kind.wrong(f"{kind!r}: the first population is the input, the others are spiking")
    count = size.index(MAX_SIZE + 1, first=1)
    expected = f"a list of {count} numbers, one per neuron"
    parameters = {}
    for key, value in zip(keys, values, strict=True):
        parameters[key] = tuple(item.number() for item in value.rows(expected))
        if len(parameters[key]) != count:
            raise value.wrong(expected)
    return CasePopulation(name.text(), kind, count, parameters)


def _projections(entry: _Entry, sizes: Mapping[str, int]) -> tuple[CaseProjection, ...]:
    found = [_projection(row, sizes) for row in entry.rows()]
    pairs = [(projection.source, projection.target) for projection in found]
    twice = [pair for pair in pairs if pairs.count(pair) > 1]
    if twice:
        raise CaseError(
            f"{entry.place}: joins {twice[0]} twice; put the synapses into one projection."
        )
    return tuple(found)


def _projection(entry: _Entry, sizes: Mapping[str, int]) -> CaseProjection:
    source, target, synapses = entry.table(("source", "target", "synapses"))
    for end in (source, target):
        if end.text() not in sizes:
            raise end.wrong(f"a population: {', '.join(sizes)}")
    rows = [_synapse(row, sizes[source.value], sizes[target.value]) for row in synapses.rows()]
    pairs = [(row.source, row.target) for row in rows]
    if not rows or len(set(pairs)) != len(pairs):
        raise CaseError(
            f"{synapses.place}: has {len(rows)} synapses, expected at least one, and at most one "
            "from a neuron to a neuron."
        )
    return CaseProjection(source.value, target.value, tuple(rows))


def _synapse(entry: _Entry, n_sources: int, n_targets: int) -> Synapse:
    expected = "[source, target, weight, delay in ms]"
    parts = entry.rows(expected)
    if len(parts) != 4:
        raise entry.wrong(expected)
    source, target, weight, delay = parts
    return Synapse(
        source.index(n_sources), target.index(n_targets), weight.number(), delay.number()
    )


def _event(entry: _Entry, n_channels: int) -> Event:
    parts = entry.rows("[time in ms, channel]")
    if len(parts) != 2:
        raise entry.wrong("[time in ms, channel]")
    return Event(parts[0].number(), parts[1].index(n_channels))


def _spikes(
    entry: _Entry, populations: Sequence[CasePopulation], duration: float
) -> dict[str, tuple[tuple[Decimal, ...], ...]]:
    spiking = [population for population in populations if population.kind == "spiking"]
    parts = entry.table([population.name for population in spiking])
    found = {}
    for population, part in zip(spiking, parts, strict=True):
        rows = part.rows(f"a list of {population.size} lists, one per neuron")
        if len(rows) != population.size:
            raise part.wrong(f"{population.size} lists, one per neuron")
        found[population.name] = tuple(_train(row, duration) for row in rows)
    return found


def _train(entry: _Entry, duration: float) -> tuple[Decimal, ...]:
    times = [_spike(row) for row in entry.rows("a list of spike times, written as texts")]
    inside = all(0 <= time < Decimal(duration) for time in times)
    if not inside or times != sorted(set(times)):
        raise entry.wrong("ascending times inside [0, duration)")
    return tuple(times)


def _spike(entry: _Entry) -> Decimal:
    expected = f"a time in ms as a text with at least {SPIKE_DIGITS} significant digits"
    try:
        time = Decimal(entry.value if isinstance(entry.value, str) else "")
    except InvalidOperation as error:
        raise entry.wrong(expected) from error
    if not time.is_finite() or len(time.as_tuple().digits) < SPIKE_DIGITS:
        raise entry.wrong(expected)
    return time


def _tolerance(entry: _Entry) -> dict[Any, float | None]:
    double, single = entry.table(("double", "single"))
    found = {
        "double": double.number(),
        "single": None if single.value is None else single.number(),
    }
    if any(value is not None and value <= 0.0 for value in found.values()):
        raise entry.wrong("numbers of ms > 0")
    return found


def _numbers(entry: _Entry, keys: Sequence[str]) -> dict[str, float]:
    return {key: part.number() for key, part in zip(keys, entry.table(keys), strict=True)}


def _texts(entry: _Entry, keys: Sequence[str]) -> dict[str, str]:
    return {key: part.text() for key, part in zip(keys, entry.table(keys), strict=True)}


def _answer(entry: _Entry) -> dict[str, str | None]:
    method, formula = entry.table(("method", "closed_form"))
    return {
        "method": method.text(),
        "closed_form": None if formula.value is None else formula.text(),
    }
