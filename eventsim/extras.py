"""The name under which eventsim is installed, and packages of its extras."""

from importlib import import_module
from typing import Any, Final, Literal

from eventsim.errors import EventSimError

# On the package index `eventsim` is an unrelated program.
DISTRIBUTION: Final = "eventsim-snn"

Extra = Literal[
    "aedat",
    "camera",
    "cuda12",
    "cuda13",
    "dask",
    "demo",
    "mapping",
    "microphone",
    "mpi",
    "nccl12",
    "nccl13",
    "nir",
    "search",
    "slurm",
    "tensorboard",
    "tonic",
    "torch",
    "usb-camera",
    "wandb",
]


def install_hint(extra: Extra, *, upgrade: bool = False) -> str:
    """Command that installs an extra of eventsim.

    ``extra``: its name in [project.optional-dependencies] of pyproject.toml. ``upgrade``: packages
    that are installed already are brought up to date.
    """
    return f"pip install {'--upgrade ' if upgrade else ''}'{DISTRIBUTION}[{extra}]'"


def load(
    module: str, extra: Extra, who: str, error: type[EventSimError], *, otherwise: str = ""
) -> Any:
    """A module of an extra; ``error`` says for ``who`` how to install it where it is missing.

    ``otherwise``: what else can be done.
    """
    try:
        return import_module(module)
    except (ImportError, OSError, RuntimeError) as problem:  # also of a library of the system
        raise error(
            f"{who} needs a package",
            f"{install_hint(extra)} (import failed: {problem})",
            remedy=otherwise or "Install it.",
        ) from problem
