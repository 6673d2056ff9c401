"""``eventsim map``: a mapping beside its baselines, its traffic, number formats, and files."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import typer
from matplotlib.figure import Figure

from eventsim.chips import Chip, load_chip
from eventsim.cli.runs import RunSettings, load_config
from eventsim.cli.sources import Split, find_data, find_events, find_network
from eventsim.cli.terminal import percent, say, say_backend, show_table
from eventsim.cli.train_command import set_threads
from eventsim.engine import simulate
from eventsim.errors import DataError, InternalError, ParameterError
from eventsim.events import EventStream, SpikeTape
from eventsim.events.storage import write_atomically
from eventsim.mapping import (
    Congestion,
    InfeasibleError,
    MappingError,
    StudyRow,
    axon_graph,
    check_mapping,
    congestion,
    export_sanafe,
    map_graph,
    quantisation_study,
)
from eventsim.mapping import Mapping as ChipMapping
from eventsim.mapping.graph import Inputs
from eventsim.mapping.mapping import BASELINES, Method, filled_less
from eventsim.network import Network
from eventsim.train import LabelledEvents, TrainConfig, evaluate

__all__ = ["Wish", "find_recordings", "map_run", "set_threads", "show"]


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
    labelled: LabelledEvents | None
    config: TrainConfig | None


def find_recordings(
    net: Path, events: str | None, *, split: Split, samples: int | None
) -> Recordings:
    """The events that were named, or those of the run's own data set."""
    config = load_config(net) if net.is_dir() else None
    if events is None and config is None:
        raise DataError(f"EVENTS is missing: {net} is no folder of a run, so name a data set.")
    if events is not None and (events.endswith(".npz") or config is None):
        return Recordings(find_events(events, split=split, samples=samples), None, None)
    source = RunSettings.load(net).data if events is None else find_data(events)
    data = source.labelled(split)
    if samples is not None:
        data = data[slice(0, min(samples, data.stream.n_samples))]
    return Recordings(data.stream, data, config)


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
    mappings, failed = _mappings(network, tape, chip, wish)
    best = mappings[0]
    traffic = _congestion(network, tape, best, wish)
    study = _study(network, data, chip, wish)
    found = {
        "network": str(net),
        "chip": chip.name,
        "title": chip.title,
        "recordings": data.stream.n_samples,
        "mappings": [_plain(mapping) for mapping in mappings],
        "failed": failed,
        "congestion": None if traffic is None else _latencies(traffic),
        "study": [asdict(row) for row in study],
        "files": [],
    }
    if wish.out is not None:
        found["files"] = _write(network, data.stream, best, study, wish.out, wish.sanafe_ms)
    return found


def _method(wish: Wish) -> Method:
    if wish.method is not None:
        return cast(Method, wish.method.replace("-", "_"))
    if importlib.util.find_spec("mtkahypar") is not None:
        return "hypergraph"
    say("Mt-KaHyPar is not installed (pip install 'eventsim[mapping]'): --method refined.")
    return "refined"


def _mappings(
    net: Network, tape: SpikeTape, chip: Chip, wish: Wish
) -> tuple[list[ChipMapping], dict[str, str]]:
    """The mapping that was asked for, then the baselines; why a baseline failed, by method."""
    graph = axon_graph(net, tape, inputs=wish.inputs)
    method = _method(wish)
    others = [base for base in BASELINES if base != method] if wish.compare else []
    mappings: list[ChipMapping] = []
    failed: dict[str, str] = {}
    for each in (method, *others):
        try:
            mapping = map_graph(graph, chip, method=each, inputs=wish.inputs, seed=wish.seed)
        except InfeasibleError as error:
            if each == method:
                raise
            failed[each] = str(error)
            continue
        broken = check_mapping(net, chip, mapping.cores)
        if broken:
            raise InternalError(
                f"Method {each!r} broke a limit of {chip.name}: {broken[0]}. This is a bug in "
                "eventsim; please report it with the network and the chip."
            )
        mappings.append(mapping)
    return mappings, failed


def _congestion(
    net: Network, tape: SpikeTape, mapping: ChipMapping, wish: Wish
) -> Congestion | None:
    if not {"hop_ew", "hop_ns"} & set(mapping.chip.latency):
        say(f"{mapping.chip.name}: no latency of a hop is published, so none of spikes follows.")
        return None
    return congestion(net, tape, mapping, window_ms=wish.window_ms)


def _study(net: Network, data: Recordings, chip: Chip, wish: Wish) -> list[StudyRow]:
    if chip.formats is None:
        if wish.bits:
            raise MappingError(f"Chip {chip.name!r}: has no number formats, leave out --bits.")
        return []
    score = None
    if data.labelled is not None and data.config is not None:
        labelled, config = data.labelled, data.config

        def accuracy(network: Network) -> float:
            return evaluate(network, labelled, config).accuracy

        score = accuracy
    return quantisation_study(
        net, data.stream, chip, bits=wish.bits, score=score, backend=wish.backend
    )


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

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)


def show(found: Mapping[str, Any]) -> None:
    """Tables: mappings side by side, latencies, number formats; and the files."""
    mappings = found["mappings"]
    columns = ["", *(m["method"].replace("_", "-") for m in mappings)]
    rows = [["cores used", *(m["cores_used"] for m in mappings)]]
    for resource in mappings[0]["fill"]:
        name = resource.replace("_", " ")
        fills = [m["fill"][resource] for m in mappings]
        rows.append(
            [f"{name} of the fullest core", *(f"{f['most']:,} of {f['limit']:,}" for f in fills)]
        )
    for key, name in (
        ("spikes_between_cores", "spikes between cores"),
        ("spikes_from_outside", "spikes from outside to cores"),
        ("hop_weighted_spikes", "links passed by spikes"),
        ("hops_east_west", "  between cores, east-west"),
        ("hops_north_south", "  between cores, north-south"),
        ("hops_from_outside", "  from outside"),
        ("busiest_link", "spikes on the busiest link"),
    ):
        rows.append([name, *(f"{m['traffic'][key]:,}" for m in mappings)])
    if len(mappings) > 1:
        own = mappings[0]["traffic"]["hop_weighted_spikes"]
        against = [_less(own, m["traffic"]["hop_weighted_spikes"]) for m in mappings[1:]]
        rows.append([f"links: {columns[1]} has", "", *against])
    title = f"{found['network']} on {found['title']}, {found['recordings']} recordings"
    show_table(f"{title}; every limit checked", columns, rows)
    for method, reason in found["failed"].items():
        typer.echo(f"{method.replace('_', '-')}: {reason}")
    _show_latencies(found["congestion"])
    _show_study(found["study"])
    for file in found["files"]:
        typer.echo(f"Written: {file}")


def _less(own: int, other: int) -> str:
    if other == 0:
        return "as many" if own == 0 else "more"
    return f"{percent(1.0 - own / other)} fewer"


def _show_latencies(found: Mapping[str, Any] | None) -> None:
    if found is None:
        return
    where = "none"
    if found["peak_link"] is not None:
        way, x, y = found["peak_link"]
        where = f"{found['peak']:,} ({way} of tile {x}, {y})"
    rows = [
        ["spikes that leave their tile", f"{found['packets']:,}"],
        ["median latency", f"{found['median_ns']:,.1f} ns"],
        ["99th percentile", f"{found['percentile_99_ns']:,.1f} ns"],
        ["worst", f"{found['worst_ns']:,.1f} ns"],
        ["longest wait", f"{found['worst_waiting_ns']:,.1f} ns"],
        [f"most on one link in {found['window_ms']:g} ms", where],
    ]
    show_table(f"On the mesh, {found['link_ns']:g} ns a link", ["", ""], rows)


def _show_study(study: Sequence[Mapping[str, Any]]) -> None:
    if not study:
        return
    names = ["as trained", "the chip's formats", *("" for _ in study[2:])]
    rows = [
        [
            name or "fewer or more bits",
            row["bits"] or "-",
            f"{row['spikes']:,}",
            percent(row["without_partner"]),
            "-" if row["score"] is None else percent(row["score"]),
        ]
        for name, row in zip(names, study, strict=True)
    ]
    lost = f"spikes lost or moved by > {study[0]['window_ms']:g} ms"
    columns = ["number formats", "bits of weights", "spikes", lost, "accuracy"]
    show_table("Rounded to the chip, simulated again in exact time", columns, rows)
