import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eventsim as es
from eventsim.chips import Formats, load_chip
from eventsim.hardware.quantise import round_tau, round_weights
from eventsim.mapping import quantisation_study, quantise, spikes_without_partner
from tests.support.nets import one_layer
from tests.unit.mapping.helpers import random_net, random_stream


@given(hnp.arrays(float, st.integers(1, 30), elements=st.floats(-1e3, 1e3)), st.integers(2, 12))
def test_rounded_weights_lie_on_the_grid_and_near(weights, bits):
    rounded = round_weights(weights, bits)
    largest = np.abs(weights).max()
    if largest < 1e-200:
        return
    scale = largest / (2 ** (bits - 1) - 1)
    assert np.abs(rounded - weights).max() <= 0.5 * scale * (1 + 1e-9)
    assert np.allclose(rounded / scale, np.round(rounded / scale), atol=1e-6)
    assert np.allclose(round_weights(rounded, bits), rounded)


def test_weights_too_small_for_a_unit_of_their_own_keep_their_size():
    tiny = np.array([5e-324, -5e-324])
    assert round_weights(tiny, 3).tolist() == tiny.tolist()


def test_weights_of_one_bit_are_signs_times_the_mean():
    assert round_weights(np.array([1.0, -3.0, 0.0]), 1).tolist() == [2.0, -2.0, 0.0]


def test_time_constants_have_decays_of_whole_units():
    tau = np.array([1.5, 5.0, 20.0, 500.0, 1e9])
    rounded = round_tau(tau, 1.0, 12)
    units = -np.expm1(-1.0 / rounded) * 4096
    assert units == pytest.approx(np.round(units), abs=1e-6)
    assert rounded[:3] == pytest.approx(tau[:3], rel=3e-3)
    assert rounded[-1] == pytest.approx(4095.5, rel=1e-4)  # the slowest decay there is


def test_delays_and_refractory_times_are_whole_steps_and_not_too_long():
    net = one_layer("a", np.ones((2, 2)), delays=[0.4, 17.0], refractory=1.3)
    found = quantise(net, Formats(max_delay_steps=15), step_ms=1.0)
    assert found.net.projections["input->a"].delays.tolist() == [0.0, 15.0]
    assert found.net.populations["a"].refractory.tolist() == [1.0, 1.0]
    assert found.delays_cut == 1
    assert net.projections["input->a"].delays.tolist() == [0.4, 17.0]


def test_thresholds_are_rounded_in_units_of_current_and_stay_above_the_reset():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population(
        "a", 3, threshold=[1.0, 0.51, 0.1], v_reset=[0.0, 0.0, 0.09], resistance=[1.0, 1.0, 2.0]
    )
    population = quantise(net, Formats(threshold_bits=2)).net.populations["a"]
    assert population.threshold == pytest.approx([1.0, 2 / 3, 2 / 3])
    assert population.v_reset == pytest.approx([0.0, 0.0, 0.0])


def test_many_bits_change_nothing_and_few_change_spikes(net):
    stream = random_stream()
    rows = quantisation_study(net, stream, Formats(weight_bits=40), bits=(2, 30))
    assert [row.bits for row in rows] == [None, 40, 2, 30]
    assert rows[0].without_partner == rows[1].without_partner == rows[3].without_partner == 0.0
    assert rows[2].without_partner > 0.05
    assert (
        rows[0].spikes
        == rows[2].spikes_exact
        == sum(len(t) for t in es.simulate(net, stream).trains.values())
    )


def test_a_score_is_taken_of_every_network(net):
    seen = []

    def score(network):
        seen.append(network)
        return len(seen) / 10

    rows = quantisation_study(net, random_stream(), load_chip("loihi"), bits=(3,), score=score)
    assert [row.score for row in rows] == [0.1, 0.2, 0.3]
    assert seen[0] is net


def test_spikes_without_a_partner_are_found_per_train():
    net = random_net(2)
    stream = random_stream(3)
    tape = es.simulate(net, stream)
    assert spikes_without_partner(tape, tape, 1e-9) == 0.0
    other = es.simulate(quantise(net, 4).net, stream)
    lone = total = 0
    for name in tape.names:
        for s in range(stream.n_samples):
            (t, n), (u, m) = tape[name].sample(s), other[name].sample(s)
            for time, neuron in zip(t, n, strict=True):
                near = np.abs(u[m == neuron] - time)
                lone += not (near <= 1.0).any()
                total += 1
    assert spikes_without_partner(tape, other, 1.0) == pytest.approx(lone / total)


@pytest.fixture
def beyond():
    """A network of convolutions with a linear decision, and one of adaptive thresholds."""
    shared = es.convolutional(6, (2,), 3, output_maps=2, kernel=(3, 2), stride=(1, 1))
    return shared, es.scsr(6, (4,), 3, alif=(0.2, 100.0))


def test_weights_alone_are_rounded_of_decisions_and_adaptive_thresholds(beyond):
    for net in beyond:
        rounded = quantise(net, 4).net
        changed = set()
        for key, values in net.parameters().items():
            found = rounded.parameters()[key]
            if not np.array_equal(found, values):
                changed.add(key)
                units = 7 * found / np.abs(values).max()
                assert units == pytest.approx(np.round(units), abs=1e-9), key
        assert changed == {key for key in net.parameters() if key.endswith(".weights")}
        tape = es.simulate(rounded, random_stream(n_channels=6))
        assert tape["hidden1"].times.size


def test_weights_of_a_decision_that_are_lost_are_named(beyond):
    net = beyond[0]
    for key, values in net.parameters().items():
        if key.endswith(".weights"):
            values[...] = 1.0
    net.decision.weights[0] = 1e-3
    (lost,) = quantise(net, 4).misfits
    assert (lost.what, lost.where, lost.values) == ("weights", ("decision",), 3)
