"""``eventsim predict``."""

import csv
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
import typer

from eventsim.arrays import Precision
from eventsim.cli.begin import how_read, words_of
from eventsim.cli.damaged import SkipDamagedOption
from eventsim.cli.events import Events, find_files, find_network
from eventsim.cli.fields import filled
from eventsim.cli.options import JsonOption, Machine, RunArgument, WhichOption
from eventsim.cli.reading import MEASURED, Reading
from eventsim.cli.regression import predict_values, show_values, write_values_csv
from eventsim.cli.terminal import present, say_backend, show_table, stdout
from eventsim.errors import ParameterError
from eventsim.events import concatenate
from eventsim.runs.regression import is_regression
from eventsim.runs.run import load_run
from eventsim.train.prediction import Prediction, predict

COLUMNS = ("file", "sample", "key", "answer", "score", "second", "second_score", "note")
NO_EVENTS = "has no events"


@filled(Reading, *MEASURED, into="reading")
@filled(Machine, into="machine")
def predict_command(
    run: RunArgument,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Recordings: files of events, or a data set. Labels are not read.",
        ),
    ],
    *,
    reading: Reading,
    which: WhichOption = "last",
    skip_damaged: SkipDamagedOption = False,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            min=0.001,
            help="Regression: answer every MS milliseconds and at the end; by default only at "
            "the end.",
        ),
    ] = None,
    machine: Machine,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="CSV on stdout, a line per row: --csv > answers.csv.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the answers of a trained network to new recordings: answer, score, second answer.

    Labels are not needed. A score is the network's logit of a class; the largest score is the
    answer. A run of regression answers with a value of every output.

    [bold]Examples[/bold]

    eventsim predict runs/demo new/*.csv

    eventsim predict runs/demo new/*.aedat --sensor nas_64_stereo --skip-damaged --csv

    eventsim predict runs/values new/*.csv --every 10 --csv

    eventsim predict net.npz later.h5 --json
    """
    machine.ready()
    if as_csv and as_json:
        raise ParameterError("--csv and --json: expected one of the two.")
    found, bad = find_files(run, files, reading, skip=skip_damaged)
    if run.is_dir() and is_regression(run):
        how: dict[str, Any] = {"every": every, "which": which, "backend": machine.backend}
        fitted = predict_values(run, found, bad, **how)
        present(fitted, write_values_csv if as_csv else show_values, as_json=as_json)
        return
    if every is not None:
        raise ParameterError("--every: is for a run of regression. Leave it out.")
    mine = load_run(run).on(machine.backend) if run.is_dir() else None
    runs_on = say_backend((mine.config.backend if mine else machine.backend) or "auto")
    streams = [part.stream for part in found.values()]
    # A file alone may be larger than memory.
    stream = streams[0] if len(streams) == 1 else concatenate([one[:] for one in streams])
    if mine is not None:
        answers = mine.predict(stream, which=which)
    else:
        precision: Precision = "double" if runs_on.name == "reference" else "single"
        net = find_network(run)
        answers = predict(net, stream, backend=runs_on.name, precision=precision)
    rows = _rows(found, answers)
    values = {
        "run": str(run),
        "network": which if run.is_dir() else None,
        "samples": len(rows),
        "answers": rows,
        "damaged": [asdict(one) for one in bad],
        "backend": runs_on.name,
        "device": runs_on.device,
    }
    present(values, _write_csv if as_csv else _show, as_json=as_json)


def _rows(found: Mapping[str, Events], answers: Prediction) -> list[dict[str, Any]]:
    """A row per recording: where it is, and what was answered."""
    rows: list[dict[str, Any]] = []
    table = answers.table()
    for file, part in found.items():
        read = words_of(how_read(part))
        read += [] if part.part == "all" else [f"{file}: only the {part.part} part (--split)"]
        keys = part.keys
        for sample, n_events in enumerate(np.diff(part.stream.offsets).tolist()):
            key = None if keys is None else str(keys[sample]) or None
            rows.append(
                {
                    "file": file,
                    "sample": sample,
                    **table[len(rows)],
                    "key": key,
                    "events": n_events,
                    "read": read,
                }
            )
    return rows


def _noted(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rows, also those of files that could not be read, with a note where one is needed."""
    answered = [{**row, "note": "" if row["events"] else NO_EVENTS} for row in found["answers"]]
    damaged = [{"file": one["file"], "note": one["reason"]} for one in found["damaged"]]
    return [*answered, *damaged]


def _write_csv(found: Mapping[str, Any]) -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_noted(found))


def _show(found: Mapping[str, Any]) -> None:
    """Answers as a table."""
    rows = _noted(found)
    several = any(row.get("sample") for row in rows)
    columns = ["file", *(["sample", "key"] if several else []), "answer", "score"]
    columns += ["second", "second_score"]
    columns += ["note"] if any(row["note"] for row in rows) else []
    which = "" if found["network"] is None else f" ({found['network']})"
    damaged = len(found["damaged"])
    files = "file" if damaged == 1 else "files"
    lost = f"; {damaged:,} {files} left out, missing or damaged" if damaged else ""
    show_table(
        f"{found['run']}{which}: {found['samples']:,} recordings{lost}",
        [name.replace("_", " ") for name in columns],
        [[_cell(row.get(name)) for name in columns] for row in rows],
        numbers=len(columns),
    )
    for words in dict.fromkeys(words for row in found["answers"] for words in row["read"]):
        stdout().print(f"events: {words}", markup=False, soft_wrap=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
