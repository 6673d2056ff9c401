"""``eventsim map``: a mapping beside its baselines, its traffic, number formats, and files."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import typer
from matplotlib.figure import Figure

from eventsim.chips import Chip, load_chip
from eventsim.cli.events import Reading, find_for, find_network
from eventsim.cli.options import set_threads
from eventsim.cli.terminal import print_table, say, say_backend
from eventsim.engine import simulate
from eventsim.errors import DataError, ParameterError
from eventsim.events import AnyDataset, EventStream, SpikeTape
from eventsim.events.storage import write_atomically
from eventsim.extras import install_hint
from eventsim.mapping import (
    Congestion,
    MappingError,
    StudyRow,
    compare_mappings,
    congestion,
    export_sanafe,
    quantisation_study,
)
from eventsim.mapping import Mapping as ChipMapping
from eventsim.mapping.graph import Inputs
from eventsim.mapping.mapping import Method, filled_less
from eventsim.network import Network
from eventsim.report import tables
from eventsim.runs.run import load_run
from eventsim.train import TrainConfig, evaluate

__all__ = [
    "Reading",
    "Recordings",
    "Wish",
    "choose_method",
    "find_congestion",
    "find_recordings",
    "find_study",
    "map_run",
    "set_threads",
    "show",
]


@dataclass(frozen=True)
class Wish:
    """The options of the command."""

    chip: str
    method: str | None
    compare: bool
    inputs: Inputs
    neurons_per_core: int | None
    bits: tuple[int, ...]
    window_ms: float
    sanafe_ms: float | None
    out: Path | None
    seed: int
    backend: str


@dataclass(frozen=True)
class Recordings:
    """Events, with labels and the training's settings where both are known."""

    stream: EventStream
    labelled: AnyDataset | None
    config: TrainConfig | None


def find_recordings(
    net: Path, events: str | None, reading: Reading, *, samples: int | None
) -> Recordings:
    """The events that were named, or those of the run's own data set."""
    config = load_run(net).config if net.is_dir() else None
    return Recordings(*find_for(net, events, reading).some(samples), config)


def map_run(net: Path, data: Recordings, wish: Wish) -> dict[str, Any]:
    """Run, map, check, measure; write what was asked for."""
    if data.stream.n_samples == 0:
        raise DataError("EVENTS holds no recordings, expected at least one.")
    if wish.sanafe_ms is not None and wish.out is None:
        raise ParameterError("--sanafe writes files: add --out FOLDER.")
    chip = filled_less(load_chip(wish.chip), wish.neurons_per_core)
    network = find_network(net)
    say_backend(wish.backend)
    tape = simulate(network, data.stream, backend=wish.backend)
    compared = compare_mappings(
        network,
        tape,
        chip,
        method=choose_method(wish.method),
        baselines=wish.compare,
        inputs=wish.inputs,
        seed=wish.seed,
    )
    best = compared.best
    traffic = find_congestion(network, tape, best, window_ms=wish.window_ms)
    study = find_study(network, data, chip, bits=wish.bits, backend=wish.backend)
    found = {
        "network": str(net),
        "chip": chip.name,
        "title": chip.title,
        "recordings": data.stream.n_samples,
        "mappings": [_plain(mapping) for mapping in compared.mappings],
        "failed": dict(compared.failed),
        "congestion": None if traffic is None else _latencies(traffic),
        "study": [asdict(row) for row in study],
        "files": [],
    }
    if wish.out is not None:
        found["files"] = _write(network, tape.stream, best, study, wish.out, wish.sanafe_ms)
    return found


def choose_method(name: str | None) -> Method:
    """The method of that name; without one the best that is installed."""
    if name is not None:
        return cast(Method, name.replace("-", "_"))
    if importlib.util.find_spec("mtkahypar") is not None:
        return "hypergraph"
    say(f"Mt-KaHyPar is not installed ({install_hint('mapping')}): --method refined.")
    return "refined"


def find_congestion(
    net: Network, tape: SpikeTape, mapping: ChipMapping, *, window_ms: float
) -> Congestion | None:
    """Latencies on the mesh; None, and a line on stderr, if the chip has no figure for a hop."""
    if not {"hop_ew", "hop_ns"} & set(mapping.chip.latency):
        say(f"{mapping.chip.name}: no latency of a hop is published, so none of spikes follows.")
        return None
    return congestion(net, tape, mapping, window_ms=window_ms)


def find_study(
    net: Network, data: Recordings, chip: Chip, *, bits: tuple[int, ...], backend: str
) -> list[StudyRow]:
    """Spikes, and accuracy where there are labels, with the chip's number formats."""
    if chip.formats is None:
        if bits:
            raise MappingError(f"Chip {chip.name!r}: has no number formats, leave out --bits.")
        return []
    score = None
    if data.labelled is not None and data.config is not None:
        labelled, config = data.labelled, data.config

        def accuracy(network: Network) -> float:
            return evaluate(network, labelled, config).accuracy

        score = accuracy
    return quantisation_study(net, data.stream, chip, bits=bits, score=score, backend=backend)


def _plain(mapping: ChipMapping) -> dict[str, Any]:
    values = mapping.to_dict()
    return {k: values[k] for k in ("method", "inputs", "seed", "cores_used", "fill", "traffic")}


def _latencies(found: Congestion) -> dict[str, Any]:
    values = asdict(found)
    del values["loads"]
    return values


def _write(
    net: Network,
    stream: EventStream,
    mapping: ChipMapping,
    study: Sequence[StudyRow],
    out: Path,
    sanafe_ms: float | None,
) -> list[str]:
    """mapping.json, pictures, and the files for SANA-FE; their names."""
    from eventsim.report.mapping_figures import bits_study, core_map, link_map

    mapping.save(out / "mapping.json")
    files = [out / "mapping.json"]
    drawn: list[tuple[str, Callable[[], Figure]]] = [
        ("cores.png", lambda: core_map(mapping)),
        ("links.png", lambda: link_map(mapping)),
    ]
    if len(study) > 2:
        drawn.append(("bits.png", lambda: bits_study(study)))
    for name, draw in drawn:
        _picture(out / name, draw)
        files.append(out / name)
    if sanafe_ms is not None:
        written = export_sanafe(net, mapping, stream[:1], out / "sanafe", step_ms=sanafe_ms)
        files += [written.architecture, written.network]
        say(
            f"SANA-FE: {written.steps:,} steps of {sanafe_ms:g} ms for recording 0; "
            f"{written.moved:,} events went to a later step, {written.lost:,} found none."
        )
    return [str(path) for path in files]


def _picture(path: Path, draw: Callable[[], Figure]) -> None:
    from eventsim.report.style import look, png

    with look():
        content = png(draw())
    write_atomically(path, content)


def show(found: Mapping[str, Any]) -> None:
    """Tables: mappings side by side, latencies, number formats; and the files."""
    title = f"{found['network']} on {found['title']}, {found['recordings']} recordings"
    print_table(tables.mappings(found["mappings"], title))
    for method, reason in found["failed"].items():
        typer.echo(f"{method.replace('_', '-')}: {reason}")
    if found["congestion"] is not None:
        print_table(tables.latencies(found["congestion"]))
    if found["study"]:
        print_table(tables.number_formats(found["study"]))
    for file in found["files"]:
        typer.echo(f"Written: {file}")
