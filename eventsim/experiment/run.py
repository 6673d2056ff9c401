"""One run of an experiment: training, test, what it cost; all of it in the folder of the run.

===========  =========================================================================
file         content
===========  =========================================================================
run.json     the settings
result.json  one line, written when the run is done
error.txt    why it failed, until it is run again
others       those of :mod:`eventsim.train.loop` or :mod:`eventsim.clocked.training`
===========  =========================================================================

**What is measured.** Accuracy on the test part of the network after the last epoch, and of the one
that the validation part chose: never the best on the test part. Synaptic operations are arrivals
of spikes at synapses, and the multiply-adds of a linear decision; neuron updates are pairs of a
neuron and a time at which something arrives (:mod:`eventsim.energy.counts`), on a grid the neurons
times the steps. Both are means per test recording, with the network after the last epoch. Time is
that of training and validation; memory is the largest resident set of the process that trained and
tested, interpreter included.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import eventsim
from eventsim.clocked import ClockedResult, evaluate_clocked, train_clocked
from eventsim.energy import count
from eventsim.engine import describe_backend, simulate
from eventsim.errors import StorageError
from eventsim.events import AnyDataset
from eventsim.experiment.reading import flat
from eventsim.experiment.resolve import RunSpec, Shape
from eventsim.network import Network
from eventsim.runs.data import DataSettings
from eventsim.runs.files import read_json, write_json
from eventsim.runs.networks import NetworkSettings
from eventsim.train import TrainConfig, TrainResult, evaluate, train
from eventsim.train.config import with_defaults
from eventsim.train.counting import count_trained
from eventsim.train.loop import Callback

SETTINGS, RESULT, ERROR = "run.json", "result.json", "error.txt"
Result = dict[str, Any]


@dataclass(frozen=True)
class _Tested:
    """What came out of either method."""

    accuracy: float
    selected: tuple[int, float] | None
    rates: float
    synaptic_operations: float
    neuron_updates: float
    history: list[dict[str, Any]]


def execute(
    spec: RunSpec, folder: Path, callback: Callback | None = None, *, own_process: bool = False
) -> Result:
    """Train and test, or go on with a run that was stopped.

    Parameters
    ----------
    spec
        The run.
    folder
        Of the run.
    callback
        As in :func:`eventsim.train.train`.
    own_process
        Whether this process was started for the run, so that its peak of memory is the run's.

    Returns
    -------
    dict
        The content of result.json.

    Raises
    ------
    EventSimError
        Data, network and settings do not fit each other, or the folder holds another run.
    KeyboardInterrupt
        After an interrupt; the run can go on.
    """
    check_settings(spec, folder)
    write_json(folder / SETTINGS, spec.to_dict())
    (folder / ERROR).unlink(missing_ok=True)
    training = spec.data.labelled("train", fold=spec.fold)
    variant, shape = spec.variant, Shape.of(training)
    net = variant.build(shape, seed=spec.seed)
    method = _on_grid if variant.method == "grid" else _in_exact_time
    tested = method(spec, net, training, folder, callback)
    last = tested.history[-1]
    backend = "numpy" if variant.method == "grid" else describe_backend(variant.train.backend).name
    result = {
        "condition": variant.name,
        "seed": spec.seed,
        "fold": spec.fold,
        "test_accuracy": tested.accuracy,
        "selected_test_accuracy": None if tested.selected is None else tested.selected[1],
        "selected_epoch": None if tested.selected is None else tested.selected[0],
        "validation_accuracy": last.get("validation_accuracy"),
        "train_accuracy": last["accuracy"],
        "epochs": len(tested.history),
        "parameters": count_trained(net, variant.train),
        "hidden": list(variant.network.hidden),
        "spikes_per_neuron_and_second": tested.rates,
        "synaptic_operations_per_inference": tested.synaptic_operations,
        "neuron_updates_per_inference": tested.neuron_updates,
        "training_seconds": sum(line["seconds"] for line in tested.history),
        "peak_mb": peak_megabytes() if own_process else None,
        "backend": backend,
        "version": eventsim.__version__,
    }
    write_json(folder / RESULT, result, indent=None)
    return result


def check_settings(spec: RunSpec, folder: Path) -> None:
    """Raise StorageError if the folder holds a run of other settings."""
    path = folder / SETTINGS
    if not path.exists():
        return
    stored, now = read_json(path), json.loads(json.dumps(spec.to_dict()))
    # A setting that did not exist when the run was made had the effect of its default.
    network = asdict(NetworkSettings()) | stored["network"]
    train = with_defaults(stored["train"], now["train"])
    data = DataSettings(name=spec.data.name, file=spec.data.file).plain() | stored["data"]
    parts = {"network": network, "train": train, "data": data}
    before = json.loads(json.dumps(stored | parts))
    before, now = flat(before), flat(now)
    keys = [key for key in now | before if now.get(key) != before.get(key)]
    if keys:
        key = keys[0]
        raise StorageError(
            f"{path}: was made with other settings: {key} is {before.get(key)!r} there, "
            f"{now.get(key)!r} now ({len(keys)} differ). Choose another --out, or remove {folder}."
        )


def _in_exact_time(
    spec: RunSpec, net: Network, training: AnyDataset, folder: Path, callback: Callback | None
) -> _Tested:
    config = spec.variant.train
    going_on = (folder / "checkpoint.npz").exists()
    result = train(net, training, config, folder, resume=going_on, callback=callback)
    test = spec.data.labelled("test", fold=spec.fold)
    found = evaluate(result.net, test, config)
    selected = _selected(result, lambda net: evaluate(net, test, config).accuracy)
    operations, updates = operations_per_inference(result.net, test, config)
    return _Tested(
        found.accuracy, selected, _mean_rate(found.rates), operations, updates, result.history
    )


def _on_grid(
    spec: RunSpec, net: Network, training: AnyDataset, folder: Path, callback: Callback | None
) -> _Tested:
    config = spec.variant.clocked()
    going_on = (folder / "checkpoint.npz").exists()
    result = train_clocked(net, training, config, folder, resume=going_on, callback=callback)
    test = spec.data.labelled("test", fold=spec.fold)
    found = evaluate_clocked(result.net, test, config)
    selected = _selected(result, lambda net: evaluate_clocked(net, test, config).accuracy)
    return _Tested(
        found.accuracy,
        selected,
        _mean_rate(found.rates),
        sum(found.synaptic_events.values()),
        found.neuron_updates,
        result.history,
    )


def _selected(
    result: TrainResult | ClockedResult, accuracy: Callable[[Any], float]
) -> tuple[int, float] | None:
    """Epoch that validation chose, and its accuracy; None if nothing was held out."""
    if "validation_accuracy" not in result.last:
        return None
    return int(result.selected["epoch"]), accuracy(result.selected_net)


def operations_per_inference(
    net: Network, data: AnyDataset, config: TrainConfig
) -> tuple[float, float]:
    """Synaptic operations and neuron updates, each a mean over the recordings.

    The multiply-adds of a decision count as synaptic operations.
    """
    operations = updates = 0
    for index in data.stream.batches(config.batch_size):
        tape = simulate(
            net,
            data[index].stream,
            tail=config.tail,
            backend=config.backend,
            precision=config.precision,
        )
        found = count(net, tape)
        operations += sum(int(events.sum()) for events in found.synaptic_events.values())
        updates += sum(int(times.sum()) for times in found.membrane_updates.values())
    decided = 0 if net.decision is None else net.decision.weights.size
    return operations / len(data) + decided, updates / len(data)


def peak_megabytes() -> float | None:
    """Largest resident set of this process so far; None where the system does not tell it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(ln.split()[1]) / 1024 for ln in lines if ln.startswith("VmHWM")), None)


def _mean_rate(rates: Any) -> float:
    """Spikes per neuron and second over all spiking populations."""
    values = [rate for population in rates.values() for rate in population]
    return float(sum(values) / len(values)) if values else 0.0
