"""Sparse connectivity that trains: the schedule, the choice, and runs that are stopped."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint import backward
from eventsim.chips import load_chip
from eventsim.clocked import Grid
from eventsim.energy import count
from eventsim.mapping import map_network
from eventsim.network.connectivity import synapse_numbers, with_synapses
from eventsim.train import (
    CrossEntropy,
    QuantisedTraining,
    SparseTraining,
    TrainConfig,
    prune,
    remove_idle,
    train,
)
from eventsim.train.sparse import connection_sparsity
from tests.unit.train.task import small_net, two_patterns

CONFIG = TrainConfig(epochs=4, batch_size=8, seed=3, validation_fraction=0.2, checkpoint_every=1)
PRUNED = SparseTraining(scope="projection", sparsity=0.5, begin=0.1, end=0.6, interval=3)
RIGL = SparseTraining(sparsity=0.5, end=0.0, rewire=0.4, interval=3)
FAN_IN = SparseTraining(fan_in=3, begin=0.0, end=0.5, interval=4, rewire=0.4)


@pytest.fixture(scope="module")
def data():
    return two_patterns(60)


def free(net):
    return {name: p for name, p in net.projections.items() if not p.one_to_one}


def due(sparse, total):
    """Steps after which it prunes, and the progress."""
    found = {n: sparse.change(n, total).progress for n in range(1, total + 1)}
    return {n: progress for n, progress in found.items() if progress is not None}


def test_schedule_is_cubic_between_its_ends():
    sparse = SparseTraining(sparsity=0.9, begin=0.2, end=0.6, interval=10)
    assert due(sparse, 100) == pytest.approx(
        {30: 1.0 - 0.75**3, 40: 1.0 - 0.5**3, 50: 1.0 - 0.25**3, 60: 1.0}
    )
    assert sparse.change(40, 100).exchanged == 0.0
    assert not sparse.prunes_first


@pytest.mark.parametrize("total", [1, 2, 7, 55, 99])
@pytest.mark.parametrize("end", [0.01, 0.3, 0.55, 1.0])
def test_end_is_reached_in_runs_of_any_length(total, end):
    sparse = SparseTraining(sparsity=0.9, begin=0.0, end=end, interval=10)
    assert list(due(sparse, total).values())[-1] == 1.0


def test_an_end_of_0_prunes_before_the_first_step_alone():
    sparse = SparseTraining(sparsity=0.9, end=0.0, rewire=0.4, rewire_end=0.8, interval=10)
    assert sparse.prunes_first
    assert due(sparse, 100) == {}
    assert sparse.change(40, 100).exchanged == pytest.approx(0.2)
    assert sparse.change(80, 100).exchanged == pytest.approx(0.0)
    assert sparse.change(90, 100).exchanged == 0.0


def test_pruning_keeps_the_largest_of_each_projection():
    net = es.scsr(10, (20,), 5)
    found = prune(net, 0.75, scope="projection")
    for name, projection in free(net).items():
        kept = found.projections[name].weights.toarray()
        assert found.projections[name].values.size == projection.values.size // 4
        rest = np.abs(projection.values[kept == 0.0])
        assert rest.max() <= np.abs(kept[kept != 0.0]).min()


def test_global_pruning_keeps_the_largest_of_all():
    net = es.scsr(10, (20,), 5)
    found = prune(net, 0.8, scope="global")
    kept = np.concatenate([p.values for p in free(found).values()])
    everything = np.concatenate([p.values.ravel() for p in free(net).values()])
    assert kept.size == everything.size // 5
    np.testing.assert_array_equal(np.sort(np.abs(kept)), np.sort(np.abs(everything))[-kept.size :])


@pytest.mark.parametrize("sparsity", [0.3, 0.6, 0.9])
def test_erdos_renyi_keeps_more_of_small_projections(sparsity):
    net = es.scsr(64, (64, 64), 10)
    found = prune(net, sparsity, scope="erdos_renyi")
    kept = {name: p.values.size for name, p in free(found).items()}
    possible = {name: p.values.size for name, p in free(net).items()}
    expected = (1.0 - sparsity) * sum(possible.values())
    assert sum(kept.values()) == pytest.approx(expected, abs=3)
    wide, narrow = "input->hidden1", "input->output"
    if kept[narrow] < possible[narrow]:
        ratio = (kept[narrow] / (64 + 10)) / (kept[wide] / (64 + 64))
        assert ratio == pytest.approx(1.0, rel=0.02)
    else:
        assert kept[wide] < possible[wide]


def test_fan_in_is_that_of_a_neuron_over_all_its_projections():
    net = es.scsr(30, (12, 9), 5)
    found = prune(net, fan_in=7)
    for name, population in net.neurons.items():
        fan_in, kept, gone = np.zeros(population.size, int), [], []
        for projection in free(net).values():
            if projection.target == name:
                there = found.projections[projection.name].weights.toarray()
                fan_in += (there != 0.0).sum(axis=0)
                kept.append(np.where(there != 0.0, np.abs(there), np.inf).min(axis=0))
                gone.append(np.where(there == 0.0, np.abs(projection.values), 0.0).max(axis=0))
        # The neuron's synapse onto itself counts as well.
        np.testing.assert_array_equal(fan_in, 6 if name in found.recurrences else 7)
        assert (np.max(gone, axis=0) <= np.min(kept, axis=0)).all()


def test_limit_of_a_chip_is_met():
    limit = load_chip("dynapse").limits.fan_in_per_neuron
    net = prune(es.scsr(100, (20,), 5), fan_in=limit)
    assert map_network(net, None, load_chip("dynapse"), method="refined").n_cores >= 1


def test_of_a_sparse_network_only_what_is_too_much_goes():
    once = prune(es.scsr(10, (20,), 5), 0.5)
    same, less = prune(once, 0.3), prune(once, 0.9)
    for name in free(once):
        assert same.projections[name].values.size == once.projections[name].values.size
        assert less.projections[name].values.size < once.projections[name].values.size
    assert connection_sparsity(once) == pytest.approx(
        count(
            once, es.simulate(once, es.EventStream([], [], [0, 0], n_channels=10, duration=1.0))
        ).connection_sparsity
    )


def test_delays_per_synapse_stay_with_their_synapses():
    rng, net = np.random.default_rng(0), es.Network()
    net.add_input("input", 4)
    net.add_population("hidden", 5)
    weights, delays = rng.normal(size=(4, 5)), rng.uniform(0, 9, (4, 5))
    net.connect("input", "hidden", weights, delays=delays)
    found = prune(net, 0.5).projections["input->hidden"]
    np.testing.assert_array_equal(found.delays, delays.ravel()[synapse_numbers(found)])
    few = prune(net, 0.8).projections["input->hidden"]  # as many as sources
    assert few.values.size == 4
    np.testing.assert_array_equal(few.delays, delays.ravel()[synapse_numbers(few)])


def test_connection_sparsity_of_an_epoch_is_that_of_the_network_as_it_runs(data):
    rounded = QuantisedTraining(bits=2, begin=0.0)
    config = replace(CONFIG, epochs=2, sparse=PRUNED, quantise=rounded, averaged=0.3)
    found = train(small_net(), data, config)
    stored = sum(p.values.size for p in found.net.projections.values())
    zero = sum(int((p.values == 0.0).sum()) for p in found.net.projections.values())
    assert zero > 0  # rounded to it: these synapses are stored, and carry nothing
    possible = sum(np.prod(p.weights.shape) for p in found.net.projections.values())
    assert found.history[-1]["connection_sparsity"] == 1 - (stored - zero) / possible


def test_pruned_run_reaches_its_sparsity_and_says_so(data):
    found = train(small_net(), data, replace(CONFIG, sparse=PRUNED))
    sizes = {name: p.values.size for name, p in found.net.projections.items()}
    assert sizes == {"input->hidden1": 24, "hidden1->hidden1": 8, "hidden1->output": 8}
    assert [line["synapses"] for line in found.history][-1] == 40
    assert found.last["connection_sparsity"] == pytest.approx(1 - 40 / 72)
    assert found.selected["synapses"] == 40
    assert found.selected_net.projections["input->hidden1"].values.size == 24


def test_only_stored_synapses_have_moments(data, tmp_path):
    train(small_net(), data, replace(CONFIG, sparse=PRUNED), tmp_path)
    with np.load(tmp_path / "checkpoint.npz") as arrays:
        assert arrays["optimiser:first.input->hidden1.weights"].shape == (24,)
        assert arrays["net:input->hidden1.weights"].shape == (24,)


def test_rewiring_keeps_the_number_and_changes_the_places(data):
    once = train(small_net(), data, replace(CONFIG, sparse=replace(RIGL, rewire=0.0)))
    found = train(small_net(), data, replace(CONFIG, sparse=RIGL))
    moved = 0
    for name, projection in free(once.net).items():
        before = synapse_numbers(projection)
        after = synapse_numbers(found.net.projections[name])
        assert before.size == after.size
        moved += np.setdiff1d(after, before).size
    assert moved > 0


def test_rewired_fan_in_stays_what_it_is(data):
    found = train(small_net(), data, replace(CONFIG, sparse=FAN_IN)).net
    fan_in = (found.projections["input->hidden1"].weights.toarray() != 0.0).sum(axis=0)
    assert fan_in.max() <= 3


def test_gradient_of_an_absent_synapse_is_that_of_the_full_matrix(data):
    """Synapses that are grown are those whose weight would lower the loss fastest."""
    net = prune(small_net(), 0.5, scope="projection")
    name, batch = "input->hidden1", data[np.arange(16)]
    full = with_synapses(net, {name: np.arange(48)})
    tape = es.simulate(full, batch.stream, precision="double")
    loss = CrossEntropy(batch.labels, readout="output", time_constant=300.0)
    gradient = backward(full, tape, loss).flat()[f"{name}.weights"]
    after = SparseTraining(rewire=0.5, projections=(name,)).exchanged(net, 0.5, {name: gradient})
    before = synapse_numbers(net.projections[name])
    grown = np.setdiff1d(after[name], before)
    absent = np.setdiff1d(np.arange(48), before)
    assert grown.size == 12
    assert abs(gradient[grown]).min() >= np.sort(abs(gradient[absent]))[-12]
    gone = np.setdiff1d(before, after[name])
    weights = net.projections[name].weights.toarray().ravel()
    assert abs(weights[gone]).max() <= abs(weights[np.intersect1d(before, after[name])]).min()


def test_synapses_without_a_gradient_are_never_grown():
    net = prune(es.scsr(6, (4,), 3), 0.5, scope="projection")
    name = "input->hidden1"
    gradient = np.zeros(24)
    absent = np.setdiff1d(np.arange(24), synapse_numbers(net.projections[name]))
    gradient[absent[2]] = -0.1
    after = SparseTraining(rewire=0.5, projections=(name,)).exchanged(net, 0.5, {name: gradient})
    grown = np.setdiff1d(after[name], synapse_numbers(net.projections[name]))
    np.testing.assert_array_equal(grown, absent[2:3])
    assert after[name].size == 12


def test_shards_rewire_as_one(data):
    one = train(small_net(), data, replace(CONFIG, sparse=RIGL, precision="double"))
    two = train(small_net(), data, replace(CONFIG, sparse=RIGL, precision="double", shards=2))
    for name, projection in free(one.net).items():
        np.testing.assert_array_equal(
            synapse_numbers(projection), synapse_numbers(two.net.projections[name])
        )


def test_a_run_in_steps_is_pruned_too(data):
    config = replace(CONFIG, epochs=2, bip=(), sparse=replace(PRUNED, rewire=0.3))
    found = train(small_net(), data, config, method=Grid())
    assert found.net.projections["input->hidden1"].values.size == 24


def test_dale_holds_after_pruning_and_rewiring(data):
    net = es.rsnn(6, (10,), 2, inhibitory=0.3, seed=1)
    config = replace(CONFIG, dale=True, sparse=replace(RIGL, sparsity=0.4))
    signs = np.sign(net.projections["hidden1->hidden1"].weights.toarray().sum(axis=1))
    found = train(net, data, config).net.projections["hidden1->hidden1"].weights.toarray()
    assert (found * signs[:, None] >= 0.0).all()


def test_neurons_that_nobody_hears_go_and_answers_stay(data):
    net = es.scsr(6, (9, 7), 2, seed=4)
    net.projections["hidden1->output"].weights[3:] = 0.0
    net.projections["hidden1->hidden2"].weights[5:] = 0.0
    net.projections["hidden2->output"].weights[2:] = 0.0
    # Neurons 3 and 4 of the first population are heard by some that nobody hears.
    net.projections["hidden1->hidden2"].weights[3:, :2] = 0.0
    found = remove_idle(net)
    assert [found.populations[name].size for name in ("hidden1", "hidden2")] == [3, 2]
    stream = data[np.arange(4)].stream
    one, other = (
        es.readout_integral(n, es.simulate(n, stream, backend="reference"), "output")
        for n in (net, found)
    )
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_silent_neurons_go_but_never_all(data):
    net, stream = small_net(), data[np.arange(4)].stream
    counts = es.simulate(net, stream)["hidden1"].total_counts()
    counts[3:] = 0
    assert remove_idle(net, {"hidden1": counts}).populations["hidden1"].size == 3
    counts[:] = 0
    assert remove_idle(net, {"hidden1": counts}).populations["hidden1"].size == 1


def test_pruned_network_exports_to_nir_and_comes_back(data, tmp_path):
    pytest.importorskip("nir")
    from eventsim.network.nir import from_nir, to_nir

    net = train(small_net(), data, replace(CONFIG, epochs=1, sparse=RIGL)).net
    back = from_nir(to_nir(net))
    stream = data[np.arange(4)].stream
    one, other = (es.simulate(n, stream) for n in (net, back))
    np.testing.assert_array_equal(one["hidden1"].times, other["hidden1"].times)
