"""The command ``eventsim schema``: what a file may hold, for editors and other programs."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from eventsim.cli.checks import left_out
from eventsim.cli.terminal import emit_json

FileKind = Literal["recipe", "task", "chip", "network", "train"]


def schema_command(
    kind: Annotated[FileKind, typer.Argument(metavar="KIND", help="Which file or table.")],
    example: Annotated[
        bool,
        typer.Option("--example", help="For chip: print a TOML file with comments, to start from."),
    ] = False,
) -> None:
    """The JSON schema of recipes, tasks and chips, and of their tables `network` and `train`.

    Editors use it to check and complete TOML files. Conditions on several keys together are not in
    it; the commands check them too.

    [bold]Examples[/bold]

    eventsim schema recipe > recipe.schema.json

    eventsim schema chip --example > mine.toml
    """
    left_out(example and kind != "chip", "--example", f"is there for chip, not for {kind}")
    if example:
        from eventsim.chips.example import example as text

        typer.echo(text(), nl=False)
        return
    emit_json(schema_of(kind))


def schema_of(kind: FileKind) -> dict[str, Any]:
    """The schema, with the lines ``format`` and ``version`` of files."""
    from eventsim.chips import Chip
    from eventsim.entries import schema
    from eventsim.experiment.recipe import Recipe, Task
    from eventsim.runs.networks import NetworkSettings
    from eventsim.train import TrainConfig

    tables: dict[FileKind, Callable[..., Any]] = {
        "recipe": Recipe,
        "task": Task,
        "chip": Chip,
        "network": NetworkSettings,
        "train": TrainConfig,
    }
    found = schema(tables[kind])
    if kind in ("recipe", "task", "chip"):
        lines = {"format": {"const": f"eventsim-{kind}"}, "version": {"const": 1}}
        found["properties"] = lines | found["properties"]
        found["required"] = [*lines, *found["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | found
