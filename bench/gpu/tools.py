"""NVIDIA's command-line tools: where they are."""

import os
import shutil
import sys
from pathlib import Path

from bench.gpu.place import NO_DEVICE


def find(name: str, *, package: str) -> str:
    """Path of a tool of the CUDA toolkit; without it the program ends with a message."""
    folders = [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    places = [str(Path(folder) / "bin") for folder in folders if folder]
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        print(
            f"{name} is not installed: it is looked for on PATH and in CUDA_PATH/bin. It belongs "
            f"to the CUDA toolkit; on Debian and Ubuntu: apt install {package}.",
            file=sys.stderr,
        )
        raise SystemExit(NO_DEVICE)
    return found
