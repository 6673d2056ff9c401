"""A run from the command line: settings, training, test, report.

Beside the files of :mod:`eventsim.train.loop` and :mod:`eventsim.report` its folder holds

===========  ====================================================================
run.json     data set, shape of the network, command, version: enough to resume
result.json  what was measured on held-out data, written at the end
===========  ====================================================================
"""

import shlex
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

import eventsim
from eventsim.cli.sources import majority_guess
from eventsim.engine import describe_backend
from eventsim.entries import check_types, parse_json_lines, read_json, read_text, read_toml
from eventsim.errors import ParameterError, StorageError
from eventsim.events import AnyDataset
from eventsim.network import Network
from eventsim.report.record import Checked, RunRecord
from eventsim.report.write import write_report
from eventsim.runs.data import DataSettings
from eventsim.runs.files import read_json as read_object
from eventsim.runs.files import write_json
from eventsim.runs.networks import NetworkSettings
from eventsim.train import (
    Evaluation,
    ProcessGroup,
    RichProgress,
    TrainConfig,
    TrainResult,
    evaluate,
    load_network,
    train,
)
from eventsim.train.choice import output_kind, output_size


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides a run: data, network, training; and the command that asks for it."""

    data: DataSettings
    network: NetworkSettings = field(default_factory=NetworkSettings)
    config: TrainConfig = field(default_factory=TrainConfig)
    command: str = ""
    download: bool = False

    def save(self, folder: Path) -> None:
        """Write run.json and config.json."""
        write_json(
            folder / "run.json",
            {
                "data": asdict(self.data),
                "network": asdict(self.network),
                "command": self.command,
                "version": eventsim.__version__,
            },
        )
        write_json(folder / "config.json", self.config.to_dict())

    @classmethod
    def load(cls, folder: Path) -> "RunSettings":
        """Read the settings of a run; raises StorageError if the folder holds none."""
        values = read_object(folder / "run.json")
        try:
            network: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values["network"].items()
            }
            settings = cls(
                DataSettings(**values["data"]),
                NetworkSettings(**network),
                load_config(folder),
                values["command"],
            )
            check_types(settings, where=str(folder / "run.json"), error=StorageError)
            return settings
        except (KeyError, TypeError, AttributeError) as error:
            raise StorageError(
                f"{folder / 'run.json'}: is not whole ({type(error).__name__}: {error})."
            ) from error


def load_config(folder: Path) -> TrainConfig:
    """The TrainConfig of a run."""
    return TrainConfig.from_dict(read_object(folder / "config.json"))


def holds_run(folder: Path) -> bool:
    """Whether a run was started there."""
    return (folder / "checkpoint.npz").exists()


def is_finished(folder: Path) -> bool:
    """Whether the run there has written its report."""
    return (folder / "result.json").exists()


def free_folder(wanted: Path) -> Path:
    """``wanted``, or the first of wanted-2, wanted-3 .. that holds no run."""
    folder, number = wanted, 1
    while holds_run(folder):
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def execute(
    settings: RunSettings,
    folder: Path,
    *,
    resume: bool,
    console: Console,
    group: ProcessGroup | None = None,
) -> dict[str, Any]:
    """Train, test, write the report; the test data is met only after training has ended.

    Parameters
    ----------
    settings
        Of the run.
    folder
        Where it lives.
    resume
        Continue what the folder holds.
    console
        For progress.
    group
        Processes that share the run; None for this one alone. Process 0 writes and talks.

    Returns
    -------
    dict
        The content of result.json; empty in processes other than 0.
    """
    group = group or ProcessGroup()
    if holds_run(folder) and not resume:
        raise StorageError(
            f"{folder}: holds a run already. Add --resume to continue it, or choose another --out."
        )
    if resume and not holds_run(folder):
        raise StorageError(f"{folder}: holds no run to resume. Leave out --resume to start one.")
    training = _loaded(settings, group)
    if resume:
        net = load_network(folder / "initial.npz")
    else:
        config, n_inputs = settings.config, training.stream.n_channels
        net = settings.network.build(
            n_inputs,
            output_size(config, training.class_names),
            seed=config.seed,
            output=output_kind(config.loss),
        )
        if group.leads:
            settings.save(folder)
    with RichProgress(console) if group.leads else nullcontext() as progress:
        result = train(
            net, training, settings.config, folder, resume=resume, callback=progress, group=group
        )
    test = settings.data.labelled("test")
    tested = evaluate_both(settings.config, result, test, group)
    if not group.leads:
        return {}
    guess = majority_guess(training, test)
    record = make_record(settings, result, test, tested, before=net, guess=guess)
    page = write_report(result.folder, record)
    outcome = _outcome(record, result.folder, page) | {"processes": group.size}
    write_json(result.folder / "result.json", outcome)
    return outcome


def _loaded(settings: RunSettings, group: ProcessGroup) -> AnyDataset:
    """The training data; process 0 goes first, so that it is fetched or made once."""
    if not group.leads:
        group.wait()
    data = settings.data.labelled("train", download=settings.download)
    if group.leads:
        group.wait()
    return data


def evaluate_both(
    config: TrainConfig,
    result: TrainResult,
    test: AnyDataset,
    group: ProcessGroup | None = None,
) -> tuple[Checked, Checked | None]:
    """Last and selected network on the test data."""
    last = Checked(result.last["epoch"], evaluate(result.net, test, config, group=group))
    if "validation_accuracy" not in result.last:
        return last, None
    tested = evaluate(result.selected_net, test, config, group=group)
    return last, Checked(result.selected["epoch"], tested)


def load_result(folder: Path) -> TrainResult:
    """A finished run as training left it; raises StorageError if the folder holds none."""
    outcome = read_object(folder / "result.json")
    path = folder / "metrics.jsonl"
    history = parse_json_lines(read_text(path, str(path), StorageError), str(path), StorageError)
    try:
        chosen = outcome["selected_by_validation"]
        selected = history[-1] if chosen is None else history[chosen["epoch"] - 1]
    except (KeyError, TypeError, IndexError) as error:
        raise StorageError(f"{path}: is not whole ({type(error).__name__}: {error}).") from error
    return TrainResult(
        net=load_network(folder / "last.npz"),
        last=history[-1],
        selected_net=load_network(folder / "selected.npz"),
        selected=selected,
        history=history,
        folder=folder,
    )


def make_record(
    settings: RunSettings,
    result: TrainResult,
    test: AnyDataset,
    tested: tuple[Checked, Checked | None],
    *,
    before: Network,
    guess: float | None,
) -> RunRecord:
    """What the report of a run is made of."""
    config, info = settings.config, settings.data.info
    return RunRecord(
        title=f"{info.name}: {settings.network.title}{' with BIP' if config.bip else ''}",
        net_before=before,
        net_after=result.net,
        test=test,
        last=tested[0],
        selected=tested[1],
        config=config,
        history=result.history,
        command=settings.command,
        version=eventsim.__version__,
        guess=guess,
        about=f"{info.description}. Division: {info.splits}. Licence: {info.licence}.",
    )


def _outcome(record: RunRecord, folder: Path, page: Path) -> dict[str, Any]:
    final, backend = record.history[-1], describe_backend(record.config.backend)
    return {
        "folder": str(folder),
        "report": str(page),
        "epochs": len(record.history),
        "test": _checked(record.last),
        "selected_by_validation": None if record.selected is None else _checked(record.selected),
        "guess_accuracy": record.guess,
        "train_accuracy": final["accuracy"],
        "validation_accuracy": final.get("validation_accuracy"),
        "trained_parameters": record.n_parameters,
        "spikes_per_neuron_and_second": record.mean_rate,
        "synaptic_events_per_sample": record.synaptic_events,
        "training_seconds": record.seconds,
        "backend": backend.name,
        "device": backend.device,
        "seed": record.config.seed,
        "version": record.version,
    }


def _checked(checked: Checked) -> dict[str, Any]:
    found: Evaluation = checked.evaluation
    return {
        "epoch": checked.epoch,
        "accuracy": found.accuracy,
        "loss": found.loss,
        "samples": found.n_samples,
    } | ({} if found.label_error_rate is None else {"label_error_rate": found.label_error_rate})


def resume_command(folder: Path) -> str:
    """What to type to continue the run of that folder."""
    return f"eventsim train --resume --out {shlex.quote(str(folder))}"


def read_config_file(path: Path) -> dict[str, Any]:
    """TrainConfig keys of a TOML or JSON file."""
    read = read_toml if path.suffix == ".toml" else read_json
    values = read(path, f"--config {path}", ParameterError)
    if not isinstance(values, Mapping):
        raise ParameterError(f"--config {path}: expected a table of TrainConfig keys.")
    return dict(values)
