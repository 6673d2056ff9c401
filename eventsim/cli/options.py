"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Name of a data set (see: eventsim data list), or an HDF5 file in the layout of "
        "N-TIDIGITS18.",
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="File or folder of the data set."),
]
DownloadOption = Annotated[
    bool, typer.Option("--download", help="Fetch the data set if it is missing and can be fetched.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, no tables.")]
