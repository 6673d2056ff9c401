"""A tape and the network that it is given with: they must belong together."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.plan import make_plan
from eventsim.plan.plan import _components
from tests.refusals.adjoint import OTHERS
from tests.support.losses import SpikeTimes
from tests.support.nets import random_net, random_stream

NetworkError = es.errors.NetworkError
LOSS = SpikeTimes("hidden1")


def run(net):
    return es.simulate(net, random_stream(7, n_samples=2, duration=60.0), backend="cpu")


def test_changed_values_do_not_matter():
    net = random_net(1, hidden=(6, 5), sparse=True)
    tape = run(net)
    for values in net.parameters().values():
        values *= 1.0 + 1e-9
    assert np.isfinite(es.backward(net, tape, LOSS).loss)


def test_copy_and_file_of_the_network_take_its_tape(tmp_path):
    net = random_net(1, hidden=(6, 5), sparse=True)
    tape = run(net)
    tape.save(tmp_path / "tape.npz")
    read = es.SpikeTape.load(tmp_path / "tape.npz")
    assert read.structure == tape.structure is not None
    for again in (net.copy(), es.Network.from_arrays(net.to_arrays())):
        assert es.backward(again, read, LOSS).loss == es.backward(net, tape, LOSS).loss


def test_tape_of_a_chunk_knows_its_network():
    net, stream = random_net(1), random_stream(7)
    tape, _ = es.simulate_chunk(net, stream, backend="cpu")
    assert tape.structure == make_plan(net).structure


def test_old_tape_is_held_to_names_and_sizes():
    net = random_net(1, hidden=(6, 5), sparse=True)
    old = replace(run(net), structure=None)
    assert np.isfinite(es.backward(net, old, LOSS).loss)
    for which in ("larger", "smaller", "deeper"):
        with pytest.raises(NetworkError, match="another network"):
            es.backward(OTHERS[which](), old, LOSS)


def test_structure_does_not_depend_on_the_order_of_connecting():
    def build(order):
        net = es.Network()
        net.add_input("input", 2)
        for name in order:
            net.add_readout(name, 3)
        for name in order:
            net.connect("input", name, np.ones((2, 3)))
        return make_plan(net).structure

    assert build(["a", "b"]) == build(["b", "a"])


def sparse_net(columns):
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("hidden", 40)
    weights = sp.csr_array((np.full(2, 9.0), columns, [0, 2]), shape=(1, 40))
    net.connect("input", "hidden", weights)
    return net


def test_pattern_that_is_changed_in_place_acts_in_the_next_run():
    stream = es.EventStream([1.0, 5.0], [0, 0], [0, 2], n_channels=1, duration=50.0)
    net = sparse_net([0, 1])
    before = es.simulate(net, stream, backend="cpu")
    net.projections["input->hidden"].weights.indices[:] = [7, 9]
    after = es.simulate(net, stream, backend="cpu")
    expected = es.simulate(sparse_net([7, 9]), stream, backend="cpu")
    assert sorted(set(before["hidden"].neurons)) == [0, 1]
    assert after["hidden"].neurons.tolist() == expected["hidden"].neurons.tolist()
    with pytest.raises(NetworkError, match="input->hidden.*pattern"):
        es.backward(net, before, SpikeTimes("hidden"))


def test_file_from_before_tapes_had_a_structure_is_read(tmp_path):
    net = random_net(1, hidden=(6, 5), sparse=True)
    replace(run(net), structure=None).save(tmp_path / "old.npz")
    read = es.SpikeTape.load(tmp_path / "old.npz")
    assert read.structure is None
    assert np.isfinite(es.backward(net, read, LOSS).loss)


@pytest.mark.parametrize("seed", range(20))
def test_loops_are_the_strong_components_and_bear_the_number_of_their_first_member(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    joined = rng.random((n, n)) < rng.uniform(0.2, 2.0) / n
    net = es.Network()
    net.add_input("0", 1)
    for k in range(1, n):
        net.add_population(str(k), 1)
    joined[:, 0] = False  # nothing projects onto the input
    for source, target in np.argwhere(joined):
        net.connect(str(source), str(target), [[1.0]])
    _, found = sp.csgraph.connected_components(joined, directed=True, connection="strong")
    first = {number: k for k, number in reversed(list(enumerate(found)))}
    assert _components(net) == {str(k): first[number] for k, number in enumerate(found)}


def test_a_stream_of_more_channels_than_the_input_is_not_told_to_be_made_with_fewer():
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=7, duration=5.0)
    with pytest.raises(es.errors.ShapeError) as caught:
        es.simulate(es.scsr(6, [2], 2, seed=1), stream, backend="reference")
    assert caught.value.remedy == "They must be equal."
