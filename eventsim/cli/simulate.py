"""``eventsim simulate``."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from eventsim.arrays import Precision
from eventsim.cli import completion
from eventsim.cli.checks import needed
from eventsim.cli.events import find_network, folder_of
from eventsim.cli.measured import MeasuredPart, find_measured
from eventsim.cli.options import JsonOption, Machine, NetArgument, SamplesOption, option
from eventsim.cli.reading import MeasuredReading
from eventsim.cli.terminal import echo_late, present, say, say_backend, show_table
from eventsim.engine import Explanation, explain, simulate
from eventsim.engine.contract.compiling import SHOWN, Watch, compile_seconds
from eventsim.engine.run.ties import collected_ties
from eventsim.errors import ParameterError
from eventsim.events import SpikeTape
from eventsim.measures import measure_name
from eventsim.network import Network
from eventsim.network.late import warn_late
from eventsim.train.prediction import read_answers

MS_PER_S = 1000.0
MOST_ANSWERS = 20  # classes in the table of a simulation


@dataclass(frozen=True, kw_only=True)
class SimulateOptions:
    """Options of ``eventsim simulate``: recordings, precision, the tape, and explanations."""

    out: Path | None = option(None, "Write all spikes to this .npz file.", metavar="TAPE")
    samples: SamplesOption = None
    precision: Precision = option("double", "")
    explained: list[str] | None = option(
        None,
        "Say why a neuron is silent, or fires so much: events by source, peak of the voltage, "
        "and the factor by which its weights are too small. Without a number: the first "
        "silent neuron and the most active one. Without a recording: the one in which "
        "it fires most, or comes nearest to it.",
        "--explain",
        metavar="POPULATION[:NEURON[:RECORDING]]",
    )


def simulate_command(
    net: NetArgument,
    events: Annotated[
        str,
        typer.Argument(
            metavar="EVENTS",
            help="A data set, or a file of events: .h5, .npz, text, AEDAT, NIR.",
            autocompletion=completion.complete_data,
        ),
    ],
    *,
    asked: SimulateOptions,
    reading: MeasuredReading,
    machine: Machine,
    as_json: JsonOption = False,
) -> None:
    """Run a network on events: spikes, synaptic operations, and the time it took.

    A trained network also runs for its tail after every recording, and its answers are shown.

    [bold]Examples[/bold]

    eventsim simulate runs/demo spoken_digits --samples 10 --out tape.npz

    eventsim simulate net.npz events.npz --backend reference

    eventsim simulate runs/demo spoken_digits --samples 1 --explain hidden1 --explain hidden2:5
    """
    on = machine.ready()
    stream, _, measured = find_measured(net, events, reading, samples=asked.samples)
    network = find_network(net)
    run = folder_of(net)
    if run is not None and run.settings.grid is not None:
        say(f"{net} was trained in steps, and runs here in exact time: predict answers in steps.")
    runs_on = say_backend(on)
    late = warn_late(network, stream)
    began, compiled = Watch(), compile_seconds()
    with collected_ties() as ties:
        tape = simulate(network, stream, backend=runs_on.name, precision=asked.precision)
    seconds = began.seconds()
    reasons = [
        explain(network, tape, population, neuron, sample=sample)
        for population, neuron, sample in _asked(tape, network, asked.explained or ())
    ]
    if asked.out is not None:
        tape.save(asked.out)
    found = {
        "samples": stream.n_samples,
        "measured": measured.to_dict(),
        **_counts(tape),
        "answers": _answers(network, tape),
        "late_begin": None if late is None else late.to_dict(),
        "ties": [one.to_dict() for one in ties],
        "seconds": seconds,
        "compile_seconds": compile_seconds() - compiled,
        "backend": tape.backend,
        "device": runs_on.device,
        "precision": tape.precision,
        "algorithms": dict(tape.algorithms),
        "tape": None if asked.out is None else str(asked.out),
        "explained": [one.to_dict() for one in reasons],
    }
    present(found, partial(_show, reasons=reasons), as_json=as_json)


def _counts(tape: SpikeTape) -> dict[str, Any]:
    """Events and spikes of a run, as plain values."""
    duration = float(tape.stream.duration.sum()) / MS_PER_S
    return {
        "input_events": tape.stream.n_events,
        "seconds_of_input": duration,
        "spikes": {name: len(tape[name]) for name in tape.names},
        "spikes_per_neuron_and_second": {
            name: len(tape[name]) / (tape[name].size * duration) for name in tape.names
        },
        "silent_neurons": {
            name: int((np.bincount(tape[name].neurons, minlength=tape[name].size) == 0).sum())
            for name in tape.names
        },
        "synaptic_events": dict(tape.synaptic_events),
    }


def _asked(
    tape: SpikeTape, net: Network, typed: Sequence[str]
) -> Iterator[tuple[str, int, int | None]]:
    """Population, neuron and recording of what is to be explained; None: not named."""
    for one in typed:
        name, *numbers = one.split(":")
        if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
            raise ParameterError(
                f"--explain {one}",
                "",
                "POPULATION, POPULATION:NEURON or POPULATION:NEURON:RECORDING, such as hidden1:5:0",
            )
        if numbers:
            yield name, int(numbers[0]), int(numbers[1]) if numbers[1:] else None
            continue
        remedy = f"Name a neuron: {one}:0."
        spikes = net.population(name).is_spiking
        needed(spikes, f"--explain {one}", "is no spiking population", remedy)
        counts = tape[name].total_counts()
        if not counts.all():
            yield name, int(counts.argmin()), None
        if counts.any():
            yield name, int(counts.argmax()), None


def _answers(net: Network, tape: SpikeTape) -> list[str] | None:
    """Name of the class that is answered to every recording; None if the network has no answer."""
    answer = net.answer
    # A string of words without the names of the classes says nothing.
    if answer is None or (answer.rule == "ctc" and not answer.class_names):
        return None
    return list(read_answers(net, tape).names)


def _show(found: Mapping[str, Any], reasons: Sequence[Explanation] = ()) -> None:
    """A simulation as tables, and why neurons are silent or active as text."""
    populations = [
        [
            name,
            f"{number:,}",
            f"{found['spikes_per_neuron_and_second'][name]:.1f}",
            found["silent_neurons"][name],
        ]
        for name, number in found["spikes"].items()
    ]
    show_table(
        f"{found['samples']} recordings, {found['input_events']:,} events, "
        f"{found['seconds_of_input']:.1f} s of input",
        ["population", *map(measure_name, ("spikes", "rate", "silent_neurons"))],
        populations,
    )
    total = sum(found["synaptic_events"].values())
    projections = [[name, f"{number:,}"] for name, number in found["synaptic_events"].items()]
    typer.echo(f"Measured: {MeasuredPart(**found['measured'])}")
    echo_late(found)
    for one in found["ties"]:
        typer.echo(one["text"])
    name = measure_name("synaptic_operations")
    rows = [*projections, ["all", f"{total:,}"]]
    show_table(name.capitalize(), ["projection", "number"], rows)
    if found["answers"] is not None:
        counts = Counter(found["answers"]).most_common()
        rows = [[name, f"{number:,}"] for name, number in counts[:MOST_ANSWERS]]
        others = [number for _, number in counts[MOST_ANSWERS:]]
        rows += [[f"{len(others)} other classes", f"{sum(others):,}"]] if others else []
        show_table("Most frequent answers", ["class", "recordings"], rows)
    compiling = found["compile_seconds"]
    apart = f", and {compiling:.1f} s of compiling" if compiling >= SHOWN else ""
    typer.echo(
        f"{found['seconds']:.3f} s on backend {found['backend']}, {found['precision']} precision"
        f"{apart}"
    )
    ways = "; ".join(f"{name} by {what}" for name, what in found["algorithms"].items())
    typer.echo(f"Run: {ways}")
    if found["tape"] is not None:
        typer.echo(f"Spikes: {found['tape']}")
    for one in reasons:
        typer.echo(f"\n{one}")
