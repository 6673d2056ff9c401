"""``eventsim train`` and ``eventsim demo``."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from eventsim.cli import demo
from eventsim.cli.events import find_settings
from eventsim.cli.options import option_name
from eventsim.cli.runs import free_folder, read_config_file, resume_command
from eventsim.cli.sources import find_network
from eventsim.cli.terminal import (
    INTERRUPTED,
    emit_json,
    label_error_row,
    percent,
    say,
    say_backend,
    show_table,
    stderr,
)
from eventsim.engine.registry import set_threads as use_threads
from eventsim.entries import parse_word, shown
from eventsim.errors import DataError, ParameterError, StorageError
from eventsim.network import Network
from eventsim.report.write import write_report
from eventsim.runs.data import OWN
from eventsim.runs.execution import Execution, Outcome, execute
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.run import load_run
from eventsim.runs.settings import RunSettings, check_same_run
from eventsim.train import ProcessGroup, RichProgress, TrainConfig, connect
from eventsim.train.folder import RunFolder
from eventsim.train.launch import find_launch, why_no_launch


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was typed; None and absent keys mean not given."""

    data: str | None
    file: Path | None
    test_data: Path | None = None
    network: Mapping[str, Any]
    config: Mapping[str, Any]
    assigned: tuple[str, ...] = ()
    bip: bool | None
    bip_parameters: str | None
    rates: Mapping[str, float]
    config_file: Path | None
    init: Path | None = None
    command: str


@dataclass(frozen=True, kw_only=True)
class Start:
    """How the run starts, which decides no number; None means not given."""

    resume: bool = False
    overwrite: bool = False
    download: bool = False
    distributed: bool | None = None
    threads: int | None = None


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def with_precision(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options; the reference backend, which has no single precision, brings double along."""
    needed = {"precision": "double"} if options.get("backend") == "reference" else {}
    return needed | dict(options)


def set_threads(threads: int | None, backend: str | None) -> None:
    """Let the backend use so many threads, if a number was given."""
    if threads is not None:
        use_threads(threads, backend=backend or "auto")


def run(choice: Choice, out: Path | None, start: Start, *, as_json: bool) -> None:
    """Train as chosen and show the outcome."""
    if start.resume and start.overwrite:
        raise ParameterError("--resume and --overwrite contradict each other.")
    if start.resume:
        if out is None:
            raise ParameterError("--resume: say which run by --out FOLDER.")
        settings, folder, net = _resumed(choice, out), out, None
    else:
        settings, net = _started(choice)
        default = Path("runs") / Path(choice.data or "").stem
        folder = out or (default if start.overwrite else free_folder(default))
        if RunFolder(folder).holds_run and not start.overwrite:
            raise StorageError(
                f"{folder}: holds a run already. Add --resume to continue it or --overwrite to "
                "replace it, or choose another --out."
            )
    _execute(settings, folder, start, net, as_json=as_json)


def _started(choice: Choice) -> tuple[RunSettings, Network | None]:
    """Settings of a new run, and the network that it goes on from, if it is an old one."""
    if choice.data is None:
        raise DataError(
            "eventsim train: no DATA. Name a data set (eventsim data list) or a file with labels."
        )
    settings = RunSettings(
        data=find_settings(choice.data, choice.file, test_data=choice.test_data),
        network=None,
        train=_config(choice, TrainConfig().to_dict()),
        command=choice.command,
    )
    if choice.init is None:
        network = NetworkSettings.from_options(choice.network, called=option_name)
        return replace(settings, network=network), None
    if choice.network:
        name = option_name(next(iter(choice.network)))
        raise ParameterError(f"--init and {name} contradict each other: the network has its shape.")
    return settings, find_network(choice.init)


def run_demo(out: Path, *, epochs: int | None, seed: int | None, as_json: bool) -> None:
    """Run the demo, or continue one that was stopped."""
    folder, resume = out, demo.can_resume(out)
    if resume:
        settings = load_run(out).settings
        say(f"{out} holds a demo that was stopped: going on with it.")
    else:
        folder = free_folder(out)
        if folder != out:
            say(f"{out} holds a finished demo; this one goes to {folder}.")
        settings = demo.settings(folder, epochs=epochs, seed=seed)
        say(demo.INTRODUCTION)
    start = Start(resume=resume, distributed=False)
    _execute(settings, folder, start, None, as_json=as_json)


def _config(choice: Choice, base: Mapping[str, Any]) -> TrainConfig:
    """Settings of the base, then of the file, then of the options."""
    values = dict(base)
    if choice.config_file is not None:
        values |= read_config_file(choice.config_file)
    values |= with_precision(choice.config)
    if choice.bip_parameters is not None:
        if choice.bip is False:
            raise ParameterError("--no-bip and --bip-parameters contradict each other.")
        values["bip"] = [name.strip() for name in choice.bip_parameters.split(",") if name.strip()]
    elif choice.bip is False:
        values["bip"] = []
    elif choice.bip and not values["bip"]:
        values["bip"] = list(TrainConfig().bip)
    if choice.rates:
        values["rates"] = dict(values["rates"]) | dict(choice.rates)
    for text in choice.assigned:
        _assign(values, text)
    return TrainConfig.from_dict(values)


def _assign(values: dict[str, Any], text: str) -> None:
    """Set one key, ``key=value`` or ``group.key=value``, whose value is JSON or a plain word."""
    path, equals, given = text.partition("=")
    if not equals or not path:
        raise ParameterError(f"--set {shown(text)}: expected KEY=VALUE, such as gain=10.")
    value = parse_word(given, f"--set {shown(text)}", ParameterError)
    group, dot, key = path.strip().partition(".")
    if not dot:
        values[group] = value
        return
    if not isinstance(values.get(group), Mapping):
        known = [name for name, held in values.items() if isinstance(held, Mapping)]
        raise ParameterError(
            f"--set {shown(text)}: {shown(group)} is no group of keys, expected one of {known}."
        )
    values[group] = {**values[group], key: value}


def _resumed(choice: Choice, folder: Path) -> RunSettings:
    """The settings of the run, with more epochs if they were typed, and nothing else changed."""
    if choice.init is not None:
        raise ParameterError("--resume and --init contradict each other: the run has its network.")
    stored = load_run(folder).settings
    if stored.grid is not None:
        raise ParameterError(
            f"{folder}: is trained on a grid, by an experiment. Continue it by the command of the "
            "experiment."
        )
    data, network = stored.data, stored.network
    if choice.data is not None:
        file, test_data = choice.file, choice.test_data
        if file or test_data or data is None or choice.data != data.name:
            data = find_settings(choice.data, file, test_data=test_data)
    if choice.network and network is not None:
        network = replace(network, **choice.network)
    config = _config(choice, stored.train.to_dict())
    now = replace(stored, data=data, network=network, train=config)
    check_same_run(folder, now, before=stored, longer=True)
    if now.data is None:
        raise DataError(
            f"{folder}: does not know its data, which a program gave to train(..). Name them: "
            f"eventsim train DATA --resume --out {folder}"
        )
    if config.epochs > stored.train.epochs and config.ease_in < config.epochs:
        say(
            f"{folder}: is extended from {stored.train.epochs} to {config.epochs} epochs. The "
            "learning rate falls over all epochs of a run, so the numbers are not those of a run "
            f"of {config.epochs} epochs from the start."
        )
    return now


def join(distributed: bool | None, backend: str) -> ProcessGroup:
    """The processes that train together.

    Raises
    ------
    ParameterError
        Several were started and nobody said whether they belong together, or none was started.
    """
    if distributed is False:
        return ProcessGroup()
    launch = find_launch(os.environ)
    if distributed is None:
        if launch is None or launch.size == 1:
            return ProcessGroup()
        raise ParameterError(
            f"{launch.launcher} started {launch.size} processes, this is number {launch.rank}. Say "
            "--distributed to train one network with all of them, or --no-distributed to train "
            "one network with each (then each needs an --out of its own)."
        )
    if launch is None:
        raise ParameterError(f"--distributed: {why_no_launch(os.environ)}")
    return connect(backend)


def _execute(
    settings: RunSettings, folder: Path, start: Start, net: Network | None, *, as_json: bool
) -> None:
    group = join(start.distributed, settings.train.backend)
    try:
        with group:
            outcome = _run(settings, folder, start, net, group)
    except KeyboardInterrupt:
        if group.leads:
            _say_how_to_go_on(folder, distributed=bool(start.distributed))
        raise typer.Exit(INTERRUPTED) from None
    if outcome is None:
        return
    page = write_report(folder, outcome.record)
    found = outcome.result | {"folder": str(folder), "report": str(page)}
    emit_json(found) if as_json else show(found)


def _run(
    settings: RunSettings, folder: Path, start: Start, net: Network | None, group: ProcessGroup
) -> Outcome | None:
    set_threads(start.threads, settings.train.backend)
    if group.leads:
        if start.resume and _is_finished(settings, folder):
            say(f"{folder}: this run is finished; its report is written again.")
        say_backend(settings.train.backend)
        if settings.data is not None and settings.data.name == OWN:
            say(f"data: {settings.data.info.description}; {settings.data.info.splits}")
        if group.size > 1:
            say(f"processes: {group.size}, for {settings.train.shards} shards of a batch")
    with RichProgress(stderr()) if group.leads else nullcontext() as progress:
        how = Execution(
            resume=start.resume,
            overwrite=start.overwrite,
            download=start.download,
            own_process=True,
            callback=progress,
            group=group,
        )
        return execute(settings, folder, how, net=net)


def _is_finished(settings: RunSettings, folder: Path) -> bool:
    run = load_run(folder)
    return run.finished and len(run.history) == settings.train.epochs


def _say_how_to_go_on(folder: Path, *, distributed: bool) -> None:
    if not RunFolder(folder).holds_run:
        say("Stopped before training began. Type the same command to start again.")
        return
    say(f"Stopped. What was learned is kept. Continue with:\n  {resume_command(folder)}")
    if distributed:
        say("and --distributed, by your launcher, with as many processes as you like.")


def show(outcome: Mapping[str, Any]) -> None:
    """The end of a run as a table."""
    test, selected = outcome["test"], outcome["selected_by_validation"]
    rows = [
        [
            f"held-out accuracy, last epoch ({test['epoch']}), {test['samples']} recordings",
            percent(test["accuracy"]),
        ]
    ]
    rows += label_error_row(test)
    if selected is not None:
        text = f"held-out accuracy, epoch {selected['epoch']} (chosen by validation)"
        rows.append([text, percent(selected["accuracy"])])
    rows += [
        ["guess: always the commonest class of training", percent(outcome["guess_accuracy"])],
        ["training accuracy, last epoch", percent(outcome["train_accuracy"])],
        ["spikes per neuron and second", f"{outcome['spikes_per_neuron_and_second']:.1f}"],
        ["synaptic events per recording", f"{outcome['synaptic_events_per_sample']:,.0f}"],
        ["trained parameters", f"{outcome['trained_parameters']:,}"],
        ["training time", f"{outcome['training_seconds']:.1f} s"],
    ]
    show_table("Result", ["", ""], rows)
    typer.echo(f"Report: {outcome['report']}")
    typer.echo(f"Evaluate again: eventsim evaluate {outcome['folder']}")
