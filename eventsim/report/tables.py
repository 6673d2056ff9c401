"""Tables of counts, energies and mappings, for the terminal and for a page.

Their input are the plain values of ``to_dict()``, which a command prints with ``--json``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventsim.energy.encoder import WORDS
from eventsim.mapping import Misfit
from eventsim.measures import INTERVAL, interval_text, measure_name
from eventsim.report.numbers import joules, memory, percent

Values = Mapping[str, Any]

_TRAFFIC = (
    ("spikes_between_cores", "spikes between cores"),
    ("spikes_from_outside", "spikes from outside to cores"),
    ("hop_weighted_spikes", measure_name("links")),
    ("hops_east_west", "  between cores, east-west"),
    ("hops_north_south", "  between cores, north-south"),
    ("hops_from_outside", "  from outside"),
    ("hops_between_chips", "  of all of them, between chips"),
    ("multicast_hops", "links passed if routers copy spikes"),
    ("busiest_link", "spikes on the busiest link"),
)

_WIDTHS = {
    "weights": "weight", "indices": "index", "delays": "delay", "parameters": "parameter",
    "states": "state",
}  # fmt: skip


@dataclass(frozen=True)
class PageTable:
    """A table."""

    title: str  # above it
    columns: Sequence[str]  # headings; all empty for none
    rows: Sequence[Sequence[object]]  # cells, as many as columns
    numbers: int = 1  # the columns from here on are numbers, which are aligned to the right
    texts: int = 0  # so many last columns are text all the same

    def kind(self, column: int) -> str:
        """Kind of a column: ``number``, ``text`` (may be long), or empty for names."""
        if column < self.numbers:
            return ""
        return "number" if column < len(self.columns) - self.texts else "text"


def classes(found: Sequence[Values]) -> PageTable:
    """Accuracy by class, of ``Evaluation.by_class()``."""
    rows = []
    for one in found:
        n, share = one["samples"], one["accuracy"]
        known = ["", ""] if share is None else [percent(share), interval_text(share, n)]
        rows.append([one["class"], f"{n:,}", *known])
    return PageTable("Accuracy by class", ["class", "recordings", "accuracy", INTERVAL], rows)


def populations(counts: Values) -> PageTable:
    """Spikes, rates and updates by population, of ``Counts.to_dict()``."""
    spikes, rates = counts["spikes_per_sample"], counts["spikes_per_neuron_and_second"]
    silent, updates = counts["silent_per_sample"], counts["membrane_updates_per_sample"]
    rows = []
    for name, size in counts["neurons"].items():
        seconds = size * counts["milliseconds_per_sample"] / 1000.0
        rate = rates[name] if name in rates else spikes.get(name, 0.0) / seconds
        spoken = name in spikes
        rows.append(
            [
                f"{name} ({counts['kinds'][name]})",
                f"{size:,}",
                f"{spikes[name]:,.1f}" if spoken else "-",
                f"{rate:,.1f}" if spoken else "-",
                percent(silent[name] / size) if spoken else "-",
                f"{updates[name]:,.1f}" if name in updates else "-",
            ]
        )
    title = (
        f"Populations: exact, per recording of {counts['milliseconds_per_sample']:,.0f} ms "
        f"(mean of {counts['samples']:,})"
    )
    named = ("spikes", "rate", "silent_in_recording", "updates_by_arrivals")
    columns = ["population", "neurons", *map(measure_name, named)]
    return PageTable(title, columns, rows)


def projections(counts: Values) -> PageTable:
    """Synapses and synaptic operations by projection, of ``Counts.to_dict()``."""
    events, effective = counts["synaptic_events_per_sample"], counts["effective_events_per_sample"]
    rows = [
        [
            name,
            f"{found['possible']:,}",
            f"{found['stored']:,}",
            percent(1.0 - found["nonzero"] / found["possible"]) if found["possible"] else "-",
            f"{found['active']:,}",
            f"{events[name]:,.1f}",
            f"{effective[name]:,.1f}",
        ]
        for name, found in counts["synapses"].items()
    ]
    synapses = counts["synapses"].values()
    possible, stored, active = (
        sum(s[k] for s in synapses) for k in ("possible", "stored", "active")
    )
    rows.append(
        [
            "all",
            f"{possible:,}",
            f"{stored:,}",
            percent(counts["connection_sparsity"]),
            f"{active:,}",
            f"{sum(events.values()):,.1f}",
            f"{sum(effective.values()):,.1f}",
        ]
    )
    named = ("synapses", "connection_sparsity", "active_synapses", "synaptic_operations",
             "effective_operations")  # fmt: skip
    columns = ["projection", "possible synapses", *map(measure_name, named)]
    return PageTable("Projections: exact, operations per recording", columns, rows)


def totals(counts: Values) -> PageTable:
    """Sparsity and memory of the whole network, of ``Counts.to_dict()``."""
    held, macs = counts["footprint_bytes"], counts["decision_macs_per_sample"]
    bits = counts["widths_bits"]
    zeros = sum(found["stored"] - found["nonzero"] for found in counts["synapses"].values())
    rows = [
        [measure_name("connection_sparsity"), percent(counts["connection_sparsity"])],
        [measure_name("silent_in_recording"), percent(counts["silent_share"])],
        *([[measure_name("decision_macs"), f"{macs:,}"]] if macs else []),
        *(
            [["synapses of weight 0, of which no operation has a price", f"{zeros:,}"]]
            * (zeros > 0)
        ),
        ["events that enter, per recording", f"{counts['events_in_per_sample']:,.1f}"],
        ["answers or events that leave", f"{counts['events_out_per_sample']:,.1f}"],
        [measure_name("memory"), memory(held["total"])],
        *(
            [f"  {name}, {bits[width]} bits each", memory(held[name])]
            for name, width in _WIDTHS.items()
        ),
    ]
    return PageTable("The whole network", ["", ""], rows)


def encoder(operations: Values) -> PageTable:
    """Operations that turn a signal into events, of ``EncoderCost.operations_per_sample``."""
    rows = [[words, f"{operations[name]:,.0f}"] for name, words in WORDS.items()]
    return PageTable("Encoder that made the input's events, per recording", ["", ""], rows)


def encoder_energy(report: Values) -> list[str]:
    """A line on the energy of an encoder on the chip, beside the sum; none without an encoder."""
    made = report["encoder"]
    if made is None:
        return []
    terms = [
        f"{term['count_per_sample']:,.0f} {term['name']} at {term['figure']:,g} {term['unit']}"
        for term in made["terms"]
    ]
    energy = summed(made, "energy_pj_per_sample") if terms else "not priced"
    said = f"encoder, beside the sum: {energy}"
    return [
        f"{said} ({', '.join(terms)})" if terms else said,
        *(f"not in it: {x}" for x in missing(made)),
    ]


def steps(found: Values) -> PageTable:
    """Operations of a clocked machine, of ``ClockedCounts.to_dict()``."""
    rows = [
        ["steps", f"{found['steps_per_sample']:,.1f}"],
        [measure_name("neuron_updates"), f"{found['neuron_updates_per_sample']:,.0f}"],
        ["of these with input", f"{found['active_updates_per_sample']:,.1f}"],
        [measure_name("effective_acs"), f"{found['effective_acs_per_sample']:,.1f}"],
        [measure_name("effective_macs"), f"{found['effective_macs_per_sample']:,.1f}"],
        [measure_name("dense_operations"), f"{found['dense_operations_per_sample']:,.0f}"],
        [measure_name("activation_sparsity"), percent(found["activation_sparsity"])],
    ]
    title = f"On a clocked machine, dt = {found['step_ms']:g} ms, per recording"
    return PageTable(title, ["", ""], rows)


def energy(report: Values) -> PageTable:
    """The terms of an energy and their sum, of ``EnergyReport.to_dict()``; numbered."""
    step = "no time step" if report["step_ms"] is None else f"dt = {report['step_ms']:g} ms"
    title = f"{report['title']} ({report['chip']}), {step}"
    if not report["terms"]:
        return PageTable(title, ["", ""], [["energy", "no figures"]])
    rows = [
        [
            str(number),
            term["name"],
            _basis(term["basis"], report["step_ms"]),
            f"{term['count_per_sample']:,.1f}",
            f"{term['figure']:,g} {term['unit'].replace('uW', 'µW')}",  # as joules() has it
            term["status"],
            joules(term["energy_pj_per_sample"]),
        ]
        for number, term in enumerate(report["terms"], start=1)
    ]
    sums = {"all": "energy_pj_per_sample"}
    if report["leakage"] == "separate":
        sums = {"all without leakage": "energy_pj_per_sample_of_activity", **sums}
    for name, key in sums.items():
        bound = "lower bound" if report["lower_bound"][key] else ""
        rows.append(["", name, "", "", "", bound, summed(report, key)])
    return PageTable(title, ["", "term", "basis", "count", "figure", "status", "energy"], rows, 3)


def summed(found: Values, key: str) -> str:
    """A sum of energies of ``to_dict()``, with a sign if it is a lower bound."""
    return joules(found[key], at_least=found["lower_bound"][key])


def _basis(basis: str, step_ms: float | None) -> str:
    return f"dt = {step_ms:g} ms" if basis == "step" else basis


def sources(report: Values) -> list[str]:
    """For each numbered term its operation and the source of its figure."""
    return [f"per {term['for_each']}. {term['source'].strip()}" for term in report["terms"]]


def missing(report: Values) -> list[str]:
    """The terms that a sum lacks, and why: a line for each."""
    return [f"{lacking(one)}: {one['reason']}" for one in report["missing"]]


def lacking(one: Values) -> str:
    """A term that a sum lacks: its name, its operation, and the number of operations."""
    many = "" if one["count"] is None else f", {one['count']:,.1f} a recording"
    return f"{one['name']} ({one['what']}{many})"


def place(chip: str, fit: Values) -> str:
    """The mapping onto a chip in words, or why the network does not fit; of ``Fit`` values."""
    if fit["state"] != "fits":
        return f"{fit['state']} on {chip}: {fit['reason']}"
    assumed, method = fit["reason"] and f"{fit['reason']} ", fit["method"].replace("_", "-")
    return f"fits on {chip}: {assumed}mapping {method}, cores in use: {fit['cores']:,}."


def energies(reports: Sequence[Values], dense: Sequence[Values]) -> PageTable:
    """Chips side by side, with dense networks below."""
    rows: list[list[object]] = []
    for report in reports:
        step = "-" if report["step_ms"] is None else f"{report['step_ms']:g} ms"
        without = summed(report, "energy_pj_per_sample_of_activity")
        whole = summed(report, "energy_pj_per_sample")
        cells = {"separate": [without, whole], "included": ["-", whole], "missing": [without, "-"]}
        found = cells[report["leakage"]] if report["terms"] else ["-", "-"]
        rows.append([report["chip"], step, *found, len(report["missing"])])
    for each in dense:
        name = f"dense {each['cell'].upper()} on frames, {each['chip']}"
        pj = summed(each, "energy_pj_per_sample")
        rows.append([name, f"{each['frame_ms']:g} ms", pj, "-", len(each["missing"])])
    columns = ["energy per recording", "dt or frame", "without leakage", "with it", "terms missing"]
    return PageTable("Comparison (≥: a lower bound, terms are missing)", columns, rows)


def latency(summary: Values) -> PageTable:
    """Latency and early exit, of ``DecisionOverTime.summary()``."""
    stopped = summary["early_exit"]
    named = {
        "latency: from then on the answer stays": summary["latency_ms"],
        "latency of right answers": summary["latency_ms_of_right_answers"],
        f"early exit at a margin of {stopped['margin']:g}": stopped["time_ms"],
        "whole recordings": summary["time_ms"],
    }
    rows = [
        [name, *("-" if times[k] is None else f"{times[k]:,.1f}" for k in ("median", "mean"))]
        for name, times in named.items()
    ]
    title = (
        f"Time until the answer; early exit is right in {percent(stopped['accuracy'])} of the "
        f"recordings and reached in {percent(stopped['reached'])}"
    )
    return PageTable(title, ["", "median (ms)", "mean (ms)"], rows)


def over_time(found: Sequence[Values]) -> PageTable:
    """Accuracy and energy after shares of the time."""
    chips = found[-1]["energy_pj"]
    columns = ["share of the time", "mean time (ms)", "accuracy"]
    for chip in chips:
        columns += [f"energy on {chip}"]
        columns += [f"{chip}, without leakage"] * (chip in found[-1]["activity_pj"])
    rows = []
    for row in found:
        cells = [percent(row["share"]), f"{row['time_ms']:,.1f}", percent(row["accuracy"])]
        for chip in chips:
            cells += [
                joules(row[key][chip], at_least=row["lower_bound"][key][chip])
                for key in ("energy_pj", "activity_pj")
                if chip in row[key]
            ]
        rows.append(cells)
    return PageTable("Accuracy and energy by the share of a recording that is read", columns, rows)


def mappings(found: Sequence[Values], title: str) -> PageTable:
    """Mappings side by side, of ``Mapping.to_dict()``: fill of cores, spikes between them."""
    columns = ["", *(m["method"].replace("_", "-") for m in found)]
    rows: list[list[object]] = [["cores used", *(m["cores_used"] for m in found)]]
    for resource in found[0]["fill"]:
        name = resource.replace("_", " ")
        fills = [m["fill"][resource] for m in found]
        rows.append(
            [f"{name} of the fullest core", *(f"{f['most']:,} of {f['limit']:,}" for f in fills)]
        )
    for key, name in _TRAFFIC:
        rows.append([name, *(f"{m['traffic'][key]:,}" for m in found)])
    rows.append(["energy of links passed", *(_link_energy(m["link_energy"]) for m in found)])
    if len(found) > 1:
        own = found[0]["traffic"]["hop_weighted_spikes"]
        against = [fewer(own, m["traffic"]["hop_weighted_spikes"]) for m in found[1:]]
        rows.append([f"links: {columns[1]} has", "", *against])
    return PageTable(f"{title}; every limit of its file checked", columns, rows)


def _link_energy(found: Values) -> str:
    if not found["without_figure"]:
        return joules(found["energy_pj"])
    lacks = f"no figure for {', '.join(found['without_figure'])}"
    return f"{joules(found['energy_pj'], at_least=True)} ({lacks})" if found["energy_pj"] else lacks


def left_out(limits: Sequence[str]) -> list[str]:
    """A line on the limits that the file of a chip lacks; none if it has all."""
    return [f"No limit in the chip's file, so none was checked: {', '.join(limits)}."] * bool(
        limits
    )


def fewer(own: int, other: int) -> str:
    """The factor by which a mapping saves links against another."""
    if other == 0:
        return "as many" if own == 0 else "more"
    return f"{percent(1.0 - own / other)} fewer"


def latencies(found: Values) -> PageTable:
    """Latencies on the mesh, and its fullest link, of a ``Congestion``."""
    where = "none"
    if found["peak_link"] is not None:
        way, x, y = found["peak_link"]
        where = f"{found['peak']:,} ({way} of tile {x}, {y})"
    rows = [
        ["spikes that leave their tile", f"{found['packets']:,}"],
        ["median latency", f"{found['median_ns']:,.1f} ns"],
        ["99th percentile", f"{found['percentile_99_ns']:,.1f} ns"],
        ["worst", f"{found['worst_ns']:,.1f} ns"],
        ["longest wait", f"{found['worst_waiting_ns']:,.1f} ns"],
        [f"most on one link in {found['window_ms']:g} ms", where],
        *([f"{name}: no latency in the chip's file", "as the other"] for name in found["assumed"]),
    ]
    return PageTable(f"On the mesh, {found['link_ns']:g} ns a link", ["", ""], rows)


def not_held(study: Sequence[Values]) -> list[str]:
    """A line for each kind of value that does not fit into the formats of the chip."""
    own = study[1]["misfits"] if len(study) > 1 else ()
    return [f"The chip's formats do not hold all {Misfit(**one)}." for one in own]


def number_formats(study: Sequence[Values]) -> PageTable:
    """Spikes and accuracy by bits of the weights, of ``StudyRow`` values."""
    names = ["as trained", "the chip's formats", *("" for _ in study[2:])]
    rows = [
        [
            name or "fewer or more bits",
            row["bits"] or "-",
            f"{row['spikes']:,}",
            percent(row["without_partner"]),
            "-" if row["score"] is None else percent(row["score"]),
        ]
        for name, row in zip(names, study, strict=True)
    ]
    lost = f"spikes lost or moved by > {study[0]['window_ms']:g} ms"
    columns = ["number formats", "bits of weights", "spikes", lost, "accuracy"]
    return PageTable("Rounded to the chip, simulated again in exact time", columns, rows)
