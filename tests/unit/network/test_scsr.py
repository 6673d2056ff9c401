"""The ScSr builder."""

import numpy as np

import eventsim as es
from tests.support.nets import random_stream


def edges(net):
    return set(net.projections)


def test_builder_makes_skips_from_every_earlier_population():
    net = es.scsr(5, (6, 7, 4), 3, seed=1)
    assert list(net.populations) == ["input", "hidden1", "hidden2", "hidden3", "output"]
    assert [p.size for p in net.populations.values()] == [5, 6, 7, 4, 3]
    chain = {"input->hidden1", "hidden1->hidden2", "hidden2->hidden3", "hidden3->output"}
    loops = {f"hidden{k}->hidden{k}" for k in (1, 2, 3)}
    assert chain | loops <= edges(net)
    assert {"input->hidden2", "input->hidden3", "hidden1->hidden3"} <= edges(net)


def test_switches_remove_loops_and_skips():
    plain = es.scsr(5, (6, 7), 3, self_recurrent=False, skip=False)
    assert edges(plain) == {"input->hidden1", "hidden1->hidden2", "hidden2->output"}
    loops = es.scsr(5, (6, 7), 3, self_recurrent=True, skip=False)
    assert edges(loops) == edges(plain) | {"hidden1->hidden1", "hidden2->hidden2"}
    skips = es.scsr(5, (6, 7), 3, self_recurrent=False, skip=True)
    assert edges(plain) < edges(skips)
    assert all(p.kind != "self" for p in skips.projections.values())


def test_one_hidden_layer_is_called_hidden1():
    net = es.scsr(4, (6,), 2)
    assert list(net.populations) == ["input", "hidden1", "output"]
    assert net.projections["hidden1->hidden1"].kind == "self"
    assert net.projections["hidden1->hidden1"].weights.shape == (6,)


def test_same_seed_gives_the_same_network_and_another_seed_another():
    one, two, other = (es.scsr(4, (6,), 2, seed=s).parameters() for s in (3, 3, 4))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    assert any(not np.array_equal(one[key], other[key]) for key in one)


def test_builder_does_not_touch_the_global_random_state():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    es.scsr(4, (6,), 2, seed=9)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_built_network_runs_and_learns(backend):
    net = es.scsr(5, (6, 4), 3, seed=0, tau_mem=15.0, tau_syn=4.0)
    assert (net.populations["hidden1"].tau_mem == 15.0).all()
    assert (net.populations["hidden2"].tau_syn == 4.0).all()
    stream = random_stream(3, n_samples=2, rate=200.0)
    tape = es.simulate(net, stream, backend=backend)
    seed = es.ReadoutSeed(20.0, np.ones((2, 3)))
    gradients = es.backward(net, tape, {"output": seed})
    assert (gradients["input->output" if "input->output" in edges(net) else
                      "hidden2->output"].weights != 0).any()  # fmt: skip


def test_forward_delays_are_of_every_source_and_leave_the_weights_as_they_are():
    plain, delayed = (es.scsr(5, (6, 4), 3, seed=2, forward_delays=d) for d in (0.0, (5.0, 40.0)))
    before, after = plain.parameters(), delayed.parameters()
    assert all(np.array_equal(before[k], after[k]) for k in before if not k.endswith(".delays"))
    sizes = {"input->hidden1": 5, "input->hidden2": 5, "hidden1->hidden2": 6}
    for name, projection in delayed.projections.items():
        if name not in sizes:  # to the readout, and of a neuron onto itself
            assert not projection.delays.any(), name
            continue
        assert projection.delays.shape == (sizes[name],)
        assert 5.0 <= projection.delays.min() < projection.delays.max() <= 40.0
    drawn = [delayed.projections[name].delays for name in ("input->hidden1", "input->hidden2")]
    assert (drawn[0] != drawn[1]).all()
    for number in (3.0, 3, np.int64(3), np.float32(3)):
        same = es.scsr(5, (6, 4), 3, forward_delays=number)
        assert all(same.projections[name].delays == 3.0 for name in sizes)


def test_output_delays_are_of_every_source_of_the_readout():
    plain, delayed = (es.scsr(5, (6, 4), 3, seed=2, output_delays=d) for d in (0.0, (5.0, 40.0)))
    for name, projection in delayed.projections.items():
        if not name.endswith("->output"):
            assert not projection.delays.any()
            continue
        assert projection.delays.shape == (projection.weights.shape[0],)
        assert ((projection.delays >= 5.0) & (projection.delays <= 40.0)).all()
        np.testing.assert_array_equal(projection.weights, plain.projections[name].weights)


def test_no_pairs_are_no_skips():
    assert edges(es.scsr(5, (8, 7), 3, skip=[])) == edges(es.scsr(5, (8, 7), 3, skip=False))
