"""NIR graphs from elsewhere: what is read, and how what cannot be is refused."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.network.nir import from_nir, to_nir
from tests.support.nets import one_sample

nir = pytest.importorskip("nir", minversion="1.0.8")


def cuba(size, **changed):
    """CubaLIF with tau 20 and 5 ms; a spike of weight 1 adds 2 to I."""
    values = {
        "tau_mem": 0.02,
        "tau_syn": 0.005,
        "r": 1.5,
        "v_leak": 0.0,
        "v_threshold": 1.0,
        "w_in": 0.01,
    }
    arrays = {key: np.full(size, value) for key, value in (values | changed).items()}
    return nir.CubaLIF(**arrays)


def graph(nodes, edges, **options):
    ends = {"input": nir.Input({"input": np.array([2])})}
    return nir.NIRGraph(ends | nodes, edges, **options)


def between(*middle, neuron=None):
    """input -> the nodes in a row -> a neuron."""
    named = {f"n{k}": node for k, node in enumerate(middle)}
    nodes = named | {"lif": neuron or cuba(3)}
    way = ["input", *nodes]
    return graph(nodes, list(zip(way[:-1], way[1:], strict=True)), type_check=False)


W = np.arange(6.0).reshape(3, 2)


def test_w_in_and_units_decide_the_jump():
    net = from_nir(between(nir.Linear(W)))
    assert list(net.populations) == ["input", "lif"]
    assert np.allclose(net.projections["input->lif"].weights, 2.0 * W.T)
    population = net.populations["lif"]
    assert np.allclose(population.tau_mem, 20.0)
    assert np.allclose(population.resistance, 1.5)
    assert np.array_equal(population.v_reset, np.zeros(3))


@pytest.mark.parametrize(
    ("source", "dt", "jump"),
    [("norse", 2.0, 0.004), ("snntorch", 0.1, 0.0002), ("spikingjelly", 0.5, 0.001)],
)
def test_spikes_of_other_programs_last_one_step(source, dt, jump):
    net = from_nir(between(nir.Linear(W)), source=source, dt=dt)
    assert np.allclose(net.projections["input->lif"].weights, jump * W.T)


@pytest.mark.parametrize("dt", [0.1, 1.0, 2.5])
def test_time_constants_of_snntorch_are_as_many_steps_as_there(dt):
    # As its export_to_nir writes a layer with alpha = 0.8 and beta = 0.95, whatever the step was.
    written = cuba(3, tau_mem=1e-4 / 0.05, tau_syn=1e-4 / 0.2, r=20.0, w_in=5.0)
    net = from_nir(between(nir.Linear(W), neuron=written), source="snntorch", dt=dt)
    population = net.populations["lif"]
    assert np.allclose(population.tau_mem, 20.0 * dt)
    assert np.allclose(population.tau_syn, 5.0 * dt)
    assert np.allclose(population.resistance, 20.0)
    assert np.allclose(net.projections["input->lif"].weights, W.T)


def test_rockpool_adds_the_current_at_every_step():
    net = from_nir(between(nir.Linear(W)), source="rockpool", dt=2.0)
    assert np.allclose(net.projections["input->lif"].weights, W.T)
    assert np.allclose(net.populations["lif"].resistance, 10.0)


def test_time_constants_above_one_ask_for_their_unit():
    given = between(nir.Linear(W), neuron=cuba(3, tau_mem=20.0, tau_syn=5.0, w_in=5.0))
    net = from_nir(given, time_unit="ms")
    assert np.allclose(net.populations["lif"].tau_mem, 20.0)
    assert np.allclose(net.projections["input->lif"].weights, W.T)
    with pytest.raises(ParameterError, match=r"time constant is 20\. .*time_unit='ms'"):
        from_nir(given)


@pytest.mark.parametrize("key", ["tau_mem", "tau_syn"])
def test_time_constants_up_to_one_are_seconds_where_no_unit_is_said(key):
    net = from_nir(between(nir.Linear(W), neuron=cuba(3, **{key: 1.0})))
    assert np.allclose(getattr(net.populations["lif"], key), 1000.0)
    with pytest.raises(ParameterError, match="does not say its unit of time"):
        from_nir(between(nir.Linear(W), neuron=cuba(3, **{key: 1.001})))


def test_matrices_and_scales_in_a_row_are_multiplied():
    middle = (nir.Scale(np.array([2.0, 3.0])), nir.Linear(W), nir.Linear(np.diag([1.0, 2.0, 3.0])))
    weights = from_nir(between(*middle)).projections["input->lif"].weights
    assert np.allclose(weights, 2.0 * (np.diag([1.0, 2.0, 3.0]) @ W @ np.diag([2.0, 3.0])).T)


def test_delays_before_and_after_a_matrix_add_up():
    middle = (
        nir.Delay(np.array([1e-3, 2e-3])),
        nir.Linear(W + 1.0),
        nir.Delay(np.array([0.0, 0.01, 0.02])),
    )
    delays = from_nir(between(*middle)).projections["input->lif"].delays
    assert np.allclose(delays, [[1.0, 11.0, 21.0], [2.0, 12.0, 22.0]])


def test_plain_edges_and_scales_are_one_synapse_for_each_neuron():
    net = from_nir(between(nir.Scale(np.array([2.0, 3.0])), neuron=cuba(2)))
    projection = net.projections["input->lif"]
    assert projection.kind == "sparse"
    assert projection.weights.nnz == 2
    assert np.allclose(projection.values, [4.0, 6.0])
    assert from_nir(between(neuron=cuba(2))).projections["input->lif"].weights.nnz == 2


def test_diagonal_matrix_in_a_loop_is_self_recurrence():
    nodes = {"w": nir.Linear(W), "lif": cuba(3), "r": nir.Linear(np.diag([1.0, 2.0, 3.0]))}
    edges = [("input", "w"), ("w", "lif"), ("lif", "r"), ("r", "lif")]
    projection = from_nir(graph(nodes, edges, type_check=False)).projections["lif->lif"]
    assert projection.kind == "self"
    assert np.allclose(projection.weights, [2.0, 4.0, 6.0])


def test_lateral_matrix_in_a_loop_is_dense():
    nodes = {"w": nir.Linear(W), "lif": cuba(3), "r": nir.Linear(np.ones((3, 3)))}
    edges = [("input", "w"), ("w", "lif"), ("lif", "r"), ("r", "lif")]
    net = from_nir(graph(nodes, edges, type_check=False))
    assert net.projections["lif->lif"].kind == "dense"


def test_integrator_before_a_lif_is_its_synapse():
    three = np.ones(3)
    current = nir.LI(tau=0.005 * three, r=0.01 * three, v_leak=0.0 * three)
    lif = nir.LIF(tau=0.02 * three, r=1.5 * three, v_leak=0.0 * three, v_threshold=three)
    joined, cubic = from_nir(between(nir.Linear(W), current, neuron=lif)), between(nir.Linear(W))
    stream = one_sample(np.arange(1.0, 90.0, 3.0), np.arange(30) % 2, n_channels=2)
    mine, theirs = (es.simulate(net, stream)["lif"] for net in (joined, from_nir(cubic)))
    assert len(mine) > 5
    assert np.array_equal(mine.times, theirs.times)


def test_two_integrators_are_a_readout():
    three = np.ones(3)
    first = nir.LI(tau=0.005 * three, r=0.01 * three, v_leak=0.0 * three)
    second = nir.LI(tau=0.02 * three, r=three, v_leak=0.1 * three)
    net = from_nir(between(nir.Linear(W), first, neuron=second))
    assert net.populations["lif"].kind == "readout"
    assert np.allclose(net.populations["lif"].v_leak, 0.1)


def test_graphs_inside_are_opened():
    inner = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([3])}),
            "lif": cuba(3),
            "w": nir.Linear(np.ones((3, 3))),
            "output": nir.Output({"output": np.array([3])}),
        },
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
    )
    nodes = {
        "w": nir.Linear(W),
        "rnn": inner,
        "last": nir.Linear(np.ones((1, 3))),
        "end": cuba(1),
        "output": nir.Output({"output": np.array([1])}),
    }
    edges = [("input", "w"), ("w", "rnn"), ("rnn", "last"), ("last", "end"), ("end", "output")]
    net = from_nir(graph(nodes, edges, type_check=False))
    assert list(net.projections) == ["input->rnn_lif", "rnn_lif->rnn_lif", "rnn_lif->end"]


def test_parallel_ways_with_equal_delays_are_summed():
    nodes = {"a": nir.Linear(W), "b": nir.Linear(W), "lif": cuba(3)}
    edges = [("input", "a"), ("input", "b"), ("a", "lif"), ("b", "lif")]
    weights = from_nir(graph(nodes, edges)).projections["input->lif"].weights
    assert np.allclose(weights, 4.0 * W.T)


def test_parallel_ways_with_different_delays_are_synapses_of_their_own():
    nodes = {"a": nir.Linear(W), "d": nir.Delay(np.array([0.01, 0.02])), "b": nir.Linear(3.0 * W)}
    edges = [("input", "a"), ("input", "d"), ("d", "b"), ("a", "lif"), ("b", "lif")]
    net = from_nir(graph(nodes | {"lif": cuba(3)}, edges))
    projection = net.projections["input->lif"]
    pairs = np.argwhere(W.T)
    assert np.array_equal(projection.sources(), np.repeat(pairs[:, 0], 2))
    assert np.array_equal(projection.targets(), np.repeat(pairs[:, 1], 2))
    later = np.array([10.0, 20.0])[pairs[:, 0]]
    assert np.allclose(projection.delays, np.stack([0.0 * later, later], axis=1).ravel())
    weights = 2.0 * W.T[tuple(pairs.T)]
    assert np.allclose(projection.values, np.stack([weights, 3.0 * weights], axis=1).ravel())
    back = from_nir(to_nir(net)).projections["input->lif"]
    assert np.array_equal(back.values, projection.values)
    assert np.array_equal(back.delays, projection.delays)


THREE = np.ones(3)


def test_affine_without_a_bias_is_read():
    net = from_nir(between(nir.Affine(W, 0.0 * THREE)))
    assert np.allclose(net.projections["input->lif"].weights, 2.0 * W.T)
