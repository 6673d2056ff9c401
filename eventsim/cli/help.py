"""The help of a command: the names of an option, and beside or below them what it does.

Nothing is cut, however narrow the terminal. A command of many options shows the most common ones;
``--help-all`` shows all.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from eventsim.cli.checks import left_out
from eventsim.cli.fields import filled
from eventsim.cli.gone import gone_of

COMMON_EXAMPLES = 4
NAMES_WIDTH = 26  # longer names stand on a line of their own
WIDEST = 100
ALL = "eventsim.cli.help.all"
Command = TypeVar("Command", bound=Callable[..., Any])


def _show_all(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        ctx.meta[ALL] = True
        typer.echo(ctx.get_help(), color=ctx.color)
        raise typer.Exit()


HelpAllOption = Annotated[
    bool, typer.Option("--help-all", callback=_show_all, is_eager=True, help="Show all options.")
]


class Helped(TyperCommand):
    """A command with this help."""

    common: tuple[str, ...] = ()
    """Parameters that ``--help`` shows; all, where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's; of options that are gone it says what to type now."""
        option, instead = gone_of(args)
        left_out(option, option, "is gone", f"{instead}.")
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, in the colours of the terminal."""
        del formatter
        console = Console(highlight=False)
        console.width = min(console.width, WIDEST)
        named = (*self.common, "help_all", "help")
        whole = not self.common or ctx.meta.get(ALL, False)
        told, _, examples = (self.help or "").partition("[bold]Examples[/bold]")
        paragraphs = [" ".join(one.split()) for one in told.split("\n\n") if one.strip()]
        for one in [self.get_usage(ctx), *(paragraphs if whole else paragraphs[:1])]:
            console.print(_text(one), end="\n\n")
        lines = [line.strip() for line in examples.splitlines() if line.strip()]
        if lines:
            console.print("Examples", style="bold")
            for line in lines if whole else lines[:COMMON_EXAMPLES]:
                console.print(Padding(_text(line), (0, 0, 0, 2)))
            console.print()
        for title, params in panels(self.get_params(ctx)).items():
            shown = [one for one in params if whole or one.name in named]
            if shown:
                console.print(title, style="bold")
                for one in shown:
                    console.print(_entry(*one.get_help_record(ctx)))
                console.print()


class App(typer.Typer):
    """A group of commands with this help."""

    def command(self, name: str | None = None, **more: Any) -> Callable[[Command], Command]:
        """As Typer's, for functions that take objects for their options."""
        typers = super().command(name, **({"cls": Helped} | more))

        def add(command: Command) -> Command:
            typers(filled(command))
            return command

        return add


def showing(*common: str) -> type[Helped]:
    """A kind of command whose ``--help`` shows these parameters."""
    return type("Helped", (Helped,), {"common": common})


def panels(params: list[Any]) -> dict[str, list[Any]]:
    """Arguments and options under their headings, those without a heading first."""
    found: dict[str, list[Any]] = {"Arguments": [], "Options": []}
    for one in params:
        if not getattr(one, "hidden", False):
            kind = "Arguments" if one.param_type_name == "argument" else "Options"
            found.setdefault(getattr(one, "rich_help_panel", None) or kind, []).append(one)
    return {title: params for title, params in found.items() if params}


def _text(markup: str) -> Text:
    return Text.from_markup(markup, overflow="fold")


def _entry(names: str, told: str) -> Table:
    """An option: names and help side by side, or one below the other where the names are long."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=NAMES_WIDTH)
    table.add_column(overflow="fold")
    if len(names) + 2 <= NAMES_WIDTH:
        table.add_row(Text(f"  {names}", style="cyan"), _text(told))
        return table
    below = Table.grid()
    below.add_row(Text(f"  {names}", style="cyan", overflow="fold"))
    table.add_row("", _text(told))
    below.add_row(table)
    return below
