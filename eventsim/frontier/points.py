"""All points of a sweep: measured, summarised over seeds, and which of them are on a front.

A point is a condition of an experiment. Its numbers are means over the seeds. Each axis of cost
(the energy on a chip, without leakage and with it, synaptic operations, cores) has a front of its
own, by the mean cost and the mean accuracy. **A front is chosen by the accuracy on the validation
part**, which training holds out of its own data. The accuracies of the page were measured on other
recordings. If runs have no validation part, the measured accuracy chooses the front. Such a front
is as optimistic as any best of many, and the page says so.

Conditions on a grid of time are drawn too, but are on no front. A condition whose networks do not
fit on a chip, or were not checked, is on no front of that chip.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from eventsim.chips import ENERGY_TERMS, Quantity
from eventsim.entries import flat
from eventsim.errors import ParameterError
from eventsim.events import AnyDataset
from eventsim.experiment.resolve import Experiment
from eventsim.experiment.statistics import TIE_DECIMALS, Summary
from eventsim.frontier.measure import (
    ACCURACY,
    CHOICE,
    ENERGY,
    LEAKAGE,
    OPERATIONS,
    Numbers,
    Question,
    cores_key,
    energy_key,
    measure,
    measure_rounded,
    total_key,
)
from eventsim.frontier.pareto import pareto_front
from eventsim.mapping.fits import UNCHECKED, Fit
from eventsim.measures import measure_name
from eventsim.runs.run import Run
from eventsim.runs.settings import RunSettings
from eventsim.train.folder import RESULT

REPORT = "index.html"  # of a run, by eventsim report
ROUNDED = "bits after training"  # among the settings of a point
Kind = Literal["exact", "grid"]
Key = str
Watch = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class SweptRun:
    """A run of a point.

    Attributes
    ----------
    seed
        Of its training.
    folder
        Its own, relative to that of the sweep, with ``/`` between names.
    link
        Its report if it has one, else its folder; relative as well.
    command
        That prints the same counts and energies.
    numbers, fits, missing
        As in :class:`eventsim.frontier.Measured`.
    """

    seed: int
    folder: str
    link: str
    command: str
    numbers: Numbers
    fits: Mapping[str, Fit]
    missing: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class ChipNote:
    """Assumptions behind the energies on a chip.

    Attributes
    ----------
    name, title
        Of the chip.
    step_ms
        Of its clocked terms; None without such terms.
    has_energy, has_cores
        Whether it has figures, and cores that a network can be put on.
    has_leakage
        Whether leakage is a term of its own; else it is part of the others, or unknown.
    figures
        Of its terms: name, value, unit, status, source, and whether the energies include the
        term (``counted``), but for leakage and what does not fit.
    """

    name: str
    title: str
    step_ms: float | None
    has_energy: bool
    has_cores: bool
    has_leakage: bool
    figures: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Point:
    """A condition of a sweep in numbers.

    Attributes
    ----------
    name, title
        Of the condition.
    kind
        ``exact`` time, or its fixed-step counterpart on a ``grid``.
    settings
        Those in which it differs from some other point, by path.
    runs
        One per seed, and per group that is held out.
    summary
        Mean and standard deviation over the runs of every number that all runs have.
    fits
        Whether the networks of all runs fit, by name of the chip; other chips were not checked.
    missing
        Names of the terms that the energies lack, by name of the chip.
    front
        Axes of cost on whose front the point is.
    """

    name: str
    title: str
    kind: Kind
    settings: Mapping[str, Any]
    runs: tuple[SweptRun, ...]
    summary: Mapping[str, Summary]
    fits: Mapping[str, Fit] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    front: tuple[Key, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether it is of exact event time."""
        return self.kind == "exact"

    def fit_on(self, chip: ChipNote) -> Fit | None:
        """Whether it fits on a chip; None if the chip has no cores."""
        return self.fits.get(chip.name, UNCHECKED) if chip.has_cores else None

    def lacks(self, axis: Key) -> bool:
        """Whether its cost on an axis is a lower bound: a sum that lacks a term."""
        kind, _, chip = axis.partition(":")
        names = {*self.missing.get(chip, ())}
        leakage = names.intersection(LEAKAGE)
        return {
            ENERGY: bool(names - leakage),
            "leakage_pj": bool(leakage),
            "energy_with_leakage_pj": bool(names),
            "encoder_pj": True,  # memory of an encoder is never counted
        }.get(kind, False)

    def mean(self, key: Key) -> float | None:
        """The mean of a number, None where there is none."""
        found = self.summary.get(key)
        return None if found is None else found.mean


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """A sweep, measured.

    Attributes
    ----------
    title
        Of the experiment.
    about
        The description in the experiment, and the titles of the points.
    data
        The recordings of all measurements, in words.
    chosen_by
        ``validation_accuracy`` if it chooses the fronts, else ``accuracy``.
    chips
        By which the runs are priced.
    points
        In the order of the recipe; conditions without a finished run are in ``absent``.
    absent
        Names of conditions without a finished run.
    small_size
        As of the experiment.
    unfinished
        Runs that are not in a point's means since they are not done: their folders, by the title of
        the point.
    """

    title: str
    about: str
    data: str
    chosen_by: str
    chips: tuple[ChipNote, ...]
    points: tuple[Point, ...]
    absent: tuple[str, ...]
    small_size: str | None = None
    unfinished: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def misfit(self, point: Point, axis: Key) -> Fit | None:
        """Why a point cannot be on the front of an axis: it does not fit, or was not checked."""
        _, _, name = axis.partition(":")
        found = (point.fit_on(chip) for chip in self.chips if chip.name == name)
        return next((fit for fit in found if fit is not None and fit.state != "fits"), None)

    @property
    def axes(self) -> dict[Key, str]:
        """Axes of cost, and their names."""
        found = {}
        for chip in self.chips:
            if chip.has_energy:
                step = "" if chip.step_ms is None else f" in steps of {chip.step_ms:g} ms"
                title = f"energy per recording on {chip.title}{step}"
                found[energy_key(chip.name)] = title
                if chip.has_leakage:
                    found[total_key(chip.name)] = f"{title}, with leakage"
        found[OPERATIONS] = f"{measure_name('synaptic_operations')} per recording"
        for chip in self.chips:
            if chip.has_cores:
                found[cores_key(chip.name)] = f"cores of {chip.title}"
        return found


def check_classes(title: str, *, targets: bool) -> None:
    """Raise ParameterError where recordings have targets: a front is of accuracies."""
    if targets:
        raise ParameterError(
            title,
            "its recordings have values (targets)",
            "classes: the front is accuracy against cost, and values have no accuracy",
            "eventsim experiment compares R2 and synaptic operations of such networks, eventsim "
            "cost RUN prices each.",
        )


def gather(
    plan: Experiment,
    root: Path,
    asked: Question,
    *,
    bits: Sequence[int] = (),
    watch: Watch = lambda label: None,
) -> Frontier:
    """Measure every finished run of a sweep, and find the fronts.

    Parameters
    ----------
    plan
        The sweep.
    root
        Its folder.
    asked
        What is measured.
    bits
        For each number of bits, each condition in exact time gives a further point: its weights
        are rounded to so many bits after training, and nothing is trained again. A condition that
        was trained with as few bits is not rounded.
    watch
        Called with the label of each run before it is measured.

    Raises
    ------
    ParameterError
        The networks of the sweep are fitted to values.
    StorageError
        A file of a run is damaged.
    """
    check_classes(plan.title, targets=plan.fits_values)
    data = _Recordings()
    runs: dict[str, list[SweptRun]] = {variant.name: [] for variant in plan.variants}
    rounded: dict[tuple[str, int], list[SweptRun]] = {}
    finished = [spec for spec in plan.specs() if (root / spec.label / RESULT).exists()]
    for spec in finished:
        watch(spec.label)
        runs[spec.name].append(_swept(Run(root / spec.label, spec), asked, data))
        for number in bits if spec.grid is None else ():
            if number >= (spec.train.quantise.bits or math.inf):
                continue  # it was trained with as few
            watch(f"{spec.label} at {number} bits")
            one = _swept(Run(root / spec.label, spec), asked, data, number)
            rounded.setdefault((spec.name, number), []).append(one)
    settings = differing(plan.variants)
    done = []
    for variant in plan.variants:
        if runs[variant.name]:
            done.append(_point(variant, settings[variant.name], runs[variant.name]))
        for number in bits:
            if (variant.name, number) in rounded:
                plain = settings[variant.name]
                done.append(_point(variant, plain, rounded[variant.name, number], number))
    validated = all(CHOICE in point.summary for point in done if point.is_exact)
    n = asked.samples
    some = "" if n is None else f", {n:,} recordings spread over its classes"
    frontier = Frontier(
        title=plan.title,
        about=f"{plan.about.strip()} Here: {'; '.join(point.title for point in done)}.".strip(),
        data=f"the {asked.part} part of {plan.data.title}{some}",
        chosen_by=CHOICE if validated else ACCURACY,
        chips=tuple(_note(name, asked) for name in asked.chips),
        points=tuple(done),
        absent=tuple(name for name, found in runs.items() if not found),
        small_size=plan.small_size,
        unfinished=_unfinished(plan, finished),
    )
    return with_fronts(frontier)


def _unfinished(plan: Experiment, finished: Sequence[RunSettings]) -> dict[str, tuple[str, ...]]:
    """Runs that are not done of conditions of which some are, by the title of the condition."""
    done, begun = {spec.label for spec in finished}, {spec.name for spec in finished}
    found: dict[str, tuple[str, ...]] = {}
    for spec in plan.specs():
        if spec.name in begun and spec.label not in done:
            found[spec.title] = (*found.get(spec.title, ()), spec.label)
    return found


def _point(
    variant: RunSettings,
    settings: Mapping[str, Any],
    runs: Sequence[SweptRun],
    bits: int | None = None,
) -> Point:
    """The point of a condition, perhaps with weights rounded after training."""
    after = "" if bits is None else f", rounded to {bits} bits"
    chips = dict.fromkeys(name for run in runs for name in run.missing)
    checked = dict.fromkeys(name for run in runs for name in run.fits)
    return Point(
        name=variant.name if bits is None else f"{variant.name}-{bits}-bits",
        title=variant.title + after,
        kind="exact" if variant.grid is None else "grid",
        settings=settings if bits is None else {**settings, ROUNDED: bits},
        runs=tuple(runs),
        summary=_summary([run.numbers for run in runs]),
        fits={name: Fit.of_runs([run.fits.get(name) for run in runs]) for name in checked},
        missing={
            chip: tuple(dict.fromkeys(n for run in runs for n in run.missing.get(chip, ())))
            for chip in chips
        },
    )


def _swept(run: Run, asked: Question, data: "_Recordings", bits: int | None = None) -> SweptRun:
    """A measured run; with ``bits`` its weights are rounded."""
    tested = data.of(run, asked.part)
    if bits is None:
        measured = measure(run, tested, asked)
    else:
        measured = measure_rounded(run, tested, data.of(run, "train"), asked, bits)
    label = run.settings.label
    return SweptRun(
        seed=run.config.seed,
        folder=label,
        link=f"{label}/{REPORT if (run.folder / REPORT).exists() else ''}",
        command=asked.command(run.folder, bits),
        **vars(measured),
    )


class _Recordings:
    """Recordings of all runs; each part is read once."""

    def __init__(self) -> None:
        self._known: dict[Any, AnyDataset] = {}

    def of(self, run: Run, part: str) -> AnyDataset:
        """A part of the recordings of a run."""
        key = (repr(run.data_settings), part)
        if key not in self._known:
            self._known[key] = run.data(part)
        return self._known[key]


def _note(name: str, asked: Question) -> ChipNote:
    chip = asked.chips[name]
    step = chip.step_ms if asked.step_ms is None else asked.step_ms
    return ChipNote(
        name=chip.name,
        title=chip.title,
        step_ms=step,
        has_energy=bool(chip.energy),
        has_cores=chip.limits is not None,
        has_leakage=not chip.energy.keys().isdisjoint(LEAKAGE),
        figures=tuple(_figure(term, one, step) for term, one in chip.energy.items()),
    )


def _figure(term: str, quantity: Quantity, step_ms: float | None) -> dict[str, Any]:
    given = asdict(quantity)
    needs = ENERGY_TERMS[term].needs
    counted = needs in ("spikes", "mapping") or (needs == "step" and step_ms is not None)
    kept = {key: given[key] for key in ("value", "unit", "status", "source")}
    return {"term": term, "counted": counted, **kept}


def _summary(runs: Sequence[Numbers]) -> dict[str, Summary]:
    """Mean and standard deviation of each number that all runs have."""
    found = {}
    for key in runs[0]:
        values = [value for run in runs if (value := run.get(key)) is not None]
        if len(values) == len(runs):
            found[key] = Summary.of(values)
    return found


def differing(variants: Sequence[RunSettings]) -> dict[str, dict[str, Any]]:
    """For each variant, the settings that are not the same in all variants, by path."""
    plain = {
        one.name: flat(
            {
                "dt": None if one.grid is None else one.grid.dt,
                "network": one.network.described() if one.network else {},
                "train": one.train.to_dict(),
            }
        )
        for one in variants
    }
    keys = dict.fromkeys(key for values in plain.values() for key in values)
    varied = [k for k in keys if len({repr(values.get(k)) for values in plain.values()}) > 1]
    return {name: {k: values[k] for k in varied if k in values} for name, values in plain.items()}


def with_fronts(frontier: Frontier) -> Frontier:
    """The same sweep with the fronts of each point."""
    fronts: dict[str, list[Key]] = {point.name: [] for point in frontier.points}
    for axis in frontier.axes:
        able = [
            point
            for point in frontier.points
            if point.is_exact and axis in point.summary and frontier.misfit(point, axis) is None
        ]
        costs, values = (
            [_settled(point.summary[key].mean) for point in able]
            for key in (axis, frontier.chosen_by)
        )
        for point, on in zip(able, pareto_front(costs, values), strict=True):
            if on:
                fronts[point.name].append(axis)
    points = (replace(point, front=tuple(fronts[point.name])) for point in frontier.points)
    return replace(frontier, points=tuple(points))


def _settled(mean: float) -> float:
    """A mean without its last digits: means that are equal but for rounding become equal."""
    return float(f"{mean:.{TIE_DECIMALS}g}")
