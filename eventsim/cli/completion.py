"""Completion in the shell: names of data sets, chips, recipes and tasks, files, and runs.

``eventsim --install-completion`` sets it up. Every function is given what was typed of a word and
gives all that it may become. What is read are names of files only: no file is opened.
"""

from collections.abc import Iterable
from pathlib import Path

from eventsim.train.folder import SETTINGS

EVENT_FILES = (
    ".h5",
    ".hdf5",
    ".npz",
    ".csv",
    ".txt",
    ".npy",
    ".mat",
    ".raw",
    ".aedat",
    ".aedat4",
    ".nir",
)
# Where commands write runs by themselves: runs/NAME, runs/experiments/NAME/CONDITION/SEED.
RUN_PLACES = ("runs/*", "runs/experiments/*/*/*")


def complete_data(incomplete: str) -> list[str]:
    """Data sets, and files of events."""
    from eventsim.datasets import DATASETS

    return [*_begin(DATASETS, incomplete), *_files(incomplete, EVENT_FILES)]


def complete_chip(incomplete: str) -> list[str]:
    """Chips, and TOML files."""
    from eventsim.chips import chip_names

    return [*_begin(chip_names(), incomplete), *_files(incomplete, (".toml",))]


def complete_recipe(incomplete: str) -> list[str]:
    """Recipes, and TOML files."""
    from eventsim.experiment import recipe_names

    return [*_begin(recipe_names(), incomplete), *_files(incomplete, (".toml",))]


def complete_task(incomplete: str) -> list[str]:
    """Tasks of experiments, and TOML files."""
    from eventsim.experiment import task_names

    return [*_begin(task_names(), incomplete), *_files(incomplete, (".toml",))]


def complete_net(incomplete: str) -> list[str]:
    """Folders of runs, and network files."""
    runs = [str(path) for place in RUN_PLACES for path in Path().glob(place) if _is_run(path)]
    return list(dict.fromkeys([*_begin(sorted(runs), incomplete), *_files(incomplete, (".npz",))]))


def complete_run(incomplete: str) -> list[str]:
    """As :func:`complete_net`, without files."""
    return [name for name in complete_net(incomplete) if not name.endswith(".npz")]


def _begin(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    """Files of these kinds in the folder that is being typed; other folders there end with "/"."""
    head, slash, start = incomplete.rpartition("/")
    folder, found = Path(head + slash), []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    for path in entries:
        if not path.name.startswith(start) or (path.name.startswith(".") and not start):
            continue
        if path.is_dir():
            found.append(f"{head}{slash}{path.name}" + ("" if _is_run(path) else "/"))
        elif path.suffix in suffixes:
            found.append(f"{head}{slash}{path.name}")
    return found


def _is_run(path: Path) -> bool:
    return (path / SETTINGS).is_file()
