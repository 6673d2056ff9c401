"""``eventsim warm-up``, which has nothing left to do: for one version it says so."""

import typer

from eventsim.cli.terminal import emit_json, say

# Whatever a script of before asks for.
SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True}


def warm_up_command(context: typer.Context) -> None:
    """Nothing: kernels of the CPU are compiled when eventsim is installed."""
    say(
        "warm-up: nothing to do. Kernels of the CPU are part of the installation; those of a GPU "
        "are compiled by its first run, in 5 to 10 s for each precision, and kept. Take this "
        "command out of your scripts: the next version does not have it."
    )
    if "--json" in context.args:
        emit_json({"backends": []})
