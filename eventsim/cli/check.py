"""The command ``eventsim check``: what a network can be asked."""

from typing import Any

from eventsim.cli.events import find_network
from eventsim.cli.options import BackendOption, JsonOption, NetArgument
from eventsim.cli.terminal import present, show_table
from eventsim.engine import get_backend
from eventsim.matrix import can


def check_command(
    net: NetArgument,
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a network can be asked: what runs, what is refused, and why.

    Nothing is run. A row is a capability of the support matrix. A bound runs, and its number leaves
    out what the row names.

    [bold]Examples[/bold]

    eventsim check runs/demo

    eventsim check runs/demo --backend reference --json
    """
    engine = get_backend(backend or "auto").name
    rows = [
        {
            "capability": name,
            "title": cell.capability.title,
            "says": cell.says,
            "why": cell.why,
            "do": cell.do,
        }
        for name, cell in can(find_network(net), backend=engine).items()
    ]
    present({"network": str(net), "backend": engine, "rows": rows}, _show, as_json=as_json)


def _show(found: Any) -> None:
    rows = [
        (row["title"], row["says"], ". ".join(filter(None, [row["why"], row["do"]])))
        for row in found["rows"]
    ]
    show_table(f"{found['network']} on {found['backend']}", ("", "", "why"), rows, numbers=3)
