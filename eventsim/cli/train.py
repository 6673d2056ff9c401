"""``eventsim train``."""

import os
import shlex
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import typer

from eventsim.cli import completion, regression, terminal
from eventsim.cli import options as opt
from eventsim.cli.checks import left_out, needed, one_alone
from eventsim.cli.events import find_settings
from eventsim.cli.help import HelpAllOption
from eventsim.cli.train_settings import CHOSEN, TypedTraining, config_of, network_of, own_bip
from eventsim.errors import ParameterError, StorageError
from eventsim.folders import locked
from eventsim.measures import INTERVAL, interval_text, measure_name
from eventsim.network import Network
from eventsim.report.numbers import percent, training_times
from eventsim.runs.execution import Execution, Outcome, execute
from eventsim.runs.run import load_run
from eventsim.runs.settings import RunSettings, check_same_run
from eventsim.train import (
    Callback,
    ProcessGroup,
    connect,
)
from eventsim.train.checkpoint import stored_validation
from eventsim.train.folder import RunFolder
from eventsim.train.launch import find_launch, why_no_launch
from eventsim.train.loggers import Progress, Several, TensorBoard
from eventsim.train.loop import early_text

COMMON_OPTIONS = (
    "data", "out", "resume", "test_group", "model", "hidden", "loss", "lr", "epochs", "patience",
    "seed",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunStart:
    """Options of the start of a run, which change no result."""

    out: Path | None = opt.option(
        None,
        "Folder of the run; runs/DATA by default.",
        metavar="FOLDER",
        autocompletion=completion.complete_run,
    )
    resume: bool = opt.option(
        False,
        "Continue the run in --out; it ends with the same numbers as without a stop. With "
        "--epochs: extend it.",
        "--resume",
    )
    overwrite: bool = opt.option(False, "Replace the run in --out, or in runs/DATA.", "--overwrite")
    download: opt.DownloadOption = False
    distributed: bool | None = opt.option(
        None,
        "Whether the processes of torchrun, mpirun or srun train one network together, each "
        "on its own GPU, or one network each.",
        "--distributed/--no-distributed",
    )
    threads: opt.ThreadsOption = None
    tensorboard: bool = opt.option(
        False,
        "Write scalars and histograms of the parameters to tensorboard/ in the folder of "
        "the run (extra tensorboard).",
        "--tensorboard",
    )
    fail_under: opt.FailUnderOption = None
    figures: opt.FiguresOption = None
    help_all: HelpAllOption = False


def train_command(asked: TypedTraining, start: RunStart, as_json: opt.JsonOption = False) -> None:
    """Train a spiking network on recordings with classes or values, test it, and write a report.

    A part of the training data is held out for validation; test data is used only after the end.
    If the test part has other speakers than the training part, so has the validation part.

    --resume --epochs extends a run. The learning rate falls over all epochs of a run. The finished
    epochs have used the schedule of the former number of epochs, so the result differs from a run
    with all epochs from the start.

    With --distributed the numbers depend on --shards, not on the number of processes. A run can be
    resumed with another number of processes.

    [bold]Examples[/bold]

    eventsim train spoken_digits --hidden 128 --hidden 128 --epochs 20

    eventsim train fsdd --no-bip --no-self-recurrent --seed 1 --out runs/plain

    eventsim train --resume --out runs/plain

    eventsim train mine.h5 --test-data later.h5

    eventsim train values.h5 --loss mean_squared_error --hidden 64

    eventsim train mine.h5 --test-group theo --validate recording

    eventsim train --resume --epochs 60 --out runs/plain

    eventsim train spoken_digits --init runs/plain --lr 0.001 --out runs/tuned

    eventsim train fsdd --model rsnn --lateral random --inhibitory 0.2 --dale --delays 1:5

    eventsim train fsdd --loss cross_entropy_maximum --set gain=5 --set augmentation.jitter=3

    eventsim train fsdd --activity-target 12 --activity-chip loihi --sparsity 0.9

    eventsim train fsdd --quantise-bits 4 --out runs/4bit

    eventsim train mine.h5 --epochs 200 --patience 10 --fail-under 0.9

    torchrun --nproc-per-node 4 --no-python eventsim train fsdd --distributed --shards 8
    """
    out = start.out
    opt.forms_of(start.figures)  # a wrong one is told before training
    one_alone(start.resume and start.overwrite, "--resume", "--overwrite")
    if start.resume:
        needed(out, "--resume", "continues a run that is named", "Name it: --out FOLDER.")
        assert out is not None
        settings, folder, net = _resumed(asked, out), out, None
    else:
        settings, net = _started(asked)
        folder = _folder_of(asked, start)
    train_and_show(settings, folder, start, net, as_json=as_json)


def _folder_of(asked: TypedTraining, start: RunStart) -> Path:
    """Folder of a new run; StorageError where a run is."""
    default = Path("runs") / Path(asked.data or "").stem
    folder = start.out or (default if start.overwrite else free_folder(default))
    if RunFolder(folder).holds_run and not start.overwrite:
        raise StorageError(
            folder,
            "holds a run already",
            remedy="Add --resume to continue it or --overwrite to replace it, or choose another "
            "--out.",
        )
    return folder


def _started(asked: TypedTraining) -> tuple[RunSettings, Network | None]:
    """Settings of a new run, and the network that it goes on from, if it is an old one."""
    remedy = "Name a data set (eventsim data list) or a file with labels."
    needed(asked.data, "eventsim train", "no DATA", remedy)
    assert asked.data is not None
    base = regression.base_of(asked)
    train = config_of(asked, base.to_dict())
    network, net = network_of(asked)
    if train.bip == base.bip:
        train = replace(train, bip=(*train.bip, *own_bip(network)))
    data = find_settings(
        asked.data,
        asked.file,
        test_data=asked.test_data,
        more=asked.chosen,
        targets=train.fits_values,
    )
    return RunSettings(data=data, network=network, train=train, command=opt.typed()), net


def _resumed(asked: TypedTraining, folder: Path) -> RunSettings:
    """The settings of the run, with more epochs if they were typed, and nothing else changed."""
    one_alone(asked.init is not None, "--resume", "--init", "the run has its network")
    stored = load_run(folder).settings
    if stored.data is None and stored.train.validate == "auto":
        # A program divided the recordings; those that are named here may follow another division.
        validate = stored_validation(RunFolder(folder).checkpoint)
        stored = replace(stored, train=replace(stored.train, validate=validate))
    remedy = "Continue it by the command of the experiment."
    left_out(stored.grid is not None, folder, "is trained on a grid, by an experiment", remedy)
    data, network = stored.data, stored.network
    if asked.data is not None:
        file, test_data = asked.file, asked.test_data
        if file or test_data or data is None or asked.data != data.name:
            known = {} if data is None else {key: getattr(data, key) for key in CHOSEN}
            values = stored.fits_values
            data = find_settings(asked.data, file, test_data=test_data, more=known, targets=values)
    if asked.chosen and data is not None:
        data = replace(data, **asked.chosen)
    if asked.network and network is not None:
        network = replace(network, **asked.network)
    config = config_of(asked, stored.train.to_dict())
    now = replace(stored, data=data, network=network, train=config)
    check_same_run(folder, now, before=stored, longer=True)
    why = "does not know its recordings: a program gave them to train(..)"
    needed(now.data, folder, why, f"Name them: eventsim train DATA --resume --out {folder}")
    history = load_run(folder).history if config.patience and RunFolder(folder).holds_run else []
    if config.stops_after(history):
        terminal.say(f"{folder}: was {early_text(config, len(history))}. It does not go on.")
    elif config.epochs > stored.train.epochs and config.ease_in < config.epochs:
        terminal.say(
            f"{folder}: is extended from {stored.train.epochs} to {config.epochs} epochs. The "
            "learning rate falls over all epochs of a run, so the numbers are not those of a run "
            f"of {config.epochs} epochs from the start."
        )
    return now


def join(distributed: bool | None, backend: str) -> ProcessGroup:
    """The processes that train together.

    Raises ParameterError (several were started and nobody said whether they belong together, or
    none was started).
    """
    if distributed is False:
        return ProcessGroup()
    launch = find_launch(os.environ)
    if distributed is None:
        if launch is None or launch.size == 1:
            return ProcessGroup()
        raise ParameterError(
            launch.launcher,
            f"started {launch.size} processes, this is number {launch.rank}",
            remedy="Say --distributed to train one network with all of them, or --no-distributed "
            "to train one network with each (then each needs an --out of its own).",
        )
    why, remedy = "no launcher started this process", why_no_launch(os.environ)
    needed(launch, "--distributed", why, remedy)
    return connect(backend)


def train_and_show(
    settings: RunSettings, folder: Path, start: RunStart, net: Network | None, *, as_json: bool
) -> None:
    """Train in the folder, from ``net`` if one is given, test, report, show the result."""
    given = settings.fits_values and start.fail_under is not None
    left_out(given, "--fail-under", "is an accuracy, and values have none")
    group = join(start.distributed, settings.train.backend)
    told = partial(_say_how_to_go_on, folder, group, distributed=bool(start.distributed))
    with terminal.going_on(told), group, locked(folder) if group.leads else nullcontext():
        outcome = _run(settings, folder, start, net, group)
        page = None if outcome is None else _reported(folder, outcome, start)
    if outcome is None:
        return
    found = outcome.result | {"folder": str(folder), "report": str(page)}
    show = regression.show_run if settings.fits_values else _show
    terminal.present(found, show, as_json=as_json)
    if not settings.fits_values:
        terminal.check_reached(found["test"]["accuracy"], start.fail_under)


def _reported(folder: Path, outcome: Outcome, start: RunStart) -> Path:
    """Write the report; what cannot be written leaves a trained network that is saved."""
    forms = opt.forms_of(start.figures)
    try:
        from eventsim.report.write import write_report  # loads Matplotlib

        return write_report(folder, outcome.record, forms=forms)
    except OSError as error:
        raise StorageError(
            folder,
            "the network is trained and saved, but its report could not be written: "
            f"{terminal.refusal(error)}",
            remedy=f"Write it with: eventsim train --resume --out {folder}",
        ) from error


def _run(
    settings: RunSettings, folder: Path, start: RunStart, net: Network | None, group: ProcessGroup
) -> Outcome | None:
    opt.known_backend(settings.train.backend)
    opt.set_threads(start.threads, settings.train.backend)
    if group.leads:
        if start.resume and _is_finished(settings, folder):
            terminal.say(f"{folder}: this run is finished; its report is written again.")
        terminal.say_backend(settings.train.backend)
        if settings.data is not None and settings.data.is_read_here:
            terminal.say(f"data: {settings.data.info.description}; {settings.data.info.splits}")
        if group.size > 1:
            terminal.say(f"processes: {group.size}, for {settings.train.shards} shards of a batch")
    watchers: list[Callback] = [Progress(terminal.stderr())]
    if start.tensorboard:
        watchers.append(TensorBoard(folder / "tensorboard"))
    how = Execution(
        resume=start.resume,
        overwrite=start.overwrite,
        download=start.download,
        own_process=True,
        callback=Several(*watchers),
        group=group,
    )
    return execute(settings, folder, how, net=net)


def _is_finished(settings: RunSettings, folder: Path) -> bool:
    run = load_run(folder)
    train = settings.train
    ended = len(run.history) == train.epochs or train.stops_after(run.history)
    return run.finished and ended


def _say_how_to_go_on(folder: Path, group: ProcessGroup, *, distributed: bool) -> None:
    if not group.leads:
        return
    if not RunFolder(folder).holds_run:
        terminal.say("Stopped before training began. Type the same command to start again.")
        return
    command = f"eventsim train --resume --out {shlex.quote(str(folder))}"
    terminal.say(f"Stopped. What was learned is kept. Continue with:\n  {command}")
    if distributed:
        terminal.say("and --distributed, by your launcher, with as many processes as you like.")


def _time_rows(outcome: Mapping[str, Any]) -> list[list[str]]:
    found = training_times(outcome["training_seconds"], outcome["compile_seconds"])
    return [[name, f"{seconds:.1f} s"] for name, seconds in found.items()]


def free_folder(wanted: Path) -> Path:
    """``wanted``, or the first of wanted-2, wanted-3 .. that holds no run."""
    folder, number = wanted, 1
    while RunFolder(folder).holds_run:
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def _show(outcome: Mapping[str, Any]) -> None:
    """The end of a run as a table."""
    test, selected = outcome["test"], outcome["selected_by_validation"]
    rows = [
        [
            f"held-out accuracy, last epoch ({test['epoch']}), {test['samples']} recordings",
            percent(test["accuracy"]),
        ],
        [f"its {INTERVAL}", interval_text(test["accuracy"], test["samples"])],
    ]
    rows += terminal.label_error_row(test) + terminal.late_row(test)
    if selected is not None:
        text = f"held-out accuracy, epoch {selected['epoch']} (chosen by validation)"
        rows.append([text, percent(selected["accuracy"])])
    rows += terminal.part_rows(outcome["parts"])
    rows += [
        ["guess: always the commonest class of training", percent(outcome["guess_accuracy"])],
        [
            "training accuracy, mean over the last epoch, while learning",
            percent(outcome["train_accuracy"]),
        ],
        [measure_name("rate"), f"{outcome['spikes_per_neuron_and_second']:.1f}"],
        [
            f"{measure_name('synaptic_operations')} per recording",
            f"{outcome['synaptic_events_per_sample']:,.0f}",
        ],
        [measure_name("trained_parameters"), f"{outcome['trained_parameters']:,}"],
        *([["rounded in training", outcome["quantised"]["title"]]] if outcome["quantised"] else []),
        *terminal.end_rows(outcome),
        *_time_rows(outcome),
    ]
    terminal.show_table("Result", ["", ""], rows)
    typer.echo(f"Report: {outcome['report']}")
    typer.echo(f"Evaluate again: eventsim evaluate {outcome['folder']}")
