r"""A run of regression: a network that is fitted to values, in its folder.

The values are those of a file of targets (:mod:`eventsim.events.targets`); the answer is the
voltage of the readout at their times. Training is that of :func:`eventsim.train.train` with the
loss ``mean_squared_error``, and the folder that of another run (:mod:`eventsim.train.folder`).

**Scale.** Targets have any unit. With mean :math:`\bar y_c` and standard deviation :math:`s_c` of
every output c over the training part, the readout of a new network gets the resistance
:math:`s_c R` and the resting potential :math:`s_c E + \bar y_c`, so that its voltage is in the unit
of the targets; errors count in :math:`s_c`, unless ``loss.scale`` was chosen. The loss of an epoch
is thus a fraction of the variance; errors and R2 of the result are in the unit of the targets.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import eventsim
from eventsim.arrays import Floats
from eventsim.engine import describe_backend
from eventsim.errors import DataError, ParameterError
from eventsim.events import AnyDataset
from eventsim.events.storage import write_json
from eventsim.events.targets import Targets, differ
from eventsim.network import Network
from eventsim.report.record import Tested, loss_scale
from eventsim.runs.execution import Execution, Outcome, peak_megabytes, stopped_early, train_run
from eventsim.runs.run import Run
from eventsim.runs.settings import RunSettings, Shape
from eventsim.train import Evaluation, ProcessGroup, RegressionEvaluation, TrainConfig
from eventsim.train.counting import count_trained
from eventsim.train.folder import RESULT, RunFolder
from eventsim.train.loss_settings import ValuesLoss
from eventsim.train.regression import readout_of

LOSS = ValuesLoss().kind


def execute_values(
    settings: RunSettings, folder: Path, how: Execution, *, net: Network | None = None
) -> Outcome | None:
    """Train and test; parameters and errors are those of :func:`.execute`.

    ``net``, where training starts, answers in the unit of the targets.
    """
    group = how.group or ProcessGroup()
    assert settings.data is not None
    # The test part too: what does not fit is told before training. Its recordings stay in the file.
    training, test = (settings.data.labelled(part) for part in ("train", "test"))
    if test.targets is None or not test.targets.given:
        raise DataError(settings.data.title, "the test part has no target", "some")
    mean, size = _scale(training, settings.data.title)
    if how.resume:  # a run keeps its own: a program may have chosen another scale
        settings = settings.settled_as(RunSettings.load(folder))
    else:
        loss = ValuesLoss(scale=_chosen(settings.train, test.targets) or tuple(size.tolist()))
        if net is None:
            net = in_units(settings.build(Shape.of(training)), mean, size)
        train = replace(settings.train, loss=loss, output=readout_of(net, settings.train))
        settings = replace(settings, train=train)
    run = train_run(settings, folder, training, how, net=net)
    if not group.leads:
        return None
    tested = run.checked(test)
    result = _result(run, training, test, tested, mean)
    result["peak_mb"] = peak_megabytes() if how.own_process else None
    write_json(run.folder / RESULT, result, indent=None)
    return Outcome(run, run.record(test, tested), result)


def _chosen(config: TrainConfig, targets: Targets) -> tuple[float, ...]:
    """The scale that was asked for, () for none; ParameterError unless it fits the outputs."""
    assert isinstance(config.loss, ValuesLoss)
    n, names = len(config.loss.scale), targets.names
    if n not in (0, len(names)):
        raise ParameterError(
            "loss.scale",
            f"has length {n}",
            f"a unit of each output: {', '.join(names)}",
            "Empty (--set loss.scale=[]) it is their standard deviation.",
        )
    return config.loss.scale


def _result(
    run: Run, training: AnyDataset, data: AnyDataset, tested: Tested, guess: Floats
) -> dict[str, Any]:
    """The content of result.json; ``guess`` is the mean of the targets of training, [outputs]."""
    config, targets = run.config, data.targets
    assert targets is not None
    assert run.parts is not None  # train_run has written them
    parts = run.parts.tested(training, data, config).to_dict()
    RunFolder(run.folder).note(parts=parts)
    (found, chosen), last, best = tested, run.history[-1], None
    if chosen is not None:
        best = {"epoch": chosen.epoch, **described_fit(chosen.evaluation, targets.names)}
    backend = describe_backend(config.backend)
    operations, updates = run.operations(data)
    return {
        "task": "regression",
        "condition": run.settings.name,
        "seed": config.seed,
        "fold": run.settings.fold,
        "division": run.data_settings.info.splits,
        "parts": parts,
        "epochs": len(run.history),
        "stopped_early": stopped_early(config, len(run.history)),
        "test": {"samples": len(data), **described_fit(found.evaluation, targets.names)},
        "selected_by_validation": best,
        "guess_mean_squared_error": float(np.nanmean((targets.values - guess) ** 2)),
        "loss": last["loss"],
        "validation_loss": last.get("validation_loss"),
        "loss_scale": loss_scale(config, targets.names),
        "trained_parameters": count_trained(run.net, config),
        "synaptic_operations_per_inference": operations,
        "neuron_updates_per_inference": updates,
        "training_seconds": sum(line["seconds"] for line in run.history),
        "compile_seconds": sum(line["compile_seconds"] for line in run.history),
        "skipped_steps": sum(line["skipped_steps"] for line in run.history),
        "backend": backend.name,
        "device": backend.device,
        "version": eventsim.__version__,
    }


def in_units(net: Network, mean: Floats, size: Floats) -> Network:
    """The network whose readout gives ``size * V + mean`` for its voltage V. A copy."""
    found = net.copy()
    readout = found.population(readout_of(found))
    readout.resistance[...] *= size
    readout.v_leak[...] = readout.v_leak * size + mean
    return found


def _scale(data: AnyDataset, title: str) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every output; 1 where all its targets are equal."""
    targets = data.targets
    assert targets is not None
    there = ~np.isnan(targets.values)
    if not there.any(axis=(0, 1)).all():
        lacks = targets.names[int(np.flatnonzero(~there.any(axis=(0, 1)))[0])]
        raise DataError(title, f"the training part has no target of the output {lacks!r}")
    mean = np.nanmean(targets.values, axis=(0, 1))
    size = np.nanstd(targets.values, axis=(0, 1))
    return mean, np.where(differ(targets.values), size, 1.0)


def described_fit(
    found: Evaluation | RegressionEvaluation, names: tuple[str, ...]
) -> dict[str, Any]:
    """An evaluation as plain values; R2 is None of an output whose targets are all equal."""
    assert isinstance(found, RegressionEvaluation)
    return {
        "mean_squared_error": found.mean_squared_error,
        "r2": [float(one) if np.isfinite(one) else None for one in found.r2],
        "outputs": list(names),
        "targets": found.n_targets,
        "targets_left_out": found.left_out,
    }
