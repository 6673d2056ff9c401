"""Neurons in blocks that hear little in common: the same as all side by side, and the reference."""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.adjoint import ReadoutSeed
from eventsim.errors import RunawayError
from eventsim.plan import make_plan
from eventsim.train.readouts import VoltageCrossEntropy
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import assert_close_by_name, assert_same_gradients, assert_same_spikes
from tests.support.nets import neuron_parameters, one_layer, random_stream

STREAM = random_stream(4001, n_samples=3, n_channels=60, duration=60.0)
# Of some eight thousand spikes a few graze their threshold, which magnifies the rounding.
TOLERANCE = {"double": 1e-9, "single": 1e-3}


def convolutions(*, output="spiking"):
    """A layer of 57 places and 4 maps, the last block of it short, and one of 55 and 3 above."""
    rng = np.random.default_rng(4002)
    lower, upper = (es.Convolution(60, 4, out_maps=4), es.Convolution(57, 3, in_maps=4, out_maps=3))
    net = es.Network()
    net.add_input("input", 60)
    net.add_population("lower", lower.n_targets, **neuron_parameters(rng, lower.n_targets))
    lower.connect(net, "input", "lower", lower.draw(rng, mean=9.0, spread=4.0), delays=0.7)
    own = rng.uniform(-0.3, 0.3, lower.n_targets)
    net.connect("lower", "lower", es.self_recurrent(own))
    spiking = output == "spiking"
    given = neuron_parameters(rng, upper.n_targets, spiking=spiking)
    (net.add_population if spiking else net.add_readout)("upper", upper.n_targets, **given)
    delays = rng.uniform(0.0, 9.0, upper.n_sources)
    upper.connect(net, "lower", "upper", upper.draw(rng, mean=9.0, spread=4.0), delays=delays)
    return net


def n_blocks(net):
    return [len(stage.heard) for stage in make_plan(net).stages]


@pytest.fixture
def all_in_one(monkeypatch):
    """A network whose neurons are all in one block."""

    def build(**settings):
        with monkeypatch.context() as patch:
            patch.setattr("eventsim.plan.plan.MOST_HEARD", 0.0)
            net = convolutions(**settings)
            assert n_blocks(net) == [1, 1]  # which the plan keeps
        return net

    return build


def run_and_back(net, backend, precision):
    tape = es.simulate(net, STREAM, backend=backend, precision=precision)
    seeds = {name: np.cos(np.arange(len(tape[name]))) for name in ("lower", "upper")}
    return tape, es.backward(net, tape, seeds)


def assert_same(mine, other, precision):
    (tape, gradients), (expected, by_expected) = mine, other
    assert min(len(tape[name]) for name in tape.names) > 100
    assert_same_spikes(tape, expected, atol_ms=TOLERANCE[precision])
    assert tape.synaptic_events == expected.synaptic_events
    assert_same_gradients(gradients, by_expected, rtol=100 * TOLERANCE[precision], floor=1e-12)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_blocks_give_what_one_block_gives(precision, all_in_one):
    net = convolutions()
    assert n_blocks(net) == [8, 6]
    one = run_and_back(all_in_one(), "cpu", precision)
    assert_same(run_and_back(net, "cpu", precision), one, precision)


def test_blocks_give_what_the_reference_gives():
    net = convolutions()
    assert_same(
        run_and_back(net, "cpu", "double"), run_and_back(net, "reference", "double"), "double"
    )


@pytest.mark.parametrize("length", [0.4, 7.0])
def test_chunks_of_a_stream_give_the_spikes_of_the_whole(length):
    assert assert_chunks_equal_whole(convolutions(), STREAM, length, backend="cpu") > 300


def test_largest_voltages_are_those_of_one_block(all_in_one):
    loss, found = VoltageCrossEntropy(np.array([0, 5, 50]), readout="upper"), []
    for net in (convolutions(output="readout"), all_in_one(output="readout")):
        found.append(es.backward(net, es.simulate(net, STREAM, backend="cpu"), loss))
    blocks, one = found
    assert blocks.loss == pytest.approx(one.loss, rel=1e-12)
    assert_close_by_name(blocks.flat(), one.flat(), rtol=1e-9, floor=1e-12)


def test_neuron_that_runs_away_is_named_by_its_number_in_the_population():
    net = convolutions()
    net.population("lower").parameters["refractory"][:] = 0.0
    net.projections["lower->lower"].weights[101] = 500.0
    with pytest.raises(RunawayError) as caught:
        es.simulate(net, STREAM, backend="cpu")
    assert (caught.value.population, caught.value.neuron) == ("lower", 101)


def test_scattered_synapses_and_dense_ones_are_one_block():
    places = np.random.default_rng(4003).random((40, 64)) < 0.2
    assert n_blocks(one_layer("neurons", scipy.sparse.csr_array(places * 1.0))) == [1]
    assert n_blocks(es.scsr(40, (64,), 3, seed=0)) == [1, 1]


def test_readout_without_a_loss_has_no_gradients_and_passes_none_on():
    net = convolutions(output="readout")
    tape = es.simulate(net, STREAM, backend="cpu")
    seeds = {"lower": np.ones(len(tape["lower"]))}
    nothing = ReadoutSeed(time_constant=np.inf, integral=np.zeros((3, 165)))
    mine, theirs = (es.backward(net, tape, s) for s in (seeds, seeds | {"upper": nothing}))
    assert_close_by_name(mine.flat(), theirs.flat(), rtol=0.0)
