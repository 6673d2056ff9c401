"""Options that several commands share."""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eventsim.checks import known, one_of
from eventsim.cli import completion
from eventsim.cli.checks import numbers_of
from eventsim.engine.contract.registry import available_backends
from eventsim.engine.contract.registry import set_threads as use_threads
from eventsim.errors import BackendError
from eventsim.runs.run import Which

OPTION = "option"  # in the metadata of a field: how it is typed

NetArgument = Annotated[
    Path,
    typer.Argument(
        metavar="NET",
        help="Network file, or folder of a run.",
        autocompletion=completion.complete_net,
    ),
]
RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="Folder of a finished run, or a network file.",
        autocompletion=completion.complete_net,
    ),
]
WhichOption = Annotated[
    Which,
    typer.Option(
        "--network",
        help="Network of a run: after the last epoch (last), chosen by validation (selected), or "
        "untrained (initial).",
    ),
]
EventsArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="EVENTS",
        help="A data set, or a file of events: .h5, .npz, text, AEDAT, NIR; the run's own by "
        "default.",
        autocompletion=completion.complete_data,
    ),
]
DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Name of a data set (see: eventsim data list), or a file with labels: .h5 of "
        "eventsim data import, HDF5 in the layout of N-TIDIGITS18 or of SHD.",
        autocompletion=completion.complete_data,
    ),
]
FileOption = Annotated[
    Path | None, typer.Option("--file", metavar="PATH", help="File or folder of the data set.")
]
TestDataOption = Annotated[
    Path | None,
    typer.Option(
        "--test-data",
        metavar="FILE",
        help="Another file of eventsim data import for the test. Without it the test part is "
        "that of the file, or drawn: see --divide.",
    ),
]
RoundTimesOption = Annotated[
    float | None,
    typer.Option(
        "--round-times",
        metavar="MS",
        help="Round the time of every event to a multiple of this. Coarse times take less "
        "computing time.",
    ),
]
DownloadOption = Annotated[
    bool, typer.Option("--download", help="Fetch the data set if it is missing and can be fetched.")
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", help="JSON on stdout, no tables: one object; listen prints one per line."
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="Part of the data, such as train or test, where it is divided.",
        show_default="test",
    ),
]
FiguresOption = Annotated[
    str | None,
    typer.Option(
        "--figures",
        metavar="FORMATS",
        help="Also write the pictures for a paper, into the folder figures: pdf, svg, png, or "
        "several such as pdf,svg.",
    ),
]
FailUnderOption = Annotated[
    float | None,
    typer.Option(
        "--fail-under",
        metavar="ACCURACY",
        min=0.0,
        max=1.0,
        help="Leave with exit code 1 if the accuracy is below this, such as 0.9.",
    ),
]
SamplesOption = Annotated[
    int | None,
    typer.Option(
        "--samples",
        min=1,
        help="Use at most this number of recordings, spread evenly over the classes; without "
        "labels the first ones.",
    ),
]


def known_backend(given: str | list[str] | None) -> str | list[str] | None:
    """The value of ``--backend``; BackendError where there is no such backend."""
    several = isinstance(given, list)
    names = ("auto", *(("all",) if several else ()), *available_backends())
    for name in given if isinstance(given, list) else [given]:
        if name is not None:
            known("--backend", "backend", name, names, error=BackendError)
    return given


BACKEND = typer.Option(
    "--backend",
    callback=known_backend,
    help="Backend of exact time: auto (cuda where there is a device, else cpu), cuda, cpu, or "
    "reference (slow, the definition).",
)
BackendOption = Annotated[str | None, BACKEND]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads; all cores by default.")
]
ClockOption = Annotated[
    float | None,
    typer.Option(
        "--dt", metavar="MS", help="Time step of the clocked terms; by default each chip's."
    ),
]
FrameOption = Annotated[
    float, typer.Option("--frame", metavar="MS", help="Length of a frame of the dense RNN and GRU.")
]
MethodOption = Annotated[
    Literal["refined", "hypergraph", "first-fit", "population-order"],
    typer.Option(
        "--method",
        help="refined (needs nothing), hypergraph (with Mt-KaHyPar, extra mapping; minutes for "
        "millions of synapses), or a baseline.",
    ),
]
NeuronsPerCoreOption = Annotated[
    int | None,
    typer.Option("--neurons-per-core", min=1, help="Use at most this number of neurons of a core."),
]

# Help in place of the meaning of a setting that is an option of other commands, too.
SHARED = {"backend": BACKEND.help}


def option(
    default: Any,
    text: str,
    *names: str,
    metavar: str | None = None,
    min: float | None = None,
    autocompletion: Any = None,
    rich_help_panel: str | None = None,
) -> Any:
    """A field that is an option: its default and its help, and what typer takes besides.

    A command has a parameter that is an object of a class of such fields.
    """
    typed = typer.Option(
        *names,
        help=text or None,
        metavar=metavar,
        min=min,
        autocompletion=autocompletion,
        rich_help_panel=rich_help_panel,
    )
    return field(default=default, metadata={OPTION: typed})


def chip_option(default: Any, text: str, name: str = "--chip") -> Any:
    """A field that names chips; ``text`` is its help."""
    return option(default, text, name, metavar="NAME", autocompletion=completion.complete_chip)


def read_pair(option: str, text: str) -> tuple[float, float]:
    """``"1.5"`` or ``"1:3"`` as (low, high) in ms; ParameterError if it is neither."""
    low, _, high = text.partition(":")
    expected = "one number such as 1.5, or two such as 1:3 (ms)"
    low_ms, high_ms = numbers_of(f"{option} {text}", (low, high or low), float, expected)
    return low_ms, high_ms


def option_name(name: str) -> str:
    """A setting as it is typed."""
    return "--" + name.replace("_", "-")


def forms_of(typed: str | None) -> tuple[str, ...]:
    """The formats of ``--figures``; ParameterError if there is another."""
    known = ("pdf", "svg", "png")
    forms = () if typed is None else tuple(one.strip() for one in typed.split(","))
    for one in forms:
        one_of(f"--figures {typed}", "a form", one, known)
    return forms


def set_threads(threads: int | None, backend: str | None) -> None:
    """Let the backend use so many threads, if a number was given."""
    if threads is not None:
        use_threads(threads, backend=backend or "auto")


@dataclass(frozen=True)
class Machine:
    """On what a command runs."""

    backend: BackendOption = None
    threads: ThreadsOption = None

    def ready(self) -> str:
        """The name of the backend, which from now on takes that many threads."""
        set_threads(self.threads, self.backend)
        return self.backend or "auto"


def typed() -> str:
    """The command as it was typed."""
    return shlex.join(["eventsim", *sys.argv[1:]])
