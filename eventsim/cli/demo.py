"""``eventsim demo``: one command from nothing to a trained network and its report.

All settings of the demo are here.
"""

from pathlib import Path
from typing import Annotated

import typer

from eventsim.cli.options import JsonOption, ThreadsOption, set_threads
from eventsim.cli.terminal import say
from eventsim.cli.train import RunStart, free_folder, train_and_show
from eventsim.runs.data import DataSettings
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.run import load_run
from eventsim.runs.settings import RunSettings
from eventsim.train import Augmentation, TrainConfig
from eventsim.train.folder import RESULT, RunFolder

INTRODUCTION = (
    "Eleven spoken digits by many voices of eSpeak NG become events, and a skip-connected, "
    "self-recurrent network learns them with exact gradients of weights and neuron parameters.\n"
    "It is tested on voices it has never heard."
)
DATA = "spoken_digits"
EPOCHS = 24
NETWORK = {"hidden": (128, 128), "tau_syn": 10.0, "forward_delays": (0.0, 150.0)}


def demo_command(
    out: Annotated[Path, typer.Option(metavar="FOLDER")] = Path("runs/demo"),
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make spoken digits, train a ScSr-SNN with BIP on them, write a report. A few minutes.

    The digits are spoken by eSpeak NG. Test recordings are of voices that are not in the training
    data. If the folder holds a demo that was stopped, the demo continues; if it holds a finished
    one, a new folder is made.

    [bold]Example[/bold]

    eventsim demo --out runs/demo
    """
    set_threads(threads, None)
    # Where it holds a demo that was stopped.
    folder, resume = out, RunFolder(out).holds_run and not (out / RESULT).exists()
    if resume:
        chosen = load_run(out).settings
        say(f"{out} holds a demo that was stopped: going on with it.")
    else:
        folder = free_folder(out)
        if folder != out:
            say(f"{out} holds a finished demo; this one goes to {folder}.")
        chosen = settings(folder, epochs=epochs, seed=seed)
        say(INTRODUCTION)
    start = RunStart(resume=resume, distributed=False)
    train_and_show(chosen, folder, start, None, as_json=as_json)


def settings(folder: Path, *, epochs: int | None, seed: int | None) -> RunSettings:
    """The demo's settings; ``epochs`` and ``seed`` replace the constants where given."""
    values = TrainConfig(
        epochs=EPOCHS,
        batch_size=32,
        seed=0,
        validation_fraction=0.1,
        tail=150.0,
        augmentation=Augmentation(time_scale=0.2, channel_shift=2, drop=0.15, jitter=3.0),
    ).to_dict()
    values |= {} if epochs is None else {"epochs": epochs}
    values |= {} if seed is None else {"seed": seed}
    command = "eventsim demo"
    command += "" if epochs is None else f" --epochs {epochs}"
    command += "" if seed is None else f" --seed {seed}"
    command += f" --out {folder}"
    train = TrainConfig.from_dict(values)
    network = NetworkSettings.from_dict(NETWORK)
    return RunSettings(data=source(), network=network, train=train, command=command)


def source() -> DataSettings:
    """The data set of the demo, made at the first use."""
    return DataSettings(name=DATA)
