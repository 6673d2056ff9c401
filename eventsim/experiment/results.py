"""What an experiment has found so far: one row per condition, over its seeds.

With groups held out, the accuracy of a seed is the mean over the groups, and a seed counts when
all of them are done. A condition's tests against the baseline use the seeds that both have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eventsim.entries import check_types, read_object
from eventsim.errors import StorageError
from eventsim.events.storage import write_json
from eventsim.experiment.resolve import Experiment
from eventsim.experiment.statistics import Comparison, Summary, compare, holm
from eventsim.runs.run import read_result
from eventsim.train.folder import RESULT

PLAN = "experiment.json"
HEAD = ("name", "title", "about", "baseline")  # of an experiment, told in it and with its results
# Numbers of a run that are only averaged.
MEASURED = (
    "validation_accuracy", "train_accuracy", "synaptic_operations_per_inference",
    "neuron_updates_per_inference", "spikes_per_neuron_and_second", "training_seconds", "peak_mb",
)  # fmt: skip
Result = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A condition in numbers.

    Attributes
    ----------
    name, title
        Of the condition.
    accuracies, selected_accuracies
        On the test part by seed: after the last epoch, and as validation chose; the latter empty
        where it chose nothing.
    last, selected
        Their summaries.
    parameters
        Trained numbers.
    measured
        Means over all runs of what ``MEASURED`` names; None where it is not known.
    comparison
        With the baseline, accuracy after the last epoch; None for the baseline itself, or without
        common seeds.
    p_holm
        The t-test's p, corrected for the number of conditions.
    """

    name: str
    title: str
    accuracies: Mapping[int, float]
    selected_accuracies: Mapping[int, float]
    last: Summary
    selected: Summary | None
    parameters: int
    measured: Mapping[str, float | None]
    comparison: Comparison | None = None
    p_holm: float | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All rows; conditions of which no seed is done have none, and are named in ``absent``.

    ``folds`` are the groups that were held out in turn, ``[None]`` without.
    """

    name: str
    title: str
    about: str
    baseline: str
    folds: tuple[str | None, ...]
    rows: tuple[Row, ...]
    absent: tuple[str, ...]


def save_plan(experiment: Experiment, root: Path) -> None:
    """Write what :func:`collect` needs beside results; conditions and groups of before stay known.

    Raises
    ------
    StorageError
        The folder is that of another experiment.
    """
    conditions = {variant.name: variant.title for variant in experiment.variants}
    folds = list(experiment.data.folds)
    if (root / PLAN).exists():
        before = read_object(root / PLAN)
        if before.get("name") != experiment.name:
            raise StorageError(
                f"{root}: holds the experiment {before.get('name')!r}, this is "
                f"{experiment.name!r}. Choose another --out."
            )
        conditions = before["conditions"] | conditions
        folds = list(dict.fromkeys([*before["folds"], *folds]))
    head = {key: getattr(experiment, key) for key in HEAD}
    write_json(root / PLAN, head | {"folds": folds, "conditions": conditions})


def collect(root: Path) -> Findings:
    """Read all results below the folder of an experiment.

    Raises
    ------
    StorageError
        The folder holds no experiment, or a damaged file.
    """
    if not (root / PLAN).exists():
        raise StorageError(
            f"{root}: holds no {PLAN}, so it is no folder of an experiment. Name the one that "
            "eventsim experiment run wrote."
        )
    plan = read_object(root / PLAN)
    try:
        folds = plan["folds"]
        found = {name: _whole_seeds(root / name, folds) for name in plan["conditions"]}
        rows = [_row(name, plan["conditions"][name], runs) for name, runs in found.items() if runs]
        findings = Findings(
            **{key: plan[key] for key in HEAD},
            folds=tuple(folds),
            rows=tuple(_compared(rows, plan["baseline"])),
            absent=tuple(name for name, runs in found.items() if not runs),
        )
        for one in (findings, *findings.rows):
            check_types(one, where=str(root / PLAN), error=StorageError)
        return findings
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StorageError(
            f"{root}: a file in it is not whole ({type(error).__name__}: {error})."
        ) from error


def _whole_seeds(folder: Path, folds: Sequence[str | None]) -> list[Result]:
    """Results of a condition, of those seeds of which every fold is done."""
    runs = [read_result(path) for path in sorted(folder.glob(f"*/{RESULT}"))]
    done = {(run["seed"], run["fold"]) for run in runs}
    return [run for run in runs if all((run["seed"], fold) in done for fold in folds)]


def _row(name: str, title: str, runs: Sequence[Result]) -> Row:
    last = _by_seed(runs, "test")
    selected = _by_seed(runs, "selected_by_validation")
    return Row(
        name=name,
        title=title,
        accuracies=last,
        selected_accuracies=selected,
        last=Summary.of(list(last.values())),
        selected=Summary.of(list(selected.values())) if selected else None,
        parameters=int(runs[0]["trained_parameters"]),
        measured={key: _mean(run[key] for run in runs) for key in MEASURED},
    )


def _by_seed(runs: Sequence[Result], key: str) -> dict[int, float]:
    """The mean accuracy over the groups of every seed; seeds in order."""
    found: dict[int, float] = {}
    for seed in sorted({int(run["seed"]) for run in runs}):
        tested = [run[key] for run in runs if run["seed"] == seed]
        mean = _mean(None if one is None else one["accuracy"] for one in tested)
        if mean is not None:
            found[seed] = mean
    return found


def _mean(values: Any) -> float | None:
    """None if one of them is."""
    known = list(values)
    return None if None in known else sum(known) / len(known)


def _compared(rows: Sequence[Row], baseline: str) -> list[Row]:
    """The rows with their tests."""
    base = next((row for row in rows if row.name == baseline), None)
    against = [None if base is None or row is base else _comparison(row, base) for row in rows]
    corrected = holm([None if one is None else one.p_t for one in against])
    return [
        replace(row, comparison=one, p_holm=p)
        for row, one, p in zip(rows, against, corrected, strict=True)
    ]


def _comparison(row: Row, base: Row) -> Comparison | None:
    common = [seed for seed in row.accuracies if seed in base.accuracies]
    if not common:
        return None
    pairs = ([one.accuracies[seed] for seed in common] for one in (row, base))
    return compare(*pairs)
