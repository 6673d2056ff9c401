"""Results of an experiment so far: one row per condition, over its repeats.

**Repeats** are seeds where there is one division into a training and a test part. Where groups
are held out in turn, or in folds, they are the folds, whose accuracy is the mean over the seeds.
**What is compared** is the accuracy on the test part. Of networks that are fitted to values it is
R2, mean over the outputs; where a test part has an output whose targets are all equal, which has no
R2, it is the mean squared error of every run.

A seed of a condition counts if all its folds are done; seeds that do not count are named. A
condition's tests against the baseline use the repeats, and in folds the seeds, that both have.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from eventsim.entries import check_types, read, read_object
from eventsim.errors import StorageError
from eventsim.events.storage import write_json
from eventsim.experiment.resolve import Experiment
from eventsim.experiment.statistics import Comparison, Summary, compare, holm
from eventsim.train.folder import RESULT
from eventsim.train.parts import MOST_NAMED, By, Members, Parts, named

PLAN = "experiment.json"
HEAD = ("name", "title", "about", "baseline")  # of an experiment, told in it and with its results
# Numbers of a run that are only averaged.
MEASURED = (
    "validation_accuracy", "train_accuracy", "synaptic_operations_per_inference",
    "neuron_updates_per_inference", "spikes_per_neuron_and_second", "training_seconds", "peak_mb",
)  # fmt: skip
LAST, SELECTED = "test", "selected_by_validation"  # of a result
Measure = Literal["accuracy", "r2", "mean_squared_error"]
Result = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A condition in numbers.

    Attributes
    ----------
    name, title
        Of the condition.
    values, selected_values
        What is compared (``Findings.measure``) on the test part by seed, mean over the folds: after
        the last epoch, and as validation chose; the latter empty where it chose nothing.
    fold_values, selected_fold_values
        Likewise by fold, mean over the seeds; empty without folds.
    last, selected
        Summaries over the repeats, which are folds where there are any, else seeds.
    over_seeds
        The summary over the seeds of ``values``.
    left_out
        Seeds that other conditions have and that do not count here: not done, failed, or not done
        in all folds.
    parameters
        Trained numbers.
    measured
        Means over all runs of what ``MEASURED`` names, and of ``compile_seconds``; None where it
        is not known, as accuracies of networks that are fitted to values.
    comparison
        With the baseline, after the last epoch; None for the baseline itself, or without
        common repeats.
    p_holm
        The t-test's p, corrected for the number of conditions.
    """

    name: str
    title: str
    values: Mapping[int, float]
    selected_values: Mapping[int, float]
    fold_values: Mapping[str, float]
    selected_fold_values: Mapping[str, float]
    last: Summary
    selected: Summary | None
    over_seeds: Summary
    left_out: tuple[int, ...] = ()
    parameters: int
    measured: Mapping[str, float | None]
    comparison: Comparison | None = None
    p_holm: float | None = None


@dataclass(frozen=True, kw_only=True)
class TestedDivision:
    """Recordings that are tested and validated in one division."""

    fold: str | None  # the groups that are tested, in words; None for a division that names none
    # Recordings and groups; None of results of earlier versions, which do not say it
    tested: Members | None
    validated_by: By | None  # how the validation part is drawn; None without one, or likewise
    validated: Mapping[int, Members]  # by seed; empty likewise
    # Recordings that are tested over those that are learned, repeats aside; None
    # likewise
    share: float | None
    # Tested recordings with the same events as one of training; None where nobody has looked
    test_met: int | None = None


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Seeds or folds that means, spreads and tests are over, with their reach in words."""

    kind: Literal["seeds", "folds"]  # ``seeds`` of one division, or ``folds``: divisions
    divisions: int  # how many
    seeds: tuple[int, ...]  # all that a condition has
    # Of folds, recordings tested over recordings learned, mean: by it the t-test is corrected
    overlap: float
    spread: str  # what stands behind ±
    test: str  # name of the t-test
    reach: str  # what the spread and the p values say, and what they do not say

    @property
    def are_folds(self) -> bool:
        """Whether each is a division of its own."""
        return self.kind == "folds"


@dataclass(frozen=True, kw_only=True)
class PartialSeed:
    """A seed of which some folds are done and some are not: it counts nowhere yet."""

    # Title of its condition; the seed
    condition: str
    seed: int
    # The folds
    done: tuple[str | None, ...]
    missing: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Rows of the conditions; those without a done seed have none, and are in ``absent``.

    ``folds`` are the groups that were held out in turn, ``[None]`` without; ``divisions`` tells of
    each who was tested. ``measure`` is what the rows compare. ``partial`` are done runs that no row
    counts, since folds are missing. ``small_size`` is as of the experiment.
    """

    name: str
    title: str
    about: str
    baseline: str
    folds: tuple[str | None, ...]
    divisions: tuple[TestedDivision, ...]
    repeats: Repeats
    measure: Measure
    rows: tuple[Row, ...]
    absent: tuple[str, ...]
    partial: tuple[PartialSeed, ...] = ()
    small_size: str | None = None


def save_plan(experiment: Experiment, root: Path) -> None:
    """Write what :func:`collect` needs beside results; conditions and groups of before stay known.

    Raises
    ------
    StorageError
        The folder is that of another experiment.
    """
    conditions = {variant.name: variant.title for variant in experiment.variants}
    folds = [one.fold for one in experiment.data.turns]
    seeds = sorted(experiment.seeds)
    if (root / PLAN).exists():
        before = read_object(root / PLAN)
        if before.get("name") != experiment.name:
            raise StorageError(
                root,
                f"holds the experiment {before.get('name')!r}, this is {experiment.name!r}",
                remedy="Choose another --out.",
            )
        conditions = before["conditions"] | conditions
        folds = list(dict.fromkeys([*before["folds"], *folds]))
        seeds = sorted({*before.get("seeds", ()), *seeds})
    head = {key: getattr(experiment, key) for key in (*HEAD, "small_size")}
    write_json(root / PLAN, head | {"folds": folds, "seeds": seeds, "conditions": conditions})


def collect(root: Path) -> Findings:
    """Read all results below the folder of an experiment.

    Raises
    ------
    StorageError
        The folder holds no experiment, or a damaged file.
    """
    if not (root / PLAN).exists():
        raise StorageError(
            root,
            f"holds no {PLAN}, so it is no folder of an experiment",
            remedy="Name the one that eventsim experiment run wrote.",
        )
    plan = read_object(root / PLAN)
    try:
        folds = tuple(plan["folds"])
        every = {
            name: [read_object(path) for path in sorted((root / name).glob(f"*/{RESULT}"))]
            for name in plan["conditions"]
        }
        found = {name: _whole_seeds(runs, folds) for name, runs in every.items()}
        done = {name: runs for name, runs in found.items() if runs}
        seeds = {*plan.get("seeds", ()), *(run["seed"] for runs in done.values() for run in runs)}
        divisions = tuple(_division(fold, [*done.values()]) for fold in folds)
        repeats = _repeats(divisions, tuple(sorted(seeds)))
        titles = plan["conditions"]
        measure = _measure([run for runs in done.values() for run in runs])
        rows = [_row(name, titles[name], runs, repeats, measure) for name, runs in done.items()]
        findings = Findings(
            **{key: plan[key] for key in HEAD},
            folds=folds,
            divisions=divisions,
            repeats=repeats,
            measure=measure,
            rows=tuple(_compared(rows, plan["baseline"], repeats, done, measure)),
            absent=tuple(name for name, runs in found.items() if not runs),
            partial=tuple(
                one for name, runs in every.items() for one in _partial(titles[name], runs, folds)
            ),
            small_size=plan.get("small_size"),
        )
        for one in (findings, *findings.rows, *findings.divisions, *findings.partial):
            check_types(one, where=str(root / PLAN), error=StorageError)
        return findings
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        told = f"a file in it is not whole ({type(error).__name__}: {error})"
        raise StorageError(
            root, told, remedy="Run the experiment again: what is whole stays."
        ) from error


def _measure(runs: Sequence[Result]) -> Measure:
    """The measure by which all runs are compared."""
    if not any(run.get("task") == "regression" for run in runs):
        return "accuracy"
    return "r2" if all(None not in run[LAST]["r2"] for run in runs) else "mean_squared_error"


def _value(tested: Mapping[str, Any] | None, measure: Measure) -> float | None:
    """The measure in a test; R2 as the mean over the outputs."""
    if tested is None:
        return None
    return _mean(tested[measure]) if measure == "r2" else tested[measure]


def _whole_seeds(runs: Sequence[Result], folds: Sequence[str | None]) -> list[Result]:
    """Results of a condition, of those seeds of which every fold is done."""
    done = {(run["seed"], run["fold"]) for run in runs}
    return [run for run in runs if all((run["seed"], fold) in done for fold in folds)]


def _partial(
    title: str, runs: Sequence[Result], folds: Sequence[str | None]
) -> Iterator[PartialSeed]:
    """The seeds of a condition of which some folds are done, and not all."""
    for seed in sorted({int(run["seed"]) for run in runs}):
        done = [fold for fold in folds if any((r["seed"], r["fold"]) == (seed, fold) for r in runs)]
        missing = tuple(fold for fold in folds if fold not in done)
        if missing and done:
            yield PartialSeed(condition=title, seed=seed, done=tuple(done), missing=missing)


def _division(fold: str | None, runs_of: Sequence[Sequence[Result]]) -> TestedDivision:
    """Recordings tested and validated in a division, by the first condition that says it."""
    parts: dict[int, Parts] = {}
    for runs in reversed(runs_of):
        for run in runs:
            if run["fold"] == fold and run.get("parts") is not None:
                parts[int(run["seed"])] = read(Parts, run["parts"], "parts", StorageError)
    first = next(iter(parts.values()), None)
    tested = None if first is None else first.test
    learned = 0 if first is None else first.recorded or first.training.recordings
    return TestedDivision(
        fold=fold,
        tested=tested,
        validated_by=None if first is None else first.validated_by,
        validated={seed: parts[seed].validation for seed in sorted(parts)},
        share=None if tested is None else tested.recordings / max(learned, 1),
        test_met=None if first is None else first.test_met,
    )


def _repeats(divisions: Sequence[TestedDivision], seeds: tuple[int, ...]) -> Repeats:
    """Seeds or folds that means are over."""
    n = len(divisions)
    if n == 1:
        return Repeats(
            kind="seeds",
            divisions=1,
            seeds=seeds,
            overlap=0.0,
            spread="standard deviation over seeds of one division",
            test="paired t-test over seeds",
            reach=_reach_of_seeds(divisions[0]),
        )
    known = [one.share for one in divisions if one.share is not None]
    return Repeats(
        kind="folds",
        divisions=n,
        seeds=seeds,
        overlap=sum(known) / n if len(known) == n else 1.0 / (n - 1),
        spread="standard deviation over folds, each of which is a mean over seeds",
        test="paired t-test over folds, corrected for shared recordings (Nadeau and Bengio 2003)",
        reach=(
            f"± and p are over {n} folds, each of which tests groups that it has not learned. "
            "Folds share most of what they learn: the t-test is corrected for it, the sign flips "
            "are not. Both are approximate, and few folds show large differences only. They speak "
            "of groups like those that were tested."
        ),
    )


def _reach_of_seeds(division: TestedDivision) -> str:
    """The reach of results over seeds of one division, in words."""
    tested, of_groups, where = division.tested, "", " where recordings name their groups"
    if tested is not None and tested.groups:
        names, where = list(tested.groups), ""
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        of_groups = f" ({named(names[:MOST_NAMED])}{more})"
    return (
        "± and p are over seeds of one division: they speak of other initial weights, orders of "
        "batches and validation parts. All seeds test the same recordings"
        f"{of_groups}, so they say nothing of other recordings or other speakers. For those, test "
        f"several divisions: --divide group --folds N{where}."
    )


def _row(name: str, title: str, runs: Sequence[Result], repeats: Repeats, measure: Measure) -> Row:
    last, selected = (_means_by("seed", runs, key, measure) for key in (LAST, SELECTED))
    by_fold = repeats.are_folds
    folds, chosen = (
        _means_by("fold", runs, key, measure) if by_fold else {} for key in (LAST, SELECTED)
    )
    # Networks that are fitted to values have no accuracy in training, and no rates are asked.
    got = [run if measure == "accuracy" else {**dict.fromkeys(MEASURED), **run} for run in runs]
    values = list((chosen if by_fold else selected).values())
    return Row(
        name=name,
        title=title,
        values=last,
        selected_values=selected,
        fold_values=folds,
        selected_fold_values=chosen,
        last=Summary.of(list((folds if by_fold else last).values())),
        selected=Summary.of(values) if values else None,
        over_seeds=Summary.of(list(last.values())),
        left_out=tuple(seed for seed in repeats.seeds if seed not in last),
        parameters=int(runs[0]["trained_parameters"]),
        measured={key: _mean(run[key] for run in got) for key in MEASURED}
        | {"compile_seconds": _mean(run["compile_seconds"] for run in runs)},
    )


def _means_by(what: str, runs: Sequence[Result], key: str, measure: Measure) -> dict[Any, float]:
    """The mean of what is measured of every seed, or of every fold; seeds in order."""
    names = dict.fromkeys(run[what] for run in runs)
    found: dict[Any, float] = {}
    for name in sorted(names) if what == "seed" else names:
        mean = _mean(_value(run[key], measure) for run in runs if run[what] == name)
        if mean is not None:
            found[name] = mean
    return found


def _mean(values: Any) -> float | None:
    """None if one of them is."""
    known = list(values)
    return None if None in known else sum(known) / len(known)


def _compared(
    rows: Sequence[Row],
    baseline: str,
    repeats: Repeats,
    runs: Mapping[str, Sequence[Result]],
    measure: Measure,
) -> list[Row]:
    """The rows with their tests."""
    against = [
        None
        if row.name == baseline or baseline not in runs
        else _comparison(runs[row.name], runs[baseline], repeats, measure)
        for row in rows
    ]
    corrected = holm([None if one is None else one.p_t for one in against])
    return [
        replace(row, comparison=one, p_holm=p)
        for row, one, p in zip(rows, against, corrected, strict=True)
    ]


def _comparison(
    own: Sequence[Result], base: Sequence[Result], repeats: Repeats, measure: Measure
) -> Comparison | None:
    common = {run["seed"] for run in own} & {run["seed"] for run in base}
    if not common:
        return None
    what = "fold" if repeats.are_folds else "seed"
    pairs = [
        _means_by(what, [run for run in runs if run["seed"] in common], LAST, measure)
        for runs in (own, base)
    ]
    names = [name for name in pairs[0] if name in pairs[1]]
    values = ([pair[name] for name in names] for pair in pairs)
    return compare(*values, overlap=repeats.overlap)
