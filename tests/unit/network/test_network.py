"""Network: building, refusing, copying, describing."""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.plan import make_plan
from tests.support.nets import random_net, random_stream

NetworkError, ShapeError = es.errors.NetworkError, es.errors.ShapeError
ParameterError = es.errors.ParameterError


def base():
    net = es.Network()
    net.add_input("input", 3)
    net.add_population("hidden", 4)
    net.add_readout("output", 2)
    return net


def test_defaults_are_those_of_the_model():
    p = base().populations["hidden"]
    expected = {"v_leak": 0.0, "v_reset": 0.0, "refractory": 0.0, "resistance": 1.0,
                "threshold": 1.0}  # fmt: skip
    for name, value in expected.items():
        assert getattr(p, name).tolist() == [value] * 4
    assert (p.name, p.size, p.kind) == ("hidden", 4, "spiking")
    assert {q.kind for q in base().populations.values()} == {"input", "spiking", "readout"}


def test_parameters_are_numbers_or_one_per_neuron():
    net = es.Network()
    net.add_population("a", 3, tau_mem=[5.0, 6.0, 7.0], v_leak=-0.5, refractory=np.float32(2))
    p = net.populations["a"]
    assert p.tau_mem.tolist() == [5.0, 6.0, 7.0]
    assert p.v_leak.tolist() == [-0.5] * 3
    assert p.refractory.dtype == np.float64


def test_single_self_weight_serves_all_neurons():
    net = base()
    net.connect("hidden", "hidden", es.self_recurrent(0.5))
    assert net.parameters()["hidden->hidden.weights"].tolist() == [0.5] * 4


@pytest.mark.parametrize("form", ["csr_array", "csc_array", "coo_array", "csr_matrix", "lil_array"])
def test_every_sparse_format_means_the_same(form):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((3, 4)) < 0.5, rng.standard_normal((3, 4)), 0.0)
    net = base()
    net.connect("input", "hidden", getattr(scipy.sparse, form)(dense))
    projection = net.projections["input->hidden"]
    assert projection.kind == "sparse"
    assert np.array_equal(projection.weights.toarray(), dense)
    assert projection.weights.nnz == np.count_nonzero(dense)
    assert net.parameters()["input->hidden.weights"].shape == (projection.weights.nnz,)


def test_entries_of_one_pair_stay_apart_and_columns_are_sorted():
    net = base()
    rows, columns, values = [0, 0, 0, 2], [3, 1, 3, 0], [1.0, 5.0, 2.0, 4.0]
    net.connect("input", "hidden", scipy.sparse.coo_array((values, (rows, columns)), shape=(3, 4)))
    assert net.parameters()["input->hidden.weights"].tolist() == [5.0, 1.0, 2.0, 4.0]


def test_network_does_not_keep_the_callers_arrays():
    net = base()
    weights, sparse = np.ones((3, 4)), scipy.sparse.csr_array(np.ones((4, 2)))
    delays, r, tau = np.ones(3), np.ones(4), np.full(5, 9.0)
    net.add_population("more", 5, tau_mem=tau)
    net.connect("input", "hidden", weights, delays=delays)
    net.connect("hidden", "output", sparse)
    net.connect("hidden", "hidden", es.self_recurrent(r))
    for array in (weights, sparse.data, delays, r, tau):
        array[...] = 99.0
    assert all((value != 99.0).all() for value in net.parameters().values())


def test_parameters_are_live():
    net = random_net(701, hidden=(4,), sparse=True)
    stream = random_stream(702, n_samples=1)
    before = es.simulate(net, stream, backend="reference")
    for key, value in net.parameters().items():
        if key.endswith("weights"):
            value *= 1.5
    after = es.simulate(net, stream, backend="reference")
    assert after["hidden1"].times.size > before["hidden1"].times.size
    assert net.populations["hidden1"].tau_mem is net.parameters()["hidden1.tau_mem"] or (
        np.shares_memory(net.populations["hidden1"].tau_mem, net.parameters()["hidden1.tau_mem"])
    )


def test_stored_entries_are_live_whether_changed_or_replaced():
    net = random_net(709, hidden=(4,), sparse=True)
    projection = net.projections["input->hidden1"]
    projection.weights.data[0] = 7.0
    assert net.parameters()["input->hidden1.weights"][0] == 7.0
    projection.weights.data = np.full(projection.weights.nnz, 8.0)
    assert (net.parameters()["input->hidden1.weights"] == 8.0).all()
    assert (projection.values == 8.0).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_mapped_network_has_the_same_structure_around_other_arrays(sparse):
    net = random_net(710, hidden=(4, 3), sparse=sparse)
    twice = net.map(lambda values: 2.0 * values)
    assert list(twice.populations) == list(net.populations)
    assert list(twice.projections) == list(net.projections)
    for key, values in net.parameters().items():
        np.testing.assert_array_equal(twice.parameters()[key], 2.0 * values)
    for name, projection in net.projections.items():
        assert twice.projections[name].kind == projection.kind
        assert twice.projections[name].weights.shape == projection.weights.shape
        assert twice.projections[name].delay_per_synapse == projection.delay_per_synapse
    assert net.to_host() is net


def test_parameters_name_every_number_of_the_network():
    net = random_net(703, hidden=(4, 3))
    spiking = {"tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory"}
    readout = {"tau_mem", "tau_syn", "resistance", "v_leak"}
    expected = {f"{h}.{p}" for h in ("hidden1", "hidden2") for p in spiking}
    expected |= {f"output.{p}" for p in readout}
    expected |= {f"{name}.{field}" for name in net.projections for field in ("weights", "delays")}
    assert set(net.parameters()) == expected


def test_copy_shares_nothing():
    net = random_net(706, hidden=(4, 3), sparse=True)
    twin = net.copy()
    for key, value in twin.parameters().items():
        assert np.array_equal(value, net.parameters()[key])
        assert not np.shares_memory(value, net.parameters()[key])
    assert list(twin.populations) == list(net.populations)
    assert list(twin.projections) == list(net.projections)


def test_incomplete_arrays_are_refused():
    arrays = random_net(709, hidden=(4,), sparse=True).to_arrays()
    for name in arrays:
        part = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(es.errors.StorageError) as caught:
            es.Network.from_arrays(part)
        assert name in str(caught.value)


def test_populations_in_a_loop_run_together_between_what_comes_before_and_after(backend):
    net = base()
    net.add_population("back", 4, tau_mem=10.0, tau_syn=5.0)
    net.add_population("after", 2, tau_mem=10.0, tau_syn=5.0)
    net.connect("back", "after", np.full((4, 2), 1.3))
    net.connect("input", "hidden", np.full((3, 4), 5.0))
    net.connect("hidden", "back", np.full((4, 4), 1.3))
    net.connect("back", "hidden", scipy.sparse.csr_array(np.eye(4)), delays=1.0)
    stream = es.EventStream([1.0, 1.0], [0, 2], [0, 2], n_channels=3, duration=50.0)
    tape = es.simulate(net, stream, backend=backend)
    assert list(tape.names) == ["hidden", "back", "after"]
    assert all(len(tape[name]) > 0 for name in tape.names)
    names = [stage.name for stage in make_plan(net).stages]
    assert names.index("hidden+back") < names.index("after")


def test_order_of_adding_does_not_matter_for_running(backend):
    # "late" is added first but hears "early".
    net = es.Network()
    net.add_population("late", 1, tau_mem=10.0, tau_syn=5.0)
    net.add_population("early", 1, tau_mem=10.0, tau_syn=5.0)
    net.add_input("input", 1)
    net.connect("early", "late", np.array([[6.0]]))
    net.connect("input", "early", np.array([[6.0]]))
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=50.0)
    tape = es.simulate(net, stream, backend=backend)
    assert tape["early"].times.size
    assert tape["late"].times.size
    assert tape["late"].times[0] > tape["early"].times[0]
