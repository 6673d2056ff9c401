"""The name under which eventsim is installed, and the hint that installs one of its extras."""

from typing import Final, Literal

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
