"""Blocks of code in README and docs, and whether the program takes their commands."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import typer.main

from eventsim.cli.app import app

ROOT = Path(__file__).parents[2]
# Pages that are written, not those that a build of the site makes.
PAGES = sorted(p for p in (ROOT / "docs").rglob("*.md") if "generated" not in p.parts)
COMMAND = typer.main.get_command(app)
LAUNCHERS = ("torchrun", "srun", "mpirun")
FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its kind (``python``, ``{code-cell}``), the rest of that line, its text."""

    kind: str
    more: str
    text: str


def blocks(page):
    """The fenced blocks of a page, in order."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(*(line.strip().partition(" ")[::2]), text) for _, line, text in found]


def commands(found):
    """Commands of eventsim in blocks of a shell, one line each."""
    shells = [b.text for b in found if b.kind == "sh" or b.text.startswith("%%bash")]
    lines = [line.strip() for line in "".join(shells).replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(("eventsim ", *LAUNCHERS))]


def parsed(line):
    """The name of a command whose words, types and options its parser takes."""
    words = shlex.split(line.partition(" > ")[0].partition(" | ")[0], comments=True)
    args = words[words.index("eventsim") + 1 :]
    command, context, name = COMMAND, None, "eventsim"
    while True:
        try:
            context = command.make_context(name, list(args), parent=context)
        except Exception as ended:  # --version and --help end at once
            if getattr(ended, "exit_code", None) == 0:
                return f"{name} {' '.join(args)}"
            raise
        if not hasattr(command, "commands"):
            return context.command_path
        name, command, args = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )


def complaint(line):
    """Name of the error of the parser, which Typer brings along or has from Click; or None."""
    try:
        parsed(line)
    except Exception as error:
        return type(error).__name__
    return None
