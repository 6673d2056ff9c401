import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from eventsim.errors import StorageError
from eventsim.experiment import Capacity, DataSettings, Selection, workers
from eventsim.experiment.search import TrialLine, as_toml, nested, ranked, search

optuna = pytest.importorskip("optuna")


HERE = Capacity(jobs=0)


class Trials:
    """An observer that remembers, and may interrupt after the first epoch of a trial."""

    def __init__(self, stop_at=None):
        self.values, self.lines, self.stop_at = {}, [], stop_at

    def trial_started(self, number, values, epochs):
        self.values[number] = values

    def advanced(self, number, metrics):
        if number == self.stop_at:
            raise KeyboardInterrupt

    def trial_ended(self, line):
        self.lines.append(line)


@pytest.fixture
def searched(files, tmp_path):
    """Search on the recipe as it is now, in this process, whose data the tests guard."""

    def run(trials=1, seen=None, capacity=HERE, out=tmp_path / "out", **chosen):
        asked = {"trials": trials, "capacity": capacity}
        return search(*files.load(), Selection(**chosen), out, seen or Trials(), **asked)

    return run


@pytest.fixture
def no_test_data(monkeypatch):
    """Fail if anybody asks for the test part."""
    original = DataSettings.labelled

    def guarded(self, part, **options):
        assert part == "train"
        return original(self, part, **options)

    monkeypatch.setattr(DataSettings, "labelled", guarded)


def test_search_draws_within_ranges_and_never_opens_the_test_part(searched, tmp_path, no_test_data):
    seen, out = Trials(), tmp_path / "out"
    found = searched(4, seen)
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
    # What a value is, is said beside it.
    assert (found.seeds, found.validated_by) == ((0,), "recording")
    assert (written["seeds"], written["validated_by"]) == ([0], "recording")
    assert found.tied == sum(one.value == found.best.value for one in done)


@pytest.mark.thorough("runs trials for seconds")
def test_stopped_search_takes_its_running_trial_up_again(
    searched, tmp_path, no_test_data, monkeypatch
):
    monkeypatch.setattr(workers, "POLL_SECONDS", 0.01)
    first, second, execution = Trials(stop_at=1), Trials(), workers.Execution
    stop, latest = tmp_path / "out" / workers.STOP, time.monotonic() + 60.0

    def held_up(callback, **more):
        def waits(event):
            # Until the interrupt has found the second trial going on, however slow it is.
            while 1 in first.values and event.kind == "epoch" and not stop.exists():
                assert time.monotonic() < latest
                time.sleep(0.01)
            callback(event)

        return execution(callback=waits, **more)

    monkeypatch.setattr(workers, "Execution", held_up)
    with pytest.raises(KeyboardInterrupt):
        searched(3, first)
    monkeypatch.setattr(workers, "Execution", execution)
    assert [line.state for line in first.lines] == ["complete", "fail"]
    found = searched(3, second)
    assert [one.state for one in found.trials].count("complete") == 3
    # The second trial was stopped: the third one has its values, and goes on with its training.
    assert second.values[2] == first.values[1]
    again = searched(3)
    assert again == found


def test_search_goes_on_after_a_kill_in_the_middle_of_a_line_of_its_journal(searched, tmp_path):
    searched()
    journal = tmp_path / "out" / "study.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"wor')
    found = searched(2)
    assert [one.state for one in found.trials] == ["complete", "complete"]
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_text().splitlines())


@pytest.mark.thorough("waits seconds for a lock; the test above has a kill as well")
# Optuna 4 warns of it, later versions log it.
@pytest.mark.filterwarnings("ignore:The existing lock file has not been released:UserWarning")
def test_search_goes_on_after_a_kill_that_left_the_lock_of_the_journal(
    searched, tmp_path, monkeypatch
):
    from optuna.storages.journal import JournalFileSymlinkLock

    monkeypatch.setattr(JournalFileSymlinkLock.__init__, "__defaults__", (3,))  # s, in place of 30
    monkeypatch.chdir(tmp_path)
    out, original, taken = Path("out"), JournalFileSymlinkLock.release, []

    def killed(lock):
        taken.append(lock)
        raise KeyboardInterrupt

    monkeypatch.setattr(JournalFileSymlinkLock, "release", killed)
    with pytest.raises(KeyboardInterrupt):
        searched(out=out)
    assert taken
    assert Path("out/study.journal.lock").is_symlink()
    monkeypatch.setattr(JournalFileSymlinkLock, "release", original)
    found = searched(out=out)
    assert [one.state for one in found.trials] == ["complete"]


def test_trials_of_the_same_values_share_their_training(files, searched, tmp_path):
    files.change('"train.rates.weights" = { low = 1e-3, high = 1e-1, log = true }\n', "")
    files.change('"train.batch_size" = { low = 8, high = 16 }\n', "")
    files.change("[[4], [5]]", "[[4]]")
    with ThreadPoolExecutor(2) as pool:
        found = searched(3, capacity=Capacity(jobs=2, executor=pool))
    assert [one.state for one in found.trials] == ["complete"] * 3
    assert len({one.value for one in found.trials}) == 1
    assert len(list((tmp_path / "out" / "trials").iterdir())) == 1


@pytest.mark.thorough("a search of its own")
def test_values_that_no_network_can_have_are_a_failed_trial(files, searched):
    files.change("[[4], [5]]", "[[4], [-1]]")
    seen = Trials()
    found = searched(6, seen)
    bad = [one for one in found.trials if one.values["network.hidden"] == [-1]]
    assert bad
    assert {one.state for one in bad} == {"fail"}
    assert all("hidden" in one.error for one in bad)
    assert {one.state for one in found.trials if one not in bad} <= {"complete", "pruned"}


def test_another_search_in_the_same_folder_is_refused(files, searched):
    searched()
    with pytest.raises(StorageError, match=r"seeds is \[0\] there"):
        searched(seeds=(1,))
    files.change("high = 16", "high = 17")
    with pytest.raises(StorageError, match="space is"):
        searched()


def test_trial_that_fails_says_why_and_the_search_goes_on(files, searched):
    runaway = "network = { refractory = 0.0, mean = 1e6, spread = 1e6 }"
    files.change("network = { self_recurrent = false }", runaway)
    seen = Trials()
    found = searched(2, seen)
    assert [line.state for line in seen.lines] == ["fail", "fail"]
    assert all(line.error.startswith("RunawayError: ") for line in seen.lines)
    assert found.best is None


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


def test_means_that_differ_in_their_last_bit_are_equal_and_the_earliest_is_best():
    means = [float(np.mean(shares)) for shares in ([1 / 12, 1 / 12, 0.5], [0.5, 1 / 12, 1 / 12])]
    assert means[0] < means[1] < means[0] + 1e-15
    lines = [TrialLine(k, "complete", value, 3, {}) for k, value in enumerate(means)]
    pruned = TrialLine(2, "pruned", None, 1, {})
    found, tied = ranked([pruned, *reversed(lines)])
    assert ([one.number for one in found], tied) == ([0, 1, 2], 2)
    assert ranked([pruned]) == ([pruned], 0)
