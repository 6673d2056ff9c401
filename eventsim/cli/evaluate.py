"""``eventsim evaluate``."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.cli import completion
from eventsim.cli.events import Reading, find_for, find_network
from eventsim.cli.options import (
    BackendOption,
    FileOption,
    JsonOption,
    SamplesOption,
    SplitOption,
    ThreadsOption,
    set_threads,
    with_precision,
)
from eventsim.cli.terminal import label_error_row, percent, present, say, say_backend, show_table
from eventsim.runs.run import Which, load_run
from eventsim.train import evaluate
from eventsim.train.choice import config_of, in_classes_of


def evaluate_command(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder of a finished run, or a network file.",
            autocompletion=completion.complete_net,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Data set, or file with labels; the run's own by default.",
            autocompletion=completion.complete_data,
        ),
    ] = None,
    file: FileOption = None,
    split: SplitOption = "test",
    which: Annotated[
        Which,
        typer.Option("--network", help="After the last epoch, chosen by validation, or untrained."),
    ] = "last",
    samples: SamplesOption = None,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy, loss, confusion matrix, spike rates and synaptic events of a trained network.

    [bold]Examples[/bold]

    eventsim evaluate runs/demo

    eventsim evaluate runs/demo --network selected --json

    eventsim evaluate net.npz fsdd
    """
    set_threads(threads, backend)
    mine = load_run(run).on(backend) if run.is_dir() else None
    net = find_network(run, which=which)
    named = find_for(run, data, Reading(file=file, split=split))
    recordings = in_classes_of(net, named.fewer(samples).labelled())
    if mine is not None:
        runs_on, began = say_backend(mine.config.backend), time.perf_counter()
        found = mine.evaluate(recordings, which=which)
    else:
        config = config_of(net, str(run))
        if backend is not None:
            config = replace(config, **with_precision({"backend": backend}))
        runs_on, began = say_backend(config.backend), time.perf_counter()
        found = evaluate(net, recordings, config)
    values = {
        "run": str(run),
        "network": which if run.is_dir() else None,
        "data": named.name,
        "split": split if recordings.split else "all",
        "samples": found.n_samples,
        "accuracy": found.accuracy,
        "loss": found.loss,
        "label_error_rate": found.label_error_rate,
        "classes": list(recordings.class_names),
        "confusion": found.confusion.tolist(),
        "spikes_per_neuron_and_second": {k: float(v.mean()) for k, v in found.rates.items()},
        "silent": [one.population for one in found.silent],
        "synaptic_events_per_sample": dict(found.synaptic_events),
        "backend": runs_on.name,
        "device": runs_on.device,
        "seconds": time.perf_counter() - began,
    }
    for one in found.silent:
        say(str(one))
    present(values, _show, as_json=as_json)


def _show(found: Mapping[str, Any]) -> None:
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
