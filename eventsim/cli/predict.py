"""``eventsim predict``."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from eventsim.arrays import Precision
from eventsim.cli.answers import noted, one_stream, recordings_of, show_answers, write_csv
from eventsim.cli.checks import left_out, one_alone
from eventsim.cli.damaged import SkipDamagedOption
from eventsim.cli.events import find_files, find_network, folder_of
from eventsim.cli.options import JsonOption, Machine, RunArgument, WhichOption
from eventsim.cli.reading import MeasuredReading
from eventsim.cli.regression import predict_values, show_values, write_values_csv
from eventsim.cli.terminal import present, say_backend
from eventsim.train.prediction import Prediction, predict

COLUMNS = ("file", "sample", "key", "answer", "score", "second", "second_score", "note")


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
    reading: MeasuredReading,
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
    one_alone(as_csv and as_json, "--csv", "--json")
    found, bad = find_files(run, files, reading, skip=skip_damaged)
    mine = folder_of(run, machine.backend)
    if mine is not None and mine.settings.fits_values:
        fitted = predict_values(mine, found, every=every, which=which)
        fitted["damaged"] = [asdict(one) for one in bad]
        present(fitted, write_values_csv if as_csv else show_values, as_json=as_json)
        return
    left_out(every is not None, "--every", "is for a run of regression")
    runs_on = say_backend((mine.config.backend if mine else machine.backend) or "auto")
    stream = one_stream(found)
    if mine is not None:
        answers = mine.predict(stream, which=which)
        assert isinstance(answers, Prediction)  # of classes
    else:
        precision: Precision = "double" if runs_on.name == "reference" else "single"
        net = find_network(run)
        answers = predict(net, stream, backend=runs_on.name, precision=precision)
    answered = zip(recordings_of(found), answers.table(), strict=True)
    values = {
        "run": str(run),
        "network": which if run.is_dir() else None,
        "samples": stream.n_samples,
        # The place first; its key, not that of the row.
        "answers": [where | row | where for where, row in answered],
        "damaged": [asdict(one) for one in bad],
        "backend": runs_on.name,
        "device": runs_on.device,
    }
    present(values, partial(write_csv, COLUMNS) if as_csv else _show, as_json=as_json)


def _show(found: Mapping[str, Any]) -> None:
    """Answers as a table."""
    rows = noted(found)
    several = any(row.get("sample") for row in rows)
    columns = ["file", *(["sample", "key"] if several else []), "answer", "score"]
    columns += ["second", "second_score"]
    columns += ["note"] if any(row["note"] for row in rows) else []
    which = "" if found["network"] is None else f" ({found['network']})"
    headings = {name: name.replace("_", " ") for name in columns}
    title = f"{found['run']}{which}"
    show_answers(title, headings, found, form=".3f", numbers=len(columns))
