"""Findings as a table: cells for a terminal, and the same as Markdown."""

from collections.abc import Sequence

from eventsim.experiment.results import Findings, Row
from eventsim.experiment.statistics import Summary

COLUMNS = (
    "condition", "seeds", "last epoch", "by validation", "difference", "p (t)", "p (Holm)",
    "p (signs)", "parameters", "syn. ops", "updates", "train s", "peak MB",
)  # fmt: skip
ACCURACY_COLUMNS = 8  # of these; the others are what it costs
NOTES = (
    "Accuracy on the test part in %, mean ± standard deviation over seeds: of the network after "
    "the last epoch, and of the epoch that the validation part chose.",
    "difference: points of accuracy, last epoch, from {baseline}. p: two-sided, on pairs of one "
    "seed: paired t-test; the same corrected by Holm for all conditions; exact sign flips, which "
    "with n seeds cannot give less than 2^(1-n).",
    "syn. ops: arrivals of spikes at synapses per test recording. updates: times that a neuron is "
    "brought up to date. train s: training and validation. peak MB: the whole process.",
)


def cells(findings: Findings) -> list[list[str]]:
    """One list per condition, in the order of ``COLUMNS``."""
    return [_cells(row, findings.baseline) for row in findings.rows]


def notes(findings: Findings) -> list[str]:
    """What the columns mean, and what is missing."""
    base = next((row.title for row in findings.rows if row.name == findings.baseline), None)
    found = [note.format(baseline=base or "the baseline, which is not done") for note in NOTES]
    if findings.folds != (None,):
        groups = ", ".join(map(str, findings.folds))
        found.append(f"Accuracy of a seed: the mean over the groups held out in turn: {groups}.")
    if findings.absent:
        found.append(f"Not done yet: {', '.join(findings.absent)}.")
    return found


def markdown(findings: Findings) -> str:
    """The whole table as Markdown."""
    lines = [f"# {findings.title}", ""]
    lines += [findings.about, ""] if findings.about else []
    lines += [_line(COLUMNS), _line(["---", *("---:" for _ in COLUMNS[1:])])]
    lines += [_line(row) for row in cells(findings)]
    return "\n".join([*lines, "", *(f"{note}  " for note in notes(findings))]) + "\n"


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _cells(row: Row, baseline: str) -> list[str]:
    tests = row.comparison
    empty = "baseline" if row.name == baseline else "-"
    return [
        row.title,
        f"{row.last.n}",
        _percent(row.last),
        "-" if row.selected is None else _percent(row.selected),
        empty if tests is None else f"{100.0 * tests.difference:+.2f}",
        "-" if tests is None else _p(tests.p_t),
        _p(row.p_holm),
        "-" if tests is None else _p(tests.p_signs),
        f"{row.parameters:,}",
        _number(row.measured["synaptic_operations_per_inference"]),
        _number(row.measured["neuron_updates_per_inference"]),
        _number(row.measured["training_seconds"], digits=1),
        _number(row.measured["peak_mb"]),
    ]


def _percent(found: Summary) -> str:
    spread = "" if found.deviation is None else f" ± {100.0 * found.deviation:.2f}"
    return f"{100.0 * found.mean:.2f}{spread}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float | None, *, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
