"""Values that a chip's formats do not hold: counted against the definition, at both sides of it."""

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import Formats, load_chip
from eventsim.mapping import check_room, quantisation_study, quantise
from tests.support.nets import one_layer
from tests.unit.mapping.helpers import make_chip


def network(*, delays=1.0, weights=None, **neurons):
    net = one_layer("a", np.ones((2, 3)) if weights is None else weights, delays=delays, **neurons)
    return net


def lines(net, formats, step_ms=1.0):
    return [str(one) for one in quantise(net, formats, step_ms=step_ms).misfits]


def test_delays_beyond_the_last_step_are_counted_and_set_to_it():
    net = network(delays=[[1.0, 62.4, 62.6], [62.0, 150.0, 63.0]])
    found = quantise(net, load_chip("loihi"))
    assert [str(one) for one in found.misfits] == [
        "delays: 3 of 6 are longer than 62 steps of 1 ms (the longest 150 ms) and were set to "
        "62 ms (input->a)"
    ]
    assert (found.net.projections["input->a"].delays > 62.0).sum() == 0
    assert found.delays_cut == 3
    assert lines(network(delays=62.4), load_chip("loihi")) == []


def test_weights_of_which_nothing_is_left_are_counted():
    weights = np.array([[1.0, 0.0, 0.1666], [0.1667, -0.16, -1.0]])  # 3 bits: a unit is 1 / 3
    net = network(weights=weights)
    assert lines(net, Formats(weight_bits=3)) == [
        "weights: 2 of 6 are smaller than half a unit and were set to 0 (input->a)"
    ]
    assert lines(net, Formats(weight_bits=1)) == []
    assert lines(network(weights=np.zeros((2, 3))), Formats(weight_bits=3)) == []


def test_time_constants_beyond_the_decays_are_counted():
    # Of 4 bits: from 1 / 16, which is 15.5 ms, to 15 / 16, which is 0.3607 ms. Half a unit more or
    # less is -1 / ln(1 - 1 / 32) = 31.50 ms and -1 / ln(1 / 32) = 0.2885 ms.
    net = network(tau_mem=[31.4, 31.6, 50.0], tau_syn=[0.29, 0.28, 5.0])
    found = lines(net, Formats(decay_bits=4))
    assert found == [
        "time constants: 2 of 6 are too long for a decay of 4 bits in 1 ms and were set to "
        "15.49 ms (a)",
        "time constants: 1 of 6 are too short for a decay of 4 bits in 1 ms and were set to "
        "0.3607 ms (a)",
    ]
    held = quantise(net, Formats(decay_bits=4), step_ms=1.0).net.populations["a"]
    assert held.tau_mem[1:] == pytest.approx([15.494, 15.494], rel=1e-3)
    assert held.tau_syn[1] == pytest.approx(0.3607, rel=1e-3)


def test_refractory_times_of_no_step_and_thresholds_at_the_reset_are_counted():
    # A unit is 1 / 3: the second threshold and its reset round to 2 of them.
    net = network(refractory=[0.0, 0.4, 0.6], threshold=[1.0, 0.6, 0.2], v_reset=[0.0, 0.55, 0.0])
    found = lines(net, Formats(threshold_bits=2))
    assert found == [
        "refractory times: 1 of 3 are shorter than half a step of 1 ms and were set to 0 (a)",
        "thresholds: 1 of 3 are not above the reset after rounding and were set to a unit above it "
        "(a)",
    ]
    assert lines(network(refractory=0.6, threshold=1.0), Formats(threshold_bits=2)) == []


def test_thresholds_below_rest_have_no_unsigned_value_and_are_counted():
    net = network(threshold=[1.0, 1.0, -0.5], v_leak=[0.0, 1.2, -0.5], v_reset=-1.0)
    assert lines(net, Formats(threshold_bits=8), step_ms=None) == [
        "thresholds: 1 of 3 are below rest, of which unsigned bits have no value and were kept (a)"
    ]


def test_without_a_step_only_what_needs_none_is_looked_at():
    net = network(delays=100.0, refractory=0.1)
    assert lines(net, Formats(max_delay_steps=3, decay_bits=1), step_ms=None) == []


def test_many_places_are_named_shortly():
    net = network(delays=99.0)
    for k in range(4):
        net.add_population(f"b{k}", 1)
        net.connect("a", f"b{k}", np.ones((3, 1)), delays=99.0)
    (line,) = lines(net, Formats(max_delay_steps=9))
    assert line.endswith("(input->a, a->b0, a->b1 and 2 more)")


def test_study_says_of_every_row_what_did_not_fit():
    net = network(delays=99.0, weights=np.array([[4.0, 4.0, 4.0], [0.1, 4.0, 4.0]]))
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=2, duration=200.0)
    rows = quantisation_study(net, stream, load_chip("loihi"), bits=(3,), backend="reference")
    assert [[one.what for one in row.misfits] for row in rows] == [
        [],
        ["delays"],
        ["delays", "weights"],
    ]


@pytest.mark.parametrize(
    "limits",
    [
        {"neurons_per_core": 2},
        {"synapses_per_core": 3},
        {"fan_in_per_neuron": 2},
        {"axons_in_per_core": 2},
    ],
)
def test_networks_that_fill_a_limit_have_room(limits):
    check_room(network(), make_chip(cores=2, mesh=(2, 1), cores_per_tile=1, **limits))
    weights = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    one = {"cores": 1, "mesh": (1, 1), "cores_per_tile": 1, "axons_in_per_core": 2}
    check_room(network(weights=weights), make_chip(**one))
