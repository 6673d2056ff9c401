"""``eventsim evaluate``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.chips import Formats, load_chip
from eventsim.cli import completion, terminal
from eventsim.cli import options as opt
from eventsim.cli.begin import show_read
from eventsim.cli.checks import left_out
from eventsim.cli.events import check_exact, find_for, find_network, folder_of, run_of
from eventsim.cli.measured import MeasuredPart, say_measured
from eventsim.cli.reading import Reading
from eventsim.cli.regression import has_targets
from eventsim.cli.targets import (
    check_tells_values,
    measured_fit,
    read_wanted,
    show_fit,
    stored_wanted,
)
from eventsim.clocked import Grid
from eventsim.engine.contract.compiling import SHOWN, Watch, compile_seconds
from eventsim.events import AnyDataset
from eventsim.hardware.quantise import formats_of, quantise
from eventsim.measures import INTERVAL, interval_text, measure_name, wilson
from eventsim.network import Network
from eventsim.report.numbers import percent
from eventsim.runs.run import Run, on_backend
from eventsim.train import TrainConfig, evaluate, predict_over_time
from eventsim.train.choice import config_of, in_classes_of
from eventsim.train.evaluation import MOST_CONFUSED, Evaluation
from eventsim.train.latency import MARGIN, SHARES, require_margin
from eventsim.train.parts import Members

EvaluatedArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="Data set, or file with labels or targets; by default the run's own.",
        autocompletion=completion.complete_data,
    ),
]


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of ``eventsim evaluate``: the network, recordings, and measures beside accuracy."""

    which: opt.WhichOption = "last"
    targets: Path | None = opt.option(
        None,
        "Regression with a network of your own: an npz file with the arrays targets (samples "
        "x times x outputs) and times (ms). Prints mean squared error and R2; labels are not "
        "read.",
        metavar="FILE",
    )
    latency: bool = opt.option(
        False,
        "Also the time of the answer: accuracy by the share of a recording that is read, "
        "latency, and early exit, in exact time.",
        "--latency",
    )
    margin: float = opt.option(
        MARGIN, "Margin of the early exit of --latency: lead of the best class, in probability."
    )
    samples: opt.SamplesOption = None
    chip: str | None = opt.chip_option(
        None,
        "Also evaluate with the number formats of a chip, in exact time and in its time step. "
        "A name, or a TOML file of your own.",
    )
    bits: int | None = opt.option(
        None,
        "Bits of a weight, in place of the chip's. By default those of the training, if the "
        "run was trained for this chip. Without --chip only weights are rounded.",
        min=1,
    )
    dt: float | None = opt.option(
        None, "Time step, at most 1; by default the chip's.", metavar="MS"
    )


def evaluate_command(
    run: opt.RunArgument,
    data: EvaluatedArgument = None,
    *,
    reading: Annotated[Reading, "file", "split"],
    asked: EvaluateOptions,
    machine: opt.Machine,
    fail_under: opt.FailUnderOption = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Accuracy, loss, confusion matrix, spike rates and synaptic operations of a trained network.

    Of regression: mean squared error and R2.

    [bold]Examples[/bold]

    eventsim evaluate runs/demo

    eventsim evaluate runs/demo --network selected --json

    eventsim evaluate net.npz fsdd

    eventsim evaluate runs/demo --fail-under 0.9

    eventsim evaluate runs/values

    eventsim evaluate follower.npz events.h5 --targets wanted.npz

    eventsim evaluate runs/demo --chip loihi

    eventsim evaluate runs/demo --latency --margin 0.8
    """
    machine.ready()
    mine = folder_of(run, machine.backend)
    if (
        (mine is not None and mine.settings.fits_values)
        or asked.targets is not None
        or has_targets(data)
    ):
        _check_alone(asked, fail_under)
        terminal.present(_fit(run, mine, data, reading, asked, machine), show_fit, as_json=as_json)
        return
    require_margin("--margin", asked.margin)
    if asked.latency:
        check_exact(mine, "--latency")
    net = find_network(run, which=asked.which)
    named = find_for(run, data, reading)
    recordings = in_classes_of(net, named.fewer(asked.samples).labelled())
    measured = say_measured(run, named, recordings.stream)
    target, compiled = _target(mine, asked.chip, asked.bits, asked.dt), compile_seconds()
    config = config_of(net, str(run)) if mine is None else mine.config
    config = on_backend(config, machine.backend)
    runs_on, began = terminal.say_backend(config.backend), Watch()
    method = None if mine is None else mine.settings.method
    found = evaluate(net, recordings, config, method=method)
    rounded = None if target is None else _on_chip(net, recordings, config, target)
    over_time = _over_time(net, recordings, config, asked.margin) if asked.latency else None
    values = {
        "run": str(run),
        "network": asked.which if run.is_dir() else None,
        "data": named.name,
        "split": named.part,
        "measured": measured.to_dict(),
        **_found(found, recordings),
        "on_chip": rounded,
        "over_time": over_time,
        "backend": runs_on.name,
        "device": runs_on.device,
        "seconds": began.seconds(),
        "compile_seconds": compile_seconds() - compiled,
    }
    for one in found.silent:
        terminal.say(str(one))
    terminal.present(values, _show, as_json=as_json)
    terminal.check_reached(found.accuracy, fail_under)


def _fit(
    place: Path,
    run: Run | None,
    data: str | None,
    reading: Reading,
    asked: EvaluateOptions,
    machine: opt.Machine,
) -> dict[str, Any]:
    """Errors and R2 of a network, read from ``place``, against its targets; plain values."""
    check_exact(run, "evaluate of values")
    config = on_backend(TrainConfig(), machine.backend) if run is None else run.config
    net, named = find_network(place, which=asked.which), find_for(place, data, reading)
    at = asked.targets
    run = run or run_of(place)
    check_tells_values(net, run)
    wanted = stored_wanted(named, net, run) if at is None else read_wanted(at, net, run)
    return measured_fit(place, named, net, wanted, config, run)


def _check_alone(asked: EvaluateOptions, fail_under: float | None) -> None:
    """Raise ParameterError for options that say something of classes."""
    others = {
        "--latency": asked.latency, "--samples": asked.samples, "--chip": asked.chip,
        "--bits": asked.bits, "--dt": asked.dt, "--fail-under": fail_under is not None,
    }  # fmt: skip
    for name, value in others.items():
        left_out(value, name, "regression (--targets, or a run of values) has no classes")


def _found(found: Evaluation, data: AnyDataset) -> dict[str, Any]:
    """The evaluation as plain values: accuracy, loss, confusion, rates, synaptic operations."""
    return {
        "samples": found.n_samples,
        "groups": Members.of_data(data).groups,
        "accuracy": found.accuracy,
        "accuracy_interval": list(found.interval),
        "accuracy_by_class": found.by_class(data.class_names),
        "loss": found.loss,
        "label_error_rate": found.label_error_rate,
        "late_begin": None if found.late is None else found.late.to_dict(),
        "classes": list(data.class_names),
        "confusion": found.confusion.tolist(),
        "spikes_per_neuron_and_second": {k: float(v.mean()) for k, v in found.rates.items()},
        "silent": [one.population for one in found.silent],
        "synaptic_events_per_sample": dict(found.synaptic_events),
    }


@dataclass(frozen=True)
class _Target:
    """The numbers of a chip, in words and as :func:`eventsim.mapping.quantise` takes them."""

    chip: str | None
    formats: Formats
    step_ms: float | None


def _target(
    run: Run | None, chip: str | None, bits: int | None, dt: float | None
) -> _Target | None:
    """Chip, number formats and time step of the options; None for exact time alone."""
    if chip is None and bits is None and dt is None:
        return None
    check_exact(run, "--chip, --bits and --dt")
    formats, step_ms = Formats(), dt
    if chip is not None:
        formats, step_ms = formats_of(load_chip(chip), dt)
        trained = None if run is None else run.config.quantise
        if bits is None and trained is not None and trained.chip == chip:
            bits = trained.bits
    if bits is not None:
        formats = replace(formats, weight_bits=bits)
    return _Target(chip, formats, step_ms)


def _on_chip(
    net: Network, data: AnyDataset, config: TrainConfig, target: _Target
) -> dict[str, Any]:
    """Accuracies with the numbers of a chip, in exact time and in steps."""
    rounded = quantise(net, target.formats, step_ms=target.step_ms)
    for misfit in rounded.misfits:
        terminal.say(f"{target.chip or 'rounded'}: {misfit}")
    steps = None
    if target.step_ms is not None:
        steps = evaluate(rounded.net, data, config, method=Grid(dt=target.step_ms)).accuracy
    exact = evaluate(rounded.net, data, config).accuracy
    n = len(data)
    return {
        "chip": target.chip,
        "weight_bits": target.formats.weight_bits,
        "step_ms": target.step_ms,
        "accuracy": exact,
        "accuracy_interval": list(wilson(exact, n)),
        "accuracy_in_steps": steps,
        "accuracy_in_steps_interval": None if steps is None else list(wilson(steps, n)),
    }


def _chip_rows(found: Mapping[str, Any] | None, n: int) -> list[list[str]]:
    """Accuracies beside the exact one."""
    if found is None:
        return []
    numbers = [] if found["chip"] is None else [f"numbers of {found['chip']}"]
    if found["weight_bits"] is not None:
        numbers.append(f"weights of {found['weight_bits']} bits")
    with_numbers = ", ".join(numbers) or "nothing rounded but delays"
    rows = [[f"accuracy, {with_numbers}, exact time", _within(found["accuracy"], n)]]
    if found["accuracy_in_steps"] is not None:
        text = f"accuracy, the same in steps of {found['step_ms']:g} ms"
        rows.append([text, _within(found["accuracy_in_steps"], n)])
    return rows


def _within(accuracy: float, n: int) -> str:
    """An accuracy with its interval."""
    return f"{percent(accuracy)} ({interval_text(accuracy, n)})"


def _over_time(
    net: Network, data: AnyDataset, config: TrainConfig, margin: float
) -> dict[str, Any]:
    """Accuracy by the share of a recording that is read, latency and early exit; plain values."""
    decided = predict_over_time(
        net, data.stream, tail=config.tail, backend=config.backend, precision=config.precision
    )
    return {
        "shares": SHARES.tolist(),
        "accuracy": decided.accuracy(data.labels).tolist(),
        **decided.summary(data.labels, margin=margin),
    }


def _show(found: Mapping[str, Any]) -> None:
    """An evaluation as tables."""
    which = "" if found["network"] is None else f" ({found['network']})"
    title = f"{found['run']}{which} on {found['data']}, {found['split']}"
    compiling = found["compile_seconds"]
    measured = MeasuredPart(**found["measured"])
    rows = [
        ["accuracy", percent(found["accuracy"])],
        [INTERVAL, interval_text(found["accuracy"], found["samples"])],
        *_chip_rows(found["on_chip"], found["samples"]),
        ["loss", f"{found['loss']:.4f}"],
        *terminal.label_error_row(found),
        ["recordings", str(Members(found["samples"], found["groups"]))],
        *([["chosen", measured.chosen]] if measured.chosen else []),
        ["of these", measured.about_training],
        *terminal.late_row(found),
        *(
            [f"{name}: {measure_name('rate')}", f"{rate:.1f}"]
            for name, rate in found["spikes_per_neuron_and_second"].items()
        ),
        *(
            [f"{name}: {measure_name('synaptic_operations')} per recording", f"{number:,.0f}"]
            for name, number in found["synaptic_events_per_sample"].items()
        ),
        ["time", f"{found['seconds']:.2f} s"],
        *([["compiling of kernels", f"{compiling:.2f} s"]] if compiling >= SHOWN else []),
    ]
    terminal.show_table(title, ["", ""], rows)
    show_read(found["measured"]["read"])
    if found["over_time"] is not None:
        _show_over_time(found["over_time"] | {"n_samples": found["samples"]})
    if found["accuracy_by_class"]:
        from eventsim.report import tables

        terminal.print_table(tables.classes(found["accuracy_by_class"]))
    if not found["confusion"]:
        typer.echo(f"Confusion matrix: left out, of more than {MOST_CONFUSED} classes.")
        return
    classes = found["classes"]
    columns = ["true / answered", *classes]
    columns += [f"#{k}" for k in range(len(classes), len(found["confusion"][0]))]
    matrix = [
        [name, *(number or "." for number in counts)]
        for name, counts in zip(classes, found["confusion"], strict=True)
    ]
    terminal.show_table("Confusion matrix", columns, matrix)


def _show_over_time(found: Mapping[str, Any]) -> None:
    """Accuracy by share of the time, latency and early exit."""
    from eventsim.report.tables import latency

    accuracy = dict(zip(found["shares"], found["accuracy"], strict=True))
    n = found["n_samples"]
    rows = [[percent(share), _within(accuracy[share], n)] for share in (0.25, 0.5, 0.75, 1.0)]
    title = "Accuracy by the share of a recording that is read, with its 95 % interval"
    terminal.show_table(title, ["read", "accuracy"], rows)
    terminal.print_table(latency(found))
