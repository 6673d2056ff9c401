import numpy as np
import pytest

import eventsim as es
from eventsim import clocked
from eventsim.clocked import Grid
from eventsim.errors import NetworkError, StorageError
from eventsim.events import Recording, StoredStream, write_stored
from eventsim.train import (
    Augmentation,
    LearningRates,
    SpiKL,
    StoredLabelledEvents,
    TrainConfig,
    evaluate,
    load_network,
    train,
)
from eventsim.train.loss_settings import SpikeTrainLoss
from tests.unit.train.task import DURATION, small_net, two_patterns

BIP = ("tau_mem", "tau_syn", "resistance", "threshold")


def config(*, epochs=3, **more):
    given = {"batch_size": 8, "bip": BIP, "validation_fraction": 0.0, "precision": "double"}
    return TrainConfig(epochs=epochs, **(given | more))


def published(**train):
    given = {"batch_size": 8, "validation_fraction": 0.0, "precision": "double"}
    return clocked.published(**(given | train))


def on_grid(net, data, settings, *folder, method=None, **more):
    return train(net, data, settings, *folder, method=method or Grid(), **more)


def spiking_net(*, seed=0):
    return es.scsr(6, (10,), 2, output="spiking", tau_mem=12.0, seed=seed)


def test_a_spiking_output_learns_the_small_task():
    settings = published(epochs=10, loss=SpikeTrainLoss(rate=200.0))
    data = two_patterns(32)
    result = on_grid(spiking_net(), data, settings)
    tested = evaluate(result.net, two_patterns(40, seed=5), settings, method=Grid())
    assert tested.accuracy >= 0.9
    assert result.last["accuracy"] >= 0.9
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_a_readout_learns_the_small_task_and_exact_time_takes_it_over():
    settings, method = config(epochs=8), Grid(dt=0.25)
    result = on_grid(small_net(), two_patterns(32), settings, method=method)
    unseen = two_patterns(40, seed=5)
    stepped = evaluate(result.net, unseen, settings, method=method)
    exact = evaluate(result.net, unseen, settings)
    assert stepped.accuracy >= 0.9
    assert exact.accuracy >= stepped.accuracy - 0.05
    assert exact.loss == pytest.approx(stepped.loss, abs=0.1)


def test_every_trained_parameter_moves_and_no_other():
    start = spiking_net()
    result = on_grid(start, two_patterns(16), published(epochs=3, bip=("tau_syn", "threshold")))
    moved = {
        key
        for key, value in result.net.parameters().items()
        if not np.allclose(value, start.parameters()[key], rtol=1e-12, atol=0.0)
    }
    wanted = {f"{p}.{k}" for p in ("hidden1", "output") for k in ("tau_syn", "threshold")}
    assert moved == wanted | {f"{name}.weights" for name in start.projections}


def test_a_seed_decides_a_run():
    runs = [
        on_grid(
            small_net(), two_patterns(16), config(seed=s, augmentation=Augmentation(jitter=1.0))
        )
        for s in (1, 1, 2)
    ]
    first, same, other = (r.net.projections["input->hidden1"].weights for r in runs)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_the_network_of_the_best_validation_is_kept(tmp_path):
    settings = config(epochs=6, validation_fraction=0.25, batch_size=4)
    data = two_patterns(32)
    result = on_grid(small_net(), data, settings, tmp_path / "whole")
    merits = [(ln["validation_accuracy"], -ln["validation_loss"]) for ln in result.history]
    assert result.selected == result.history[merits.index(max(merits))]
    stored = load_network(tmp_path / "whole" / "selected.npz").parameters()
    exact = result.selected_net.parameters()
    assert all((stored[key] == exact[key]).all() for key in exact)


def test_a_run_of_other_settings_is_not_resumed(tmp_path):
    data = two_patterns(8)
    on_grid(small_net(), data, config(epochs=1), tmp_path)
    with pytest.raises(StorageError, match=r"other settings: method.dt is 1\.0 there, 0\.5 now"):
        on_grid(small_net(), data, config(epochs=1), tmp_path, resume=True, method=Grid(dt=0.5))


def test_metrics_say_what_it_cost():
    data, told = two_patterns(12), []
    result = on_grid(small_net(), data, config(epochs=1, batch_size=4), callback=told.append)
    line = result.last
    assert [event.kind for event in told] == ["batch"] * 3 + ["epoch"]
    assert line["neuron_updates_per_sample"] == 60 * (8 + 2)
    events = es.simulate(small_net(), data.stream).synaptic_events["input->hidden1"]
    assert line["synaptic_events_per_sample"] >= events / 12
    kept = 60 * 4 * (6 * 2 + 8 * (8 + 8 + 1 + 1) + 2 * (8 + 8))
    assert line["stored_mb"] == pytest.approx((kept + 60 * 4 * (8 + 2) * 8) / 1e6)


def test_more_events_in_a_step_are_told_and_clipping_changes_the_input():
    data, results = two_patterns(8), []
    for clip in (False, True):
        method = Grid(clip=clip)
        results.append(on_grid(small_net(), data, config(epochs=1), method=method).last)
    assert results[0]["shared_bins_per_sample"] > 0
    lost = results[0]["synaptic_events_per_sample"] - results[1]["synaptic_events_per_sample"]
    assert lost >= 8 * results[0]["shared_bins_per_sample"] - 8


def test_spikl_moves_the_hidden_neurons_and_keeps_the_weights_of_exact_time():
    rule = SpiKL(resistance=0.1, tau_mem=0.1, mean_rate=80.0)
    rates = {"weights": 0.0, "taus": 0.0, "intrinsic": 0.0, "delays": 0.0}
    settings = config(
        epochs=1,
        bip=("threshold",),
        spikl=rule,
        silent_lift=0.0,
        rates=LearningRates(**rates),
        weight_decay=0.0,
        initial_logits=0.0,
    )
    start = small_net()
    exact = on_grid(start, two_patterns(8), settings).net
    hidden = exact.populations["hidden1"]
    assert (hidden.tau_mem != start.populations["hidden1"].tau_mem).all()
    assert (exact.populations["output"].tau_mem == start.populations["output"].tau_mem).all()
    for name, projection in start.projections.items():
        np.testing.assert_allclose(
            exact.projections[name].values, projection.values, rtol=1e-12, err_msg=name
        )


def test_a_run_says_its_method(tmp_path):
    data, settings = two_patterns(16), config(epochs=1)
    on_grid(small_net(), data, settings, tmp_path)
    run = es.load_run(tmp_path)
    assert run.settings.method == Grid()
    np.testing.assert_array_equal(
        run.initial.projections["input->hidden1"].weights,
        small_net().projections["input->hidden1"].weights,
    )
    with pytest.raises(StorageError, match="other settings: method"):
        train(small_net(), data, settings, tmp_path, resume=True)


def test_shards_change_the_rounding_alone():
    data = two_patterns(24)
    runs = [on_grid(small_net(), data, config(epochs=1, shards=shards)) for shards in (1, 3)]
    for key, value in runs[0].net.parameters().items():
        np.testing.assert_allclose(runs[1].net.parameters()[key], value, rtol=1e-9, atol=1e-9)
    costs = ("neuron_updates_per_sample", "shared_bins_per_sample", "synaptic_events_per_sample")
    assert [runs[0].last[key] for key in costs] == [runs[1].last[key] for key in costs]


def test_self_weights_stay_where_exact_time_does_not_run_away():
    net = small_net()
    net.projections["hidden1->hidden1"].weights[:] = 3.0
    settings = config(epochs=1)
    exact = on_grid(net, two_patterns(8), settings).net
    p = exact.populations["hidden1"]
    limit = 0.8 * (p.threshold - p.v_reset) * p.tau_mem / (p.resistance * p.tau_syn)
    weights = exact.projections["hidden1->hidden1"].weights
    assert (weights <= limit * (1 + 1e-12)).all()
    assert (weights > 0.9 * limit).any()
    es.simulate(exact, two_patterns(8).stream)


def test_exact_and_fixed_step_training_see_the_same_events_in_the_same_batches(tmp_path):
    net = small_net()
    net.projections["input->hidden1"].weights[:] = 0.0
    settings = config(
        epochs=2,
        batch_size=4,
        silent_lift=0.0,
        rates=LearningRates(weights=0.0),
        augmentation=Augmentation(drop=0.5),
    )
    told = {"exact": [], "grid": []}
    train(net, two_patterns(12), settings, tmp_path, callback=told["exact"].append)
    on_grid(net, two_patterns(12), settings, callback=told["grid"].append)
    exact, grid = (
        [event.metrics["synaptic_events_per_sample"] for event in events]
        for events in told.values()
    )
    assert len(set(exact)) > 4
    assert exact == grid


def test_the_published_method_has_none_of_what_was_added():
    settings = clocked.published(epochs=7)
    assert (settings.loss.kind, settings.rate_strength) == ("van_rossum", 0.0)
    assert (settings.silent_lift, settings.clip_norm) == (0.0, 1.0)
    assert (settings.epochs, settings.bip) == (7, BIP)


def test_recordings_in_a_file_train_to_the_same_bits(tmp_path):
    data, settings = two_patterns(12), config(epochs=1, precision="single")
    recordings = [Recording(times, channels, DURATION) for times, channels in data.stream]
    write_stored(tmp_path / "events.h5", recordings, n_channels=6)
    stream = StoredStream.open(tmp_path / "events.h5")
    stored = StoredLabelledEvents(stream, data.labels, data.class_names)
    runs = [on_grid(small_net(), given, settings) for given in (data, stored)]
    first, second = (r.net.parameters() for r in runs)
    assert all((first[key] == second[key]).all() for key in first)
    in_memory, in_file = (
        evaluate(runs[0].net, given, settings, method=Grid()) for given in (data, stored)
    )
    assert in_memory.loss == in_file.loss


def test_shared_weights_are_one_after_training_on_a_grid(tmp_path):
    net, data = small_net(), two_patterns(16)
    projection = net.projections["input->hidden1"]
    projection.values[...] = 0.5
    net.share("input->hidden1.weights", np.zeros(projection.values.shape, int))

    result = on_grid(net, data, config(epochs=1, bip=("threshold",)), tmp_path / "run")

    weights = load_network(tmp_path / "run/last.npz").projections["input->hidden1"].values
    assert np.unique(weights).size == 1
    assert not np.array_equal(weights, projection.values)
    with pytest.raises(NetworkError, match="'input->hidden1' reach neurons of different time"):
        on_grid(net, data, config(epochs=1, bip=("tau_mem",)))
    assert result.net.shared.keys() == net.shared.keys()
