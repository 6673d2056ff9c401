"""``eventsim export`` and ``eventsim import``: networks to and from other programs."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eventsim.cli.begin import how_read, show_read
from eventsim.cli.checks import left_out
from eventsim.cli.events import audio_of, check_exact, find_for, find_network, folder_of
from eventsim.cli.options import (
    JsonOption,
    NetArgument,
    SamplesOption,
    WhichOption,
    option,
    option_name,
)
from eventsim.cli.reading import MeasuredReading, Reading
from eventsim.cli.terminal import check_passed, present, say, show_table, stdout
from eventsim.conformance.round_trip import RoundTrip, round_trip
from eventsim.embedded import CExport, export_c
from eventsim.errors import ParameterError
from eventsim.events import AudioTables, Dataset, EventStream, poisson
from eventsim.network import Network
from eventsim.network.nir import NirWarning, read_nir, write_nir
from eventsim.report.web import UNKNOWN, WebExport, export_web

N_SAMPLES, DURATION, RATE = 4, 200.0, 50.0  # of the events of a check: ms, events per second
Program = Literal["norse", "snntorch", "spikingjelly", "rockpool"]
Unit = Literal["s", "ms"]
# Options that not every format has.
OF: Mapping[str, tuple[str, ...]] = {
    "nir": ("target", "dt", "lossy", "time_unit"),
    "c": ("name", "bits"),
    "web": ("bits",),
}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of ``eventsim export``: format, target program, and recordings of the check."""

    to: Literal["nir", "c", "web"] = option(
        "nir", "Format: a NIR file, C99 for small processors, or a web page that runs the network."
    )
    name: str = option("network", "C: prefix of files and symbols.")
    bits: int | None = option(None, "C and web: round the weights to 4 or 8 bits.", min=1)
    target: Program | None = option(None, "Program that will read it; plain NIR by default.")
    dt: float | None = option(None, "Time step that the target will run with, ms.")
    time_unit: Unit = option("s", "Unit of times in the file.")
    lossy: bool = option(
        False, "Warn of what the target program cannot express, in place of an error.", "--lossy"
    )
    which: WhichOption = "last"
    events: str | None = option(
        None,
        "Events for the check, or for the page: a data set, or a file of events. For C and "
        "web by default the run's own.",
    )
    samples: SamplesOption = 10


def export_command(
    net: NetArgument,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="NIR file to write; for C and web a folder.")
    ],
    *,
    asked: ExportOptions,
    reading: MeasuredReading,
    as_json: JsonOption = False,
) -> None:
    """Write a network for other programs, read it back, and compare the spikes of both.

    Plain NIR takes a spike as an impulse. Norse, snnTorch, SpikingJelly and Rockpool take it as 1
    for one time step: name the program that will read the file. Parts of the network that it cannot
    express are an error. With --lossy they are left out with a warning, such as the refractory
    times of eventsim train. The exit code is 1 if the check fails.

    With --to c the network becomes C99 without allocation: the same spikes, to the bit, as backend
    cpu in single precision. A test in the folder holds recordings, and their spikes.

    With --to web it becomes one page, index.html, that runs the network in a browser, without a
    server: with the same spikes, on recordings in the page or on a file of events.

    [bold]Examples[/bold]

    eventsim export runs/demo --out demo.nir

    eventsim export runs/demo --to c --name digits --out digits

    eventsim export runs/demo --to web --out page

    eventsim export runs/demo --target norse --dt 0.1 --lossy --out demo.nir
    """
    network = find_network(net, which=asked.which)
    _refuse_others(asked)
    if asked.to != "nir":
        check_exact(folder_of(net), f"--to {asked.to}")
        recordings, read = _recordings(net, network, asked, reading)
        written = _write(asked, network, out, recordings, title=net)
        found = {"network": str(net), **written.to_dict(), "read": read}
        present(found, _show_c if asked.to == "c" else _show_web, as_json=as_json)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NirWarning)
        write_nir(
            network,
            out,
            target=asked.target,
            dt=asked.dt,
            time_unit=asked.time_unit,
            lossy=asked.lossy,
        )
    for entry in caught:
        say(f"warning: {entry.message}")
    if asked.events is None:
        stream, read = poisson_events(network), dict[str, Any]()
    else:
        named = find_for(net, asked.events, reading)
        stream, _ = named.some(asked.samples)
        read = how_read(named)
    trip = round_trip(network, stream, path=out, target=asked.target)
    found = {
        "network": str(net),
        "file": str(out),
        "bytes": out.stat().st_size,
        "target": asked.target,
        "warnings": [str(entry.message) for entry in caught],
        "check": _check(trip, stream, asked.events) | {"read": read},
    }
    present(found, _show_export, as_json=as_json)
    check_passed(found["check"]["passed"])


def _refuse_others(asked: ExportOptions) -> None:
    """Raise ParameterError for options that are of another format."""
    plain = ExportOptions()
    for owner, its in OF.items():
        others = [name for name in its if name not in OF[asked.to]]
        given = [name for name in others if getattr(asked, name) != getattr(plain, name)]
        names = ", ".join(map(option_name, given))
        left_out(given, f"--to {asked.to}", f"does not take {names}, only {owner.upper()} does")


def _write(
    asked: ExportOptions, net: Network, out: Path, recordings: EventStream | Dataset, *, title: Path
) -> CExport | WebExport:
    """The network as C, or as a page with the name of its run as title."""
    if asked.to == "web":
        return export_web(
            net, out, recordings=recordings, title=title.stem, bits=asked.bits, audio=_audio(title)
        )
    stream = recordings.stream if isinstance(recordings, Dataset) else recordings
    return export_c(net, out, stream=stream, name=asked.name, bits=asked.bits)


def _audio(net: Path) -> AudioTables | str:
    """The streaming cochlea whose events a network has learned, or why a page cannot have it."""
    found = audio_of(net)
    if found is None:
        return UNKNOWN
    data, audio = found
    if not audio.encoder.streaming:
        return (
            f"the network has learned events of {data.title}, whose cochlea hears a whole "
            "recording before its first event. Train it with --encoder streaming=true"
        )
    if data.round_times is not None:
        return f"the run has rounded its times to {data.round_times:g} ms, and a page does not"
    try:
        return audio.encoder.tables(audio.sample_rate)
    except ParameterError as error:
        return str(error).rstrip(".")


def _recordings(
    net: Path, network: Network, asked: ExportOptions, reading: Reading
) -> tuple[EventStream | Dataset[EventStream], dict[str, Any]]:
    """Recordings of the run's data, or as they are named; random events where there are none."""
    if asked.events is None and not net.is_dir():
        return poisson_events(network), {}
    named = find_for(net, asked.events, reading)
    stream, labels = named.some(asked.samples)
    return stream if labels is None else labels, how_read(named)


def _show_c(found: Mapping[str, Any]) -> None:
    """The C code that was written, its memory and operations, as a table."""
    typer.echo(f"{found['network']} -> {found['folder']}: C99, prefix {found['name']}_")
    linear = found["flops_linear"]
    rows = [
        ["constants, flash (code comes beside)", f"{found['flash']:,} bytes"],
        ["one network, RAM", f"{found['ram']:,} bytes"],
        *([f"queue of {k}", f"{room:,} arrivals"] for k, room in found["rooms"].items()),
        ["queues are twice what waited in", f"{found['waited']:,} recordings (--samples)"],
        ["operations per four arrivals, about", f"{found['flops']:,}"],
        *([["of linear neurons", f"{linear:,}"]] if linear else []),
        ["recorded test", f"{found['recordings']:,} recordings, {found['spikes']:,} spikes"],
    ]
    show_table("", ["", ""], rows)
    show_read(found["read"])
    typer.echo(f"Compile and test: make -C {found['folder']} test")


def _show_web(found: Mapping[str, Any]) -> None:
    """The web page that was written, and its parts, as a table."""
    typer.echo(f"{found['network']} -> {found['file']}: a page of {found['size']:,} bytes")
    rows = [
        ["engine, WebAssembly", f"{found['engine']:,} bytes"],
        ["network", f"{found['network_bytes']:,} bytes"],
        ["recordings to choose", f"{found['recordings']:,}, {found['events']:,} events"],
        ["audio, from files and a microphone", "yes" if found["audio"] else "no"],
    ]
    show_table("", ["", ""], rows)
    if not found["audio"]:
        stdout().print(f"No audio, since {found['no_audio']}.", markup=False, soft_wrap=True)
    show_read(found["read"])


def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NIR file.")],
    out: Annotated[Path, typer.Option(metavar="NET", help="Network file to write, .npz.")],
    source: Annotated[
        Program | None, typer.Option(help="Program that wrote it, if it was not eventsim.")
    ] = None,
    dt: Annotated[
        float | None, typer.Option(help="How long a step of that program lasted, ms.")
    ] = None,
    time_unit: Annotated[
        Unit | None, typer.Option(help="Unit of times in the file, if the file does not say it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a NIR file into a network file, which other commands take.

    A node that eventsim cannot express is an error with its name. In files of Norse, snnTorch,
    SpikingJelly and Rockpool a spike lasts one time step, and none says how long that was in
    training: name the program by --source, the step by --dt.

    [bold]Examples[/bold]

    eventsim import demo.nir --out net.npz

    eventsim import model.nir --source norse --dt 1 --out net.npz
    """
    net = read_nir(file, source=source, dt=dt, time_unit=time_unit)
    net.save(out)
    found: dict[str, Any] = {
        "file": str(file),
        "network": str(out),
        "source": source,
        "dt": dt,
        "populations": [
            {"name": p.name, "kind": p.kind, "neurons": p.size}
            | {key: [float(v.min()), float(v.max())] for key, v in p.parameters.items()}
            for p in net.populations.values()
        ],
        "projections": [
            {"name": p.name, "kind": p.kind, "weights": int(p.values.size)}
            for p in net.projections.values()
        ],
    }
    present(found, _show_import, as_json=as_json)


def poisson_events(net: Network, *, seed: int = 0) -> EventStream:
    """Random events on every channel, where a check has none of its own."""
    return poisson(
        RATE, n_channels=net.input.size, duration=DURATION, n_samples=N_SAMPLES, seed=seed
    )


def _check(trip: RoundTrip, stream: EventStream, events: str | None) -> dict[str, Any]:
    about = events or f"Poisson events, {RATE:g}/s on every channel"
    return trip.to_dict() | {"events": f"{about}; {stream.n_samples} x, {stream.n_events:,}"}


def _show_export(found: Mapping[str, Any]) -> None:
    """The NIR file that was written, and the result of the check."""
    form = f"for {found['target']}" if found["target"] else "plain NIR"
    typer.echo(f"{found['network']} -> {found['file']} ({form}, {found['bytes']:,} bytes)")
    _show_check(found)
    show_read(found["check"]["read"])


def _show_import(found: Mapping[str, Any]) -> None:
    """Populations and projections that were read, as tables, and the source of the step."""
    rows = [
        [p["name"], p["kind"], f"{p['neurons']:,}", _range(p, "tau_mem"), _range(p, "tau_syn")]
        for p in found["populations"]
    ]
    columns = ["population", "kind", "neurons", "tau_mem ms", "tau_syn ms"]
    show_table(f"{found['file']} -> {found['network']}", columns, rows, numbers=2)
    rows = [[p["name"], p["kind"], f"{p['weights']:,}"] for p in found["projections"]]
    show_table("", ["projection", "kind", "weights"], rows, numbers=2)
    if found["dt"] is not None:
        typer.echo(
            f"A step of {found['source'] or 'the program'} lasted {found['dt']:g} ms, as --dt "
            "says: tau_mem and tau_syn above follow from it."
        )


def _range(population: Mapping[str, Any], key: str) -> str:
    if key not in population:
        return "-"
    low, high = population[key]
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _show_check(found: Mapping[str, Any]) -> None:
    check, who = found["check"], found["target"] or "other programs"
    populations, elsewhere = check["populations"], check["elsewhere"]
    rows = [
        [
            name,
            f"{p['spikes']:,}",
            f"{p['spikes_after']:,}",
            "identical" if p["identical"] else f"{p['worst_ms']:.1e}",
            f"{elsewhere[name]['spikes_after']:,}" if elsewhere else "without bound",
        ]
        for name, p in populations.items()
    ]
    rows += [
        [name, "", "", f"{value:.1e} of the integral" if value else "identical", ""]
        for name, value in check["readouts"].items()
    ]
    if check["decision"] is not None:
        rows.append(
            ["linear decision", "", "", "identical" if check["decision"] else "CHANGED", "none"]
        )
    if not check["sharing"]:
        rows.append(["shared values", "", "", "CHANGED", ""])
    columns = ["population", "spikes", "after", "worst difference ms", f"in {who}"]
    show_table(f"Round trip ({check['events']} events, in exact time)", columns, rows)
    if not any(p["spikes"] for p in populations.values()):
        typer.echo("No neuron fired: the check says little. Name events with --events.")
    typer.echo(f"Round trip {'passed' if check['passed'] else 'FAILED'}{_only_here(check, who)}.")


def _only_here(check: Mapping[str, Any], who: str) -> str:
    """A clause on the round trip of a network that metadata holds in part."""
    if check["kept"]:
        return ""
    told = " in eventsim, which reads its own metadata. "
    if check["elsewhere"] is None:
        return f"{told}Without it, as {who} will read the file, neurons fire without bound"
    differ = sum(p["trains_that_differ"] for p in check["elsewhere"].values())
    worst = max(p["worst_ms"] for p in check["elsewhere"].values())
    return (
        f"{told}Without it, as {who} will read the file, {differ:,} trains (a neuron in a "
        f"recording) have another number of spikes, and others differ by up to {worst:.2g} ms"
    )
