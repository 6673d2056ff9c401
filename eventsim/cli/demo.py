"""``eventsim demo``: one command from nothing to a trained network and its report.

All settings of the demo are here.
"""

from pathlib import Path

from eventsim.runs.data import DataSettings
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.settings import RunSettings
from eventsim.train import Augmentation, TrainConfig
from eventsim.train.folder import RESULT, RunFolder

INTRODUCTION = (
    "Eleven spoken digits by many voices of eSpeak NG become events, and a skip-connected, "
    "self-recurrent network learns them with exact gradients of weights and neuron parameters.\n"
    "It is tested on voices it has never heard. The first run compiles its kernels first."
)
DATA = "spoken_digits"
EPOCHS = 24
NETWORK = {"hidden": (128, 128), "tau_syn": 10.0, "forward_delays": (0.0, 150.0)}


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


def can_resume(folder: Path) -> bool:
    """Whether the folder holds a demo that was stopped."""
    return RunFolder(folder).holds_run and not (folder / RESULT).exists()
