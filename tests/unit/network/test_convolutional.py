"""Networks of convolutions: sizes, shared values, delays by map, the decision."""

import numpy as np
import pytest

import eventsim as es
from eventsim.plan import make_plan
from tests.support.nets import random_stream


def test_places_and_maps_of_every_layer():
    net = es.convolutional(64, (24, 8), 10, output_maps=30, kernel=(9, 5), stride=(2, 2))
    sizes = {name: p.size for name, p in net.populations.items()}
    assert sizes == {"input": 64, "hidden1": 32 * 24, "hidden2": 16 * 8, "output": 8 * 30}
    assert net.population("output").kind == "readout"
    assert net.decision.weights.shape == (240, 10)
    # Neighbours that hear the same channels walk their events together.
    assert len(make_plan(net).stages[0].heard) == 24


@pytest.mark.parametrize("n_inputs", [5, 33, 64, 127])
def test_with_skips_the_readout_hears_the_same_channels_of_every_convolution(n_inputs):
    given = {"output_maps": 2, "kernel": (5, 3), "seed": 1}
    plain, net = (
        es.convolutional(n_inputs, (4, 3, 2), 10, skip_to_readout=s, **given) for s in (False, True)
    )
    heard = [p.source for p in net.projections.values() if p.target == "output"]
    assert heard == ["hidden1", "hidden2", "hidden3"]
    for key, values in plain.parameters().items():
        if key not in ("hidden3->output.weights", "decision.weights"):
            np.testing.assert_array_equal(values, net.parameters()[key])
    # The middle of what a place of the readout hears, in places of each convolution.
    middle = net.population("output").size // 2 // 2
    for source, maps, ratio in (("hidden1", 4, 4), ("hidden2", 3, 2), ("hidden3", 2, 1)):
        matrix = net.projections[f"{source}->output"].weights
        places = np.unique(matrix[:, [2 * middle]].nonzero()[0] // maps)
        low, high = 2 * ratio * middle - ratio, 2 * ratio * middle + ratio
        n_places = net.population(source).size // maps
        expected = np.arange(max(low, 0), min(high, n_places - 1) + 1)
        np.testing.assert_array_equal(places, expected)


def test_second_convolution_fires_from_the_start():
    net = es.convolutional(64, (24, 24), 10, seed=0)
    assert len(
        es.simulate(net, random_stream(3, n_channels=64, duration=300.0, rate=60.0))["hidden2"]
    )


def test_all_but_the_decision_is_shared_along_the_channels():
    net = es.convolutional(20, (3,), 4, output_maps=2, kernel=(5, 3), stride=(1, 1))
    assert net.shared["input->hidden1.weights"].n_values == 5 * 3
    assert net.shared["hidden1->output.weights"].n_values == 3 * 3 * 2
    for key in ("hidden1.tau_mem", "hidden1->hidden1.weights", "hidden1->output.delays"):
        assert net.shared[key].n_values == 3
    assert not {"decision.weights", "decision.bias"} & set(net.shared)


def test_every_map_sends_after_its_own_time():
    net = es.convolutional(6, (3,), 2, kernel=(3, 3), stride=(1, 1), forward_delays=(10.0, 30.0))
    delays = net.projections["hidden1->output"].delays
    np.testing.assert_array_equal(delays, np.tile([10.0, 20.0, 30.0], 6))
    assert not net.projections["input->hidden1"].delays.any()
    one = es.convolutional(6, (3,), 2, kernel=(3, 3), stride=(1, 1), forward_delays=7.0)
    assert (one.projections["hidden1->output"].delays == 7.0).all()


def test_seed_decides_the_weights():
    first, again, other = (es.convolutional(20, (3,), 4, seed=s) for s in (1, 1, 2))
    for key, values in first.parameters().items():
        np.testing.assert_array_equal(values, again.parameters()[key])
    assert (first.decision.weights != other.decision.weights).all()
