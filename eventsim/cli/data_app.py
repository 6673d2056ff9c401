"""The commands ``eventsim data ...`` and their options; see :mod:`eventsim.cli.app`."""

from pathlib import Path
from typing import Annotated

import typer

from eventsim.cli.options import (
    DataArgument,
    DownloadOption,
    FileOption,
    JsonOption,
    SensorOption,
    SplitOption,
)
from eventsim.cli.terminal import Guarded, emit_json

data_app = typer.Typer(
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Data sets and event files: what there is, making them, what is in them, pictures.",
)

PlaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="PLACE",
        help="Name of a data set, or a file of events: .h5, .npz, text, AEDAT, NIR.",
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help="auto (told by the content), set, stored, ntidigits, shd, nir, aedat, nas, csv, npz, "
        "or tonic (PLACE is the name of a data set of tonic, --file its folder).",
    ),
]
UnitOption = Annotated[
    str | None, typer.Option("--unit", help="Of times in a text file: s, ms or us; ms by default.")
]
ResetOption = Annotated[
    bool, typer.Option("--after-reset", help="Of an AEDAT file: what follows the clock's reset.")
]


@data_app.command("list")
def data_list(as_json: JsonOption = False) -> None:
    """The data sets, their licences, and how to get them.

    [bold]Example[/bold]: eventsim data list
    """
    from eventsim.cli import data_commands as command

    found = command.describe_all()
    emit_json(found) if as_json else command.show_all(found)


@data_app.command("make")
def data_make(
    data: DataArgument,
    file: FileOption = None,
    download: DownloadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make or encode a data set into the cache, so that later commands start at once.

    [bold]Examples[/bold]

    eventsim data make spoken_digits

    eventsim data make fsdd --download
    """
    from eventsim.cli import data_commands as command

    found = command.make(data, file=file, download=download)
    emit_json(found) if as_json else command.show_made(found)


@data_app.command("info")
def data_info(
    place: PlaceArgument,
    file: FileOption = None,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", help="Only this part of a data set; repeat for more."),
    ] = None,
    form: FormatOption = "auto",
    sensor: SensorOption = None,
    unit: UnitOption = None,
    after_reset: ResetOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rates, durations, active channels, intervals and classes, beside those of N-TIDIGITS18.

    [bold]Examples[/bold]

    eventsim data info spoken_digits

    eventsim data info speech.aedat --sensor nas_64_stereo
    """
    from eventsim.cli import data_commands as command
    from eventsim.cli.events import Reading

    reading = Reading(form=form, file=file, sensor=sensor, unit=unit, after_reset=after_reset)
    found = command.measure(place, reading, splits=split or [])
    emit_json(found) if as_json else command.show_info(found)


@data_app.command("import")
def data_import(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="To write: .h5, or .npz without labels."),
    ],
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PLACE...",
            help="A data set, files of events, or a folder that has a folder per class.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="Classes of the files: a table with the columns file, label and perhaps sample, "
            "group (who is recorded), split (train or test).",
        ),
    ] = None,
    form: FormatOption = "auto",
    file: FileOption = None,
    split: SplitOption = "test",
    download: DownloadOption = False,
    sensor: SensorOption = None,
    address_bytes: Annotated[
        int | None,
        typer.Option("--address-bytes", help="Of an AEDAT file, if not the sensor's: 2 or 4."),
    ] = None,
    tick_us: Annotated[
        float | None,
        typer.Option("--tick-us", help="Of an AEDAT file, if not the sensor's: a tick in us."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="FIELDS",
            help="Of an AEDAT file: fields that make up the channel, e.g. ear,channel.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="FIELD=VALUE", help="Of an AEDAT file: only these events."),
    ] = None,
    after_reset: ResetOption = False,
    unit: UnitOption = None,
    channels: Annotated[
        int | None,
        typer.Option("--channels", min=1, help="Of a text file; its largest channel by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read events from any supported files or data set and write them as eventsim stores them.

    Every command takes the result; with labels (.h5) also train and evaluate. Classes are those of
    a data set, of a table (--labels), or of folders: a folder per class, and train/ and test/ above
    them if the parts are to be kept.

    [bold]Examples[/bold]

    eventsim data import --labels labels.csv --out mine.h5

    eventsim data import recordings/*.aedat --sensor nas_64_stereo --labels labels.csv --out mine.h5

    eventsim data import folder --out mine.h5

    eventsim data import speech.aedat --sensor nas_64_stereo --by ear,channel --out speech.npz

    eventsim data import events.csv --unit us --channels 64 --out events.npz

    eventsim data import NMNIST --format tonic --file data --split test --out nmnist.h5
    """
    from eventsim.cli import data_commands as command
    from eventsim.cli.events import Reading

    reading = Reading(
        form=form,
        file=file,
        split=split,
        download=download,
        sensor=sensor,
        address_bytes=address_bytes,
        tick_us=tick_us,
        by=None if by is None else tuple(name.strip() for name in by.split(",")),
        where=tuple(where or ()),
        after_reset=after_reset,
        unit=unit,
        channels=channels,
    )
    found = command.import_events(places or [], reading, labels=labels, out=out)
    emit_json(found) if as_json else command.show_import(found)


@data_app.command("plot")
def data_plot(
    place: PlaceArgument,
    sample: Annotated[int, typer.Option("--sample", min=0, help="Number of the recording.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help=".png or .svg; NAME-SAMPLE.png by default."),
    ] = None,
    begin: Annotated[float, typer.Option("--begin", min=0.0, help="Of the picture, ms.")] = 0.0,
    end: Annotated[float | None, typer.Option("--end", help="Of the picture, ms.")] = None,
    file: FileOption = None,
    split: SplitOption = "test",
    form: FormatOption = "auto",
    sensor: SensorOption = None,
    unit: UnitOption = None,
    after_reset: ResetOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw a recording: its events, the rate over time, and the events of every channel.

    [bold]Examples[/bold]

    eventsim data plot spoken_digits --sample 7

    eventsim data plot speech.aedat --sensor nas_64_stereo --begin 500 --end 1500 --out word.svg
    """
    from eventsim.cli import plot_command as command
    from eventsim.cli.events import Reading

    reading = Reading(
        form=form, file=file, split=split, sensor=sensor, unit=unit, after_reset=after_reset
    )
    window = (begin, end)
    found = command.plot(place, reading, sample=sample, window=window, out=out)
    emit_json(found) if as_json else command.show_plot(found)
