"""Findings as a table: cells for a terminal, and the same as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eventsim.experiment.results import Findings, Measure, Row, TestedDivision
from eventsim.experiment.statistics import Summary
from eventsim.train.parts import TEST_MET

COLUMNS = (
    "condition", "n", "last epoch", "by validation", "difference", "p (t)", "p (Holm)",
    "p (signs)", "parameters", "synaptic operations", "updates", "train s", "peak MB",
)  # fmt: skip
COMPARED_COLUMNS = 8  # of these; the others are what it costs
NOTES = (
    "{what} on the test part{unit}, mean ± {spread}; n: {kind}. Of the network after the last "
    "epoch, and of the epoch that the validation part chose.",
    "difference: {points}, last epoch, from {baseline}. p: two-sided, on pairs of one "
    "{one}: {test}; the same corrected by Holm for {holm}; exact sign flips, which with n "
    "{kind} cannot give less than 2^(1-n). -: no test, of one pair or of equal differences.",
    "{reach}",
    "synaptic operations: per test recording, without multiply-adds of a linear decision. updates: "
    "times that a neuron is brought up to date. train s: training and validation, without "
    "compiling of kernels. peak MB: the whole process. All are means over the runs.",
)


@dataclass(frozen=True)
class MeasureText:
    """Texts and digits of a measure."""

    what: str  # its name
    unit: str  # what is said of it once
    points: str  # what a difference counts
    scale: float  # of a value as it is shown
    form: str  # digits

    def shown(self, value: float, *, sign: str = "") -> str:
        """A value as text."""
        return f"{self.scale * value:{sign}{self.form}}"

    def summary(self, found: Summary) -> str:
        """Mean and standard deviation as text."""
        spread = "" if found.deviation is None else f" ± {self.shown(found.deviation)}"
        return f"{self.shown(found.mean)}{spread}"


TOLD: Mapping[Measure, MeasureText] = {
    "accuracy": MeasureText("Accuracy", " in %", "points of accuracy", 100.0, ".2f"),
    "r2": MeasureText(
        "R2",
        " (mean over the outputs; 1 is perfect, 0 is as good as the mean of the targets)",
        "R2",
        1.0,
        ".4f",
    ),
    "mean_squared_error": MeasureText(
        "Mean squared error",
        " (lower is better; a test part has an output whose targets are all equal, so there is no "
        "R2)",
        "mean squared error",
        1.0,
        ".5g",
    ),
}


def cells(findings: Findings) -> list[list[str]]:
    """Cells of the table: a list per condition, in the order of ``COLUMNS``."""
    told = TOLD[findings.measure]
    return [_cells(row, findings.baseline, told) for row in findings.rows]


def notes(findings: Findings) -> list[str]:
    """Notes on the table: the meaning of its columns, their reach, and missing runs."""
    base = next((row.title for row in findings.rows if row.name == findings.baseline), None)
    repeats = findings.repeats
    compared = sum(row.comparison is not None for row in findings.rows)
    told = TOLD[findings.measure]
    words = {
        "what": told.what,
        "unit": told.unit,
        "points": told.points,
        "baseline": base or "the baseline, which is not done",
        "holm": f"the comparisons so far ({compared}): it grows with what is not done yet"
        if findings.absent
        else "all conditions",
        "kind": repeats.kind,
        "one": repeats.kind.removesuffix("s"),
        "spread": repeats.spread,
        "test": repeats.test,
        "reach": repeats.reach,
    }
    found = [] if findings.small_size is None else [findings.small_size]
    found += [note.format(**words) for note in NOTES]
    if findings.folds != (None,):
        groups = "; ".join(map(str, findings.folds))
        found.append(f"Groups held out in turn: {groups}.")
    if not repeats.are_folds:
        found += _tested(findings.divisions[0])
    found += [
        f"{TEST_MET.capitalize()}: {one.test_met:,} of {one.tested}."
        for one in findings.divisions
        if one.test_met and one.tested is not None
    ]
    found += [_left_out(row) for row in findings.rows if row.left_out]
    found += [
        f"{row.title}: difference and p are over {row.comparison.n} {repeats.kind} that the "
        "baseline has too."
        for row in findings.rows
        if row.comparison is not None and row.comparison.n < row.last.n
    ]
    found += partial_notes(findings)
    if findings.absent:
        found.append(f"Not done yet: {', '.join(findings.absent)}.")
    return found


def _tested(division: TestedDivision) -> list[str]:
    """Notes on the recordings that are tested and validated in the only division."""
    if division.tested is None:
        return ["Who was tested: not told by runs of earlier versions."]
    found = [f"Tested in all seeds: {division.tested}."]
    if division.validated_by == "group":
        seeds = [f"seed {seed}: {part}" for seed, part in division.validated.items()]
        found.append(f"Validated by group, {'; '.join(seeds)}.")
    elif division.validated_by is not None and division.tested.groups:
        found.append("Validated by recording: on groups that are learned.")
    return found


def _left_out(row: Row) -> str:
    seeds, many = ", ".join(map(str, row.left_out)), len(row.left_out) > 1
    which = f"seeds {seeds} are" if many else f"seed {seeds} is"
    return f"{row.title}: {which} not in the means, since not all of the runs are done."


def partial_notes(findings: Findings) -> list[str]:
    """Runs that are done and stand in no row, with the folds that they wait for."""
    alike: dict[tuple[int, tuple[str | None, ...]], list[str]] = {}
    for one in findings.partial:
        alike.setdefault((one.seed, one.missing), []).append(one.condition)
    found = [
        f"{', '.join(titles)}, seed {seed}: not done in {'; '.join(map(str, missing))}."
        for (seed, missing), titles in alike.items()
    ]
    n = sum(len(one.done) for one in findings.partial)
    runs = "1 run that is done is" if n == 1 else f"{n} runs that are done are"
    return [f"{runs} not counted, since other folds are missing:", *found] if found else []


def fold_columns(findings: Findings) -> list[str]:
    """Head of the table of folds."""
    return ["fold", "tested", *(row.title for row in findings.rows)]


def fold_cells(findings: Findings) -> list[list[str]]:
    """Cells of the folds: the groups of each, and every condition's measure; none without folds."""
    if not findings.repeats.are_folds:
        return []
    told, found = TOLD[findings.measure], []
    for number, one in enumerate(findings.divisions, 1):
        values = [row.fold_values.get(str(one.fold)) for row in findings.rows]
        shown = ["-" if value is None else told.shown(value) for value in values]
        found.append([f"{number}", str(one.tested or one.fold), *shown])
    ends = [told.summary(row.last) for row in findings.rows]
    return [*found, ["", "mean ± standard deviation over folds", *ends]] if found else []


def markdown(findings: Findings) -> str:
    """The whole table as Markdown."""
    lines = [f"# {findings.title}", ""]
    lines += [findings.about, ""] if findings.about else []
    lines += _table(COLUMNS, cells(findings))
    if folds := fold_cells(findings):
        lines += ["", *_table(fold_columns(findings), folds)]
    return "\n".join([*lines, "", *(f"{note}  " for note in notes(findings))]) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_line(columns), _line(["---", *("---:" for _ in columns[1:])]), *map(_line, rows)]


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _cells(row: Row, baseline: str, told: MeasureText) -> list[str]:
    tests = row.comparison
    empty = "baseline" if row.name == baseline else "-"
    return [
        row.title,
        f"{row.last.n}",
        told.summary(row.last),
        "-" if row.selected is None else told.summary(row.selected),
        empty if tests is None else told.shown(tests.difference, sign="+"),
        "-" if tests is None else _p(tests.p_t),
        _p(row.p_holm),
        "-" if tests is None else _p(tests.p_signs),
        f"{row.parameters:,}",
        _number(row.measured["synaptic_operations_per_inference"]),
        _number(row.measured["neuron_updates_per_inference"]),
        _number(row.measured["training_seconds"], digits=1),
        _number(row.measured["peak_mb"]),
    ]


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float | None, *, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
