"""Every kind of run: of a command, of a program, of an experiment; now, and as 0.2.0 wrote it.

The folders of ``tests/unit/runs/old`` were written by eventsim 0.2.0 (commit 7ada3b1c); those that
were stopped end in their second epoch.
"""

import json
import shutil
from pathlib import Path

import eventsim as es
from eventsim.events import Dataset
from eventsim.experiment import Selection, load_recipe, load_task, resolve, run_all
from eventsim.runs.data import DataSettings
from eventsim.train import TrainConfig, train
from tests.support.pages import blank_pictures
from tests.unit.cli.conftest import call, write_digits
from tests.unit.experiment.conftest import Files, Watcher

OLD = Path(__file__).parents[1] / "unit" / "runs" / "old"
OPTIONS = ("--hidden", 4, "--epochs", 2, "--batch-size", 6, "--backend", "reference",
           "--set", "tail=5", "--set", "initial_logits=0", "--seed", 3,
           "--validate", "recording")  # fmt: skip
# As the recorded runs have it; the network begins without a spike.
CONFIG = TrainConfig(
    epochs=2,
    batch_size=6,
    backend="reference",
    precision="double",
    tail=5.0,
    calibrate=0.0,
    initial_logits=0.0,
)
KINDS = ("cli", "python", "exact", "grid", "old_cli", "old_python", "old_exact", "old_grid")
KNOW_NO_DATA = ("python", "old_python")
ON_GRID = ("grid", "old_grid")


def first_net(data):
    """The network that the programs of both versions start from."""
    return es.scsr(data.stream.n_channels, [4], len(data.class_names), seed=1)


def old_run(name, home, digits):
    """A copy of a run of 0.2.0, whose data set lies at ``digits``."""
    folder = home / f"old_{name}"
    shutil.copytree(OLD / name, folder)
    path = folder / "run.json"
    if path.exists():
        path.write_text(path.read_text().replace("digits.hdf5", str(digits)))
    return folder


def experiment(home, **selection):
    """The runs of an experiment: one in exact time, one on a grid."""
    (home / "recipe").mkdir(exist_ok=True)
    files = Files(home / "recipe")
    files.change('title = "with skips"', 'method = "grid"\ndt = 1.0')
    files.change("bip = []", "bip = []\ninitial_logits = 0.0")  # as in the recorded runs
    files.change('backend = "cpu"', 'backend = "reference"', task=True)
    recipe = load_recipe(files.recipe)
    return resolve(recipe, load_task(recipe.task, home=recipe.home), Selection(**selection)).specs()


def every_run(home):
    """Data file, and the folder of every kind of run."""
    digits = write_digits(home / "digits.hdf5")
    with blank_pictures():
        outcome = call("train", digits, *OPTIONS, "--out", home / "cli")
    assert outcome.code == 0, outcome.err
    data = digits_of(digits)
    train(first_net(data), data, CONFIG, home / "python")
    specs = experiment(home, seeds=(0,))
    ended = run_all(specs, home / "experiment", Watcher(), jobs=0)
    assert {how.kind for how in ended.values()} == {"done"}, ended
    folders = {name: home / name for name in ("cli", "python")}
    folders |= {
        name: home / "experiment" / spec.label
        for name, spec in zip(("exact", "grid"), specs, strict=True)
    }
    folders |= {f"old_{name}": old_run(name, home, digits) for name in folders}
    return digits, folders


def digits_of(path, split="train"):
    """Recordings of the data file."""
    data = DataSettings(name="ntidigits", file=str(path)).labelled(split)
    return Dataset(data.stream[:], data.labels, data.class_names)


def stored(folder):
    """run.json as it is."""
    return json.loads((folder / "run.json").read_text())
