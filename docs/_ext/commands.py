"""A page for each command, made from the command itself before the pages are read.

Help, arguments and options are those that ``eventsim COMMAND --help`` shows, in its order and under
its headings.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text
from sphinx.application import Sphinx
from typer.main import get_command

FOLDER = "reference/cli/generated"
EXAMPLES = "Examples"


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Path such as ``data import``, command and context of each command, groups included."""
    from eventsim.cli.app import app

    root: Any = get_command(app)
    yield from _below(root, root.make_context("eventsim", [], resilient_parsing=True))


def _below(group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command.hidden:
            continue
        inner = type(context)(command, parent=context, info_name=name)
        path = inner.command_path.partition(" ")[2]
        yield path, command, inner
        if hasattr(command, "commands"):
            yield from _below(command, inner)


def page(path: str, command: Any, context: Any) -> str:
    """The page of one command, MyST."""
    told, _, examples = Text.from_markup(command.help or "").plain.partition(f"{EXAMPLES}\n")
    parts = [f"(command-{path.replace(' ', '-')})=", f"# eventsim {path}", escaped(told.strip())]
    parts.append(_fence(" ".join(context.command.get_usage(context).split()[1:])))
    if hasattr(command, "commands"):
        names = [f"{path} {name}" for name in command.list_commands(context)]
        parts += ["## Commands", listing(names, {p: c for p, c, _ in commands()})]
    if examples:
        lines = [line for line in examples.splitlines() if line.strip()]
        parts += ["## Examples", _fence("\n".join(lines))]
    for title, params in _panels(command).items():
        parts += [f"## {title}", "\n\n".join(_entry(param, context) for param in params)]
    return "\n\n".join(part for part in parts if part) + "\n"


def listing(paths: list[str], known: dict[str, Any]) -> str:
    """Commands with the first line of their help, each with a link."""
    lines = [
        f"[`eventsim {path}`](#command-{path.replace(' ', '-')})\n"
        f": {escaped(Text.from_markup(known[path].help or '').plain.partition(chr(10) * 2)[0])}"
        for path in paths
    ]
    return "\n\n".join(lines)


def _panels(command: Any) -> dict[str, list[Any]]:
    """Arguments and options under the headings of the help."""
    found: dict[str, list[Any]] = {}
    for param in command.params:
        if getattr(param, "hidden", False) or param.name == "help":
            continue
        own = getattr(param, "rich_help_panel", None)
        title = own or ("Arguments" if param.param_type_name == "argument" else "Options")
        found.setdefault(title, []).append(param)
    return found


def _entry(param: Any, context: Any) -> str:
    """One entry of a definition list."""
    record = param.get_help_record(context)
    typed, shown = record if record else (param.name, param.help or "")
    text = " ".join(Text.from_markup(param.help or "").plain.split())
    more = re.search(r"\s\[((?:default|required|env var|x[<>=]|\d+<)[^\]]*)\]$", shown)
    text = f"{escaped(text)} ({escaped(more[1])})" if more else escaped(text)
    return f"`{' '.join(typed.split())}`\n: {text}"


def escaped(text: str) -> str:
    """Plain text as MyST, options as code."""
    parts = re.split(r"(?<![\w-])(--[a-z][\w-]*)", text)
    plain = [re.sub(r"([\\`*_<>\[\]{}|$#~])", r"\\\1", part) for part in parts[::2]]
    options = [f"`{part}`" for part in parts[1::2]]
    return "".join(a + b for a, b in zip(plain, [*options, ""], strict=True))


def _fence(text: str) -> str:
    return f"```text\n{text}\n```"


def write(app: Sphinx) -> None:
    """Write all pages, and the index that lists them; those that are right already are left."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    known = {path: (command, context) for path, command, context in commands()}
    texts = {f"{path.replace(' ', '-')}.md": page(path, *known[path]) for path in known}
    lines = listing(list(known), {path: command for path, (command, _) in known.items()})
    texts["list.txt"] = lines + "\n"
    for file in folder.iterdir():
        if file.name not in texts:
            file.unlink()
    for name, text in texts.items():
        keep(folder / name, text)


def keep(file: Path, text: str) -> None:
    """Write a generated file, unless it is right already: pages that include it are read again."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
