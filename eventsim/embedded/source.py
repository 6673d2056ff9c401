"""The parts of the C text that are of one network: sizes, constants, recordings."""

from typing import Any

import numpy as np

from eventsim.arrays import Ints
from eventsim.embedded.literals import Constants, double, macro, single
from eventsim.embedded.tables import StageTables, Tables, fade
from eventsim.events import EventStream, SpikeTape

LEAST_SPIKES = 256  # that wait to be polled
# Bytes of a struct of c/tables.h where pointers have four.
STAGE_BYTES, ROUTE_BYTES = 48, 32


def _output(t: Tables) -> StageTables:
    """The stage that answers."""
    return next(s for s in t.stages if s.name == t.answer.population)


def sizes_of(t: Tables) -> dict[str, Any]:
    """Values of the macros that the network's state follows from, and those of its answer."""
    answer, output = t.answer, _output(t)
    readout = output.kind == "READOUT"
    n_rows = max(s.weights.shape[0] for s in t.stages)
    return {
        "CHANNELS": t.sizes[0],
        "POPULATIONS": len(t.populations),
        "STAGES": len(t.stages),
        "ROUTES": sum(len(s.routes) for s in t.stages),
        "NEURONS": sum(s.size for s in t.stages),
        "ROOM": sum(s.room for s in t.stages),
        "SPIKES": spikes_of(t),
        "CLASSES": len(answer.class_names) or output.size,
        "ROW_TYPE": "uint16_t" if n_rows <= 2**16 else "uint32_t",
        "REFRACTORY": int(any((s.refractory > 0.0).any() for s in t.stages)),
        "RULE_READOUT": int(readout),
        "RULE_INTEGRAL": int(answer.rule == "integral"),
        "RULE_SPIKES": int(not readout),
        "RULE_COUNT": int(answer.rule == "spike_count"),
        "OUTPUTS": output.size,
        "OUTPUT_STAGE": t.stages.index(output),
        "OUTPUT": output.population,
    }


def spikes_of(t: Tables) -> int:
    """Spikes that may wait to be polled."""
    return max(LEAST_SPIKES, sum(t.sizes[1:]))


def config(t: Tables) -> str:
    """The sizes of the network, as macros."""
    answer = t.answer
    values = sizes_of(t) | {
        "TAIL": double(answer.tail),
        "GAIN": single(answer.gain or 1.0),
        "TIME_CONSTANT": single(min(answer.time_constant or 1.0, 1e30)),
        "FADE": single(fade(answer)),
    }
    values |= {f"POPULATION_{macro(p)}": k for k, p in enumerate(t.populations)}
    values |= {f"ROOM_{macro(s.name)}": s.room for s in t.stages}
    return "".join(f"#define NET_{key} {value}\n" for key, value in values.items())


def ram_of(t: Tables) -> int:
    """Bytes of the struct of ``c/net.h``."""
    n = sizes_of(t)
    doubles = 2 + n["STAGES"] + n["ROOM"] + n["SPIKES"]
    singles = 2 * n["NEURONS"] + 3 * n["STAGES"] + 3
    if n["REFRACTORY"]:
        doubles += n["NEURONS"]
    if n["RULE_SPIKES"]:
        doubles, singles = doubles + n["CLASSES"], singles + n["CLASSES"]
    if n["RULE_READOUT"]:
        singles += n["OUTPUTS"]
    row = 2 if n["ROW_TYPE"] == "uint16_t" else 4
    n_bytes: int = 8 * doubles + 4 * singles + row * n["ROOM"] + 4 * n["SPIKES"] + 2
    return -(-n_bytes // 8) * 8


def constants_of(t: Tables) -> Constants:
    """The constants of ``NAME_weights.c``."""
    to = Constants()
    for k, s in enumerate(t.stages):
        to.array(f"static const float weights_{k}[]", s.weights)
        if s.answers.size:
            to.array(f"static const float answers_{k}[]", s.answers)
        for i, route in enumerate(s.routes):
            if not route.is_even:
                to.array(f"static const double delays_{k}_{i}[]", route.delays)
    to.array("const float net_par[]", np.concatenate([s.par.ravel() for s in t.stages]))
    to.array("const double net_refractory[]", np.concatenate([s.refractory for s in t.stages]))
    to.array("const float net_start[]", np.concatenate([s.start for s in t.stages]))
    by_population = [s.population for s in t.stages]
    stage_of = [0, *(by_population.index(p) for p in range(1, len(t.populations)))]
    to.array("const uint32_t net_stage_of[]", np.array(stage_of, np.uint32))
    _stages(t, to)
    _routes(t, to)
    if _output(t).kind == "READOUT":
        to.array("const float net_outputs[NET_OUTPUTS * OUTPUT_PAR]", _output(t).outputs)
    return to


def _stages(t: Tables, to: Constants) -> None:
    rows, first, par, room, route = list[str](), 0, 0, 0, 0
    for k, s in enumerate(t.stages):
        numbers = (s.population, first, s.size, par, room, s.room, route, len(s.routes))
        answers = f"answers_{k}" if s.answers.size else "0"
        fields = [s.kind, *(f"{n}U" for n in numbers), single(s.longest), f"weights_{k}", answers]
        rows.append(f"{{{', '.join(fields)}}}")
        first, par, room = first + s.size, par + s.par.shape[0], room + s.room
        route += len(s.routes)
    to.rows("const net_stage net_stages[NET_STAGES]", rows, STAGE_BYTES * len(rows))


def _routes(t: Tables, to: Constants) -> None:
    rows = list[str]()
    for k, s in enumerate(t.stages):
        for i, r in enumerate(s.routes):
            delays = "0" if r.is_even else f"delays_{k}_{i}"
            rows.append(f"{{{r.source}U, {k}U, {r.row}U, {double(r.least)}, {delays}}}")
    to.rows("const net_route net_routes[NET_ROUTES]", rows, ROUTE_BYTES * len(rows))


def recorded(t: Tables, stream: EventStream, tape: SpikeTape, answers: Ints) -> str:
    """Recordings with their spikes and answers, for ``NAME_test.c``."""
    to, n = Constants(), stream.n_samples
    to.array("static const double event_time[]", stream.times)
    to.array("static const uint16_t event_channel[]", stream.channels.astype(np.uint16))
    to.array("static const uint32_t event_start[]", stream.offsets.astype(np.uint32))
    to.array("static const double duration[]", stream.duration)
    to.array("static const int32_t expected[]", answers[:n].astype(np.uint32))
    starts = [np.zeros(n + 1, np.int64)]
    times, neurons = [np.zeros(0)], [np.zeros(0, np.uint16)]
    for name in t.populations[1:]:
        offsets = tape[name].offsets[: n + 1]
        starts.append(offsets + sum(part.size for part in times))
        times.append(tape[name].times[: offsets[-1]])
        neurons.append(tape[name].neurons[: offsets[-1]].astype(np.uint16))
    to.array("static const double spike_time[]", np.concatenate(times))
    to.array("static const uint16_t spike_neuron[]", np.concatenate(neurons))
    to.array("static const uint32_t spike_start[]", np.concatenate(starts).astype(np.uint32))
    to.text.append(f"#define RECORDINGS {n}\n")
    return "\n".join(to.text)
