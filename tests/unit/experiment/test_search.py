import json

import pytest

from eventsim.errors import StorageError
from eventsim.experiment import DataSettings, RecipeError, Selection
from eventsim.experiment.search import as_toml, nested, search

optuna = pytest.importorskip("optuna")


class Trials:
    """An observer that remembers, and may interrupt at the first batch of a trial."""

    def __init__(self, stop_at=None):
        self.values, self.lines, self.stop_at = {}, [], stop_at

    def trial_started(self, number, values):
        self.values[number] = values

    def advanced(self, event):
        if event.kind == "epoch" and len(self.values) - 1 == self.stop_at:
            raise KeyboardInterrupt

    def trial_ended(self, line):
        self.lines.append(line)


@pytest.fixture
def no_test_data(monkeypatch):
    """Fail if anybody asks for the test part."""
    original = DataSettings.labelled

    def guarded(self, part, **options):
        assert part == "train"
        return original(self, part, **options)

    monkeypatch.setattr(DataSettings, "labelled", guarded)


def test_search_draws_within_ranges_and_never_opens_the_test_part(files, tmp_path, no_test_data):
    seen, out = Trials(), tmp_path / "out"
    found = search(*files.load(), Selection(), out, seen, trials=4)
    assert len(found.trials) == len(seen.lines) == 4
    for values in seen.values.values():
        assert 1e-3 <= values["train.rates.weights"] <= 1e-1
        assert values["network.hidden"] in ([4], [5])
        assert values["train.batch_size"] in range(8, 17)
    done = [one for one in found.trials if one.state == "complete"]
    assert found.best.value == max(one.value for one in done)
    # What was trained is what was drawn, and its value is that of the last epoch.
    runs = {}
    for folder in (out / "trials").iterdir():
        config = json.loads((folder / "seed-0" / "run.json").read_text())["train"]
        last = (folder / "seed-0" / "metrics.jsonl").read_text().splitlines()[-1]
        runs[config["rates"]["weights"]] = (config, json.loads(last)["validation_accuracy"])
    for one in done:
        config, accuracy = runs[one.values["train.rates.weights"]]
        assert config["batch_size"] == one.values["train.batch_size"]
        assert one.value == accuracy
    written = json.loads((out / "search.json").read_text())
    assert written["best"]["values"] == found.best.values


def test_stopped_search_takes_its_running_trial_up_again(files, tmp_path, no_test_data):
    first, second = Trials(stop_at=1), Trials()
    with pytest.raises(KeyboardInterrupt):
        search(*files.load(), Selection(), tmp_path / "out", first, trials=3)
    assert len(first.lines) == 1
    found = search(*files.load(), Selection(), tmp_path / "out", second, trials=3)
    assert [one.state for one in found.trials].count("complete") == 3
    # The second trial was stopped: the third one has its values, and goes on with its training.
    assert second.values[2] == first.values[1]
    again = search(*files.load(), Selection(), tmp_path / "out", Trials(), trials=3)
    assert again == found


def test_another_search_in_the_same_folder_is_refused(files, tmp_path):
    search(*files.load(), Selection(), tmp_path / "out", Trials(), trials=1)
    with pytest.raises(StorageError, match=r"seeds is \[0\] there"):
        search(*files.load(), Selection(seeds=(1,)), tmp_path / "out", Trials(), trials=1)
    files.change("high = 16", "high = 17")
    with pytest.raises(StorageError, match="space is"):
        search(*files.load(), Selection(), tmp_path / "out", Trials(), trials=1)


def test_trial_that_fails_says_why_and_the_search_goes_on(files, tmp_path):
    runaway = "network = { refractory = 0.0, mean = 1e6, spread = 1e6 }"
    files.change("network = { self_recurrent = false }", runaway)
    seen = Trials()
    found = search(*files.load(), Selection(), tmp_path / "out", seen, trials=2)
    assert [line.state for line in seen.lines] == ["fail", "fail"]
    assert all(line.error.startswith("RunawayError: ") for line in seen.lines)
    assert found.best is None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("train.batch_size", "train.batch_sise", "unknown key 'batch_sise'"),
        ("bip = []", "bip = []\nvalidation_fraction = 0.0", "validation_fraction is 0"),
        ("[search]", "[searches]", "unknown key 'searches'"),
    ],
)
def test_search_that_cannot_be_is_refused_before_the_first_trial(files, tmp_path, before, after,
                                                                message):  # fmt: skip
    files.change(before, after)
    with pytest.raises(RecipeError, match=message):
        search(*files.load(), Selection(), tmp_path / "out", Trials(), trials=1)


def test_key_that_something_else_decides_is_refused(files, tmp_path):
    files.change(
        '"train.batch_size" = { low = 8, high = 16 }', '"train.epochs" = { low = 1, high = 9 }'
    )
    with pytest.raises(
        RecipeError, match="train.epochs: 1 does not become the setting, which is 5"
    ):
        search(*files.load(), Selection(epochs=5), tmp_path / "out", Trials(), trials=1)


def test_search_does_not_take_turns_with_held_out_groups(files, tmp_path):
    with pytest.raises(RecipeError, match="Search on a task without held_out"):
        search(*files.load(), Selection(held_out=("a",)), tmp_path / "out", Trials(), trials=1)


def test_values_become_nested_tables_and_lines_of_a_recipe():
    values = {"train.rates.taus": 0.1, "train.rates.weights": 0.2, "network.hidden": [3, 4]}
    assert nested(values, "train") == {"rates": {"taus": 0.1, "weights": 0.2}}
    assert nested(values, "network") == {"hidden": [3, 4]}
    assert as_toml("all", values).splitlines() == [
        "[[condition]]",
        'name = "all"',
        "network.hidden = [3, 4]",
        "train.rates.taus = 0.1",
        "train.rates.weights = 0.2",
    ]
