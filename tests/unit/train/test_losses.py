"""Losses against quadrature, central differences and hand-made cases."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.integrate

import eventsim.train.losses as losses
from eventsim.adjoint import SpikeSeed
from eventsim.errors import ParameterError, ShapeError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.network import Network
from eventsim.train import CrossEntropy, FirstSpike, SumOfLosses, VanRossum

TAU = 7.0


def trains_of(samples, size):
    """SpikeTrains from one list of (time, neuron) per sample, sorted as a tape is."""
    rows = [sorted(sample) for sample in samples]
    return SpikeTrains(
        np.array([t for row in rows for t, _ in row], dtype=np.float64),
        np.array([n for row in rows for _, n in row], dtype=np.int32),
        np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
        size,
    )


def tape_of(trains, duration=100.0):
    n_samples = trains.n_samples
    stream = EventStream([], [], np.zeros(n_samples + 1, int), n_channels=1, duration=duration)
    return SpikeTape(stream, {"out": trains}, {}, "reference", "double")


@pytest.fixture
def net():
    return Network()


@pytest.fixture
def fake_integral(monkeypatch):
    """Let the readout's integral be a given array."""

    def set_integral(values):
        monkeypatch.setattr(losses, "readout_integral", lambda *_, **__: np.array(values))

    return set_integral


# --- cross-entropy ---------------------------------------------------------------------------


def test_logits_of_constant_voltage_are_gain_times_voltage(net, fake_integral):
    duration, time_constant = 80.0, 30.0
    weight, _ = scipy.integrate.quad(lambda t: np.exp(-t / time_constant), 0.0, duration)
    fake_integral([[0.25 * weight, 0.5 * weight]])
    tape = tape_of(trains_of([[]], 1), duration=duration)
    loss = CrossEntropy(np.array([0]), time_constant=time_constant, gain=4.0)
    np.testing.assert_allclose(loss.logits(net, tape), [[1.0, 2.0]], rtol=1e-12)
    assert loss.predictions(net, tape).tolist() == [1]


def test_cross_entropy_with_enormous_voltages_stays_finite(net, fake_integral):
    fake_integral([[1e7, -1e7]])
    value, seeds = CrossEntropy(np.array([1]))(net, tape_of(trains_of([[]], 1)))
    assert np.isfinite(value)
    assert np.isfinite(seeds["output"].integral).all()


# --- first spike -----------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0.0, 0.05])
def test_first_spike_gradient_matches_central_difference(net, late):
    rows = [[(10.0, 0), (12.0, 1), (30.0, 0)], [(20.0, 2), (20.5, 1)]]
    labels = np.array([1, 2])

    def value_at(moved):
        trains = trains_of(rows, 3)
        shifted = SpikeTrains(trains.times + moved, trains.neurons, trains.offsets, 3)
        loss = FirstSpike(
            labels, population="out", time_constant=TAU, late_strength=late, late_time_constant=8.0
        )
        return loss(net, tape_of(shifted))

    seed = value_at(np.zeros(5))[1]["out"]
    for spike in range(5):
        step = np.zeros(5)
        step[spike] = 1e-5
        slope = (value_at(step)[0] - value_at(-step)[0]) / 2e-5
        assert seed.time[spike] == pytest.approx(slope, rel=1e-6, abs=1e-12)
    assert seed.time[2] == 0.0  # neuron 0 has fired before


def test_silent_neuron_counts_as_firing_at_the_end_without_gradient(net):
    loss = FirstSpike(np.array([1, 0]), population="out", time_constant=TAU)
    tape = tape_of(trains_of([[(10.0, 0)], []], 2))
    np.testing.assert_array_equal(loss.logits(net, tape) * -TAU, [[10.0, 100.0], [100.0, 100.0]])
    value, seeds = loss(net, tape)
    assert np.isfinite(value)
    assert seeds["out"].time.shape == (1,)
    assert seeds["out"].time[0] < 0.0  # descent moves the wrong neuron's spike later


@pytest.mark.parametrize("shares", [False, True])
def test_late_first_spikes_cost_what_the_publication_says(net, shares):
    rows = [[(10.0, 0), (12.0, 1), (30.0, 0)], [(20.0, 2), (20.5, 1)]]
    labels = np.array([1, 0])  # the neuron of the second sample has no spike: the end, 100 ms
    given = np.array([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]]) if shares else labels
    tape = tape_of(trains_of(rows, 3))
    plain = FirstSpike(given, population="out", time_constant=TAU)
    late = replace(plain, late_strength=0.003, late_time_constant=9.0)
    first = [0.25 * math.expm1(10.0 / 9.0) + 0.75 * math.expm1(12.0 / 9.0)]
    first = first if shares else [math.expm1(12.0 / 9.0)]
    expected = 0.003 * (first[0] + math.expm1(100.0 / 9.0)) / 2
    assert late(net, tape)[0] - plain(net, tape)[0] == pytest.approx(expected)


# --- van Rossum ------------------------------------------------------------------------------


def distance_by_quadrature(actual, target, tau):
    """The definition: the integral of the squared difference of the filtered trains."""

    def filtered(times, t):
        past = times[times <= t]
        return np.exp(-(t - past) / tau).sum()

    edges = np.unique(np.concatenate([actual, target]))
    edges = np.append(edges, edges[-1] + 40.0 * tau)
    total = 0.0
    for low, high in zip(edges[:-1], edges[1:], strict=True):

        def integrand(t):
            return (filtered(actual, t) - filtered(target, t)) ** 2

        total += scipy.integrate.quad(integrand, low, high, limit=200, epsabs=1e-13)[0]
    return total / tau


def test_van_rossum_matches_quadrature(net):
    rng = np.random.default_rng(1)
    actual = [[(t, 0) for t in rng.uniform(0, 100, 6)] + [(t, 1) for t in rng.uniform(0, 9, 4)]]
    target = [[(t, 0) for t in rng.uniform(0, 100, 4)] + [(50.0, 2)]]
    a, b = trains_of(actual, 3), trains_of(target, 3)
    distance, _ = VanRossum(b, population="out", time_constant=TAU).distance(tape_of(a))
    for neuron in range(3):
        expected = distance_by_quadrature(
            a.times[a.neurons == neuron], b.times[b.neurons == neuron], TAU
        )
        assert distance[0, neuron] == pytest.approx(expected, rel=1e-8)
    assert distance[0, 2] == 0.5  # one missing spike alone


def test_van_rossum_of_equal_trains_is_zero_with_zero_gradient(net):
    trains = trains_of([[(1.0, 0), (2.0, 0), (2.0, 1)], [(5.0, 1)]], 2)
    value, seeds = VanRossum(trains, population="out", time_constant=TAU)(net, tape_of(trains))
    assert value == 0.0
    np.testing.assert_array_equal(seeds["out"].time, 0.0)


def test_van_rossum_at_huge_times_and_many_spikes_does_not_overflow(net):
    rng = np.random.default_rng(3)
    times = np.sort(1e8 + rng.uniform(0, 1e4, 1500))
    trains = trains_of([[(t, 0) for t in times]], 1)
    loss = VanRossum(trains_of([[]], 1), population="out", time_constant=0.5)
    value, seeds = loss(net, tape_of(trains, duration=2e8))
    gaps = np.abs(times[:, np.newaxis] - times)
    assert value == pytest.approx(0.5 * np.exp(-gaps / 0.5).sum(), rel=1e-9)
    assert np.isfinite(seeds["out"].time).all()


def test_van_rossum_with_other_batch_of_targets_raises(net):
    loss = VanRossum(trains_of([[], []], 1), population="out")
    with pytest.raises(ShapeError, match="2 samples of 1 neurons, expected 1 of 1"):
        loss(net, tape_of(trains_of([[]], 1)))


# --- sums ------------------------------------------------------------------------------------


def test_sum_of_losses_adds_values_and_seeds(net):
    trains = trains_of([[(10.0, 0), (20.0, 1)]], 2)
    tape = tape_of(trains)
    first = FirstSpike(np.array([0]), population="out", time_constant=TAU)
    second = VanRossum(trains_of([[(12.0, 0)]], 2), population="out", time_constant=TAU)

    def plain(net, tape):
        return 1.0, {"out": np.array([1.0, -1.0])}

    value, seeds = SumOfLosses(((1.0, first), (0.5, second), (2.0, plain)))(net, tape)
    assert value == pytest.approx(first(net, tape)[0] + 0.5 * second(net, tape)[0] + 2.0)
    expected = first(net, tape)[1]["out"].time + 0.5 * second(net, tape)[1]["out"].time
    np.testing.assert_allclose(seeds["out"].time, expected + [2.0, -2.0])


def test_sum_of_losses_keeps_time_and_voltage_apart(net):
    def by_voltage(net, tape):
        return 0.0, {"out": SpikeSeed(voltage=np.array([3.0]))}

    def by_time(net, tape):
        return 0.0, {"out": np.array([5.0])}

    tape = tape_of(trains_of([[(1.0, 0)]], 1))
    seed = SumOfLosses(((1.0, by_voltage), (2.0, by_time)))(net, tape)[1]["out"]
    assert (seed.voltage.tolist(), seed.time.tolist()) == ([3.0], [10.0])


def test_sum_of_readout_losses_with_other_time_constants_raises(net, fake_integral):
    fake_integral(np.zeros((1, 2)))
    tape = tape_of(trains_of([[]], 1))
    labels = np.array([0])
    same = SumOfLosses(((1.0, CrossEntropy(labels)), (1.0, CrossEntropy(labels))))
    assert same(net, tape)[0] == pytest.approx(2 * np.log(2))
    other = SumOfLosses(
        ((1.0, CrossEntropy(labels)), (1.0, CrossEntropy(labels, time_constant=5.0)))
    )
    with pytest.raises(ParameterError, match="time constants inf and 5.0 ms"):
        other(net, tape)


def test_part_of_a_spike_is_the_distance_with_it_less_that_without_it(net):
    rng = np.random.default_rng(5)
    rows = sorted((t, k % 2) for k, t in enumerate(rng.integers(0, 30, 14).astype(float)))
    target = trains_of(
        [[(t, k % 2) for k, t in enumerate(rng.integers(0, 30, 9).astype(float))]], 2
    )
    loss = VanRossum(target, population="out", time_constant=TAU)
    value, _, parts = loss.parts(tape_of(trains_of([rows], 2)))
    for spike in range(len(rows)):
        without = loss.distance(tape_of(trains_of([rows[:spike] + rows[spike + 1 :]], 2)))[0]
        assert parts[spike] == pytest.approx(value.sum() - without.sum(), abs=1e-12)
