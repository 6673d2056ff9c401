"""Which simulators give the exact spike times of the conformance cases, and how far are others off.

Method   ``eventsim conformance --out FILE`` with an adapter (see bench/conformance/__init__.py) or
         eventsim's own backends; then ``python -m bench.conformance.table FILE ...`` appends one
         line per simulator and case to bench/results/conformance.jsonl and prints a summary.
Answer   eventsim gives every spike within the tolerance. NEST's ``iaf_psc_exp_ps`` does wherever
         it can express a case, except two grazing peaks that it loses and one that it misplaces by
         3e-9 ms; ``iaf_psc_exp_ps_lossless`` stops on the two, and fires thousands of extra spikes
         when the current is huge. jaxsnn is right but for a grazing peak (3e-3 ms), and loses the
         spike after the long silence in float32. Brian2 misplaces spikes by its step, and more
         where errors feed back. results/conformance.jsonl.
"""

import json
import sys
from collections import defaultdict

from rich.console import Console
from rich.table import Table

from bench.harness import RESULTS, machine

KEPT = ("outcome", "expected", "matched", "misplaced", "missing", "extra", "worst_error_ms")


def rows_of(found):
    """One flat row per simulator and case."""
    for entry in found["simulators"]:
        for result in entry["results"]:
            row = {"simulator": entry["simulator"]}
            row |= {key: entry[key] for key in ("version", "settings", "precision")}
            row |= {"case": result["case"], "tolerance_ms": result["tolerance_ms"]}
            row |= {key: result[key] for key in KEPT if key in result}
            if result["outcome"] in ("error", "not supported"):
                row["reason"] = result["reason"]
            yield row


def summary(rows):
    """Counts and errors per simulator, over the cases that it supports."""
    grouped = defaultdict(list)
    for row in rows:
        grouped[row["simulator"], row["version"], row["settings"]].append(row)
    for (name, version, settings), mine in grouped.items():
        run = [row for row in mine if "matched" in row]
        errors = sorted(row["worst_error_ms"] for row in run)
        yield {
            "simulator": f"{name} {version}",
            "settings": settings,
            "passed": sum(row["outcome"] == "passed" for row in mine),
            "failed": sum(row["outcome"] == "failed" for row in mine),
            "stopped": sum(row["outcome"] == "error" for row in mine),
            "not supported": sum(row["outcome"] == "not supported" for row in mine),
            "spikes": sum(row["expected"] for row in run),
            "missing": sum(row["missing"] for row in run),
            "extra": sum(row["extra"] for row in run),
            "median worst error ms": f"{errors[len(errors) // 2]:.1e}" if errors else "-",
            "worst error ms": f"{errors[-1]:.1e}" if errors else "-",
        }


def main(paths):
    """Append the rows of result files and print their summary."""
    rows = []
    for path in paths:
        with open(path) as file:
            rows += rows_of(json.load(file))
    stamp = {key: machine()[key] for key in ("commit", "date")}
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / "conformance.jsonl", "a") as file:
        file.writelines(json.dumps(row | stamp) + "\n" for row in rows)
    table, lines = Table(), list(summary(rows))
    for name in lines[0]:
        table.add_column(name, overflow="fold")
    for line in lines:
        table.add_row(*map(str, line.values()))
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
