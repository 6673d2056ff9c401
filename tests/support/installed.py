"""Reads every kind of package data of the eventsim that is installed, prints JSON of what it read.

``python -m tests.support.installed``, from a folder in which no other eventsim can be imported.
"""

import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import eventsim
from eventsim.chips import chip_names, load_chip
from eventsim.compiled.library import library
from eventsim.conformance import load_cases
from eventsim.engine.cuda.device import kernel_source, signatures
from eventsim.experiment import load_recipe, load_task, recipe_names, task_names
from eventsim.extras import DISTRIBUTION
from eventsim.report.html import document


def read():
    """Everything that comes with eventsim and is no Python."""
    single, double = (signatures(kernel_source(p)) for p in ("single", "double"))
    assert single.keys() == double.keys()
    return {
        "file": eventsim.__file__,
        "version": eventsim.__version__,
        "distribution": version(DISTRIBUTION),
        "kernels": len(double),
        "levels": library().built,
        "chips": [load_chip(name).name for name in chip_names()],
        "cases": [case.name for case in load_cases()],
        "recipes": [load_recipe(name).name for name in recipe_names()],
        "tasks": [load_task(name).name for name in task_names()],
        "style": "<style>\n\n</style>" not in document("", "", footer=""),
        "script": bool((files("eventsim.frontier") / "frontier.js").read_text()),
        "typed": (files("eventsim") / "py.typed").is_file(),
        "datasets": Path(files("eventsim.datasets") / "__init__.py").is_file(),
    }


if __name__ == "__main__":
    print(json.dumps(read()))
