"""``eventsim warm-up``."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from eventsim.arrays import Precision
from eventsim.cli.options import JsonOption
from eventsim.cli.terminal import present, say, stderr
from eventsim.engine import describe_backend
from eventsim.progress import bars
from eventsim.warming import WarmedUp, warm_up


def warm_up_command(
    precision: Annotated[
        Precision | None,
        typer.Option(help="Only its kernels."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="That compile side by side, up to 1.4 GiB each. Default: all cores."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compile all kernels now, so that nothing is compiled later: for container images, clusters.

    Those of the processor, and of the GPU where there is one, in double and single precision. They
    are kept in the user's cache folder, or in the one that EVENTSIM_CACHE names: set it alike here
    and where the kernels will run, on a processor of the same kind.

    [bold]Example[/bold]: EVENTSIM_CACHE=/opt/eventsim eventsim warm-up
    """
    automatic = describe_backend("auto")
    names = ["cpu"] if automatic.name == "cpu" else ["cpu", automatic.name]
    if automatic.no_cuda is not None:
        say(f"cuda: nothing to compile. {automatic.no_cuda}")
    warmed = [_shown(name, precision, processes) for name in names]
    found = {
        "backends": [asdict(one) | {"folder": one.folder and str(one.folder)} for one in warmed]
    }
    present(found, _show, as_json=as_json)


def _shown(name: str, precision: Precision | None, processes: int | None) -> WarmedUp:
    """Warm a backend up behind a bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with bars(*columns, console=stderr(), in_pipes=False) as progress:
        bar = progress.add_task(f"compiling for {name}", total=None)
        return warm_up(
            name,
            precision=precision,
            processes=processes,
            told=lambda done, total: progress.update(bar, completed=done, total=total),
        )


def _show(found: Mapping[str, Any]) -> None:
    """A line for each backend."""
    for one in found["backends"]:
        number = len(one["compiled"])
        done = (
            f"{number} kernels compiled in {one['seconds']:.0f} s"
            if number
            else "nothing to do, all kernels are compiled"
        )
        kept = one["folder"] or "nowhere: let EVENTSIM_CACHE name a folder that can be written"
        typer.echo(f"{one['backend']}: {done}. Kept in {kept}")
