"""The points of a sweep as tables and as texts, for a terminal, a page and files."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventsim.experiment.statistics import Summary
from eventsim.frontier.measure import (
    ACCURACY,
    CHOICE,
    OPERATIONS,
    TIME,
    cores_key,
    encoder_key,
    energy_key,
    leakage_key,
    total_key,
)
from eventsim.frontier.points import ROUNDED, ChipNote, Frontier, Key, Point, SweptRun
from eventsim.mapping.fits import UNCHECKED
from eventsim.measures import measure_name
from eventsim.report.numbers import joules
from eventsim.report.tables import PageTable

MARK = "●"  # on a front
WORDS = {
    OPERATIONS: measure_name("synaptic_operations"),
    f"{OPERATIONS}_of_neurons": "of them by spikes of neurons",
    "spikes": measure_name("spikes"),
    "synapses": measure_name("synapses"),
}


def point_tables(frontier: Frontier) -> list[PageTable]:
    """A row per point: accuracies and operations, then energies and cores of each chip."""
    columns = _names(frontier)
    columns["runs"] = [f"{len(point.runs)}" for point in frontier.points]
    columns["accuracy %"] = [_percent(point, ACCURACY) for point in frontier.points]
    if frontier.chosen_by == CHOICE:
        columns["validation %"] = [_percent(point, CHOICE) for point in frontier.points]
    for key, words in WORDS.items():
        columns[words] = [_number(point, key) for point in frontier.points]
    columns[f"{measure_name('inference_time')} (ms)"] = [
        _number(point, TIME) for point in frontier.points
    ]
    columns["front"] = _marks(frontier, OPERATIONS)
    found = [_page_table("Accuracy and operations per recording", columns)]
    for chip in frontier.chips:
        columns = _names(frontier)
        columns["accuracy %"] = [_percent(point, ACCURACY) for point in frontier.points]
        if chip.has_cores:
            columns["fits"] = [fits_word(point, chip) for point in frontier.points]
        if chip.has_energy:
            columns["energy"] = [_energy(p, energy_key(chip.name)) for p in frontier.points]
            columns["front"] = _marks(frontier, energy_key(chip.name))
        if chip.has_leakage:
            whole = total_key(chip.name)
            columns["leakage"] = [_energy(p, leakage_key(chip.name)) for p in frontier.points]
            columns["with leakage"] = [_energy(p, whole) for p in frontier.points]
            columns["front with it"] = _marks(frontier, whole)
        if _has_encoder(frontier, chip):
            made = encoder_key(chip.name)
            columns["encoder, besides"] = [_energy(point, made) for point in frontier.points]
        if chip.has_cores:
            columns["cores"] = [_number(p, cores_key(chip.name)) for p in frontier.points]
        step = "" if chip.step_ms is None else f", dt = {chip.step_ms:g} ms"
        found.append(_page_table(f"{chip.title} ({chip.name}){step}, per recording", columns))
    return found


def _has_encoder(frontier: Frontier, chip: ChipNote) -> bool:
    """Whether the encoder of the input has a price on a chip."""
    return any(encoder_key(chip.name) in point.summary for point in frontier.points)


def fits_word(point: Point, chip: ChipNote) -> str:
    """Whether a point fits on a chip, in a word or two."""
    fit = point.fit_on(chip)
    return "-" if fit is None else {"fits": "yes", "does not fit": "no"}.get(fit.state, fit.state)


def misfits(frontier: Frontier) -> Iterator[str]:
    """A line for every point that does not fit on a chip, was not checked or fits if assumed."""
    for chip in frontier.chips:
        for point in frontier.points:
            fit = point.fit_on(chip)
            if fit is not None and fit.reason:
                yield f"{chip.name}: {point.title}: {fit.state}. {fit.reason}"


def _names(frontier: Frontier) -> dict[str, list[str]]:
    return {"point": [point.title for point in frontier.points]}


def _marks(frontier: Frontier, axis: Key) -> list[str]:
    return [MARK if axis in point.front else "" for point in frontier.points]


def _page_table(title: str, columns: Mapping[str, Sequence[str]]) -> PageTable:
    return PageTable(title, list(columns), list(zip(*columns.values(), strict=True)))


def axis_name(axis: Key) -> str:
    """An axis of cost in a word or two."""
    kind, _, chip = axis.partition(":")
    if not chip:
        return "operations"
    return {"cores": f"cores of {chip}", "energy_pj": chip}.get(kind, f"{chip} with leakage")


def figures_table(chip: ChipNote) -> PageTable:
    """The figures of a chip, with status and source."""
    rows = [
        [
            one["term"],
            f"{one['value']:,g} {one['unit']}",
            "yes" if one["counted"] else "as leakage" if one["unit"] == "uW" else "no",
            one["status"],
            one["source"].strip(),
        ]
        for one in chip.figures
    ]
    columns = ["term", "figure", "in the energy", "status", "source"]
    return PageTable(f"{chip.title} ({chip.name})", columns, rows, texts=3)


def told(frontier: Frontier, point: Point) -> str:
    """A point in some lines: its settings and its numbers."""
    lines = [point.title]
    lines += [f"{key} {value}" for key, value in point.settings.items() if value is not None]
    lines.append(f"accuracy {_percent(point, ACCURACY)} %, {len(point.runs)} runs")
    lines.append(f"{_number(point, OPERATIONS)} {measure_name('synaptic_operations')}")
    for chip in frontier.chips:
        if chip.has_energy:
            whole = f", with leakage {_energy(point, total_key(chip.name))}"
            energy = _energy(point, energy_key(chip.name))
            lines.append(f"{chip.name}: {energy}{whole if chip.has_leakage else ''}")
        if chip.has_cores:
            lines.append(f"cores of {chip.name}: {_number(point, cores_key(chip.name))}")
        fit = point.fit_on(chip)
        if fit is not None and fit.reason:
            lines.append(f"{fit.state} on {chip.name}: {fit.reason}")
    fronts = ", ".join(map(axis_name, point.front))
    return "\n".join([*lines, f"on the front of: {fronts}" if fronts else "on no front"])


def as_csv(frontier: Frontier) -> str:
    """A row per run, all numbers; RFC 4180."""
    keys = dict.fromkeys(k for p in frontier.points for run in p.runs for k in run.numbers)
    text = io.StringIO()
    rows = csv.writer(text)
    told = [
        f"{what}:{chip.name}" for chip in frontier.chips for what in ("fits", "misfit", "missing")
    ]
    rows.writerow(["point", "title", "kind", "front", "seed", "run", *keys, *told, "command"])
    for point in frontier.points:
        for run in point.runs:
            numbers = ["" if run.numbers.get(k) is None else run.numbers[k] for k in keys]
            front = " ".join(point.front)
            begin: list[Any] = [point.name, point.title, point.kind, front, run.seed, run.folder]
            rows.writerow([*begin, *numbers, *_told_of_run(frontier, point, run), run.command])
    return text.getvalue()


def _told_of_run(frontier: Frontier, point: Point, run: SweptRun) -> Iterator[str]:
    """For each chip: whether the network of a run fits, why not, and the terms its energy lacks."""
    for chip in frontier.chips:
        fit = None if point.fit_on(chip) is None else run.fits.get(chip.name, UNCHECKED)
        yield from ("", "") if fit is None else (fit.state, fit.reason)
        yield " ".join(run.missing.get(chip.name, ()))


def notes(frontier: Frontier) -> Iterator[str]:
    """Sentences that explain the numbers."""
    if frontier.small_size is not None:
        yield frontier.small_size
    yield (
        f"Accuracy, operations, spikes and energies were measured on {frontier.data}, with the "
        "network after the last epoch: mean ± standard deviation over the runs, which are "
        f"{_runs_of(frontier)}."
    )
    if frontier.chosen_by == CHOICE:
        yield (
            "The points of a front were chosen by their mean accuracy on the validation part, "
            "which training holds out of its own data. The accuracies that stand here were "
            "measured on other recordings, so a point of the front may lie below another point."
        )
    else:
        yield (
            "These runs have no validation part, so the points of a front were chosen by the "
            "accuracies that stand here themselves: as the best of many, they are somewhat "
            "too good. Set train.validation_fraction for a choice on other recordings."
        )
    yield (
        "Energies leave out leakage where it is a term of its own, as eventsim cost does in its "
        "sum without leakage. A sum with ≥ in front is a lower bound: it lacks terms for which a "
        "chip has no figure, or no place for the network. Leakage is the static power of the "
        "chip over the time of an inference: the whole recording, and the time that the network "
        "runs on after it before it answers. What it would cost to make the input's events of "
        "audio on the chip is in no sum; eventsim cost counts it. Cores, axons and links are those "
        "of the mapping that eventsim map finds."
    )
    yield from _lacking(frontier)
    if any(misfits(frontier)):
        yield (
            "What does not fit on a chip, or was not checked, is on no front of that chip; "
            "crosses in the pictures."
        )
        yield from misfits(frontier)
    if any(ROUNDED in point.settings for point in frontier.points):
        yield (
            "Where a title says so, the weights were rounded after training, and the network was "
            "measured again, on the validation part too. Memory is read, where a chip has a figure "
            "of it, with so many bits."
        )
    if not all(point.is_exact for point in frontier.points):
        yield (
            "Squares are networks that were trained, tested and counted in fixed steps. They are "
            "for comparison and on no front."
        )
    if frontier.absent:
        yield f"Not done yet: {', '.join(frontier.absent)}."
    if frontier.unfinished:
        runs = "; ".join(f"{name}: {', '.join(one)}" for name, one in frontier.unfinished.items())
        yield (
            "Not in the means, since they are not done: so these points are means over other runs "
            f"than the rest, and fronts compare both. {runs}."
        )


def _lacking(frontier: Frontier) -> Iterator[str]:
    """Terms that energies of networks and of their encoder leave out, by chip."""
    for chip in frontier.chips:
        names = ", ".join(
            dict.fromkeys(n for one in frontier.points for n in one.missing.get(chip.name, ()))
        )
        if names and chip.has_energy:
            yield f"Not in the energies on {chip.name}: {names}."
        if _has_encoder(frontier, chip):
            yield (
                f"Not in the energy of the encoder on {chip.name}: memory of the encoder, and its "
                "operations of which the chip has no figure. eventsim cost names them."
            )


def _runs_of(frontier: Frontier) -> str:
    """The runs of a point, and what a spread over them covers."""
    if any(len({run.seed for run in point.runs}) < len(point.runs) for point in frontier.points):
        return "all seeds in all divisions, in each of which other groups are tested"
    return (
        "seeds of one division: the spread is of seeds, and says nothing of other recordings or "
        "speakers"
    )


def _percent(point: Point, key: Key) -> str:
    found = point.summary.get(key)
    return "-" if found is None else _spread(found, "{:.1f}", 100.0)


def _number(point: Point, key: Key) -> str:
    found = point.summary.get(key)
    return "-" if found is None else f"{found.mean:,.0f}"


def _energy(point: Point, key: Key) -> str:
    found = point.summary.get(key)
    return "-" if found is None else joules(found.mean, at_least=point.lacks(key))


def _spread(found: Summary, form: str, scale: float) -> str:
    mean = form.format(scale * found.mean)
    return mean if found.deviation is None else f"{mean} ± {form.format(scale * found.deviation)}"
