"""Output of the commands: tables and JSON on stdout, everything else on stderr."""

import errno
import json
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import typer
import typer.core
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventsim.cli import leave
from eventsim.engine import BackendInfo, describe_backend
from eventsim.entries import read
from eventsim.errors import EventSimError, StorageError
from eventsim.measures import measure_name
from eventsim.network.late import one_warning
from eventsim.report.numbers import percent
from eventsim.train.parts import NEVER_LEARNED, Parts

if TYPE_CHECKING:
    from eventsim.report.tables import PageTable

CHECK_FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
PIPE_WIDTH = 110  # columns, where there is no terminal
HEADING_WIDTH = 12  # characters of a heading above numbers, where a table is too wide


def stderr() -> Console:
    """Console for progress and errors."""
    width = None if sys.stderr.isatty() else PIPE_WIDTH
    return Console(stderr=True, highlight=False, emoji=False, width=width)


def stdout() -> Console:
    """Console for results; wide enough for tables when it is a pipe."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, emoji=False, width=width)


def say(text: str) -> None:
    """Print a line for a person on stderr."""
    stderr().print(text, markup=False, soft_wrap=True)


def say_backend(name: str) -> BackendInfo:
    """Print the backend and its device on stderr; loads the backend, so that it fails early."""
    found = describe_backend(name)
    say(f"backend: {found}")
    return found


def emit_json(values: dict[str, Any]) -> None:
    """Print a JSON object on stdout."""
    typer.echo(json.dumps(values))


def present(
    found: dict[str, Any], show: Callable[[Mapping[str, Any]], None], *, as_json: bool
) -> None:
    """Print the result of a command: as a JSON object, or by ``show``."""
    if as_json:
        emit_json(found)
    else:
        show(found)


def show_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: int = 1
) -> None:
    """A table on stdout; the columns from ``numbers`` on are right-aligned."""
    out = stdout()
    out.print(title, style="bold", markup=False, soft_wrap=True)
    table = Table(header_style="bold", show_header=any(columns))
    for index, column in enumerate(_headings(columns, rows, numbers, out.width)):
        side: Literal["left", "right"] = "right" if index >= numbers else "left"
        table.add_column(column, justify=side, overflow="fold")  # addresses stay whole
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    out.print(table)


def _headings(
    columns: Sequence[str], rows: Sequence[Sequence[object]], numbers: int, width: int
) -> list[str]:
    """Headings; those above numbers in several lines where the table is too wide otherwise."""
    cells = [[column, *(str(row[index]) for row in rows)] for index, column in enumerate(columns)]
    if sum(max(map(len, each)) + 3 for each in cells) + 1 <= width:
        return list(columns)
    broken = ["\n".join(textwrap.wrap(column, HEADING_WIDTH)) for column in columns[numbers:]]
    return [*columns[:numbers], *broken]


def print_table(found: "PageTable") -> None:
    """A table of a report on stdout."""
    show_table(found.title, found.columns, found.rows, numbers=found.numbers)


def label_error_row(found: Mapping[str, Any]) -> list[list[str]]:
    """The row of a table that tells the label error rate; none where there is no such rate."""
    rate = found.get("label_error_rate")
    return [] if rate is None else [["wrong words per word that was said", percent(rate)]]


def part_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Rows of a table that tell who is learned, validated and tested."""
    parts = read(Parts, found, "parts", StorageError)
    rows = [["learned", parts.learned]]
    if parts.validation.recordings:
        rows.append([f"validated, by {parts.validated_by}", str(parts.validation)])
    rows += [] if parts.test is None else [["tested", str(parts.test)]]
    rows += [list(one) for one in parts.met]
    never = parts.never_learned
    return [*rows, [NEVER_LEARNED, ", ".join(never)]] if never else rows


def late_row(found: Mapping[str, Any]) -> list[list[str]]:
    """The row of a table that tells of recordings that begin late; none where they do not."""
    late = found.get("late_begin")
    if late is None:
        return []
    left = late["loss_weight_left"]
    weight = "" if left is None else f"; {100.0 * left:.2g} % of the loss's weight left there"
    span = f"{late['first_event_ms']:,.6g} ms of {late['duration_ms']:,.6g} ms"
    rates = f"; {measure_name('rate')}: over all of it"
    return [["late begin: first event, median", f"{span}{rates}{weight}"]]


def echo_late(found: Mapping[str, Any]) -> None:
    """A line on stdout of recordings that begin late; none where they do not."""
    for label, told in late_row(found):
        typer.echo(f"{label} {told}")


def check_reached(accuracy: float, fail_under: float | None) -> None:
    """Leave with the code of a failed check where an accuracy is below what was asked for."""
    if fail_under is not None and accuracy < fail_under:
        say(f"--fail-under: accuracy {percent(accuracy)} is below {percent(fail_under)}.")
        check_passed(False)


def check_passed(passed: object) -> None:
    """Leave with the code of a failed check where one failed."""
    if not passed:
        raise typer.Exit(CHECK_FAILED)


@contextmanager
def going_on(told: Callable[[], object]) -> Iterator[None]:
    """Inside, Ctrl-C ends the command after ``told`` has said how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        told()
        raise typer.Exit(INTERRUPTED) from None


class Guarded(typer.core.TyperGroup):
    """Turns what eventsim raises on purpose into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        return guarded(lambda: super(Guarded, self).invoke(ctx))


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Inside, a request to end (SIGTERM: kill, schedulers, shutdowns) is as good as Ctrl-C.

    Left to itself it would end the command alone, and its workers would go on. Ctrl-C, which leaves
    at once before and after, is an exception inside.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM] + [signal.SIGINT] * (signal.getsignal(signal.SIGINT) is leave)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refusal(error: OSError) -> str:
    """The refusal of the system as a sentence, with a remedy where a place may not be used."""
    if error.filename is None or error.strerror is None:
        return f"{error}."
    text = f"{error.filename}: {error.strerror}."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        text += " Name a place that this user may read and write, as with --out."
    return text


def guarded(run: Callable[[], Any]) -> Any:
    """Call ``run``; its errors become a red message on stderr and an exit code."""
    try:
        with _ended_politely(), one_warning():
            return run()
    except EventSimError as error:
        stderr().print("Error:", style="bold red", end=" ")
        stderr().print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from error
    except BrokenPipeError:
        raise  # the reader has gone, as in `| head`; Typer ends quietly
    except OSError as error:
        stderr().print("Error:", style="bold red", end=" ")
        stderr().print(refusal(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from error
    except KeyboardInterrupt as error:
        say("Stopped.")
        raise typer.Exit(INTERRUPTED) from error


def end_rows(outcome: Mapping[str, Any]) -> list[list[str]]:
    """Why a run ended before all its epochs, and steps that it left out, where there are some."""
    early, n = outcome["stopped_early"], outcome["skipped_steps"]
    rows = [["steps skipped, gradient not finite", f"{n:,}"]] if n else []
    if early is None:
        return rows
    what = f"validation {early['by']} not better for {early['patience']} epochs"
    told = f"after {outcome['epochs']} of {early['epochs']} epochs: {what}"
    return [["stopped early", told], *rows]
