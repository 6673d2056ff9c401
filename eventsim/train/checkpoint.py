"""Checkpoints: the whole state of a training run in one file, written whole or not at all.

=====================  =====================================================================
entry                  meaning
=====================  =====================================================================
``progress``           JSON: epoch, batch, sums of the epoch so far, lines of finished epochs
``origin``             JSON: settings, hash of the initial network, hash of the training data
``net:...``            the network, as ``Network.to_arrays`` describes it; never rounded
``selected:...``       the network of the best validation so far, if there is one; rounded to a
                       chip's numbers where the run is, see :mod:`eventsim.train.quantised`
``optimiser:...``      moments, step number and mean
=====================  =====================================================================

No state of a random generator is stored, because none is used for longer than a batch: the order of
an epoch is drawn from (seed, epoch), a batch's augmentation from (seed, epoch, batch).
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.entries import check_same, check_types, parse_json
from eventsim.errors import StorageError
from eventsim.events import AnyDataset, EventStream
from eventsim.events.npz import Archive
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.memo import Memo
from eventsim.network import Answer, Network
from eventsim.network.forms import ANSWER, check_claims
from eventsim.train.config import TrainConfig, with_defaults
from eventsim.train.groups import select
from eventsim.train.method import AbstractMethod, Exact
from eventsim.train.optimiser import AdamW, Pace, schedule
from eventsim.train.parts import By, validated_by
from eventsim.train.quantised import Numbers
from eventsim.train.sums import BatchSums

CHECKPOINT_VERSION = 1

Arrays = dict[str, NDArray[Any]]
Metrics = dict[str, Any]
# Type, shape, and values in pieces.
Part = tuple[np.dtype[Any], tuple[int, ...], Iterable[NDArray[Any]]]


@dataclass(eq=False)
class TrainState:
    """Everything that changes while a run goes on."""

    # Live; on the device that the run trains on
    net: Network
    optimiser: AdamW
    # Network of the epoch with the best validation so far, in NumPy arrays, or None
    selected: Network | None = None
    # The next batch to do: both count from 0
    epoch: int = 0
    batch: int = 0
    sums: BatchSums = field(default_factory=BatchSums)  # sums over the batches of the running epoch
    history: list[Metrics] = field(default_factory=list)  # one line of metrics per finished epoch
    # True while network, optimiser and sums do not belong together; never saved then
    busy: bool = False
    # What the last step found out about the values of ``net``; None for nothing
    memo: Memo | None = None
    # Those in which the network runs; None for float. Set by the place in the run.
    numbers: Numbers | None = None

    def set_answer(self, answer: Answer | None) -> None:
        """Say how its networks answer, which checkpoints of older versions do not."""
        for net in (self.net, self.selected):
            if net is not None:
                net.set_answer(answer)

    def digest(self) -> str:
        """Hash of network, optimiser and place in the run, in hexadecimal."""
        place: Arrays = {"epoch": np.array(self.epoch), "batch": np.array(self.batch)}
        return digest(place | self.net.to_arrays() | self.optimiser.to_arrays())

    def pace(self, config: TrainConfig, n_batches: int) -> Pace:
        """Pace of the next step, by its place in the run."""
        step, total = self.epoch * n_batches + self.batch, config.epochs * n_batches
        factor = schedule(step, total=total, ease_in=round(config.ease_in * n_batches))
        counts = step >= (1.0 - config.averaged) * total
        return Pace(factor, counts=counts, number=step, total=total)

    def end_epoch(self, line: Metrics) -> None:
        """Note a finished epoch; keep its network if it is the best one."""
        if "validation_loss" in line and best_epoch([*self.history, line]) is line:
            self.selected = self.outcome()
        self.history.append(line)
        self.epoch, self.batch, self.sums = self.epoch + 1, 0, BatchSums()

    def note_compiled(self, seconds: float) -> None:
        """Add what compiling took outside of batches."""
        self.sums += BatchSums(compile_seconds=seconds)

    def rounded(self) -> AbstractContextManager[None]:
        """Inside, the network has the values with which it runs."""
        return nullcontext() if self.numbers is None else self.numbers.rounded(self.net)

    def outcome(self) -> Network:
        """The network that the run gives so far, with averaged, rounded values. New network."""
        with self.optimiser.averaged(), self.rounded():
            return self.net.to_host().copy()

    def selection(self, outcome: Network) -> tuple[Network, Metrics]:
        """Network and metrics of the best validation; ``outcome``'s if there was none."""
        if self.selected is None:
            return outcome, self.history[-1]
        return self.selected, best_epoch(self.history)


@dataclass(frozen=True)
class Origin:
    """Settings, network and data of a run's start; a checkpoint of another origin is refused."""

    config: Mapping[str, Any]
    network: str
    data: str

    @classmethod
    def of(
        cls, net: Network, data: AnyDataset, config: TrainConfig, method: AbstractMethod
    ) -> "Origin":
        """Describe a run that is about to start."""
        settings = config.to_dict()
        # It decides when state is written, not what comes out.
        del settings["checkpoint_every"]
        settings["validate"] = validated_by(data, config)
        if settings["validate"] == "group" and data.groups is not None:
            settings["groups"] = digest({"groups": data.groups})
        if config.quantise.numbers is not None:  # the file of a chip may have changed
            settings["numbers"] = config.quantise.numbers.described()
        if not isinstance(method, Exact):
            settings["method"] = method.described()
        return cls(settings, digest_of_network(net), digest_of_data(data))

    def digests(self) -> dict[str, str]:
        """A hash in hexadecimal of each part, by its name."""
        settings = hashlib.blake2b(json.dumps(dict(self.config)).encode(), digest_size=16)
        return {
            "choice of settings": settings.hexdigest(),
            "initial network": self.network,
            "set of training data": self.data,
        }

    def to_json(self) -> str:
        """The origin as a line of JSON."""
        return json.dumps({"config": dict(self.config), "network": self.network, "data": self.data})


def save_checkpoint(path: Path, state: TrainState, origin: Origin) -> None:
    """Write the state of a run, atomically."""
    progress = {
        "epoch": state.epoch,
        "batch": state.batch,
        "sums": state.sums.to_dict(),
        "history": state.history,
    }
    arrays: Arrays = {
        "progress": np.array(json.dumps(progress)),
        "origin": np.array(origin.to_json()),
    }
    arrays |= _prefixed("net", state.net.to_arrays())
    arrays |= _prefixed("optimiser", state.optimiser.to_arrays())
    if state.selected is not None:
        arrays |= _prefixed("selected", state.selected.to_arrays())
    write_arrays(path, arrays, kind="eventsim-checkpoint", version=CHECKPOINT_VERSION)


def load_checkpoint(
    path: Path, origin: Origin, config: TrainConfig, method: AbstractMethod
) -> TrainState:
    """Read the state of a run of that origin.

    Raises StorageError (the file is missing, truncated, no checkpoint, or of another run; it says
    which).
    """
    arrays = read_arrays(
        path, kind="eventsim-checkpoint", version=CHECKPOINT_VERSION, check=_check_claims
    )
    try:
        stored = parse_json(str(arrays["origin"]), f"{path}, origin", StorageError)
        extended = _check_origin(path, stored, origin)
        progress = parse_json(str(arrays["progress"]), f"{path}, progress", StorageError)
        net = method.go_on(Network.from_arrays(_under("net", arrays)), config)
        selected = _under("selected", arrays)
        optimiser = AdamW(net, select(net, config.trained()), config.adam_settings())
        optimiser.load_arrays(_under("optimiser", arrays))
        if extended:
            optimiser.forget_mean()
        state = TrainState(
            net=net,
            optimiser=optimiser,
            selected=Network.from_arrays(selected) if selected else None,
            epoch=progress["epoch"],
            batch=progress["batch"],
            sums=BatchSums.from_dict(progress["sums"]),
            history=progress["history"],
        )
        for each in (state, state.sums):
            check_types(each, where=f"{path}, progress", error=StorageError)
        if min(state.epoch, state.batch) < 0 or not all(isinstance(h, dict) for h in state.history):
            raise ValueError("its place in the run is none")
        return state
    except StorageError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StorageError(
            path, f"is not a whole checkpoint ({type(error).__name__}: {error})"
        ) from error


def stored_validation(path: Path) -> By:
    """The rule that drew the validation part of the run, whatever data are named now.

    Raises StorageError (as :func:`load_checkpoint`).
    """
    arrays = read_arrays(
        path, kind="eventsim-checkpoint", version=CHECKPOINT_VERSION, check=_check_claims
    )
    stored = parse_json(str(arrays["origin"]), f"{path}, origin", StorageError)
    by: By = stored["config"].get("validate", "recording")  # what earlier versions did
    return by


def _check_claims(archive: Archive) -> None:
    for prefix in ("net:", "selected:"):
        if prefix == "net:" or f"{prefix}structure" in archive.claims:
            check_claims(archive, prefix)


def best_epoch(history: Sequence[Metrics]) -> Metrics:
    """The epoch with the best validation; of equal ones the earliest.

    Of those that ended with as many synapses as the last one, and rounded as it is: the others cost
    something else.
    """
    alike = [(one.get("synapses"), one.get("quantised")) for one in history]
    return max((h for h, it in zip(history, alike, strict=True) if it == alike[-1]), key=_merit)


def _merit(line: Metrics) -> tuple[float, float]:
    loss = line["validation_loss"]
    return line.get("validation_accuracy", 0.0), -math.inf if math.isnan(loss) else -loss


def save_network(path: str | Path, net: Network) -> None:
    """Write a network to one file; the old name of :meth:`eventsim.Network.save`."""
    net.save(path)


def _check_origin(path: Path, stored: Mapping[str, Any], origin: Origin) -> bool:
    """Raise unless the origins are the same; whether the run is extended by more epochs."""
    now = json.loads(origin.to_json())
    before, expected = stored["config"], now["config"]
    before = with_defaults(before, expected)
    if "method" in expected:  # has no near misses
        for one in (before, expected):
            one["loss"].pop("missed_outputs", None)
    check_same(str(path), before, expected, may_grow=("epochs",))
    for what, name in (("network", "initial network"), ("data", "training data")):
        if stored[what] != now[what]:
            raise StorageError(
                path,
                f"belongs to a run with another {name}",
                remedy=f"Resume with the same {name}, or train in another folder.",
            )
    return bool(before != expected)


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hash of arrays and their names, in hexadecimal."""
    return _hash({key: (a.dtype, a.shape, [a]) for key, a in arrays.items()})


def digest_of_network(net: Network) -> str:
    """:func:`digest` of structure and values; how the network answers is up to the settings."""
    return digest({key: a for key, a in net.to_arrays().items() if key != ANSWER})


def digest_of_data(data: AnyDataset) -> str:
    """:func:`digest` of the arrays of recordings; those in a file are read piece by piece."""
    stream = data.stream
    small = {"duration": stream.duration, "labels": data.labels, "offsets": stream.offsets}
    small |= data.target.columns
    if isinstance(stream, EventStream):
        return digest(small | {"channels": stream.channels, "times": stream.times})
    n = (stream.n_events,)
    parts: dict[str, Part] = {key: (a.dtype, a.shape, [a]) for key, a in small.items()}
    parts["channels"] = np.dtype(np.int32), n, stream.pieces("channels")
    parts["times"] = np.dtype(np.float64), n, stream.pieces("times")
    return _hash(parts)


def _hash(parts: Mapping[str, Part]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for key in sorted(parts):
        dtype, shape, pieces = parts[key]
        found.update(f"{key} {dtype.str} {shape} ".encode())
        for piece in pieces:
            found.update(np.ascontiguousarray(piece).tobytes())
    return found.hexdigest()


def _prefixed(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    return {f"{prefix}:{key}": value for key, value in arrays.items()}


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    start = f"{prefix}:"
    return {
        key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)
    }
