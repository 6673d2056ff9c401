"""Reads and checks case files, published ones by name; errors name the place of a mistake.

The format is described in :mod:`eventsim.conformance.case`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from eventsim.conformance.build import flow_name, is_lateral, kind_of, network_of, stream_of
from eventsim.conformance.case import (
    ADAPTIVE,
    FORMAT,
    LATERAL,
    NEEDS,
    VERSION,
    Case,
    CaseNeuron,
    CasePopulation,
    CaseProjection,
    Event,
    Synapse,
)
from eventsim.entries import Entry, names_in, read_json
from eventsim.errors import CaseError, EventSimError, ParameterError
from eventsim.network import parts
from eventsim.network.parts import PARAMETERS

Kind = Literal["input", "spiking"]

KINDS = ("LIF", "AdLIF", "Resonator", "linear")
SPIKE_DIGITS = 30
MAX_SIZE = 10_000  # neurons of a population; a case is small enough to be read by a person
KEYS = (
    "format", "version", "name", "title", "description", "needs", "units", "populations",
    "projections", "events", "duration", "spikes", "tolerance", "condition", "margin", "answer",
)  # fmt: skip


def case_names() -> list[str]:
    """Names of the published cases, sorted."""
    return list(names_in(_folder(), ".json"))


def load_case(name: str) -> Case:
    """The published case of that name; raises CaseError if there is none."""
    if name not in case_names():
        near = [known for known in case_names() if name in known]
        hint = f"Did you mean {', '.join(near)}?" if near else "See eventsim conformance --list."
        raise CaseError("Conformance case", f"{name!r} is unknown", remedy=hint)
    return _read(_folder() / f"{name}.json", f"{name}.json")


def load_cases(names: Sequence[str] = ()) -> list[Case]:
    """The published cases of these names, or all if none is given."""
    return [load_case(name) for name in names or case_names()]


def read_case(path: str | Path) -> Case:
    """A case from any file; CaseError names the place in the file and what was expected."""
    return _read(Path(path), str(path))


def _folder() -> Traversable:
    return files("eventsim.conformance") / "cases"


def _read(path: Traversable, label: str) -> Case:
    place = f"Case file {label}"
    value = read_json(path, place, CaseError)
    return _parse(Entry(place, value, CaseError), path.name.removesuffix(".json"))


def _exactly(entry: Entry, keys: Sequence[str]) -> list[Entry]:
    """The entries of an object that has exactly these keys."""
    if not isinstance(entry.value, dict):
        raise entry.wrong(f"an object with the keys {', '.join(keys)}")
    missing = [key for key in keys if key not in entry.value]
    unknown = [key for key in entry.value if key not in keys]
    if missing or unknown:
        what = [f"lacks {missing}"] if missing else []
        what += [f"has unknown {unknown}"] if unknown else []
        raise CaseError(entry.place, " and ".join(what), f"the keys {', '.join(keys)}")
    return [entry.inner(key, entry.value[key]) for key in keys]


def _index(entry: Entry, end: int, *, first: int = 0) -> int:
    if type(entry.value) is not int or not first <= entry.value < end:
        raise entry.wrong(f"a whole number from {first} to {end - 1}")
    return entry.value


def _parse(entry: Entry, stem: str) -> Case:
    if not isinstance(entry.value, dict) or entry.value.get("format") != FORMAT:
        raise CaseError(entry.place, "is no conformance case", f"the format {FORMAT!r}")
    if entry.value.get("version") != VERSION:
        raise CaseError(
            entry.place,
            f"has version {entry.value.get('version')!r}",
            f"{VERSION}, which this eventsim reads",
        )
    part = dict(zip(KEYS, _exactly(entry, KEYS), strict=True))
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


def _check_whole(entry: Entry, part: Mapping[str, Entry], case: Case) -> None:
    """Check conditions on several parts: domains, event times, loops that ``needs`` lacks."""
    try:
        network_of(case).check()
        stream_of(case)
    except EventSimError as error:
        raise error.seen_from(entry.place, CaseError) from error
    expected = [LATERAL] if is_lateral(case) else []
    expected += [ADAPTIVE] if any("adaptation" in p.parameters for p in case.populations) else []
    of_neurons = [need for p in case.populations if p.neuron for need in p.neuron.needs]
    expected += [need for need in NEEDS if need in of_neurons]
    if list(case.needs) != expected:
        raise part["needs"].wrong(f"{expected}, as projections and populations have it")


def _populations(entry: Entry) -> tuple[CasePopulation, ...]:
    found = [_population(row, first=k == 0) for k, row in enumerate(entry.rows())]
    names = [population.name for population in found]
    if len(found) < 2 or len(set(names)) != len(names):
        raise CaseError(entry.place, f"has {names}", "an input and others, each named once")
    return tuple(found)


def _population(entry: Entry, *, first: bool) -> CasePopulation:
    kind: Kind = "input" if first else "spiking"
    given = {} if first else entry.mapping()
    neuron = _neuron(entry.inner("neuron", given["neuron"])) if "neuron" in given else None
    keys = PARAMETERS[kind] + (parts.ADAPTIVE if "adaptation" in given else ())
    if neuron is None:
        name, its_kind, size, *values = _exactly(entry, ("name", "kind", "size", *keys))
    else:
        keys = _keys_of(entry, neuron, given)
        fixed = ("name", "kind", "size", "neuron")
        name, its_kind, size, _, *values = _exactly(entry, (*fixed, *keys))
    if its_kind.value != kind:
        raise its_kind.wrong(f"{kind!r}: the first population is the input, the others are spiking")
    count = _index(size, MAX_SIZE + 1, first=1)
    expected = f"a list of {count} numbers, one per neuron"
    parameters = {}
    for key, value in zip(keys, values, strict=True):
        parameters[key] = tuple(item.number() for item in value.rows(expected))
        if len(parameters[key]) != count:
            raise value.wrong(expected)
    return CasePopulation(name.text(), kind, count, parameters, neuron)


def _neuron(entry: Entry) -> CaseNeuron:
    kind, states, receptors = _exactly(entry, ("kind", "states", "receptors"))
    if kind.value not in KINDS:
        raise kind.wrong(f"one of {', '.join(KINDS)}")
    names = tuple(state.text() for state in states.rows("a list of names"))
    raised = receptors.mapping("an object: the state that each receptor raises")
    return CaseNeuron(kind.text(), names, {name: str(state) for name, state in raised.items()})


def _keys_of(entry: Entry, neuron: CaseNeuron, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Parameters of neurons of further states."""
    states = neuron.states
    own: tuple[str, ...] = ()
    if neuron.gives_flow:
        known = [flow_name(to, by) for to in states for by in states]
        known += [f"{what}_{state}" for what in ("add", "set") for state in states[1:]]
        own = tuple(name for name in known if name in given)
    try:
        found = kind_of(neuron, own)
    except ParameterError as error:
        raise error.seen_from(f"{entry.place}, neuron", CaseError) from error
    if (found.states, dict(found.receptors)) != (states, dict(neuron.receptors)):
        raise entry.inner("neuron", given["neuron"]).wrong(
            f"the states {list(found.states)} and receptors {dict(found.receptors)} of the kind"
        )
    return found.names


def _projections(entry: Entry, sizes: Mapping[str, int]) -> tuple[CaseProjection, ...]:
    found = [_projection(row, sizes) for row in entry.rows()]
    pairs = [(one.source, one.target, *filter(None, [one.receptor])) for one in found]
    twice = [pair for pair in pairs if pairs.count(pair) > 1]
    if twice:
        raise CaseError(
            entry.place, f"joins {twice[0]} twice", remedy="Put the synapses into one projection."
        )
    return tuple(found)


def _projection(entry: Entry, sizes: Mapping[str, int]) -> CaseProjection:
    named = ("receptor",) if "receptor" in entry.mapping() else ()
    source, target, synapses, *more = _exactly(entry, ("source", "target", "synapses", *named))
    for end in (source, target):
        if end.text() not in sizes:
            raise end.wrong(f"a population: {', '.join(sizes)}")
    rows = [_synapse(row, sizes[source.value], sizes[target.value]) for row in synapses.rows()]
    pairs = [(row.source, row.target) for row in rows]
    if not rows or len(set(pairs)) != len(pairs):
        raise CaseError(
            synapses.place,
            f"has {len(rows)} synapses",
            "at least one, and at most one from a neuron to a neuron",
        )
    receptor = more[0].text() if more else None
    return CaseProjection(source.value, target.value, tuple(rows), receptor)


def _synapse(entry: Entry, n_sources: int, n_targets: int) -> Synapse:
    expected = "[source, target, weight, delay in ms]"
    parts = entry.rows(expected)
    if len(parts) != 4:
        raise entry.wrong(expected)
    source, target, weight, delay = parts
    return Synapse(
        _index(source, n_sources), _index(target, n_targets), weight.number(), delay.number()
    )


def _event(entry: Entry, n_channels: int) -> Event:
    parts = entry.rows("[time in ms, channel]")
    if len(parts) != 2:
        raise entry.wrong("[time in ms, channel]")
    return Event(parts[0].number(), _index(parts[1], n_channels))


def _spikes(
    entry: Entry, populations: Sequence[CasePopulation], duration: float
) -> dict[str, tuple[tuple[Decimal, ...], ...]]:
    spiking = populations[1:]
    parts = _exactly(entry, [population.name for population in spiking])
    found = {}
    for population, part in zip(spiking, parts, strict=True):
        rows = part.rows(f"a list of {population.size} lists, one per neuron")
        if len(rows) != population.size:
            raise part.wrong(f"{population.size} lists, one per neuron")
        found[population.name] = tuple(_train(row, duration) for row in rows)
    return found


def _train(entry: Entry, duration: float) -> tuple[Decimal, ...]:
    times = [_spike(row) for row in entry.rows("a list of spike times, written as texts")]
    inside = all(0 <= time < Decimal(duration) for time in times)
    if not inside or times != sorted(set(times)):
        raise entry.wrong("ascending times inside [0, duration)")
    return tuple(times)


def _spike(entry: Entry) -> Decimal:
    expected = f"a time in ms as a text with at least {SPIKE_DIGITS} significant digits"
    try:
        time = Decimal(entry.value if isinstance(entry.value, str) else "")
    except InvalidOperation as error:
        raise entry.wrong(expected) from error
    if not time.is_finite() or len(time.as_tuple().digits) < SPIKE_DIGITS:
        raise entry.wrong(expected)
    return time


def _tolerance(entry: Entry) -> dict[Any, float | None]:
    double, single = _exactly(entry, ("double", "single"))
    found = {"double": double.number(), "single": None if single.value is None else single.number()}
    if any(value is not None and value <= 0.0 for value in found.values()):
        raise entry.wrong("numbers of ms > 0")
    return found


def _numbers(entry: Entry, keys: Sequence[str]) -> dict[str, float]:
    return {key: part.number() for key, part in zip(keys, _exactly(entry, keys), strict=True)}


def _texts(entry: Entry, keys: Sequence[str]) -> dict[str, str]:
    return {key: part.text() for key, part in zip(keys, _exactly(entry, keys), strict=True)}


def _answer(entry: Entry) -> dict[str, str | None]:
    method, formula = _exactly(entry, ("method", "closed_form"))
    return {
        "method": method.text(),
        "closed_form": None if formula.value is None else formula.text(),
    }
