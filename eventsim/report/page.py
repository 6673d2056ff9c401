"""The page of a run: one file, nothing loaded from elsewhere."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from eventsim.energy import ClockedCounts, EnergyReport
from eventsim.engine.contract.compiling import SHOWN
from eventsim.hardware.usage import limits_left_out
from eventsim.mapping import StudyRow
from eventsim.measures import INTERVAL, LOSSES_DIFFER, interval_text, measure_name, measures
from eventsim.network.late import heard_share
from eventsim.report import bar_figures, html, mapping_figures, tables, time_figures
from eventsim.report.energy_figures import energy_breakdown
from eventsim.report.numbers import duration, general, joules, percent, training_times
from eventsim.report.pictures import RATES, picture
from eventsim.report.record import ChipMapping, OverTime, Priced, Report, RunRecord, Unmade
from eventsim.report.tables import PageTable
from eventsim.train.evaluation import MOST_CONFUSED
from eventsim.train.parts import NEVER_LEARNED
from eventsim.train.silence import silent_populations

_BY_NAME = (
    "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "gradient_norm",
    "clipped_steps",
)  # fmt: skip
_EPOCH_COLUMNS = {name: name.replace("_", " ") for name in _BY_NAME} | {
    "skipped_steps": "skipped steps (gradient not finite)",
    "grazes": "grazing spikes",
    "synaptic_events_per_sample": f"{measure_name('synaptic_operations')} per recording",
    "energy_pj_per_sample": "energy per recording (pJ), a lower bound",
    "connection_sparsity": measure_name("connection_sparsity"),
    "seconds": "seconds",
    "compile_seconds": "seconds of compiling",
}


SECTIONS = {
    "trained": "What was trained",
    "training": "Training",
    "sparsity": "Sparsity",
    "energy": "Energy",
    "time": "When the answer is there",
    "mapping": "Mapping",
    "bits": "Accuracy against bits",
}

_DEFINED = (
    "spikes", "rate", "silent_in_recording", "synaptic_operations", "effective_operations",
    "updates_by_arrivals", "neuron_updates", "activation_sparsity", "connection_sparsity",
    "active_synapses", "memory",
)  # fmt: skip


def render(report: Report, pictures: Sequence[html.Picture]) -> str:
    """The whole page; ``pictures`` as :func:`eventsim.report.pictures.page_pictures` draws them."""
    training = [found for found in pictures if found.file != RATES]
    rates = [found for found in pictures if found.file == RATES]
    priced, run = report.priced, report.run
    parts = {"trained": _trained(report), "training": _training(run, training)}
    if isinstance(priced, Unmade):
        parts |= {"sparsity": [html.figures(rates), _unmade(priced)]}
    else:
        parts |= {"sparsity": _sparsity(priced, rates), "energy": _energy(priced)}
        parts |= {"time": _over_time(report.over_time)}
        parts |= {"mapping": _mappings(report), "bits": _studies(report)}
    chosen = {name: SECTIONS[name] for name in parts}
    body = "".join(
        [
            html.header(report.title, report.about),
            html.contents(chosen),
            *([] if isinstance(run, Unmade) else [headline(run)]),
            *_warnings(report),
            _overview(report),
            *(html.section(name, chosen[name], *blocks) for name, blocks in parts.items()),
        ]
    )
    written = f"eventsim {report.version}".strip()
    footer = f"Written by {written}. Numbers are of {report.data}, unless stated otherwise."
    return html.document(report.title, body, footer=footer)


def _warnings(report: Report) -> list[str]:
    """Warnings about the numbers, which a reader needs first."""
    answer, late = report.answer, report.late
    tail = 0.0 if answer is None else answer.tail
    silent = silent_populations(report.rates, heard=heard_share(report.stream, tail=tail))
    found = [one for one in (late, *silent) if one is not None]
    return [html.paragraph(str(one), kind="warning") for one in found]


def _unmade(found: Unmade) -> str:
    return html.paragraph(found.reason, kind="unmade")


def _overview(report: Report) -> str:
    """The most important numbers after the accuracies."""
    run, priced, values = report.run, report.priced, dict[str, str]()
    operations = f"{measure_name('synaptic_operations')} per recording"
    if isinstance(run, RunRecord):
        values |= {
            "loss on these recordings": f"{run.last.evaluation.loss:.4f}",
            "trained parameters": f"{run.n_parameters:,}",
            "of the network: weights": f"{run.n_weights:,}",
            **_times(run),
            measure_name("rate"): f"{run.mean_rate:.1f}",
            operations: f"{run.synaptic_events:,.0f}",
            **_training_costs(run),
        }
    if isinstance(priced, Priced):
        counts = priced.costs.counts
        spikes = sum(float(counts.spikes[name].mean()) for name in counts.spiking)
        events = sum(float(v.mean()) for v in counts.synaptic_events.values())
        values["spikes of neurons per recording"] = f"{spikes:,.1f}"
        values[operations] = f"{events:,.0f}"
        for found in priced.costs.reports:
            if found.terms and not found.chip.is_technology:
                values |= _energy_tile(found)
    for title, mapped in report.mappings.items():
        if isinstance(mapped, ChipMapping):
            values[f"cores used, {title}"] = f"{mapped.compared.best.n_cores:,}"
    return html.tiles(values)


def _times(run: RunRecord) -> dict[str, str]:
    found = training_times(run.seconds, run.compile_seconds)
    return {name: duration(seconds) for name, seconds in found.items()}


def _time_of(run: RunRecord) -> str:
    """Time of training, and of compiling where there was some, in one line."""
    compiling = run.compile_seconds
    apart = f" and {duration(compiling)} compiling" if compiling >= SHOWN else ""
    return f"{duration(run.seconds)}{apart}"


def _training_costs(run: RunRecord) -> dict[str, str]:
    """Costs that training was to lower, in its last epoch."""
    last, found = run.history[-1], dict[str, str]()
    if "energy_pj_per_sample" in last:
        chip = run.config.activity.chip
        text = f"energy per recording on {chip} in training, without leakage and links"
        found[text] = joules(last["energy_pj_per_sample"], at_least=True)
    if "connection_sparsity" in last:
        found[measure_name("connection_sparsity")] = percent(last["connection_sparsity"])
    if "quantised" in last:
        found["rounded in training"] = run.config.quantise.title
    return found


def _energy_tile(report: EnergyReport) -> dict[str, str]:
    text = f"energy per recording on {report.chip.name}"
    whole = joules(report.total_pj, at_least=report.is_lower_bound)
    if report.leakage == "separate":
        activity = joules(report.activity_pj, at_least=report.activity_is_lower_bound)
        return {f"{text}; with leakage {whole}": activity}
    return {f"{text}, leakage {report.leakage}": whole}


def _trained(record: Report) -> list[str]:
    stream, net = record.stream, record.net
    sizes = [f"{p.name}: {p.size:,} ({p.kind})" for p in net.populations.values()]
    rows = [
        ["network", "; ".join(sizes)],
        ["weights", f"{sum(p.values.size for p in net.projections.values()):,}"],
        ["recordings in this report", f"{stream.n_samples:,} of {record.data}"],
        ["their mean length", f"{stream.duration.mean():,.0f} ms"],
        ["their events, mean", f"{stream.n_events / stream.n_samples:,.1f} on "
         f"{stream.n_channels:,} channels"],
        ["this report", record.command],
    ]  # fmt: skip
    run = record.run
    if isinstance(run, Unmade):
        return [html.table(_facts(rows)), _unmade(run)]
    config = run.config
    rows[2:2] = [
        ["trained parameters", f"{run.n_parameters:,}"],
        ["trained parameters of neurons (BIP)", ", ".join(config.bip) or "none"],
        ["loss", config.loss.kind],
        ["training", f"{len(run.history)} epochs{_early(run)}, batches of {config.batch_size}, "
         f"{_time_of(run)}, {config.precision} precision"],
        *_held_out(run),
        ["seed", f"{config.seed}"],
    ]  # fmt: skip
    return [html.table(_facts(rows)), _settings(run)]


def _early(run: RunRecord) -> str:
    """Why training stopped early; empty if it did not."""
    if len(run.history) >= run.config.epochs:
        return ""
    by, patience = run.config.patience_by, run.config.patience
    return (
        f" of {run.config.epochs} (stopped early: validation {by} not better for {patience} epochs)"
    )


def _held_out(run: RunRecord) -> list[list[str]]:
    """The groups of the validation and test parts."""
    fraction, parts = run.config.validation_fraction, run.parts
    asked = f"{percent(fraction)} of the training part"
    if parts is None:
        return [["validation", asked if fraction else "none"]]
    if not parts.validation.recordings:
        found = [["validation", "none"]]
    else:
        found = [["validation", f"{parts.validation}; asked for: {asked}, by {parts.validated_by}"]]
    found.insert(0, ["learned", parts.learned])
    found += [] if parts.test is None else [["tested", str(parts.test)]]
    found += [list(one) for one in parts.met]
    never = parts.never_learned
    return [*found, [NEVER_LEARNED, ", ".join(never)]] if never else found


def _facts(rows: Sequence[Sequence[str]]) -> PageTable:
    return PageTable("", ["", ""], rows, texts=1)


def _training(run: RunRecord | Unmade, pictures: Sequence[html.Picture]) -> list[str]:
    if isinstance(run, Unmade):
        return [_unmade(run)]
    left_out = f"The confusion matrix is left out, of more than {MOST_CONFUSED} classes."
    many = len(run.test.class_names) > MOST_CONFUSED
    more = [_unmade(Unmade(left_out))] if many else []
    found = run.last.evaluation.by_class(run.test.class_names)
    by_class = [html.table(tables.classes(found))] if found else []
    return [html.figures(pictures), *more, *by_class, _epochs(run)]


def _sparsity(priced: Priced, rates: Sequence[html.Picture]) -> list[str]:
    costs = priced.costs
    values = costs.counts.to_dict()
    longest = costs.steps[-1] if costs.steps else None
    return [
        html.definitions(_words()),
        html.table(tables.populations(values)),
        html.table(tables.projections(values)),
        html.figures([_operations_picture(priced, longest), *rates]),
        html.table(tables.totals(values)),
        *(html.table(tables.steps(found.to_dict())) for found in costs.steps),
    ]


def _words() -> dict[str, str]:
    """Meaning of the measures of this page, and what they leave out."""
    found = {}
    for key in _DEFINED:
        one = measures()[key]
        found[one.name] = (
            f"{one.counts} Not in it: {one.leaves_out}" if one.leaves_out else one.counts
        )
    return found


def _operations_picture(priced: Priced, steps: ClockedCounts | None) -> html.Picture:
    text = "Dot: synaptic operations that the exact spikes cause, mean per recording."
    if steps is not None:
        text += (
            f" Ring: all weights of the full matrix in every step of {steps.step_ms:g} ms. The "
            "distance, on a logarithmic axis, is what sparsity of spikes and synapses saves."
        )
    drawn = bar_figures.operations(priced.costs.counts, steps)
    return picture(drawn, "operations.png", "Synaptic operations by projection", text)


def _energy(priced: Priced) -> list[str]:
    costs, dense = priced.costs, priced.dense
    reports = [report.to_dict() for report in costs.reports]
    drawn = picture(
        energy_breakdown(costs.reports, dense=dense),
        "energy.png",
        "Energy of a recording, and what it is spent on",
        "Left: mean energy per recording on a logarithmic axis, filled without leakage, ring with "
        "it, square a dense network on frames; ≥ is a lower bound, a sum that lacks terms. Right: "
        "shares of the terms that are in it. Compare chips only with the lists below in view.",
    )
    blocks = [
        html.figures([drawn]),
        html.table(tables.energies(reports, [found.to_dict() for found in dense])),
        html.paragraph(
            "Dense networks have the same layer sizes, full matrices and recurrence, and compute "
            f"everything in every frame; priced with the figures of {dense[0].chip}."
        ),
        *(_missing(one.to_dict(), f"the dense {one.cell.upper()}") for one in dense),
    ]
    for report in reports:
        name = report["chip"]
        if report["terms"]:
            fit = priced.fits.get(name)
            at = [] if fit is None else [html.paragraph(tables.place(name, vars(fit)))]
            blocks += [html.table(_with_sources(report)), *at, _missing(report, name)]
        else:
            title = f"{report['title']} ({report['chip']})"
            text = "Its file has no figure of an energy."
            blocks += [html.paragraph(title, kind="chip"), _unmade(Unmade(text))]
    return blocks


def _with_sources(report: tables.Values) -> PageTable:
    found, sources = tables.energy(report), tables.sources(report)
    filled = [*sources, *("" for _ in found.rows[len(sources) :])]
    columns = [*found.columns[1:], "for each, and source of the figure"]
    columns[columns.index("count")] = "count per recording"
    rows = [[*row[1:], source] for row, source in zip(found.rows, filled, strict=True)]
    return PageTable(found.title, columns, rows, numbers=2, texts=1)


def _missing(report: tables.Values, name: str) -> str:
    """Terms that a sum lacks, grouped by their reason."""
    reasons: dict[str, list[str]] = {}
    for one in report["missing"]:
        reasons.setdefault(one["reason"], []).append(tables.lacking(one))
    if not reasons:
        return html.paragraph(f"{name}: no term is missing in the sum.")
    lines = "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())
    return html.paragraph(f"Not in the sum of {name}, which is a lower bound: {lines}.")


def _over_time(found: OverTime | Unmade) -> list[str]:
    if isinstance(found, Unmade):
        return [_unmade(found)]
    drawn = picture(
        time_figures.over_time(found),
        "time.png",
        "Accuracy against time and energy",
        "The answers that the network would give if the recording ended after each share of its "
        "time, and what it has spent by then. Dashed, left: answers that no longer change; "
        "diamond: mean time and accuracy if every recording is read only until the leading class "
        f"is {found.margin:g} ahead in probability. Right: a point after every share of the table. "
        "Where a curve is flat on its right, the rest of the time, or of the energy, buys nothing.",
    )
    return [
        html.figures([drawn]),
        html.table(tables.latency(found.summary())),
        html.table(tables.over_time(found.rows())),
        html.paragraph(
            "Times count from the start of a recording, the tail included. Energies are sums as "
            "above; ≥ is a lower bound. What it costs to make the input's events is in none of "
            "them: eventsim cost counts it."
        ),
    ]


def _mappings(record: Report) -> list[str]:
    if not record.mappings:
        text = "Not asked for: add --map loihi, or another chip that has cores."
        return [_unmade(Unmade(text))]
    blocks = [
        html.paragraph(
            "Neurons are put onto cores under all limits of the chip so that the measured spikes "
            "pass few links. A spike is sent once to every core that needs it; first-fit and "
            "population-order are the baselines. Numbers are sums over all recordings."
        )
    ]
    for title, found in record.mappings.items():
        if isinstance(found, Unmade):
            blocks += [html.paragraph(title, kind="chip"), _unmade(found)]
        else:
            blocks += _mapping(title, found)
    return blocks


def _mapping(title: str, found: ChipMapping) -> list[str]:
    compared, best = found.compared, found.compared.best
    blocks = [html.table(tables.mappings([m.to_dict() for m in compared.mappings], title))]
    blocks += map(html.paragraph, tables.left_out(limits_left_out(best.chip)))
    blocks += map(html.paragraph, best.assumed)
    blocks += [
        _unmade(Unmade(f"{method.replace('_', '-')} found no mapping. {reason}"))
        for method, reason in compared.failed.items()
    ]
    drawn = [
        picture(
            mapping_figures.core_map(best),
            "cores.png",
            f"Cores of {title}",
            "A square is a core, filled in proportion to its neurons, in the colours of their "
            "populations; a line is the wider the more spikes go between two tiles. Wide lines "
            "should be short.",
        ),
        picture(
            mapping_figures.link_map(best),
            "links.png",
            f"Links of {title}",
            "Spikes on every link of the mesh, both directions side by side; a dark link is where "
            "spikes will have to wait first. Events from outside enter at tile (0, 0).",
        ),
    ]
    if any(mapping.traffic.hop_weighted_spikes for mapping in compared.mappings):
        drawn.insert(
            0,
            picture(
                bar_figures.traffic(compared.mappings),
                "traffic.png",
                f"Traffic on {title}",
                "Links passed by spikes: a shorter bar is less energy and less waiting on the "
                "mesh for the same spikes.",
            ),
        )
    if isinstance(found.congestion, Unmade):
        return [*blocks, html.figures(drawn), _unmade(found.congestion)]
    return [*blocks, html.figures(drawn), html.table(tables.latencies(vars(found.congestion)))]


def _studies(record: Report) -> list[str]:
    if not record.studies:
        return [_unmade(Unmade("Not asked for: add --bits 2 --bits 4 --bits 8, for example."))]
    blocks = [
        html.paragraph(
            "Weights, time constants, thresholds and delays are rounded to the formats of the "
            "chip and the network is simulated again in exact time: the effect of rounded "
            "parameters, not of a time step. Spikes are those of all recordings together."
        )
    ]
    for title, rows in record.studies.items():
        blocks.append(html.paragraph(title, kind="chip"))
        blocks += [_unmade(rows)] if isinstance(rows, Unmade) else _study(title, rows)
    return blocks


def _study(title: str, rows: Sequence[StudyRow]) -> list[str]:
    scored = rows[0].score is not None
    text = "Share of the spikes that have no partner in time after rounding"
    text += ", and accuracy; dashed: as trained. " if scored else ". "
    text += "Read off how few bits are enough: where the curves become flat."
    drawn = picture(
        mapping_figures.bits_study(rows), "bits.png", f"Bits of the weights on {title}", text
    )
    values = [asdict(row) for row in rows]
    lines = [html.paragraph(line) for line in tables.not_held(values)]
    return [html.table(tables.number_formats(values)), *lines, html.figures([drawn])]


def headline(record: RunRecord) -> str:
    """Accuracies; not of recordings that are all of one class."""
    last, present = record.last, np.unique(record.test.labels)
    if present.size == 1 and len(record.test.class_names) > 1:
        name = record.test.class_names[present[0]]
        return html.paragraph(
            f"All {last.evaluation.n_samples} recordings are of the class {name!r}: that "
            f"{percent(last.evaluation.accuracy)} of them are recognised says nothing of the other "
            "classes, so no accuracy stands here. Take recordings of all classes.",
            kind="unmade",
        )
    n = last.evaluation.n_samples
    items = [
        html.item(
            percent(last.evaluation.accuracy),
            f"{record.part} accuracy, last epoch ({last.epoch}), {n} recordings; {INTERVAL}: "
            f"{interval_text(last.evaluation.accuracy, n)}",
        )
    ]
    if record.selected is not None:
        text = (
            f"{record.part} accuracy of the epoch that validation chose ({record.selected.epoch})"
        )
        chosen = record.selected.evaluation
        text += f"; {interval_text(chosen.accuracy, chosen.n_samples)}"
        items.append(html.item(percent(chosen.accuracy), text))
    if record.guess is not None:
        text = "a guess: always the commonest training class"
        items.append(html.item(percent(record.guess), text, kind="guess"))
    return f'<div class="headline">{"".join(items)}</div>'


def _epochs(record: RunRecord) -> str:
    """Metrics of each epoch, in a block that opens at a click."""
    used = [key for key in _EPOCH_COLUMNS if key in record.history[0]]
    rows = [[general(line[key]) for key in used] for line in record.history]
    columns = [_EPOCH_COLUMNS[key] for key in used]
    told = [html.paragraph(f"Losses: {LOSSES_DIFFER}")] if "validation_loss" in used else []
    table = html.table(PageTable("", columns, rows, numbers=0))
    return html.details("Every epoch", *told, table)


def _settings(record: RunRecord) -> str:
    """Command, version, network and settings of the training."""
    net = record.net_after
    rows: list[list[str]] = [[p.name, p.kind, f"{p.size:,}"] for p in net.populations.values()]
    rows += [[name, p.kind, f"{p.values.size:,}"] for name, p in net.projections.items()]
    return html.details(
        "Command, version, settings",
        html.code(record.command),
        html.paragraph(f"eventsim {record.version}, seed {record.config.seed}"),
        html.table(PageTable("", ["network", "kind", "neurons or weights"], rows, numbers=2)),
        html.code(json.dumps(record.config.to_dict(), indent=2)),
    )
