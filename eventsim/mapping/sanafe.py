r"""Export to SANA-FE: an architecture and a mapped network that its own loader accepts.

SANA-FE [1]_ simulates neuromorphic chips in time steps, with energies and latencies of every unit.
The export needs nothing of it. Its ``leaky_integrate_fire`` soma does, in step k of length h,

.. math::
    u_k = e^{-h/\tau_s} u_{k-1} + \sum w, \qquad v_k = e^{-h/\tau_m} v_{k-1} + u_k,

so that with weights times :math:`S R\, g(h)` (g the voltage that a unit of current has caused after
h, S the scale below) :math:`v_k` is S times V - E at the end of a step, exactly, for arrivals on
the grid. An arrival at t is taken at the next grid point; a spike that is found in step k is sent
at once and adds to its targets in step k + 1, which is the grid point at which V was found above
threshold.

What differs from the exact run, beside times on the grid of h:

* A neuron fires once per step at most, and only if V is above its threshold at a grid point.
* While V is held (``refractory``), SANA-FE drops arriving current; eventsim keeps it.
* V is cut to multiples of 1/64 toward 0; S = 65,536 makes that 2.4e-7 of a threshold of 1.
* Events of one channel in one step go to the next steps that are free, one each.
* Delays are not exported: its delayed dendrite takes them per synapse address, which its loader
  does not set. A network with delays of half a step or more is refused.
* A linear decision has no unit there: a network with one is refused. Readouts are exported as
  neurons that never fire; who reads their voltages decides.
* Its soma has no adaptive threshold: a network with one is refused.
* Shared weights are written each for its synapse, with the same number: that they are one is lost.
* Channels are neurons with a train of spikes. Those from outside lie on cores of their own, added
  to tile (0, 0), without energy; their messages pay for links and axons as those of neurons do.

Tiles are numbered column by column there: tile (x, y) is number ``x * rows + y``.

References
----------
.. [1] Boyle, Plagge, Cardwell, Chance, Gerstlauer, SANA-FE: Simulating Advanced Neuromorphic
   Architectures for Fast Exploration, IEEE TCAD, 2025.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Ints
from eventsim.checks import in_domain
from eventsim.chips import Chip, Limits
from eventsim.entries import Above0
from eventsim.errors import EventError, MappingError
from eventsim.events import EventStream
from eventsim.events.steps import step_count
from eventsim.events.storage import write_atomically
from eventsim.hardware.graph import entries
from eventsim.hardware.usage import limits_of
from eventsim.mapping.mapping import Mapping
from eventsim.mapping.mesh import coordinates
from eventsim.matrix import require
from eventsim.network import Network, Population, Projection
from eventsim.neuron.lif import synaptic_gain

SCALE = 65_536.0
MOST_NEURONS = 1024  # compartments of SANA-FE's soma and dendrite models, fixed in its source
NEVER = 1e30  # threshold of a readout
PJ, NS = 1e-12, 1e-9
SOMA = ("access_neuron", "update_neuron", "spike_out")  # for what a soma has a price


@dataclass(frozen=True)
class SanafeFiles:
    """Files written for SANA-FE, and the steps to simulate.

    Attributes
    ----------
    architecture, network
        Files; the second holds the mapping too, as SANA-FE wants it.
    steps
        To simulate, for the whole sample.
    step_ms
        Their length.
    moved
        Input events that had to go to a later step.
    lost
        Input events for which no step was left before the end of the sample.
    """

    architecture: Path
    network: Path
    steps: int
    step_ms: float
    moved: int
    lost: int


def export_sanafe(
    net: Network, mapping: Mapping, stream: EventStream, folder: str | Path, *, step_ms: float
) -> SanafeFiles:
    """Write ``architecture.yaml`` and ``network.yaml`` for one sample.

    Load them with ``arch = sanafe.load_arch(..); net = sanafe.load_net(.., arch)``.

    Parameters
    ----------
    net, mapping
        The network, and its mapping.
    stream
        One sample: the spikes of the input.
    folder
        Where the files go.
    step_ms
        Time step of the simulation.

    Raises
    ------
    EventError
        The stream has more or fewer samples than one.
    MappingError
        Delays, or more neurons on a core than SANA-FE's models hold.
    NetworkError
        A linear decision, or an adaptive threshold.
    """
    if stream.n_samples != 1:
        raise EventError(
            "export_sanafe",
            f"the stream has {stream.n_samples} samples",
            "one, which SANA-FE runs",
            "Pass stream[k].",
        )
    in_domain("export_sanafe", "step_ms", step_ms, Above0, error=MappingError)
    net = net.to_host()
    _check(net, mapping, step_ms)
    steps = int(step_count(stream.duration, step_ms)[0])
    trains, moved, lost = _trains(stream, step_ms, steps)
    folder = Path(folder)
    entry = 0 if mapping.inputs == "placed" else -(-stream.n_channels // MOST_NEURONS)
    _write(folder / "architecture.yaml", _architecture(mapping, entry))
    _write(folder / "network.yaml", _network(net, mapping, trains, step_ms))
    return SanafeFiles(
        folder / "architecture.yaml", folder / "network.yaml", steps, step_ms, moved, lost
    )


def _check(net: Network, mapping: Mapping, step_ms: float) -> None:
    require("sanafe", net)
    fullest = int(mapping.usage.neurons.max())
    if fullest > MOST_NEURONS:
        raise MappingError(
            "export_sanafe",
            f"the mapping has {fullest} neurons per core",
            f"at most {MOST_NEURONS}, which SANA-FE's models hold",
            f"Map with neurons_per_core={MOST_NEURONS}.",
        )
    for name, projection in net.projections.items():
        longest = float(projection.delays.max(initial=0.0))
        if longest >= 0.5 * step_ms:
            raise MappingError(
                f"Projection {name!r}",
                f"has a delay of {longest:g} ms, which SANA-FE's loader cannot set per synapse",
                remedy="Export a network without delays.",
            )


def _trains(stream: EventStream, step_ms: float, steps: int) -> tuple[NDArray[np.bool_], int, int]:
    """Channels by steps, true where an event is; how many were moved, and how many lost."""
    trains = np.zeros((stream.n_channels, steps), bool)
    moved = lost = 0
    # An event in ((k - 1) h, k h] has arrived at k h; what is sent in step k - 1 is there then.
    step = np.maximum(step_count(stream.times, step_ms) - 1, 0)
    for channel, first in zip(stream.channels.tolist(), step.tolist(), strict=True):
        k = first
        while k < steps and trains[channel, k]:
            k += 1
        if k >= steps:
            lost += 1
            continue
        trains[channel, k] = True
        moved += k > first
    return trains, moved, lost


def _figure(chip: Chip, table: str, name: str) -> float:
    """A figure of the chip in J or s; 0 where nobody has published it."""
    found = getattr(chip, table).get(name)
    return 0.0 if found is None else float(found.value) * (PJ if table == "energy" else NS)


def _architecture(mapping: Mapping, entry: int) -> Iterator[str]:
    chip, limits = mapping.chip, limits_of(mapping.chip)
    columns, rows = limits.mesh
    yield "architecture:"
    yield f"  name: {chip.name}"
    yield "  attributes:"
    yield "    topology: mesh"
    yield f"    width: {columns}"
    yield f"    height: {rows}"
    yield "    link_buffer_size: 16"
    yield "    sync_model: fixed"
    yield f"    latency_sync: {_figure(chip, 'latency', 'step_sync')!r}"
    yield "  tile:"
    places = columns * rows
    if entry:
        yield from _tile(mapping, "entry", limits.cores_per_tile, entry)
    if places > 1:
        name = f"tile[{int(entry > 0)}..{places - 1}]"
        yield from _tile(mapping, name, limits.cores_per_tile, 0)
    elif not entry:
        yield from _tile(mapping, "tile", limits.cores_per_tile, 0)


def _tile(mapping: Mapping, name: str, cores: int, entry: int) -> Iterator[str]:
    chip = mapping.chip
    yield f"    - name: {name}"
    yield "      attributes:"
    for side, term in (("north", "ns"), ("east", "ew"), ("south", "ns"), ("west", "ew")):
        yield f"        energy_{side}_hop: {_figure(chip, 'energy', f'hop_{term}')!r}"
        yield f"        latency_{side}_hop: {_figure(chip, 'latency', f'hop_{term}')!r}"
    yield "      core:"
    yield from _core(chip, f"core[0..{cores - 1}]" if cores > 1 else "core", free=False)
    if entry:
        yield from _core(chip, f"channels[0..{entry - 1}]" if entry > 1 else "channels", free=True)


def _core(chip: Chip, name: str, *, free: bool) -> Iterator[str]:
    """Lines of a core of the architecture; ``free``: a core of channels from outside."""
    tables = ("energy", "latency")

    def priced(what: str, term: str) -> dict[str, float]:
        return {f"{table}_{what}": _figure(chip, table, term) for table in tables}

    channel = {f"{table}_{what}": 0.0 for table in tables for what in SOMA}
    neurons: dict[str, Any] = {"model": "leaky_integrate_fire"}
    for table in tables:
        idle = _figure(chip, table, "neuron_update_idle")
        # The update is paid on top of the access that every neuron has in every step.
        more = max(_figure(chip, table, "neuron_update_active") - idle, 0.0)
        paid = (idle, more, _figure(chip, table, "spike"))
        neurons |= {f"{table}_{what}": one for what, one in zip(SOMA, paid, strict=True)}
    synapses = {"model": "current_based", **priced("process_spike", "synaptic_event")}
    units: dict[str, dict[str, dict[str, Any]]] = {
        "axon_in": {"axon_in": priced("message_in", "axon_in")},
        "synapse": {"synapses": synapses},
        "dendrite": {
            "dendrites": {"model": "accumulator", "energy_update": 0.0, "latency_update": 0.0}
        },
        "soma": ({} if free else {"neurons": neurons})
        | {f"channel[0..{MOST_NEURONS - 1}]": {"model": "input", **channel}},
        "axon_out": {"axon_out": priced("message_out", "axon_out")},
    }
    yield f"        - name: {name}"
    yield "          attributes:"
    yield "            buffer_position: soma"
    yield "            buffer_inside_unit: false"
    yield f"            max_neurons_supported: {MOST_NEURONS}"
    for part, of_part in units.items():
        yield f"          {part}:"
        for unit, attributes in of_part.items():
            yield f"            - name: {unit}"
            yield "              attributes:"
            yield from (f"                {key}: {value}" for key, value in attributes.items())


def _network(
    net: Network, mapping: Mapping, trains: NDArray[np.bool_], step_ms: float
) -> Iterator[str]:
    yield "network:"
    yield "  name: eventsim"
    yield "  groups:"
    for population in net.populations.values():
        yield from _group(population, trains, step_ms)
    yield "  edges:"
    for projection in net.projections.values():
        yield from _edges(projection, net.populations[projection.target], step_ms)
    yield "mappings:"
    for population in net.populations.values():
        yield from _mappings(population, mapping)


def _group(population: Population, trains: NDArray[np.bool_], step_ms: float) -> Iterator[str]:
    yield f"    - name: {population.name}"
    yield "      attributes: [log_spikes: true]"
    yield "      neurons:"
    for index in range(population.size):
        if population.is_input:
            last = int(np.flatnonzero(trains[index]).max(initial=-1)) + 1
            train = ", ".join("1" if bit else "0" for bit in trains[index, :last]) or "0"
            yield f"        - {index}: [spikes: [{train}]]"
            continue
        values = {name: float(v[index]) for name, v in population.parameters.items()}
        readout = population.is_readout
        threshold = NEVER if readout else SCALE * (values["threshold"] - values["v_leak"])
        reset = 0.0 if readout else SCALE * (values["v_reset"] - values["v_leak"])
        held = 0 if readout else int(np.round(values["refractory"] / step_ms))
        attributes = {
            "threshold": threshold,
            "reset": reset,
            "reset_mode": "hard",
            "leak_decay": float(np.exp(-step_ms / values["tau_mem"])),
            "input_decay": float(np.exp(-step_ms / values["tau_syn"])),
        }
        if held:
            # It counts down in the step of the spike itself.
            attributes["refractory_delay"] = held + 1
        text = ", ".join(f"{k}: {v}" for k, v in attributes.items())
        yield f"        - {index}: [{text}]"


def _edges(projection: Projection, target: Population, step_ms: float) -> Iterator[str]:
    gain = [
        SCALE * float(r) * synaptic_gain(step_ms, float(m), float(s))
        for r, m, s in zip(target.resistance, target.tau_mem, target.tau_syn, strict=True)
    ]
    source, destination = entries(projection)
    values = projection.values[projection.values != 0]
    for i, j, w in zip(source.tolist(), destination.tolist(), values.tolist(), strict=True):
        yield (
            f"    - {projection.source}.{i} -> {projection.target}.{j}: [weight: {w * gain[j]!r}]"
        )


def _mappings(population: Population, mapping: Mapping) -> Iterator[str]:
    limits = limits_of(mapping.chip)
    used, place = Counter[str](), coordinates(limits)
    for index in range(population.size):
        if population.name in mapping.cores:
            core = _address(int(mapping.cores[population.name][index]), limits, place)
        else:
            core = f"0.{limits.cores_per_tile + index // MOST_NEURONS}"
        soma = "neurons"
        if population.is_input:
            soma = f'"channel[{used[core]}]"'
            used[core] += 1
        yield f"  - {population.name}.{index}: [core: {core}, soma: {soma}]"


def _address(core: int, limits: Limits, place: tuple[Ints, Ints]) -> str:
    """Tile and core as SANA-FE numbers them; ``place`` is that of all cores."""
    column, row = (int(axis[core]) for axis in place)
    return f"{column * limits.mesh[1] + row}.{core % limits.cores_per_tile}"


def _write(path: Path, lines: Iterator[str]) -> None:
    def write(file: BinaryIO) -> None:
        for line in lines:
            file.write(line.encode() + b"\n")

    write_atomically(path, write)
