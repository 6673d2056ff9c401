"""The folder of a run: its files, and ``run.json``, which says what the run is.

==================  ==========================================================================
file                content
==================  ==========================================================================
run.json            what the run is: see below
metrics.jsonl       one line per finished epoch; rewritten whole, so never a line twice
checkpoint.npz      state after the last epoch, or after some batches of the running one
initial.npz         the network as it was given
last.npz            the network after the last epoch, written at the end
selected.npz        the network of the best validation, written at the end
result.json         one line: what was measured on test data, if the run was tested
==================  ==========================================================================

``run.json`` is one object. Its keys are ``format`` (``"eventsim-run"``), ``version`` (2),
``eventsim`` (the version of the program), ``train`` (a :class:`eventsim.train.TrainConfig`),
``calibrated`` (a list of :class:`.Calibration`: what was done to ``initial.npz`` before the first
step; absent if nothing was), ``initial_logits`` (likewise, a :class:`.LogitScale`), ``late_begin``
(a :class:`.LateBegin`; absent unless the recordings begin late), ``parts`` (``Parts`` of
``eventsim.train.parts``: who
is learned, validated and, once the run was tested, tested), ``networks`` (digests of the files of
the networks, by name), and what is known beside: :class:`eventsim.experiment.RunSettings` says
which.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eventsim.entries import read_object
from eventsim.errors import StorageError
from eventsim.events.storage import write_atomically, write_json
from eventsim.network import Network
from eventsim.network.late import LateBegin
from eventsim.train.calibration import Calibration, LogitScale
from eventsim.train.checkpoint import Metrics
from eventsim.train.config import TrainConfig
from eventsim.train.method import AbstractMethod

FORMAT, VERSION = "eventsim-run", 2
SETTINGS, HISTORY, CHECKPOINT, RESULT = "run.json", "metrics.jsonl", "checkpoint.npz", "result.json"
ERROR = "error.txt"  # why a run failed, until it is run again
NETWORKS = ("initial", "last", "selected")
# All that belongs to a run, those of earlier versions and of its report included.
FILES = (
    SETTINGS, HISTORY, CHECKPOINT, RESULT, ERROR, "index.html",
    *(f"{name}.npz" for name in NETWORKS),
)  # fmt: skip


def digest_of_file(path: Path) -> str:
    """A hash of the content of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@dataclass(frozen=True)
class Told:
    """Results from before the first step of a run, for its ``run.json``."""

    # What was done to the initial network
    calibrated: Sequence[Calibration] = ()
    calmed: LogitScale | None = None
    late: LateBegin | None = None  # what is to be said of recordings that begin late

    def plain(self) -> dict[str, Any]:
        """The entries; a result that is missing has none."""
        values: dict[str, Any] = {}
        if self.calibrated:
            values["calibrated"] = [asdict(one) for one in self.calibrated]
        if self.calmed is not None:
            values["initial_logits"] = asdict(self.calmed)
        if self.late is not None:
            values["late_begin"] = self.late.to_dict()
        return values


@dataclass(frozen=True)
class RunFolder:
    """The folder that a run writes to."""

    path: Path  # the folder
    # Further entries of ``run.json``: data set, builder of the network, names. A program that calls
    # :func:`eventsim.train.train` need not know them.
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path:
        """The file of the state."""
        return self.path / CHECKPOINT

    @property
    def holds_run(self) -> bool:
        """Whether a run was started there."""
        return self.checkpoint.exists()

    def check_free(self) -> None:
        """Raise StorageError if the folder holds a run."""
        if self.holds_run:
            raise StorageError(
                self.path,
                "holds a run already",
                remedy="Pass resume=True to continue it, overwrite=True to replace it, or choose "
                "another folder.",
            )

    def check_run(self) -> None:
        """Raise StorageError unless the folder holds a run that can be resumed."""
        if not self.checkpoint.exists():
            raise StorageError(
                self.path,
                f"holds no run to resume (no {CHECKPOINT})",
                remedy="Leave out resume=True to start one.",
            )

    def clear(self) -> None:
        """Remove the files of a run, the checkpoint first; others stay."""
        for name in (CHECKPOINT, *FILES):
            (self.path / name).unlink(missing_ok=True)

    def describe(
        self,
        config: TrainConfig,
        method: AbstractMethod,
        told: "Told | None" = None,
    ) -> None:
        """Write run.json; makes the folder. Without ``told``, of a resumed run, it stays known."""
        from eventsim import __version__

        path, stored = self.path / SETTINGS, {}
        if told is None and path.exists():
            stored = read_object(path)
            if stored.get("format") != FORMAT and not self.about:
                return  # it knows more in the form of an earlier version
            stored = stored if stored.get("format") == FORMAT else {}
        head = {"format": FORMAT, "version": VERSION, "eventsim": __version__}
        values = head | {k: v for k, v in stored.items() if k not in head} | dict(self.about)
        values |= {"method": method.described(), "train": config.to_dict()}
        write_json(path, values | (told or Told()).plain())

    def note(self, **known: Any) -> None:
        """Add entries to run.json, or replace them, in the process that wrote it."""
        path = self.path / SETTINGS
        write_json(path, read_object(path) | known)

    def save_network(self, name: str, net: Network) -> None:
        """Write one of ``NETWORKS``, and its digest into run.json."""
        path = self.path / f"{name}.npz"
        net.save(path)
        known = read_object(self.path / SETTINGS).get("networks", {})
        self.note(networks=known | {name: digest_of_file(path)})

    def save_history(self, history: Sequence[Metrics]) -> None:
        """Write the metrics of all epochs."""
        write_atomically(self.path / HISTORY, "".join(json.dumps(line) + "\n" for line in history))
