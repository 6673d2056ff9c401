"""The builder of recurrent networks with lateral connections."""

import numpy as np
import pytest

import eventsim as es
from tests.support.nets import random_stream

PATTERNS = {
    "dense": "dense",
    "probability": es.RandomLateral(probability=0.2),
    "in-degree": es.RandomLateral(in_degree=12),
    "ring": es.DistanceLateral(scale=6.0),
    "sheet": es.DistanceLateral(layout="sheet", profile="exponential", scale=2.0),
}


def synapses(net, name="hidden1"):
    """Lateral (source, target) of a population."""
    pattern = net.projections[f"{name}->{name}"].weights.tocoo()
    return pattern.row, pattern.col


def ring_distance(size, source, target):
    return np.minimum((source - target) % size, (target - source) % size)


def rates(net, *, seed, rate=60.0, duration=200.0):
    """Hz of the neurons of every hidden population under Poisson input of 64 channels."""
    stream = random_stream(seed, n_samples=2, n_channels=64, duration=duration, rate=rate)
    tape = es.simulate(net, stream, backend="cpu")
    names = [name for name in net.populations if name.startswith("hidden")]
    return [tape[n].counts().sum(axis=0) / stream.duration.sum() * 1e3 for n in names]


def test_populations_follow_each_other_and_each_projects_onto_itself():
    net = es.rsnn(4, (6, 5), 3, delays=1.5, forward_delays=(0.5, 2.0))
    assert list(net.populations) == ["input", "hidden1", "hidden2", "output"]
    assert [p.size for p in net.populations.values()] == [4, 6, 5, 3]
    assert net.populations["output"].kind == "readout"
    assert (net.populations["hidden2"].refractory == 1.0).all()
    assert set(net.projections) == {
        "input->hidden1",
        "hidden1->hidden1",
        "hidden1->hidden2",
        "hidden2->hidden2",
        "hidden2->output",
    }
    assert net.projections["hidden1->hidden1"].delays == 1.5
    delays = net.projections["input->hidden1"].delays
    assert delays.shape == (4,)
    assert 0.5 <= delays.min() < delays.max() <= 2.0
    assert net.projections["hidden1->hidden2"].delays.shape == (6,)
    assert net.projections["hidden2->output"].delays == 0.0


def test_output_may_spike():
    net = es.rsnn(4, (6,), 3, output="spiking")
    assert net.populations["output"].kind == "spiking"
    assert "output->output" not in net.projections


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_neuron_projects_onto_itself_and_delays_are_per_synapse(pattern):
    net = es.rsnn(4, (40,), 3, lateral=PATTERNS[pattern], delays=(1.0, 3.0), seed=1)
    source, target = synapses(net)
    assert (source != target).all()
    lateral = net.projections["hidden1->hidden1"]
    assert lateral.delay_per_synapse
    assert lateral.delays.shape == (source.size,)
    assert 1.0 <= lateral.delays.min() < 1.5
    assert 2.5 < lateral.delays.max() <= 3.0


def test_dense_joins_all_others():
    assert synapses(es.rsnn(4, (7,), 3))[0].size == 7 * 6


def test_probability_is_the_share_of_others():
    net = es.rsnn(4, (200,), 3, lateral=es.RandomLateral(probability=0.1))
    n = 200 * 199
    assert abs(synapses(net)[0].size / n - 0.1) < 4 * np.sqrt(0.1 * 0.9 / n)


@pytest.mark.parametrize("in_degree", [1, 5, 29])
def test_every_neuron_has_the_fixed_number_of_distinct_sources(in_degree):
    net = es.rsnn(4, (30,), 3, lateral=es.RandomLateral(in_degree=in_degree))
    source, target = synapses(net)
    assert (np.bincount(target, minlength=30) == in_degree).all()
    assert np.unique(source * 30 + target).size == source.size


@pytest.mark.parametrize("profile", ["gaussian", "exponential"])
def test_probability_falls_with_distance_on_the_ring(profile):
    size, scale = 400, 10.0
    lateral = es.DistanceLateral(profile=profile, scale=scale, peak=0.8)
    distance = ring_distance(size, *synapses(es.rsnn(4, (size,), 3, lateral=lateral)))
    for d in (1, 5, 10, 20):
        x = d / scale
        p = 0.8 * (np.exp(-x * x / 2) if profile == "gaussian" else np.exp(-x))
        n = 2 * size  # pairs at this distance
        assert abs((distance == d).sum() / n - p) < 4 * np.sqrt(p * (1 - p) / n), d


def test_distances_on_the_sheet_go_the_shorter_way_round():
    sheet = es.DistanceLateral(layout="sheet")
    distance = sheet.distances(0, 24).reshape(4, 6)
    assert distance[0].tolist() == [0, 1, 2, 3, 2, 1]
    assert distance[:, 0].tolist() == [0, 1, 2, 1]
    assert distance[1, 1] == distance[3, 5] == pytest.approx(np.sqrt(2))


def test_weights_follow_the_stated_mean_and_deviation():
    lateral = es.RandomLateral(in_degree=50)
    net = es.rsnn(64, (300, 200), 3, lateral=lateral, mean=2.0, spread=0.5, lateral_gain=1.5)
    for name, n, gain in (
        ("input->hidden1", 64, 2.0),
        ("hidden1->hidden1", 50, 1.5),
        ("hidden1->hidden2", 300, 8.0),
    ):
        values = net.projections[name].values
        deviation = 0.5 * gain / np.sqrt(n)
        assert abs(values.mean() - 2.0 * gain / n) < 4 * deviation / np.sqrt(values.size), name
        assert values.std() == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_every_neuron_has_one_sign_and_sums_keep_their_mean(fraction):
    net = es.rsnn(8, (500, 400), 3, lateral=es.RandomLateral(in_degree=100), inhibitory=fraction)
    lateral = net.projections["hidden1->hidden1"].weights.toarray()
    forward = net.projections["hidden1->hidden2"].values
    signs = np.sign(lateral.sum(axis=1))
    assert (signs < 0).mean() == pytest.approx(fraction)
    for weights, gain in ((lateral, 1.0), (forward, 10.0)):
        assert (weights * signs[:, None] >= 0).all()
        sums = weights.sum(axis=0)
        assert abs(sums.mean() - gain) < 0.15 * gain
        assert 0.5 * gain < sums.std() < 1.5 * gain
    both = net.projections["hidden2->output"].values
    assert ((both > 0).any(axis=1) & (both < 0).any(axis=1)).sum() > 200


def test_small_populations_have_both_signs():
    for seed in range(5):
        net = es.rsnn(4, (3,), 2, inhibitory=0.1, seed=seed)
        signs = np.sign(net.projections["hidden1->hidden1"].weights.sum(axis=1))
        assert sorted(signs) == [-1, 1, 1]


def test_one_neuron_has_no_lateral_projection():
    assert set(es.rsnn(4, (1,), 2).projections) == {"input->hidden1", "hidden1->output"}


def test_same_seed_gives_the_same_network_and_another_seed_another():
    lateral = es.RandomLateral(probability=0.5)
    build = {"lateral": lateral, "delays": (1.0, 2.0), "inhibitory": 0.3}
    one, two, other = (es.rsnn(4, (12,), 2, seed=s, **build).to_arrays() for s in (3, 3, 4))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    for key in ("hidden1->hidden1.indices", "input->hidden1.weights"):
        assert not np.array_equal(one[key], other[key])


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("inhibitory", [None, 0.2])
def test_untrained_networks_neither_stay_silent_nor_run_away(pattern, inhibitory):
    """A neuron can fire 1000 times a second: 1 ms of refractory time."""
    for seed in range(4):
        net = es.rsnn(
            64,
            (96, 64),
            5,
            lateral=PATTERNS[pattern],
            inhibitory=inhibitory,
            delays=(0.5, 3.0),
            seed=seed,
        )
        for rate in rates(net, seed=seed):
            assert 1.0 < rate.mean() < 100.0
            assert (rate > 0).mean() > 0.15
            assert rate.max() < 500.0


@pytest.mark.parametrize(("tau_syn", "rate"), [(3.0, 100.0), (10.0, 60.0), (20.0, 30.0)])
def test_second_population_is_active_at_any_synaptic_time_constant(tau_syn, rate):
    for seed in range(4):
        net = es.rsnn(64, (96, 64), 5, tau_syn=tau_syn, seed=seed)
        first, second = rates(net, seed=seed, rate=rate)
        assert 0.3 < second.mean() / first.mean() < 3.0


def test_gradients_reach_lateral_weights_and_delays(backend):
    net = es.rsnn(5, (8, 6), 3, lateral=es.RandomLateral(in_degree=3), delays=(0.5, 3.0), seed=0)
    stream = random_stream(3, n_samples=2, rate=200.0)
    tape = es.simulate(net, stream, backend=backend)
    gradients = es.backward(net, tape, {"output": es.ReadoutSeed(20.0, np.ones((2, 3)))}).flat()
    assert (gradients["hidden1->hidden1.weights"] != 0).any()
    assert (gradients["hidden1->hidden1.delays"] != 0).any()


@pytest.mark.parametrize("build", [es.rsnn, es.scsr])
def test_without_hidden_populations_a_network_is_a_linear_model(build):
    net = build(4, (), 2)
    assert list(net.projections) == ["input->output"]
    assert net.populations["output"].kind == "readout"
