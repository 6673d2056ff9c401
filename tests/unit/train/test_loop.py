"""The training loop: it learns, and a run that was stopped ends with the same bits."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eventsim.engine.contract.compiling import note_compiled
from eventsim.errors import ParameterError, StorageError
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.train import (
    Augmentation,
    Exact,
    TrainConfig,
    evaluate,
    load_network,
    train,
)
from eventsim.train.augment import augment
from eventsim.train.checkpoint import CHECKPOINT_VERSION
from tests.unit.train.task import (
    CONFIG,
    Stop,
    assert_same_net,
    assert_same_run,
    first_spike_net,
    small_net,
    stop_at,
    two_patterns,
)

ROOT = Path(__file__).parents[3]
# In samples this short neurons must be allowed to fire fast.
FIRST_SPIKE = TrainConfig(
    batch_size=8, loss="first_spike", validation_fraction=0.0, rate_strength=0.0
)


@pytest.fixture(scope="module")
def data():
    return two_patterns(60)


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """The run that nothing stops."""
    return train(small_net(), data, CONFIG, tmp_path_factory.mktemp("straight") / "run")


def test_training_learns_two_patterns(data, tmp_path):
    config = replace(CONFIG, epochs=10, augmentation=Augmentation())
    result = train(small_net(), data, config, tmp_path)
    before = evaluate(small_net(), two_patterns(60, seed=9), config)
    after = evaluate(result.net, two_patterns(60, seed=9), config)
    assert after.loss < 0.8 * before.loss
    assert after.accuracy >= 0.9
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_training_by_first_spikes_lowers_their_loss(data, tmp_path):
    config = replace(FIRST_SPIKE, epochs=20)
    result = train(first_spike_net(), data, config, tmp_path)
    before = evaluate(first_spike_net(), two_patterns(60, seed=9), config)
    after = evaluate(result.net, two_patterns(60, seed=9), config)
    assert after.loss < 0.8 * before.loss
    assert after.accuracy >= 0.8


def test_given_network_is_not_changed(data, straight):
    for key, array in small_net().parameters().items():
        changed = not np.array_equal(array, straight.net.parameters()[key])
        trained = key.rpartition(".")[2] in CONFIG.trained()
        assert changed <= trained, key


def test_every_kind_that_is_switched_on_moves_and_no_other(data, tmp_path):
    config = replace(CONFIG, epochs=1, bip=("tau_mem",), train_delays=False)
    trained = train(small_net(), data, config, tmp_path).net.parameters()
    moved = {
        key.rpartition(".")[2]
        for key, array in small_net().parameters().items()
        if not np.array_equal(array, trained[key])
    }
    assert moved == {"weights", "tau_mem"}


def test_seconds_of_compiling_outlast_a_stop_in_mid_epoch(data, straight, tmp_path, monkeypatch):
    def compiling(*args, **kwargs):
        note_compiled(1.0)  # once in every batch
        return augment(*args, **kwargs)

    monkeypatch.setattr("eventsim.engine.contract.compiling._SECONDS", [])
    monkeypatch.setattr("eventsim.train.step.augment", compiling)
    with pytest.raises(Stop):
        train(small_net(), data, CONFIG, tmp_path, callback=stop_at(2, 5))
    n, history = 6, train(small_net(), data, CONFIG, tmp_path, resume=True).history
    assert [line["compile_seconds"] for line in history] == pytest.approx([n] * 3, abs=0.5)


def test_interrupt_saves_the_batch_that_was_done(data, straight, tmp_path):
    config = replace(CONFIG, checkpoint_every=0)

    def press(event):
        if (event.kind, event.epoch, event.batch) == ("batch", 2, 3):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(small_net(), data, config, tmp_path, callback=press)
    assert signal.getsignal(signal.SIGINT) is before
    seen = []
    resumed = train(small_net(), data, config, tmp_path, resume=True, callback=seen.append)
    assert (seen[0].epoch, seen[0].batch) == (2, 4)
    assert_same_run(resumed, straight)


@pytest.mark.thorough("starts a process and kills it")
def test_killed_process_resumes_to_the_same_bits(data, straight, tmp_path):
    script = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from eventsim.train import train
        from tests.unit.train.task import small_net, two_patterns
        from tests.unit.train.test_loop import CONFIG

        def callback(event):
            if (event.kind, event.epoch, event.batch) == ("batch", 2, 3):
                Path({str(tmp_path / "here")!r}).touch()
                time.sleep(60)

        train(small_net(), two_patterns(60), CONFIG, {str(tmp_path / "run")!r}, callback=callback)
        """
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 50
        while not (tmp_path / "here").exists():
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert_same_run(train(small_net(), data, CONFIG, tmp_path / "run", resume=True), straight)


def test_files_of_a_run_hold_its_result(straight):
    folder = straight.folder
    described = json.loads((folder / "run.json").read_text())
    assert (described["format"], described["version"]) == ("eventsim-run", 2)
    assert TrainConfig.from_dict(described["train"]) == CONFIG
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == straight.history
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    nets = {"initial": small_net(), "last": straight.net, "selected": straight.selected_net}
    for name, net in nets.items():
        stored = load_network(folder / f"{name}.npz").parameters()
        assert_same_net(stored, net.parameters())


def test_selected_epoch_has_the_best_validation(straight):
    best = max(line["validation_accuracy"] for line in straight.history)
    assert straight.selected["validation_accuracy"] == best
    assert straight.last is straight.history[-1]


def test_without_validation_the_last_epoch_is_selected(data, tmp_path):
    config = replace(CONFIG, epochs=1, validation_fraction=0.0)
    result = train(small_net(), data, config, tmp_path)
    assert "validation_loss" not in result.last
    assert result.selected is result.last
    assert result.selected_net is result.net


def test_run_in_memory_gives_the_same_bits_and_writes_nothing(
    data, straight, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = train(small_net(), data, CONFIG)
    assert_same_run(result, straight)
    assert result.folder is None
    assert not list(tmp_path.iterdir())


def test_callback_sees_the_network_as_it_is(data, straight):
    seen = []
    train(small_net(), data, CONFIG, callback=lambda e: seen.append(e.net.to_host().copy()))
    first, last = seen[0].parameters(), seen[-1].parameters()
    assert any(not np.array_equal(first[key], last[key]) for key in first)
    assert_same_net(last, straight.net.parameters())


def test_overwrite_replaces_a_run_and_leaves_other_files(data, straight, half_run):
    (half_run / "notes.txt").write_text("mine")
    (half_run / "result.json").write_text("{}")
    assert_same_run(train(small_net(), data, CONFIG, half_run, overwrite=True), straight)
    assert (half_run / "notes.txt").read_text() == "mine"
    assert not (half_run / "result.json").exists()


def test_overwrite_of_no_run_removes_nothing(data, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    train(small_net(), data, replace(CONFIG, epochs=1), tmp_path, overwrite=True)
    assert (tmp_path / "index.html").read_text() == "mine"


@pytest.mark.parametrize("averaged", [0.0, 0.25])
def test_run_is_extended_to_the_bits_of_a_longer_one_where_the_schedule_allows(
    data, tmp_path, averaged
):
    # The learning rate rises during all epochs, so no epoch knows how many there are.
    short = replace(CONFIG, epochs=2, ease_in=4.0, averaged=averaged)
    longer = replace(short, epochs=4)
    train(small_net(), data, short, tmp_path)
    extended = train(small_net(), data, longer, tmp_path, resume=True)
    whole = train(small_net(), data, longer)
    assert_same_net(extended.net, whole.net)
    if not averaged:  # else the end of the short run was validated with a mean of its own
        assert_same_run(extended, whole)
    assert json.loads((tmp_path / "run.json").read_text())["train"]["epochs"] == 4
    # It is a run of four epochs from now on.
    with pytest.raises(StorageError, match="epochs is 4 there, 2 now"):
        train(small_net(), data, short, tmp_path, resume=True)
    assert_same_run(train(small_net(), data, longer, tmp_path, resume=True), extended)


def test_other_seed_gives_another_run(data, straight, tmp_path):
    other = train(small_net(), data, replace(CONFIG, seed=6), tmp_path)
    assert other.history[0]["loss"] != straight.history[0]["loss"]


# --- what is refused -------------------------------------------------------------------------


@pytest.fixture
def half_run(data, tmp_path):
    with pytest.raises(Stop):
        train(small_net(), data, CONFIG, tmp_path, callback=stop_at(1, 3))
    return tmp_path


def test_checkpoint_from_before_a_setting_existed_counts_as_its_default(data, half_run):
    path = half_run / "checkpoint.npz"
    arrays = read_arrays(path, kind="eventsim-checkpoint", version=CHECKPOINT_VERSION)
    origin = json.loads(str(arrays["origin"]))
    del origin["config"]["shards"], origin["config"]["augmentation"]["sensor_size"]
    arrays["origin"] = np.array(json.dumps(origin))
    write_arrays(path, arrays, kind="eventsim-checkpoint", version=CHECKPOINT_VERSION)
    with pytest.raises(StorageError, match="shards is 1 there, 2 now"):
        train(small_net(), data, replace(CONFIG, shards=2), half_run, resume=True)
    with pytest.raises(Stop):
        train(small_net(), data, CONFIG, half_run, resume=True, callback=stop_at(1, 4))


def test_loss_that_is_not_finite_stops_training_and_says_where(data, tmp_path):
    class Broken(Exact):
        def forward(self, *args, **more):
            return replace(super().forward(*args, **more), value=float("nan"))

    with pytest.raises(ParameterError, match="Training, epoch 0, batch 0: the loss is nan"):
        train(small_net(), data, CONFIG, tmp_path, method=Broken())
