"""RunSettings: all settings of a run, and how its folder keeps them.

``run.json`` of version 2 is written by :mod:`eventsim.train.folder`.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from eventsim import datasets
from eventsim.clocked import Grid
from eventsim.entries import Settings, check_same, read_object
from eventsim.errors import StorageError
from eventsim.events import AnyDataset
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.runs.data import DataSettings
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.recordings import OWN
from eventsim.train import TrainConfig
from eventsim.train.choice import answer_of
from eventsim.train.counting import count_trained
from eventsim.train.folder import FORMAT, SETTINGS, VERSION
from eventsim.train.loss_settings import ValuesLoss
from eventsim.train.method import AbstractMethod, Exact
from eventsim.train.parts import By, drawn_by

MOST_LETTERS = 60  # of groups in the name of a folder
# That the name of a folder can hold on every system, and that is not read as two.
ONE_GROUP = re.compile(
    rf'[^\s/\\:*?"<>|+]([^\x00-\x1f/\\:*?"<>|+]{{,{MOST_LETTERS - 2}}}[^\s/\\:*?"<>|+])?'
)
# Settings of recordings in 0.2.0 that are none any more, and the value without an effect.
GONE: Mapping[str, Any] = {"step": None, "voices": 0}
# They decide where and how often, not what comes out.
FREE = ("train.backend", "train.checkpoint_every")


@dataclass(frozen=True)
class Shape:
    """Shape of the data for a network: input channels, and names of classes or outputs."""

    n_inputs: int
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, data: AnyDataset) -> "Shape":
        """Shape of recordings."""
        return cls(data.stream.n_channels, data.target.names)

    @classmethod
    def described(cls, data: DataSettings) -> "Shape":
        """Shape of a data set by its description, without reading its recordings."""
        return cls(data.info.channels, data.info.classes)


@dataclass(frozen=True, kw_only=True)
class RunSettings(Settings):
    """Data, network, training and method of a run.

    ``train.seed`` decides initial weights, validation part, order of batches and augmentation: runs
    of one seed share all of these but the weights, and so are pairs.

    Attributes
    ----------
    data
        The recordings; None where a program gave them, which knows them.
    network
        How the initial network is built; None where it was given.
    train
        Of the training.
    grid
        The grid of time on which the fixed-step counterpart is trained; None for exact event time.
    name, title
        Of the run among others, for folders and for people; may be empty.
    command
        What was typed; may be empty.
    """

    data: DataSettings | None = None
    network: NetworkSettings | None = None
    train: TrainConfig = field(default_factory=TrainConfig)
    grid: Grid | None = None
    name: str = ""
    title: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data is not None:
            require("train", self.train, self.data, where="RunSettings")

    @property
    def fits_values(self) -> bool:
        """Whether it is a run of regression: its network is fitted to values."""
        return self.train.fits_values

    def settled_as(self, before: "RunSettings") -> "RunSettings":
        """These settings; loss scale and readout of a regression default to those of ``before``.

        The loss scale (``loss.scale``) is the unit of errors.
        """
        mine, other = self.train.loss, before.train.loss
        if not isinstance(mine, ValuesLoss) or not isinstance(other, ValuesLoss):
            return self
        scale, output = mine.scale or other.scale, self.train.output
        output = before.train.output if output == TrainConfig().output else output
        train = replace(self.train, loss=ValuesLoss(scale=scale), output=output)
        return replace(self, train=train)

    @property
    def fold(self) -> str | None:
        """The groups that are the test part, in words; None for another division."""
        return None if self.data is None else self.data.fold

    @property
    def label(self) -> str:
        """Name, seed and groups: the folder of the run among those of an experiment."""
        groups = () if self.data is None else self.data.test_group
        end = f"-without-{_in_path(groups)}" if groups else ""
        return f"{self.name}/seed-{self.train.seed}{end}"

    @property
    def validated_by(self) -> By:
        """The way of drawing the validation part, see :func:`eventsim.train.parts.drawn_by`."""
        return drawn_by(self.train, lambda: self.data is not None and self.data.by_group)

    @property
    def method(self) -> AbstractMethod:
        """The method of training."""
        return self.grid or Exact()

    def build(self, shape: Shape, *, seed: int | None = None) -> Network:
        """The network that the run starts from, by its own seed or another."""
        assert self.network is not None
        seed = self.train.seed if seed is None else seed
        n, answer = shape.n_inputs, answer_of(self.train, shape.class_names)
        if answer is None:
            return self.network.build(n, len(shape.class_names), seed=seed)
        return self.network.build(n, answer.n_outputs, seed=seed, output=answer.kind)

    def count_parameters(self, shape: Shape) -> int:
        """Numbers that training moves, those of a local rule included."""
        return count_trained(self.build(shape), self.train)

    def about(self) -> dict[str, Any]:
        """Settings without ``train``, as plain values that JSON can hold."""
        return {
            "name": self.name,
            "title": self.title,
            "command": self.command,
            "data": None if self.data is None else asdict(self.data),
            "network": None if self.network is None else asdict(self.network),
            "method": self.method.described(),
        }

    def deciding(self) -> dict[str, Any]:
        """Settings that decide the numbers of a run, as plain values."""
        found = self.about() | {"train": self.train.to_dict()}
        found["data"] = None if self.data is None else self.data.plain()
        found["train"]["validate"] = self.validated_by
        for path in ("name", "title", "command", *FREE):
            table, _, key = path.rpartition(".")
            del (found[table] if table else found)[key]
        return found

    @classmethod
    def load(cls, folder: Path) -> "RunSettings":
        """Read the settings of the run in ``folder``.

        Raises
        ------
        StorageError
            The folder holds no run, or a damaged one.
        ParameterError, DataError
            A setting is out of its domain.
        """
        path = folder / SETTINGS
        if not path.exists():
            raise StorageError(
                folder,
                f"is no run of eventsim: it holds no {SETTINGS}",
                remedy="Give the folder that eventsim train, eventsim experiment or train(..) in "
                "Python has written.",
            )
        try:
            return _read(read_object(path), folder)
        except (KeyError, TypeError, AttributeError) as error:
            raise StorageError(path, f"is not whole ({type(error).__name__}: {error})") from error


def check_same_run(
    folder: Path, now: RunSettings, *, before: RunSettings | None = None, longer: bool = False
) -> None:
    """Raise StorageError if the folder holds a run of other settings than ``now``.

    ``before`` are those of the folder, where they are known already; with ``longer``, ``now`` may
    have more epochs. The place of the data, the backend and how often state is saved are not
    compared.
    """
    if before is None:
        if not (folder / SETTINGS).exists():
            return
        before = RunSettings.load(folder)
    stored, given = before.deciding(), now.settled_as(before).deciding()
    # What a program gave to train(..) is held to the checkpoint, which knows it by its hash.
    for key in [key for key in ("data", "network") if stored[key] is None]:
        del stored[key], given[key]
    check_same(str(folder), stored, given, may_grow=("train.epochs",) if longer else ())


def _read(values: Mapping[str, Any], folder: Path) -> RunSettings:
    if values.get("format") != FORMAT or values["version"] != VERSION:
        raise StorageError(
            folder / SETTINGS,
            f"is of version {values.get('version', 1)}, this eventsim reads version {VERSION}",
            remedy="Install the version of eventsim that wrote it.",
        )
    data, network, method = (values.get(key) for key in ("data", "network", "method"))
    grid = None
    if method is not None and method["name"] == "grid":
        grid = Grid(**{item.name: method[item.name] for item in fields(Grid)})
    return RunSettings(
        data=None if data is None else _data(data),
        network=None if network is None else NetworkSettings(**network),
        train=TrainConfig.from_dict(values["train"]),
        grid=grid,
        **{key: values.get(key, "") for key in ("name", "title", "command")},
    )


def _data(stored: Mapping[str, Any]) -> DataSettings | None:
    """The recordings of a run; None where a set or settings that are gone made them."""
    gone = {key: stored[key] for key in GONE if key in stored}
    there = stored["name"] in (OWN, *datasets.DATASETS)
    if not there or any(gone[key] != GONE[key] for key in gone):
        return None
    return DataSettings(**{key: value for key, value in stored.items() if key not in gone})


def _in_path(groups: Sequence[str]) -> str:
    """Names of groups as a part of the name of a folder, short and of usual letters.

    One group stands as it is wherever a name of a file can hold it.
    """
    if len(groups) == 1 and ONE_GROUP.fullmatch(groups[0]):
        return groups[0]
    plain = re.sub(r"[^\w.-]+", "+", "+".join(groups))
    if plain.split("+") == [*groups] and len(plain) <= MOST_LETTERS:
        return plain
    mark = hashlib.blake2b("\0".join(groups).encode(), digest_size=4).hexdigest()
    return f"{plain[:MOST_LETTERS]}-{mark}"
