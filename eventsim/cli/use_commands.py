"""``eventsim evaluate`` and ``eventsim simulate``."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from eventsim.cli.events import Reading, find_for, find_network, find_stream
from eventsim.cli.options import set_threads, with_precision
from eventsim.cli.terminal import label_error_row, percent, say_backend, show_table
from eventsim.engine import Precision, simulate
from eventsim.events import EventStream, SpikeTape
from eventsim.network import Network
from eventsim.runs.run import Which, load_run
from eventsim.train import evaluate
from eventsim.train.choice import config_of, in_classes_of
from eventsim.train.prediction import read_answers

__all__ = [
    "Reading",
    "evaluate_run",
    "find_stream",
    "set_threads",
    "show_evaluation",
    "show_simulation",
    "simulate_events",
]

MS_PER_S = 1000.0
MOST_ANSWERS = 20  # classes in the table of a simulation


def evaluate_run(
    run: Path,
    data: str | None,
    reading: Reading,
    *,
    which: Which,
    backend: str | None,
) -> dict[str, Any]:
    """Evaluate a network on a split of ``data``, or of the run's own data set.

    A run is evaluated by its settings, a network file by the network's own answer. Classes are
    those of the network, by their names.
    """
    mine = load_run(run).on(backend) if run.is_dir() else None
    net = find_network(run, which=which)
    named = find_for(run, data, reading)
    recordings = in_classes_of(net, named.labelled())
    if mine is not None:
        runs_on, began = say_backend(mine.config.backend), time.perf_counter()
        found = mine.evaluate(recordings, which=which)
    else:
        config = config_of(net, str(run))
        if backend is not None:
            config = replace(config, **with_precision({"backend": backend}))
        runs_on, began = say_backend(config.backend), time.perf_counter()
        found = evaluate(net, recordings, config)
    return {
        "run": str(run),
        "network": which if run.is_dir() else None,
        "data": named.name,
        "split": reading.split if recordings.split else "all",
        "samples": found.n_samples,
        "accuracy": found.accuracy,
        "loss": found.loss,
        "label_error_rate": found.label_error_rate,
        "classes": list(recordings.class_names),
        "confusion": found.confusion.tolist(),
        "spikes_per_neuron_and_second": {k: float(v.mean()) for k, v in found.rates.items()},
        "synaptic_events_per_sample": dict(found.synaptic_events),
        "backend": runs_on.name,
        "device": runs_on.device,
        "seconds": time.perf_counter() - began,
    }


def show_evaluation(found: Mapping[str, Any]) -> None:
    """An evaluation as tables."""
    which = "" if found["network"] is None else f" ({found['network']})"
    title = f"{found['run']}{which} on {found['data']}, {found['split']}"
    rows = [
        ["accuracy", percent(found["accuracy"])],
        ["loss", f"{found['loss']:.4f}"],
        *label_error_row(found),
        ["recordings", f"{found['samples']:,}"],
        *(
            [f"{name}: spikes per neuron and second", f"{rate:.1f}"]
            for name, rate in found["spikes_per_neuron_and_second"].items()
        ),
        *(
            [f"{name}: synaptic events per recording", f"{number:,.0f}"]
            for name, number in found["synaptic_events_per_sample"].items()
        ),
        ["time", f"{found['seconds']:.2f} s"],
    ]
    show_table(title, ["", ""], rows)
    if not found["confusion"]:
        return
    classes = found["classes"]
    columns = ["true / answered", *classes]
    columns += [f"#{k}" for k in range(len(classes), len(found["confusion"][0]))]
    matrix = [
        [name, *(number or "." for number in counts)]
        for name, counts in zip(classes, found["confusion"], strict=True)
    ]
    show_table("Confusion matrix", columns, matrix)


def simulate_events(
    net: Path, stream: EventStream, *, out: Path | None, backend: str, precision: Precision
) -> dict[str, Any]:
    """Run a network; the first call in a process may compile, so the time is of a second run."""
    network = find_network(net)
    runs_on = say_backend(backend)
    began = time.perf_counter()
    simulate(network, stream[:1], backend=backend, precision=precision)
    preparation = time.perf_counter() - began
    began = time.perf_counter()
    tape = simulate(network, stream, backend=backend, precision=precision)
    seconds = time.perf_counter() - began
    if out is not None:
        tape.save(out)
    duration = float(tape.stream.duration.sum()) / MS_PER_S
    return {
        "samples": stream.n_samples,
        "input_events": stream.n_events,
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
        "answers": _answers(network, tape),
        "seconds": seconds,
        "preparation_seconds": preparation,
        "backend": tape.backend,
        "device": runs_on.device,
        "precision": tape.precision,
        "tape": None if out is None else str(out),
    }


def _answers(net: Network, tape: SpikeTape) -> list[str] | None:
    """Name of the class that is answered to every recording; None if the network has no answer."""
    answer = net.answer
    # A string of words without the names of the classes says nothing.
    if answer is None or (answer.rule == "ctc" and not answer.class_names):
        return None
    return list(read_answers(net, tape).names)


def show_simulation(found: Mapping[str, Any]) -> None:
    """A simulation as tables."""
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
        ["population", "spikes", "per neuron and second", "silent neurons"],
        populations,
    )
    total = sum(found["synaptic_events"].values())
    projections = [[name, f"{number:,}"] for name, number in found["synaptic_events"].items()]
    show_table("Synaptic events", ["projection", "events"], [*projections, ["all", f"{total:,}"]])
    if found["answers"] is not None:
        counts = Counter(found["answers"]).most_common(MOST_ANSWERS)
        rows = [[name, f"{number:,}"] for name, number in counts]
        show_table("Most frequent answers", ["class", "recordings"], rows)
    typer.echo(
        f"{found['seconds']:.3f} s on backend {found['backend']}, {found['precision']} precision "
        f"({found['preparation_seconds']:.1f} s to prepare it)"
    )
    if found["tape"] is not None:
        typer.echo(f"Spikes: {found['tape']}")
