"""A run read from its folder, of a command, a recipe or a program."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

import eventsim
from eventsim.arrays import Floats, Precision
from eventsim.energy import count
from eventsim.engine import simulate
from eventsim.entries import parse_json_lines, read, read_object, read_text
from eventsim.errors import DataError, ParameterError, StorageError
from eventsim.events import AnyDataset, EventStream, SpikeTape, StoredStream
from eventsim.events.tape import joined_tapes
from eventsim.hardware.quantise import quantise
from eventsim.network import Network
from eventsim.network.features import FEATURES
from eventsim.report.record import Checked, RunRecord, Tested
from eventsim.runs.data import DataSettings
from eventsim.runs.settings import RunSettings, Shape
from eventsim.train import (
    Evaluation,
    ProcessGroup,
    RegressionEvaluation,
    TrainConfig,
    TrainResult,
    evaluate,
)
from eventsim.train.checkpoint import best_epoch
from eventsim.train.choice import answer_of
from eventsim.train.folder import HISTORY, RESULT, SETTINGS, digest_of_file
from eventsim.train.parts import Parts
from eventsim.train.prediction import Prediction, predict, recordings_and_keys
from eventsim.train.regression import evaluate_values, predict_values

Which = Literal["last", "selected", "initial"]
Metrics = dict[str, Any]
# Numbers in every line of the history, and those of a run that holds data out for validation.
MEASURED = ("epoch", "loss", "accuracy", "seconds")
VALIDATED = ("validation_loss", "validation_accuracy")


@dataclass(frozen=True, eq=False)
class Run:
    """A run in its folder; made by :func:`load_run`. Files are read when they are asked for.

    Attributes
    ----------
    folder
        Where it is.
    settings
        What it is.
    """

    folder: Path
    settings: RunSettings

    @classmethod
    def of(
        cls, settings: RunSettings, folder: Path, initial: Network, result: TrainResult
    ) -> "Run":
        """The run that training has just ended, whose files need not be read."""
        run = cls(folder, settings)
        vars(run).update(
            net=result.net, selected=result.selected_net, initial=initial, history=result.history
        )
        return run

    def __repr__(self) -> str:
        network = (
            "a given network" if self.settings.network is None else self.settings.network.title
        )
        data = "given data" if self.settings.data is None else self.settings.data.title
        return f"Run({str(self.folder)!r}: {network} on {data})"

    def features(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """Features of the network, and how it answers, as :mod:`eventsim.matrix` calls them.

        Files are read only where a feature of the network is looked for: those of the network after
        the last epoch, or where the run has not come to its end, of the one that it started from.
        """
        grid = self.settings.grid
        time = "in exact event time" if grid is None else f"in steps of {grid.dt:g} ms"
        found = {self.settings.method.feature: f"{self.folder} answers {time}"}
        if self.settings.fits_values:
            found["run_of_values"] = f"{self.folder} answers with values"
        if names is None or not FEATURES.isdisjoint(names):
            found |= self._begun.features(names)
        return found

    @property
    def _begun(self) -> Network:
        """The network as far as there is one: after the last epoch, or the initial one."""
        ended = "net" in vars(self) or (self.folder / "last.npz").is_file()
        return self.net if ended else self.initial

    @property
    def config(self) -> TrainConfig:
        """The settings of its training."""
        return self.settings.train

    @cached_property
    def net(self) -> Network:
        """The network after the last epoch, for exact event time; StorageError before its end."""
        return self._network("last")

    @cached_property
    def selected(self) -> Network:
        """The network that validation chose; that of the last epoch without validation."""
        return self._network("selected")

    @cached_property
    def initial(self) -> Network:
        """The network that it started from."""
        known = self.settings.data is not None and self.settings.network is not None
        if known and not (self.folder / "initial.npz").exists():
            # Runs on a grid of earlier versions did not keep it.
            return self.settings.build(Shape.described(self.data_settings))
        return self._network("initial")

    @cached_property
    def history(self) -> list[Metrics]:
        """The metrics of all finished epochs."""
        path = self.folder / HISTORY
        lines = parse_json_lines(read_text(path, str(path), StorageError), str(path), StorageError)
        validated = any("validation_loss" in line for line in lines)
        keys = [*MEASURED, *(VALIDATED if validated else ())]
        if self.settings.fits_values:
            keys = [key for key in keys if "accuracy" not in key]
        for line in lines:
            wrong = [key for key in keys if not isinstance(line.get(key), int | float)]
            if wrong:
                raise StorageError(path, f"is not whole: {wrong[0]} of a line is no number")
        return lines

    @cached_property
    def parts(self) -> Parts | None:
        """Training, validation and test parts; None for runs of versions that did not keep them."""
        path = self.folder / SETTINGS
        known = read_object(path).get("parts") if path.exists() else None
        return None if known is None else read(Parts, known, f"{path}, parts", StorageError)

    @property
    def finished(self) -> bool:
        """Whether it was trained and tested to its end."""
        return (self.folder / RESULT).exists()

    @cached_property
    def result(self) -> dict[str, Any]:
        """Results on test data; StorageError where the run was not tested."""
        found = read_object(self.folder / RESULT)
        if "test" not in found:
            raise StorageError(self.folder / RESULT, "is not whole: it has no key test")
        return found

    @cached_property
    def weight_bits(self) -> int | None:
        """Bits of a weight of ``net``, as trained or as rounded afterwards; None for float."""
        numbers = self.config.quantise.numbers
        return None if numbers is None else numbers.formats.weight_bits

    def network(self, which: Which = "last") -> Network:
        """``net``, ``selected`` or ``initial`` by its name in the folder."""
        found = {"last": "net"}.get(which, which)
        net: Network = getattr(self, found)
        return net

    def data(self, split: str = "test", *, download: bool = False) -> AnyDataset:
        """Recordings of its own data set: ``train`` or ``test`` as the run had them.

        Raises
        ------
        DataError
            The run was made by a program that gave the recordings: it does not know them.
        """
        return self.data_settings.labelled(split, download=download)

    @property
    def data_settings(self) -> DataSettings:
        """Settings of the run's recordings; DataError as :meth:`data`."""
        if self.settings.data is None:
            raise DataError(
                self.folder,
                "does not know its recordings: a program gave them to train(..)",
                remedy="Name some: EVENTS or DATA on the command line, evaluate(data) in Python.",
            )
        return self.settings.data

    def on(self, backend: str | None) -> "Run":
        """The run whose network is evaluated by another backend; None for its own."""
        if backend is None:
            return self
        config = on_backend(self.config, backend)
        return Run(self.folder, replace(self.settings, train=config))

    def rounded(self, bits: int) -> "Run":
        """The run with the weights of its last network rounded to so many bits, nothing trained.

        Raises
        ------
        NetworkError, ParameterError
            As :func:`eventsim.mapping.quantise`.
        """
        run = Run(self.folder, self.settings)
        vars(run).update(net=quantise(self.net, bits).net, weight_bits=bits)
        return run

    @property
    def outputs(self) -> tuple[str, ...] | None:
        """Names of the outputs of a run of values; None of others, and where it was not tested."""
        if not self.settings.fits_values or not self.finished:
            return None
        return tuple(self.result["test"]["outputs"])

    def predict(
        self,
        stream: EventStream | StoredStream | AnyDataset,
        *,
        keys: Sequence[str] | None = None,
        which: Which = "last",
        times: ArrayLike | None = None,
    ) -> Prediction | Floats:
        """Answers of the network, by the method that trained it.

        Parameters
        ----------
        stream
            Recordings, in as many channels as those of the training; no label is read.
        keys
            As :func:`eventsim.predict`.
        which
            The network that answers.
        times
            ms, (times,) or [samples, times], when a run of values answers; by default at the end of
            every recording.

        Returns
        -------
        Prediction or array
            Of every recording the number of the class, its name (``#number`` where the run does not
            know the names), and the scores of all classes. Of a run of values its answers,
            [samples, times, outputs]; ``keys`` have no place there.

        Raises
        ------
        ParameterError
            ``times`` of a run of classes, or ``keys`` of one of values.
        """
        net, config, values = self.network(which), self.config, self.settings.fits_values
        if (keys if values else times) is not None:
            name, kind = ("keys", "values") if values else ("times", "classes")
            raise ParameterError("Run.predict", f"{name} are given, of a run of {kind}", "none")
        if values:
            stream, _ = recordings_and_keys(stream, keys)
            duration = np.asarray(stream.duration)[:, None]
            asked = duration if times is None else np.asarray(times, np.float64)
            shape = duration.shape[0], asked.shape[-1]
            return predict_values(net, stream, np.broadcast_to(asked, shape), config)
        if self.settings.grid is None:
            return predict(
                net, stream, keys=keys, backend=config.backend, precision=config.precision
            )
        stream, keys = recordings_and_keys(stream, keys)
        method, answer, scores = self.settings.method, net.answer, []
        assert answer is not None
        net = method.begin(net, config)
        for index in stream.batches(config.batch_size):
            target = config.target(np.zeros(index.size, np.int64))
            done = method.forward(net, stream[index], target, config)
            scores.append(done.scores)
        whole = np.concatenate(scores) if scores else None
        classes = np.zeros(0, np.int64) if whole is None else whole.argmax(axis=1)
        return Prediction.of(answer, classes, whole, keys)

    def tape(self, stream: EventStream, *, backend: str = "auto") -> SpikeTape:
        """Spikes of the network after the last epoch, by the method that trained it.

        Parameters
        ----------
        stream
            Recordings, in as many channels as those of the training.
        backend
            Of exact time. On a grid spikes lie in the middle of their steps.

        Returns
        -------
        SpikeTape
            Of NumPy arrays.
        """
        if self.settings.grid is None:
            return simulate(self.net, stream, backend=backend)
        method, config = self.settings.method, self.config
        net, tapes = method.begin(self.net, config), []
        for index in stream.batches(config.batch_size):
            target = config.target(np.zeros(index.size, np.int64))
            done = method.forward(net, stream[index], target, config)
            tapes.append(done.tape())
        return joined_tapes(tapes)

    def evaluate(
        self,
        data: AnyDataset | None = None,
        *,
        split: str = "test",
        which: Which = "last",
        group: ProcessGroup | None = None,
    ) -> Evaluation | RegressionEvaluation:
        """Evaluate the network on recordings with classes or values, by the method of the run.

        Parameters
        ----------
        data
            Recordings with labels, or with targets for a run of values; None for those of the run's
            own data set.
        split
            Which of them.
        which
            The network that answers.
        group
            As :func:`eventsim.train.evaluate`.

        Raises
        ------
        DataError
            The run does not know its data, and none was given; there are no recordings; or they
            have classes and the run has values, or the reverse.
        NetworkError, ShapeError
            The recordings do not fit the network.
        """
        data = self.data(split) if data is None else data
        net = self.network(which)
        if self.settings.fits_values:
            return evaluate_values(net, data, self.config, names=self.outputs)
        return evaluate(net, data, self.config, group=group, method=self.settings.method)

    def operations(
        self, data: AnyDataset, evaluated: Evaluation | None = None
    ) -> tuple[float, float]:
        """Synaptic operations and neuron updates of the last network, means per recording.

        The multiply-adds of a linear decision are no synaptic operations. ``evaluated`` is
        :meth:`evaluate` of the data if it is known: on a grid it has both numbers already.
        """
        if self.settings.grid is not None:
            found = evaluated or self.evaluate(data)
            assert isinstance(found, Evaluation)  # a grid has no values
            return sum(found.synaptic_events.values()), found.neuron_updates or 0.0
        operations, updates, config = 0, 0, self.config
        for index in data.stream.batches(config.batch_size):
            tape = simulate(
                self.net,
                data[index].stream,
                tail=config.tail,
                backend=config.backend,
                precision=config.precision,
            )
            counted = count(self.net, tape)
            operations += sum(int(events.sum()) for events in counted.synaptic_events.values())
            updates += sum(int(times.sum()) for times in counted.membrane_updates.values())
        return operations / len(data), updates / len(data)

    def checked(self, test: AnyDataset, group: ProcessGroup | None = None) -> Tested:
        """The last network on test data, and the one that validation chose, if it chose one."""
        if not self.history:
            raise StorageError(self.folder / HISTORY, "holds no finished epoch")
        last = self.history[-1]
        found = Checked(last["epoch"], self.evaluate(test, group=group))
        if "validation_loss" not in last:
            return found, None
        best = best_epoch(self.history)
        return found, Checked(best["epoch"], self.evaluate(test, which="selected", group=group))

    def record(self, test: AnyDataset, tested: Tested, *, guess: float | None = None) -> RunRecord:
        """The contents of the run's report."""
        settings, info = self.settings, None
        if settings.data is not None:
            info = settings.data.info
        if test.targets is not None and self.outputs is not None:
            test = replace(test, targets=test.targets.ordered(self.outputs, "record"))
        kind = "network" if settings.network is None else settings.network.title
        bip = " with BIP" if self.config.bip else ""
        title = settings.title or kind + bip
        return RunRecord(
            title=f"{self.folder.name if info is None else info.name}: {title}",
            net_before=self.initial,
            net_after=self.net,
            test=test,
            last=tested[0],
            selected=tested[1],
            config=self.config,
            history=self.history,
            command=settings.command,
            version=eventsim.__version__,
            guess=guess,
            parts=self.parts,
            about=""
            if info is None
            else f"{info.description}. Division: {info.splits}. Licence: {info.licence}.",
        )

    def _network(self, which: str) -> Network:
        path = self.folder / f"{which}.npz"
        if not path.is_file():
            raise StorageError(
                self.folder,
                f"holds no {path.name}: the run is not finished",
                remedy="Continue it by train(.., resume=True), or by: eventsim train --resume "
                f"--out {self.folder}",
            )
        net = Network.load(path)
        if net.answer is None:  # of an earlier version, whose settings say how it answers
            names = () if self.settings.data is None else self.settings.data.info.classes
            net.set_answer(answer_of(self.config, names))
        settings = self.folder / SETTINGS
        known = read_object(settings).get("networks") if settings.exists() else None
        # Runs of earlier versions have none.
        written = known.get(which) if isinstance(known, dict) else None
        if written is not None and digest_of_file(path) != written:
            raise StorageError(
                path,
                "is not the file that the run of this folder wrote",
                "files of one run",
                "Take the file of the run again, train again into a new folder, or keep a network "
                "of your own elsewhere.",
            )
        if which != "last" and written is None and path.with_name("last.npz").is_file():
            found, last = ({k: p.size for k, p in n.populations.items()} for n in (net, self.net))
            if found != last:
                raise StorageError(
                    self.folder,
                    f"{path.name} has the populations {found}, last.npz {last}",
                    "files of one run",
                    "Two trainings wrote into this folder: train again, into a new one.",
                )
        return net


def load_run(folder: str | Path) -> Run:
    """The run in a folder, made by a command, a recipe or a program of any version.

    Parameters
    ----------
    folder
        That of ``eventsim train``, of :func:`eventsim.train.train`, or of one run of an experiment.

    Raises
    ------
    StorageError
        The folder holds no run, or its settings are damaged.
    """
    return Run(Path(folder), RunSettings.load(Path(folder)))


def on_backend(config: TrainConfig, backend: str | None) -> TrainConfig:
    """The settings with another backend, and a precision that it has; None for their own."""
    if backend is None:
        return config
    precision: Precision = "double" if backend == "reference" else config.precision
    return replace(config, backend=backend, precision=precision)
