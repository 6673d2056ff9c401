"""``eventsim conformance``: cases with exact spike times, on eventsim or another simulator."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from eventsim.cli.options import BACKEND, JsonOption
from eventsim.cli.terminal import check_passed, present, say_backend, stdout
from eventsim.conformance import (
    Case,
    CaseResult,
    EventsimSimulator,
    Simulator,
    load_cases,
    load_simulator,
    precisions,
    run_cases,
    usable_backends,
)
from eventsim.errors import BackendError
from eventsim.events.storage import write_atomically

Chosen = Literal["single", "double", "both"]

STYLE = {"passed": "green", "failed": "bold red", "error": "bold red", "not supported": "dim"}
WRONG = ("failed", "error")


def conformance_command(
    backend: Annotated[list[str] | None, BACKEND] = None,
    precision: Annotated[Chosen, typer.Option("--precision")] = "double",
    case: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this case; repeat for more.")
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(metavar="MODULE:OBJECT", help="Another simulator, in place of eventsim."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results to this JSON file.")
    ] = None,
    describe: Annotated[
        bool, typer.Option("--list", help="Describe the cases; run nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run small cases whose spike times are known exactly, on eventsim or another simulator.

    Grazing peaks, own spikes in one gap, simultaneous events, equal time constants, long silence,
    large times, delayed loops and more, each with its answer to 30 digits and its tolerance. The
    exit code is 1 if a case that is supported fails. Repeat --backend for more; all stands for
    every backend that runs here.

    [bold]Examples[/bold]

    eventsim conformance --backend all --precision both

    eventsim conformance --case pacemaker --case self-inhibition --json

    eventsim conformance --adapter my_adapter:simulator
    """
    cases = load_cases(case or ())
    if describe:
        present({"cases": [_described(one) for one in cases]}, _show_list, as_json=as_json)
        return
    found = check(_simulators(backend or [], precision, adapter), cases)
    if out is not None:
        write_atomically(out, json.dumps(found, indent=1) + "\n")
    present(found, _show, as_json=as_json)
    check_passed(found["passed"])


def _simulators(backends: Sequence[str], precision: Chosen, adapter: str | None) -> list[Simulator]:
    """The simulators that the options name; ``all`` stands for every backend that runs here."""
    if adapter is not None:
        return [load_simulator(adapter)]
    names = list(dict.fromkeys(usable_backends() if "all" in backends else backends or ["auto"]))
    found: list[Simulator] = []
    for name in names:
        backend = say_backend(name)
        offered = precisions(backend.name)
        wanted = offered if precision == "both" else tuple(p for p in offered if p == precision)
        found += [EventsimSimulator(backend.name, each) for each in wanted]
    if not found:
        raise BackendError(
            f"Backend {', '.join(names)}",
            f"does not run in {precision} precision",
            remedy="Use --precision double, or another backend.",
        )
    return found


def check(simulators: Sequence[Simulator], cases: Sequence[Case]) -> dict[str, Any]:
    """Run all cases on all simulators; plain values for tables and JSON."""
    found = [_check_one(simulator, run_cases(simulator, cases)) for simulator in simulators]
    return {"simulators": found, "passed": all(entry["passed"] for entry in found)}


def _check_one(simulator: Simulator, results: Sequence[CaseResult]) -> dict[str, Any]:
    outcomes: list[str] = [result.outcome for result in results]
    return {
        "simulator": simulator.name,
        "version": simulator.version,
        "settings": simulator.settings,
        "precision": simulator.precision,
        "counts": {name: outcomes.count(name) for name in STYLE},
        "passed": not any(outcome in WRONG for outcome in outcomes),
        "results": [result.to_dict() for result in results],
    }


def _show(found: Mapping[str, Any]) -> None:
    """A table for each simulator, and a summary of them."""
    out = stdout()
    for entry in found["simulators"]:
        about = ", ".join(filter(None, [entry["version"], entry["settings"]]))
        out.print(Text(f"{entry['simulator']} ({about})", "bold"))
        out.print(_table([_row(result) for result in entry["results"]], out.width))
    for entry in found["simulators"]:
        verdict = Text("Passed", "bold green") if entry["passed"] else Text("FAILED", "bold red")
        text = ", ".join(f"{number} {name}" for name, number in entry["counts"].items() if number)
        worst = [r["worst_error_ms"] for r in entry["results"] if r["outcome"] == "passed"]
        error = f"; worst error of those that passed {max(worst):.1e} ms" if worst else ""
        out.print(Text.assemble(verdict, f"  {entry['simulator']}: {text}{error}"))


def _table(rows: Sequence[Sequence[Text]], width: int) -> Table:
    """A line per case; only the last column gives way where the terminal is narrow."""
    table = Table(header_style="bold")
    names = ("case", "result", "worst error ms", "tolerance ms")
    needed = [max([len(name), *(len(row[k]) for row in rows)]) for k, name in enumerate(names)]
    for k, name in enumerate(names):
        table.add_column(name, justify="right" if k > 1 else "left", min_width=needed[k])
    rest = width - sum(needed) - 3 * len(needed) - 4  # borders and the spaces beside them
    last = "what is wrong"
    table.add_column(last, no_wrap=True, overflow="ellipsis", max_width=max(rest, len(last)))
    for row in rows:
        table.add_row(*row)
    return table


def _row(result: dict[str, Any]) -> list[Text]:
    error, tolerance = result.get("worst_error_ms"), result["tolerance_ms"]
    kinds = ("missing", "extra", "misplaced")
    wrong = [f"{result[kind]} {kind}" for kind in kinds if result.get(kind)]
    return [
        Text(result["case"]),
        Text(result["outcome"], STYLE[result["outcome"]]),
        Text("-" if error is None else f"{error:.1e}"),
        Text("-" if tolerance is None else f"{tolerance:.1e}"),
        Text(", ".join(wrong) or result["reason"]),
    ]


def _described(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "title": case.title,
        "description": case.description,
        "needs": list(case.needs),
        "spikes": case.n_spikes,
    }


def _show_list(found: Mapping[str, Any]) -> None:
    """Names, titles and descriptions."""
    out = stdout()
    for case in found["cases"]:
        needs = f" (needs {', '.join(case['needs'])})" if case["needs"] else ""
        spikes = f"{case['spikes']} spike{'s' if case['spikes'] != 1 else ''}"
        out.print(Text.assemble((case["name"], "bold"), f"  {case['title']}{needs}; {spikes}"))
        out.print(Text(f"    {case['description']}"))
