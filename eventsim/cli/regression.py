"""Regression by ``train``, ``evaluate``, ``predict`` and ``report``: values, not classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from eventsim.arrays import Floats
from eventsim.cli import terminal
from eventsim.cli.answers import noted, one_stream, recordings_of, show_answers, write_csv
from eventsim.cli.events import Events
from eventsim.cli.train_settings import TypedTraining
from eventsim.datasets.formats import format_of
from eventsim.events import StoredStream
from eventsim.events.targets import TARGETS
from eventsim.report.numbers import error_units, r2_rows
from eventsim.runs.run import Run, Which
from eventsim.train import RegressionConfig, TrainConfig
from eventsim.train.loss_settings import ValuesLoss
from eventsim.train.regression import numbered


def has_targets(data: str | None) -> bool:
    """Whether DATA is a file of recordings with values."""
    path = Path(data or "")
    if not path.is_file() or format_of(path) != "stored":
        return False
    return TARGETS in StoredStream.open(path).columns


def base_of(asked: TypedTraining) -> TrainConfig:
    """The defaults of a training: for values, epochs, batch size and bip are as in ``regress``.

    The others are those of :class:`TrainConfig`: a part is held out, weights decay, silent neurons
    are calibrated and lifted, and rates are kept in their band. Regression is asked for by its
    loss, or by data with values and no other loss.
    """
    loss = ValuesLoss().kind if asked.loss is None and has_targets(asked.data) else asked.loss
    return base_for_values() if loss == ValuesLoss().kind else TrainConfig()


def base_for_values() -> TrainConfig:
    """The defaults of a training for values."""
    plain = RegressionConfig()
    return TrainConfig(
        loss=ValuesLoss(), epochs=plain.epochs, batch_size=plain.batch_size, bip=plain.bip
    )


def report_values(run: Run, out: Path | None, forms: Sequence[str], *, as_json: bool) -> None:
    """Write the page of a run again."""
    from eventsim.report.write import write_fit  # loads Matplotlib

    test = run.data("test")
    guess = run.result.get("guess_mean_squared_error")
    record = run.record(test, run.checked(test), guess=guess)
    page = write_fit(out or run.folder / "index.html", record, forms=forms)
    # Runs of the days before 0.3.0 keep the unit of errors in their settings alone.
    shown = {"loss_scale": list(record.loss_scale), **run.result}
    shown |= {"folder": str(run.folder), "report": str(page)}
    terminal.present(shown, show_run, as_json=as_json)


def predict_values(
    run: Run, found: Mapping[str, Events], *, every: float | None, which: Which
) -> dict[str, Any]:
    """The answers of a run to recordings: at their end, or every so many ms; plain values."""
    on, stream = terminal.say_backend(run.config.backend), one_stream(found)
    times = _times(np.asarray(stream.duration), every)
    predicted = run.predict(stream, times=times, which=which)
    assert isinstance(predicted, np.ndarray)
    names = run.outputs or numbered(predicted.shape[2])
    rows: list[dict[str, Any]] = []
    for where, mine, answers in zip(recordings_of(found), times, predicted, strict=True):
        # Times behind the end of a recording repeat its end.
        for k in np.flatnonzero(np.diff(mine, prepend=-1.0) > 0):
            values = dict(zip(names, map(float, answers[k]), strict=True))
            rows.append({**where, "time_ms": float(mine[k]), "values": values})
    return {
        "run": str(run.folder),
        "samples": stream.n_samples,
        "outputs": list(names),
        "answers": rows,
        "backend": on.name,
        "device": on.device,
    }


def _times(duration: Floats, every: float | None) -> Floats:
    """Times of the answers, ms [samples, times]: up to the end of each recording, which is last."""
    if every is None:
        return duration[:, None]
    grid = np.arange(every, float(duration.max()) + every, every)
    times: Floats = np.minimum(grid, duration[:, None])
    return times


def _columns(found: Mapping[str, Any]) -> list[str]:
    return ["file", "sample", "key", "time_ms", *found["outputs"], "note"]


def write_values_csv(found: Mapping[str, Any]) -> None:
    """Answers as CSV on stdout."""
    write_csv(_columns(found), found)


def show_values(found: Mapping[str, Any]) -> None:
    """Answers as a table."""
    rows = noted(found)
    empty = {name for name in ("sample", "key", "note") if not any(row.get(name) for row in rows)}
    columns = [name for name in _columns(found) if name not in empty]
    headings = {name: name.replace("_ms", " (ms)") for name in columns}
    show_answers(found["run"], headings, found, form=".6g", numbers=1)


def show_run(outcome: Mapping[str, Any]) -> None:
    """The end of a run as a table."""
    test, chosen = outcome["test"], outcome["selected_by_validation"]
    rows = r2_rows(test, f", test part, last epoch ({outcome['epochs']})")
    if chosen is not None:
        rows += r2_rows(chosen, f", test part, epoch {chosen['epoch']} (chosen by validation)")
    left = f"; {test['targets_left_out']:,} left out (empty)" if test["targets_left_out"] else ""
    rows += [
        ["mean squared error, test part", f"{test['mean_squared_error']:.6g}"],
        ["guess: always the mean of training", f"{outcome['guess_mean_squared_error']:.6g}"],
        *terminal.part_rows(outcome["parts"]),
        ["targets compared", f"{test['targets']:,}{left}"],
        ["loss of the last epoch", f"{outcome['loss']:.4f}"],
        *(
            [["loss of validation", f"{outcome['validation_loss']:.4f}"]]
            if chosen is not None
            else []
        ),
        ["unit of errors in the loss", error_units(test["outputs"], outcome["loss_scale"])],
        ["trained parameters", f"{outcome['trained_parameters']:,}"],
        *terminal.end_rows(outcome),
        ["training time", f"{outcome['training_seconds']:.1f} s"],
    ]
    terminal.show_table("Result", ["", ""], rows)
    typer.echo(f"Report: {outcome['report']}")
    typer.echo(f"Evaluate again: eventsim evaluate {outcome['folder']}")
