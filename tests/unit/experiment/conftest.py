from pathlib import Path

import pytest

from eventsim.experiment import Selection, load_recipe, load_task, resolve

RECIPE = """
format = "eventsim-recipe"
version = 1
name = "small"
title = "Skips"
task = "small.toml"
baseline = "plain"

[train]
bip = []

[[condition]]
name = "plain"
network = { skip = false, self_recurrent = false }

[[condition]]
name = "skip"
title = "with skips"
network = { self_recurrent = false }

[search]
condition = "skip"
seeds = [0]

[search.space]
"train.rates.weights" = { low = 1e-3, high = 1e-1, log = true }
"network.hidden" = { choices = [[4], [5]] }
"train.batch_size" = { low = 8, high = 16 }
"""

TASK = """
format = "eventsim-task"
version = 1
name = "tiny"
title = "Tiny Yin-Yang"

[data]
name = "yinyang"
train_samples = 24
test_samples = 12

[network]
hidden = [4]
mean = 4.0
spread = 4.0

[train]
epochs = 2
batch_size = 12
backend = "cpu"
precision = "double"

[smoke.train]
epochs = 1
"""


class Files:
    """A recipe and its task in a folder, to be changed by tests."""

    def __init__(self, folder: Path):
        self.recipe, self.task = folder / "recipe.toml", folder / "small.toml"
        self.recipe.write_text(RECIPE)
        self.task.write_text(TASK)

    def change(self, before, after, *, task=False):
        path = self.task if task else self.recipe
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def load(self):
        recipe = load_recipe(self.recipe)
        return recipe, load_task(recipe.task, home=recipe.home)

    def resolve(self, **selection):
        return resolve(*self.load(), Selection(**selection))


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


class Watcher:
    """An observer that remembers, and may interrupt after so many epochs."""

    def __init__(self, stop_after=None):
        self.begun, self.ends, self.epochs, self.stop_after = [], {}, 0, stop_after

    def started(self, spec):
        self.begun.append(spec.label)

    def advanced(self, spec, metrics):
        self.epochs += 1
        if self.epochs == self.stop_after:
            raise KeyboardInterrupt

    def ended(self, spec, how):
        self.ends[spec.label] = how


@pytest.fixture
def watcher():
    return Watcher()
