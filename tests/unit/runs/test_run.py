import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

import eventsim as es
from eventsim.clocked import Grid
from eventsim.errors import DataError, StorageError
from eventsim.events import Dataset, SpikeTape
from eventsim.experiment import collect
from eventsim.runs.data import DataSettings
from eventsim.runs.execution import Execution, execute
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.run import Run
from eventsim.runs.settings import RunSettings, check_same_run
from eventsim.train import TrainConfig, evaluate, train
from eventsim.train.folder import RunFolder
from eventsim.train.loss_settings import IntegralLoss, ValuesLoss
from eventsim.train.method import Exact
from tests.matrix.networks import network
from tests.support import run_kinds
from tests.support.tiers import beyond
from tests.unit.train.task import assert_same_net


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return run_kinds.every_run(tmp_path_factory.mktemp("kinds"))


@pytest.mark.parametrize("kind", beyond(2, run_kinds.KINDS, pytest.mark.thorough("a second each")))
def test_every_kind_of_run_is_loaded_with_its_networks_and_answers(runs, kind):
    digits, folders = runs
    run = es.load_run(folders[kind])
    test = (
        run_kinds.digits_of(digits, "test") if kind in run_kinds.KNOW_NO_DATA else run.data("test")
    )
    assert [line["epoch"] for line in run.history] == [1, 2]
    assert run.config is run.settings.train
    assert run.config.epochs == 2
    before, after = run.initial.parameters(), run.net.parameters()
    assert before.keys() == after.keys()
    assert any(not np.array_equal(before[key], after[key]) for key in before)
    assert (run.settings.method.name == "grid") == (kind in run_kinds.ON_GRID)
    found = run.predict(test.stream[:])
    assert found.classes.shape == (len(test),)
    accuracy = float(np.mean(found.classes == test.labels))
    assert run.evaluate(test).accuracy == accuracy
    assert run.evaluate(test, which="selected").n_samples == len(test)
    if kind not in run_kinds.KNOW_NO_DATA:
        assert found.names == tuple(test.class_names[k] for k in found.classes)
        assert run.evaluate().accuracy == run.result["test"]["accuracy"] == accuracy
    if kind not in run_kinds.ON_GRID:
        assert evaluate(run.net, test, run.config).accuracy == accuracy


@pytest.mark.parametrize("grid", [None, Grid(dt=1.0)], ids=["exact", "grid"])
@pytest.mark.parametrize(
    "features",
    [
        {"end": "decision"}, {"neuron": "adlif"}, {"neuron": "adaptive"}, {"pattern": "shared"},
        {"delay": "delay_by_synapse"}, {"end": "no_readout"}, {"wiring": "mixed_loop"},
    ],
    ids=lambda features: "-".join(features.values()),
)  # fmt: skip
def test_a_run_can_what_its_network_can(features, grid, tmp_path):
    run = Run(tmp_path, RunSettings(grid=grid))
    vars(run)["net"] = net = network(features)
    by_method = ["exact" if grid is None else "fixed_step"]
    told, wanted = es.can(run), es.can(net, *by_method)
    assert {name: cell.says for name, cell in told.items()} == {
        name: cell.says for name, cell in wanted.items()
    }
    assert bool(told["map"]) == ("decision" not in features.values())


def test_a_run_of_values_predicts_without_an_answer(tmp_path):
    run = Run(tmp_path, RunSettings(train=TrainConfig(loss=ValuesLoss())))
    vars(run)["net"] = es.scsr(4, (8,), 2, seed=1)
    told = es.can(run)
    assert told["predict"]
    assert not es.can(run.net)["predict"]
    assert "answers with values" in told["predict_over_time"].why


def test_what_a_run_that_was_stopped_can_is_what_its_initial_network_can(runs, tmp_path):
    stopped = es.load_run(run_kinds.old_run("cli_stopped", tmp_path, runs[0]))
    assert stopped.features() == stopped.initial.features() | stopped.features({"exact"})


@pytest.mark.parametrize("kind", run_kinds.KINDS)
def test_tape_of_a_run_is_that_of_its_own_method(runs, kind):
    digits, folders = runs
    run = es.load_run(folders[kind])
    test = (
        run_kinds.digits_of(digits, "test") if kind in run_kinds.KNOW_NO_DATA else run.data("test")
    )
    tape = run.tape(test.stream[:])
    assert tape.stream.n_samples == len(test)
    if kind in run_kinds.ON_GRID:
        counted = run.evaluate(test).synaptic_events
        expected = {name: round(mean * len(test)) for name, mean in counted.items()}
        steps = np.concatenate([trains.times for trains in tape.trains.values()])
        np.testing.assert_allclose(np.mod(steps / run.settings.grid.dt, 1.0), 0.5, rtol=1e-9)
    else:
        expected = es.simulate(run.net, test.stream[:]).synaptic_events
    assert tape.synaptic_events == expected


def assert_as_recorded(found, recorded, what, *, products=False):
    """To the bit by the NumPy, and on the kind of processor, that recorded; else but for rounding.

    NumPy's exponentials and powers differ in their last bit between versions and instruction sets.
    ``products`` of matrices, and what is computed beside them, differ also between processors of
    one kind of OpenBLAS' kernels: one Zen gives another last bit than the one that recorded.
    """
    there = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if np.__version__.startswith("2.4.") and "X86_V4" in there and not products:
        np.testing.assert_array_equal(found, recorded, err_msg=what)
    else:
        np.testing.assert_allclose(found, recorded, rtol=1e-12, atol=1e-15, err_msg=what)


def test_old_and_new_runs_of_the_same_settings_are_the_same(runs):
    _, folders = runs
    for kind in ("cli", "exact", "grid"):
        old, new = (RunSettings.load(folders[name]) for name in (f"old_{kind}", kind))
        check_same_run(folders[kind], old)
        check_same_run(folders[f"old_{kind}"], new)
        assert (old.name, old.fold, old.grid) == (new.name, new.fold, new.grid)
        assert old.train.backend == "reference"
    for kind in ("cli", "python", "exact", "grid"):
        old, new = (es.load_run(folders[name]).net for name in (f"old_{kind}", kind))
        for key, value in old.parameters().items():
            found, what = new.parameters()[key], f"{kind} {key}"
            assert_as_recorded(found, value, what, products=kind == "grid")


def test_convolutional_run_from_before_skips_to_the_readout_is_the_same_run():
    now = NetworkSettings.from_options({"model": "convolutional", "hidden": (3, 2)})
    before = asdict(now)
    assert before["skip"]  # every run keeps it, whatever its model
    del before["skip_to_readout"]
    assert NetworkSettings(**before) == now
    net = now.build(20, 4, seed=0)
    assert [p.source for p in net.projections.values() if p.target == "output"] == ["hidden2"]


def test_a_run_of_0_2_that_was_stopped_ends_with_the_same_bits(runs, tmp_path):
    digits, folders = runs
    stopped = run_kinds.old_run("cli_stopped", tmp_path, digits)
    run = execute(RunSettings.load(stopped), stopped, Execution(resume=True)).run
    for key, value in es.load_run(folders["old_cli"]).net.parameters().items():
        assert_as_recorded(run.net.parameters()[key], value, key)
    stopped = run_kinds.old_run("exact_stopped", tmp_path, digits)
    spec = run_kinds.experiment(tmp_path, seeds=(1,), conditions=("plain",))[0]
    run = execute(spec, stopped, Execution(resume=True)).run
    whole = execute(spec, tmp_path / "whole").run
    assert_same_net(run.net, whole.net)


def test_a_run_of_a_program_is_extended_by_the_program(runs, tmp_path):
    digits, folders = runs
    data = run_kinds.digits_of(digits)
    for kind in run_kinds.KNOW_NO_DATA:
        shutil.copytree(folders[kind], tmp_path / kind)
        longer = replace(run_kinds.CONFIG, epochs=3)
        result = train(run_kinds.first_net(data), data, longer, tmp_path / kind, resume=True)
        run = es.load_run(tmp_path / kind)
        assert (len(run.history), run.config) == (3, longer)
        assert run.settings.data is None
        assert_same_net(run.net, result.net)


@pytest.mark.parametrize("gone", [{"step": 1.0}, {"voices": 2}, {"name": "delayed_match"}])
def test_a_run_of_settings_that_are_gone_opens_and_does_not_know_its_recordings(
    runs, tmp_path, gone
):
    digits, folders = runs
    shutil.copytree(folders["old_cli"], tmp_path / "run")
    stored = run_kinds.stored(tmp_path / "run")
    stored["data"] |= gone
    (tmp_path / "run" / "run.json").write_text(json.dumps(stored))
    run = es.load_run(tmp_path / "run")
    assert_same_net(run.net, es.load_run(folders["old_cli"]).net)
    with pytest.raises(DataError, match="does not know its recordings"):
        run.evaluate()
    assert run.evaluate(run_kinds.digits_of(digits)).n_samples > 0


def test_what_a_run_does_not_know_is_said(runs, tmp_path):
    run = es.load_run(runs[1]["python"])
    with pytest.raises(DataError, match=r"does not know its recordings.* Name some"):
        run.evaluate()
    with pytest.raises(StorageError, match=r"result.json: no such file"):
        _ = run.result
    stopped = run_kinds.old_run("cli_stopped", tmp_path, runs[0])
    with pytest.raises(StorageError, match="the run is not finished"):
        _ = es.load_run(stopped).net
    assert es.load_run(stopped).initial.population("hidden1").size == 4


def test_every_file_that_0_2_wrote_opens_as_it_was(tmp_path):
    """Beside the folders of runs: a stream, recordings, a network, a tape, an experiment."""
    old = run_kinds.OLD / "files"
    stream = es.EventStream.load(old / "stream.npz")
    assert es.EventStream.read_notes(old / "stream.npz") == {"made": "by hand"}
    assert stream.times.tolist() == [1.0, 2.5, 4.0, 1.25, 3.0]
    data = Dataset.open(old / "data.h5")[:]
    assert (data.labels.tolist(), data.groups.tolist()) == ([0, 1], ["a", "b"])
    np.testing.assert_array_equal(data.stream.times, stream.times)
    net, tape = es.Network.load(old / "net.npz"), SpikeTape.load(old / "tape.npz")
    assert sum(map(len, tape.trains.values())) > 0
    found = es.simulate(net, stream, backend="reference")
    for name, trains in tape.trains.items():
        assert_as_recorded(found.trains[name].times, trains.times, name)
    shutil.copy(old / "experiment.json", tmp_path)
    for name, run in (("plain", "exact"), ("skip", "grid")):
        shutil.copytree(run_kinds.OLD / run, tmp_path / name / "seed-0")
    assert [row.name for row in collect(tmp_path).rows] == ["plain", "skip"]


def test_only_what_decides_the_numbers_makes_another_run(runs, tmp_path):
    folder = runs[1]["cli"]
    now = RunSettings.load(folder)
    elsewhere = replace(now.data, file="/elsewhere")
    free = replace(now.train, backend="cpu", checkpoint_every=1)
    check_same_run(folder, replace(now, data=elsewhere, train=free, command="x", title="y"))
    other = replace(now.train, loss=IntegralLoss(gain=3.0))
    for change, key in (
        (replace(now, train=other), "train.loss.gain is 20.0 there, 3.0 now"),
        (replace(now, network=replace(now.network, hidden=(5,))), r"network.hidden is \[4\] there"),
        (replace(now, data=replace(now.data, test_group=("a",))), r"data.test_group is \[\] there"),
        (replace(now, train=replace(now.train, epochs=3)), "train.epochs is 2 there, 3 now"),
    ):
        with pytest.raises(StorageError, match=key):
            check_same_run(folder, change)
    check_same_run(folder, change, longer=True)
    fewer = replace(now, train=replace(now.train, epochs=1))
    with pytest.raises(StorageError, match="train.epochs is 2 there, 1 now"):
        check_same_run(folder, fewer, longer=True)
    check_same_run(tmp_path, fewer)  # holds none


def test_folders_of_many_or_unusual_groups_have_short_names_of_their_own():
    def label(*groups):
        data = DataSettings(name="fsdd", test_group=groups)
        return RunSettings(data=data, name="plain").label

    for one in ("theo", "speaker 1", "F#3 (old), left"):
        assert label(one) == f"plain/seed-0-without-{one}"
    assert label("ann", "bob") == "plain/seed-0-without-ann+bob"
    others = [label("a/b"), label("a b"), label("a+b"), label("a", "b")]
    many = [label(*(f"speaker{k}" for k in range(n))) for n in (40, 41)]
    assert len({*others, *many}) == 6
    assert all(one.count("/") == 1 and len(one) < 100 for one in (*others, *many))


def test_how_validation_is_drawn_makes_no_other_run_where_there_is_none(tmp_path):
    none = TrainConfig(validation_fraction=0.0)
    now = RunSettings(data=DataSettings(name="fsdd", test_group=("theo",)), train=none)
    old = replace(now, train=replace(none, validate="recording"))
    RunFolder(tmp_path, old.about()).describe(old.train, Exact())
    check_same_run(tmp_path, now)


@pytest.mark.parametrize("which", ["last", "selected", "initial"])
def test_a_network_of_another_run_in_a_folder_is_refused(runs, tmp_path, which):
    folder = shutil.copytree(runs[1]["python"], tmp_path / "mixed")
    other = es.load_run(folder).network(which).copy()
    other.projections["input->hidden1"].values[0, 0] += 1e-9
    other.save(folder / f"{which}.npz")
    with pytest.raises(
        StorageError, match=rf"{which}.npz: is not the file that the run of this folder wrote"
    ):
        es.load_run(folder).network(which)
    assert es.load_run(folder).network("last" if which == "initial" else "initial")


def test_networks_of_two_earlier_runs_in_one_folder_are_refused_by_their_sizes(runs, tmp_path):
    folder = shutil.copytree(runs[1]["python"], tmp_path / "mixed")
    known = json.loads((folder / "run.json").read_text())
    assert known.pop("networks").keys() == {"initial", "last", "selected"}
    (folder / "run.json").write_text(json.dumps(known))  # as an earlier version wrote it
    assert es.load_run(folder).initial
    es.scsr(5, (2, 2, 2), 3).save(folder / "initial.npz")
    with pytest.raises(StorageError, match=r"initial.npz has the populations .* files of one run"):
        _ = es.load_run(folder).initial
