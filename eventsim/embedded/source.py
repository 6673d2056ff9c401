"""The parts of the C text that belong to one network: sizes, constants, recordings."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Ints
from eventsim.embedded.literals import Constants, Value, double, macro, single
from eventsim.embedded.refuse import RULES
from eventsim.embedded.tables import Route, StageTables, Tables, fade
from eventsim.events import EventStream, SpikeTape
from eventsim.network.answer import FIRST_EVENT, Answer

C = TypeVar("C", bound=Constants)
LEAST_SPIKES = 256  # that wait to be polled
# Bytes of a struct of c/tables.h where pointers have four.
STAGE_BYTES, ROUTE_BYTES, LINEAR_BYTES = 72, 72, 40
# Weights of so few values are codes of so many bits; fewer weights than that are not worth it.
CODES, LEAST_CODED = ((16, 4), (256, 8)), 64


def sizes_of(t: Tables) -> dict[str, Any]:
    """Values of the macros for the size of the network's state, and for its answer."""
    rule, readout = t.answer.rule, t.stages[-1].outputs is not None
    kinds = {s.kind for s in t.stages}
    return {
        "CHANNELS": t.sizes[0],
        "POPULATIONS": len(t.populations),
        "STAGES": len(t.stages),
        "ROUTES": sum(len(s.routes) for s in t.stages),
        "NEURONS": sum(s.size for s in t.stages),
        "ROOM": sum(s.room for s in t.stages),
        "SPIKES": spikes_of(t),
        "CLASSES": t.n_scores,
        "OUTPUTS": t.n_outputs,
        "OUTPUT": 0 if readout else t.populations.index(t.answer.population),
        "OUTPUT_STAGE": t.output,
        "STATES": sum(n_states(s) for s in t.stages),
        "STRETCHES": int(bool(kinds & {"STRETCHES", "WINDOWS"})),
        "EVENTS": int("EVENTS" in kinds),
        "LINEAR": int(bool(kinds & {"PIECES", "LINEAR_EVENTS"})),
        "LINEAR_EVENTS": int("LINEAR_EVENTS" in kinds),
        "LINEAR_STRETCHES": int("PIECES" in kinds),
        "DUES": int(bool(kinds & {"EVENTS", "LINEAR_EVENTS"})),
        "COUNTS": int(bool(kinds & {"EVENTS", "PIECES", "LINEAR_EVENTS"})),
        "REFRACTORY": int(any(_holds(s) for s in t.stages)),
        "ADAPTIVE": int(any(s.adapts for s in t.stages)),
        "OWN_DELAYS": int(any((s.own_delay > 0.0).any() for s in t.stages)),
        "CODES": int(any(_bits(r) for s in t.stages for r in s.routes)),
        "RULE": RULES.index(rule),
        "RULE_READOUT": int(readout),
        "RULE_MAXIMUM": int(rule == "maximum"),
        "RULE_SPIKES": int(not readout),
        "ONSET_FIRST": int(t.answer.onset == FIRST_EVENT),
        "DECISION": int(t.decision is not None),
    }


def _holds(s: StageTables) -> bool:
    """Whether some neuron has a refractory time."""
    return bool((s.refractory > 0.0).any()) or (s.linear is not None and s.linear.holds)


def n_states(s: StageTables) -> int:
    """States of linear neurons."""
    return 0 if s.linear is None else s.linear.n * s.size


def spikes_of(t: Tables) -> int:
    """Number of spikes that may wait to be polled."""
    return max(LEAST_SPIKES, sum(t.sizes[1:]))


def row_type(t: Tables) -> type[np.unsignedinteger[Any]]:
    """Type of keys and rows; its largest number means no row."""
    n_keys = max(sum(route.n_keys for route in s.routes) + s.size for s in t.stages)
    return np.uint16 if n_keys < 2**16 - 1 else np.uint32


def config(t: Tables) -> str:
    """The sizes of the network, as macros."""
    answer = t.answer
    values = sizes_of(t) | {
        "ROW_TYPE": f"{np.dtype(row_type(t))}_t",
        "TAIL": double(answer.tail),
        **{key: single(value) for key, value in singles_of(answer).items()},
    }
    values |= _named("POPULATION", t.populations, range(len(t.populations)))
    values |= _named("ROOM", [s.name for s in t.stages], [s.room for s in t.stages])
    return "".join(f"#define NET_{key} {value}\n" for key, value in values.items())


def _named(what: str, names: Sequence[str], values: Sequence[int]) -> dict[str, int]:
    """Macros of names; those that are equal in capitals have their number behind them."""
    macros = [macro(name) for name in names]
    keys = [f"{m}_{k}" if macros.count(m) > 1 else m for k, m in enumerate(macros)]
    return {f"{what}_{key}": value for key, value in zip(keys, values, strict=True)}


def singles_of(answer: Answer) -> dict[str, float]:
    """Values of the answer that are floats."""
    return {
        "GAIN": answer.gain or 1.0,
        "TIME_CONSTANT": min(answer.time_constant or 1.0, 1e30),
        "FADE": fade(answer),
    }


def ram_of(t: Tables) -> int:
    """Bytes of the struct of ``c/net.h``."""
    n = sizes_of(t)
    neurons, stages = n["NEURONS"], n["STAGES"]
    doubles = 4 + 3 * stages + n["ROOM"] + n["SPIKES"]
    by_neuron = n["REFRACTORY"] + 2 * n["ADAPTIVE"] + 2 * n["DUES"] + n["LINEAR_EVENTS"]
    doubles += (by_neuron + n["COUNTS"]) * neurons
    words = n["STATES"] + (2 + n["EVENTS"] + n["COUNTS"]) * neurons + 3 * stages + 3
    words += (n["RULE_READOUT"] + n["RULE_MAXIMUM"]) * n["OUTPUTS"]
    doubles, words = (
        doubles + n["RULE_SPIKES"] * n["CLASSES"],
        words + n["RULE_SPIKES"] * n["CLASSES"],
    )
    key = np.dtype(row_type(t)).itemsize
    n_bytes: int = 8 * doubles + 4 * words + key * n["ROOM"] + 4 * n["SPIKES"] + 2 * stages + 4
    n_bytes += n["LINEAR_EVENTS"] * neurons
    return -(-n_bytes // 8) * 8


def constants_of(t: Tables, to: C) -> C:
    """Put the constants of ``NAME_weights.c`` into ``to``, and return it."""
    n, rows = sizes_of(t), to.row_type or row_type(t)
    for k, s in enumerate(t.stages):
        if s.answers is not None and s.kind != "EVENTS":
            to.array(f"static const float answers_{k}[]", s.answers)
        for i, route in enumerate(s.routes):
            _route(to, f"{k}_{i}", route, rows)
    to.array("const float net_par[]", _joined([s.par for s in t.stages]))
    to.array("const float net_start[]", _joined([s.start for s in t.stages]))
    for wanted, what, parts in (
        ("REFRACTORY", "const double net_refractory[]", [s.refractory for s in t.stages]),
        ("ADAPTIVE", "const double net_thresholds[]", [s.thresholds for s in t.stages]),
        ("OWN_DELAYS", "const double net_own_delay[]", [s.own_delay for s in t.stages]),
        ("OWN_DELAYS", "const float net_own_weight[]", [s.own_weight for s in t.stages]),
    ):
        if n[wanted] or to.takes_all:
            to.array(what, _joined(parts))
    _places(t, to)
    _structs(t, to)
    _linear(t, to)
    outputs = t.stages[-1].outputs
    if outputs is not None:
        to.array("const float net_outputs[NET_OUTPUTS * OUTPUT_PAR]", outputs)
    if t.decision is not None:
        weights, bias = (v.astype(np.float32) for v in (t.decision.weights, t.decision.bias))
        to.array("const float net_decision[NET_OUTPUTS * NET_CLASSES]", weights)
        to.array("const float net_bias[NET_CLASSES]", bias)
    return to


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([part.ravel() for part in parts])


def _places(t: Tables, to: Constants) -> None:
    """First neuron and first stage of each population, and the numbers behind the last."""
    first, of_stage = [0], [0]
    start = np.concatenate([[0], np.cumsum([s.size for s in t.stages])])
    for number in range(1, len(t.populations)):
        of = [s.population <= number < s.population + s.members for s in t.stages]
        stage = of.index(True)
        of_stage.append(stage)
        inside = sum(t.sizes[t.stages[stage].population : number])
        first.append(int(start[stage]) + inside)
    of_stage.append(sum(s.outputs is None for s in t.stages))
    first.append(int(start[of_stage[-1]]))
    to.array("const uint32_t net_first[NET_POPULATIONS + 1]", np.array(first, np.uint32))
    to.array("const uint32_t net_stage_of[NET_POPULATIONS + 1]", np.array(of_stage, np.uint32))


def _coded(route: Route) -> NDArray[Any]:
    """The weights to encode: without the resistances, if these differ."""
    alike = bool((route.resistance == route.resistance[0]).all())
    return route.weights if alike else route.plain


def _bits(route: Route) -> int:
    """Bits of the codes of a route's weights; 0 if they are stored as numbers."""
    if route.weights.size < LEAST_CODED:
        return 0
    n_values = np.unique(_coded(route)).size
    return next((bits for most, bits in CODES if n_values <= most), 0)


def _route(to: Constants, which: str, route: Route, rows_as: type[np.unsignedinteger[Any]]) -> None:
    """The arrays of a route."""
    bits, coded = _bits(route), _coded(route)
    if bits:
        levels, codes = np.unique(coded.ravel(), return_inverse=True)
        if bits == 4:
            codes = np.append(codes, np.zeros(codes.size % 2, codes.dtype)).reshape(-1, 2)
            codes = codes[:, 0] + 16 * codes[:, 1]
        if coded is route.weights:
            to.array(f"static const float levels_{which}[]", levels)
        else:
            to.array(f"static const double grid_{which}[]", levels)
            to.array(f"static const double resistance_{which}[]", route.resistance)
        to.array(f"static const uint8_t codes_{which}[]", codes.astype(np.uint8))
    else:
        to.array(f"static const float values_{which}[]", route.weights)
    if not route.is_even:
        to.array(f"static const double delays_{which}[]", route.delays)
    if route.rows is not None:
        rows = np.where(route.rows < 0, np.iinfo(rows_as).max, route.rows)
        to.array(f"static const NET_ROW_TYPE rows_{which}[]", rows.astype(rows_as))
    if route.synapses is not None and route.targets is not None:
        to.array(f"static const uint32_t synapses_{which}[]", route.synapses.astype(np.uint32))
        last = np.ones(route.targets.size, bool)
        if not route.apart:
            last = np.isin(np.arange(1, last.size + 1), route.synapses)
        targets = route.targets + 0x8000 * last
        to.array(f"static const uint16_t targets_{which}[]", targets.astype(np.uint16))


def _structs(t: Tables, to: Constants) -> None:
    stages, routes = list[list[Value]](), list[list[Value]]()
    first, par, room, linear, state = 0, 0, 0, 0, 0
    for k, s in enumerate(t.stages):
        key = 0
        first_route = len(routes)
        for i, r in enumerate(s.routes):
            routes.append(_route_struct(f"{k}_{i}", r, k, key))
            key += r.n_keys
        numbers = (s.population, s.members, first, s.size, par, room, s.room, first_route)
        answers = "0" if s.answers is None or s.kind == "EVENTS" else f"answers_{k}"
        fields: list[Value] = [s.kind, *numbers, len(s.routes), key, int(s.adapts), linear, state]
        stages.append([*fields, float(s.length), answers, np.float32(s.longest)])
        linear, state = linear + int(s.linear is not None), state + n_states(s)
        first, par, room = first + s.size, par + s.par.shape[0], room + s.room
    to.rows("const net_stage net_stages[NET_STAGES]", stages, STAGE_BYTES * len(stages))
    to.rows("const net_route net_routes[NET_ROUTES]", routes, ROUTE_BYTES * len(routes))


def _route_struct(which: str, r: Route, stage: int, key: int) -> list[Value]:
    bits = _bits(r)
    by_level = bits > 0 and _coded(r) is r.weights
    pointers = {
        "delays": not r.is_even,
        "values": not bits,
        "levels": by_level,
        "grid": bits > 0 and not by_level,
        "resistance": bits > 0 and not by_level,
        "codes": bits > 0,
        "rows": r.rows is not None,
        "synapses": r.synapses is not None,
        "targets": r.synapses is not None,
    }
    named = [f"{name}_{which}" if there else "0" for name, there in pointers.items()]
    numbers = (r.source, stage, key, bits or 32)
    return [*numbers, float(r.least), *named, int(r.apart), r.state, r.receptor]


def _linear(t: Tables, to: Constants) -> None:
    """Tables of linear neurons."""
    found = list[list[Value]]()
    for k, s in enumerate(t.stages):
        if s.linear is None:
            continue
        m, own = s.linear, s.linear.own_weight.size > 0
        to.array(f"static const float table_{k}[]", m.table)
        to.array(f"static const double times_{k}[]", m.times)
        to.array(f"static const uint16_t which_{k}[]", m.which)
        if own:
            to.array(f"static const float own_{k}[]", m.own_weight)
        numbers = (m.n, m.bits, m.receptors, int(m.holds), int(m.loops), m.table.shape[1])
        pointers = (f"table_{k}", f"times_{k}", f"which_{k}", f"own_{k}" if own else "0")
        found.append([*numbers, *pointers])
    if found:
        to.rows("const net_linear net_linears[]", found, LINEAR_BYTES * len(found))


def recorded(t: Tables, stream: EventStream, tape: SpikeTape, answers: Ints) -> str:
    """Recordings with their spikes and answers, for ``NAME_test.c``.

    Spikes are sorted by recording, neuron among all, and time.
    """
    to, n = Constants(), stream.n_samples
    to.array("static const double event_time[]", stream.times)
    to.array("static const uint32_t event_channel[]", stream.channels.astype(np.uint32))
    to.array("static const uint32_t event_start[]", stream.offsets.astype(np.uint32))
    to.array("static const double duration[]", stream.duration)
    to.array("static const uint16_t expected[]", answers[:n].astype(np.uint16))
    first = np.concatenate([[0, 0], np.cumsum(t.sizes[1:])])
    times, places = [np.zeros(0)], [np.zeros(0, np.int64)]
    for number, name in enumerate(t.populations[1:], start=1):
        trains = tape[name]
        end = int(trains.offsets[n])
        neuron = trains.neurons[:end] + first[number]
        times.append(trains.times[:end])
        sample = np.repeat(np.arange(n), np.diff(trains.offsets[: n + 1]))
        places.append(sample * first[-1] + neuron)
    time, place = np.concatenate(times), np.concatenate(places)
    order = np.lexsort((time, place))
    starts = np.searchsorted(place[order], np.arange(n * first[-1] + 1))
    to.array("static const double spike_time[]", time[order])
    to.array("static const uint32_t spike_start[]", starts.astype(np.uint32))
    to.array("static const uint32_t first_neuron[]", first[:-1].astype(np.uint32))
    to.text.append(f"#define RECORDINGS {n}\n#define SENDERS {first[-1]}U\n")
    return "\n".join(to.text)
