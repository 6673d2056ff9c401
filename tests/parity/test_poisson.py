"""A run that makes Poisson events as time goes on is that of the same events, given as a stream."""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.engine.contract.registry import set_threads
from eventsim.engine.run import simulation
from eventsim.errors import ParameterError
from eventsim.events import poisson_sources
from eventsim.events.poisson_sources import PoissonSources
from tests.support.compare import assert_same_bits, assert_same_gradients
from tests.support.losses import Sums
from tests.support.nets import large_net, lateral_net, random_net, ring_net, shared_net

MOST = 8  # events that are made at a time
SPIKES = ("times", "neurons", "offsets", "current")
NETS = {
    "layers": lambda: random_net(1, delays="synapse"),
    "dense layers": lambda: random_net(2, delays="none", self_delays="none", pacemakers=True),
    "sparse layers": lambda: random_net(3, sparse=True, self_delays="scalar"),
    "loop, delays by synapse": lambda: lateral_net(4, delays="synapse"),
    "loop without delays": lambda: lateral_net(5, delays="none", gain=0.2),
    "ring": lambda: ring_net(6),
    "windows": lambda: large_net(7, n=30, delays=1.0),
}


@pytest.fixture
def few(monkeypatch):
    """Lets runs make few events at a time; how many were made, by call."""
    monkeypatch.setattr(simulation, "MOST", MOST)
    monkeypatch.setattr(poisson_sources, "LEAST_CELLS", 0)
    made, between = [], PoissonSources.between

    def counted(*given):
        found = between(*given)
        made.append(found.times.size)
        return found

    monkeypatch.setattr(PoissonSources, "between", counted)
    return made


def noise(net, *, rate=150.0, seed=1):
    """Two samples of sources of different rates, one of them silent."""
    rates = rate * np.linspace(0.0, 2.0, net.input.size)
    return es.poisson(rates, duration=[90.0, 61.7], seed=seed)


def plain(stream):
    """The same events as a stream of given ones."""
    found = es.EventStream(
        stream.times, stream.channels, stream.offsets,
        n_channels=stream.n_channels, duration=stream.duration,
    )  # fmt: skip
    assert found.sources is None
    return found


def assert_same_run(found, expected):
    """All bits of the spikes, and the counts; the number of spikes."""
    for name in expected.names:
        assert_same_bits(found[name], expected[name], SPIKES)
    assert found.synaptic_events == expected.synaptic_events
    assert (found.structure, found.algorithms) == (expected.structure, expected.algorithms)
    return sum(len(expected[name]) for name in expected.names)


@pytest.mark.parametrize("name", NETS)
def test_pieces_have_the_bits_of_the_whole(backend, few, name):
    net, how = NETS[name](), {"backend": backend, "tail": 7.0}
    found = es.simulate(net, noise(net), **how)
    assert len(few) > 10
    assert max(few) < 4 * MOST
    assert assert_same_run(found, es.simulate(net, plain(noise(net)), **how)) > 20
    assert found.stream.duration.tolist() == [97.0, 68.7]


def test_a_loop_here_runs_by_windows():
    run = es.simulate(NETS["windows"](), noise(NETS["windows"]()), backend="cpu")
    assert run.algorithms["hidden"].startswith("windows")


@pytest.mark.parametrize("name", NETS)
def test_pieces_have_the_bits_of_the_whole_in_single_precision(fast_backend, few, name):
    net, how = NETS[name](), {"backend": fast_backend, "precision": "single"}
    found = es.simulate(net, noise(net), **how)
    assert len(few) > 10
    assert assert_same_run(found, es.simulate(net, plain(noise(net)), **how)) > 20


def test_sources_of_any_rate_drive_a_neuron_each(few, monkeypatch):
    """As in the microcircuit: every neuron has a source that stands for thousands of synapses."""
    monkeypatch.setattr(simulation, "MOST", 500)
    net = es.Network()
    net.add_input("outside", 5)
    net.add_population("cells", 5, tau_mem=10.0, tau_syn=0.5, refractory=2.0)
    net.connect("outside", "cells", scipy.sparse.diags_array(np.full(5, 0.3)), delays=0.1)
    rates = [8e3, 12_800.0, 16_800.0, 23_200.0, 1e5]
    made = es.poisson(rates, duration=80.0, seed=3)
    found = es.simulate(net, made, backend="cpu")
    assert len(few) > 20
    assert assert_same_run(found, es.simulate(net, plain(made), backend="cpu")) > 30
    assert found.synaptic_events["outside->cells"] == pytest.approx(80 * sum(rates) / 1e3, rel=0.02)


def test_threads_and_parts_of_time_change_no_bit(few, monkeypatch):
    net = shared_net(8)
    runs = []
    for threads, most in ((1, 1 << 20), (3, 2)):
        monkeypatch.setattr(poisson_sources, "MOST_EVENTS", most)
        monkeypatch.setattr(poisson_sources, "SMALL_EVENTS", 1)
        set_threads(threads, backend="cpu")
        runs.append(es.simulate(net, noise(net), backend="cpu"))
    set_threads(1, backend="cpu")
    assert assert_same_run(*runs) > 20


def test_a_sample_is_the_same_alone_as_first_of_a_batch(few):
    net = NETS["layers"]()
    both = es.simulate(net, es.poisson(150.0, n_channels=5, duration=[90.0, 61.7]), backend="cpu")
    alone = es.simulate(net, es.poisson(150.0, n_channels=5, duration=90.0), backend="cpu")
    for name in alone.names:
        assert np.array_equal(alone[name].times, both[name].sample(0)[0])
    assert len(alone["hidden1"])


def test_chunks_are_those_of_the_stream(few):
    net = NETS["loop, delays by synapse"]()
    found = list(es.simulate_chunks(net, noise(net).chunks(13.0), backend="cpu"))
    expected = list(es.simulate_chunks(net, plain(noise(net)).chunks(13.0), backend="cpu"))
    assert len(found) == len(expected) == 7
    assert sum(map(assert_same_run, found, expected)) > 20


def test_voltages_readouts_and_gradients_of_a_run_by_pieces(few):
    net = random_net(9, delays="synapse")
    for population in net.spiking.values():
        population.refractory[:] = 0.0
    tape, expected = es.simulate(net, noise(net)), es.simulate(net, plain(noise(net)))
    asked = np.linspace(0.0, 60.0, 7)
    for name in ("hidden1", "output"):
        values = (es.voltage(net, one, name, asked) for one in (tape, expected))
        np.testing.assert_array_equal(*values)
    np.testing.assert_array_equal(
        *(es.readout_integral(net, one, "output") for one in (tape, expected))
    )
    found = es.backward(net, tape, Sums(net, 2))
    assert_same_gradients(found, es.backward(net, expected, Sums(net, 2)), rtol=0, floor=1e-300)
    assert np.abs(found["input->hidden1"].weights).max() > 0.0


def test_gradients_over_a_border_that_holds_a_neuron_are_refused(few):
    net = random_net(9, delays="synapse")
    net.populations["hidden1"].refractory[:] = 5.0
    tape = es.simulate(net, noise(net), backend="cpu")
    with pytest.raises(ParameterError, match="piece by piece, and neurons of 'hidden1'"):
        es.backward(net, tape, Sums(net, 2))
    whole = es.simulate(net, plain(noise(net)), backend="cpu")
    expected = es.backward(net, whole, Sums(net, 2))
    found = es.backward_chunks(net, list(noise(net).chunks(20.0)), Sums(net, 2), backend="cpu")
    for key, values in expected.flat().items():
        np.testing.assert_allclose(found.flat()[key], values, rtol=1e-8, atol=1e-9, err_msg=key)
    assert np.abs(expected["input->hidden1"].weights).max() > 0.0


def test_few_events_are_a_whole_run(monkeypatch):
    net = NETS["layers"]()
    monkeypatch.setattr(simulation, "_by_pieces", None)
    assert len(es.simulate(net, noise(net), backend="cpu")["hidden1"])


def test_a_tape_has_the_sources_in_its_file(few, tmp_path):
    net = NETS["layers"]()
    tape = es.simulate(net, noise(net), backend="cpu", tail=5.0)
    tape.save(tmp_path / "tape.npz")
    found = es.SpikeTape.load(tmp_path / "tape.npz")
    assert assert_same_run(found, tape)
    assert np.array_equal(found.stream.times, plain(noise(net)).times)
    assert found.stream.duration.tolist() == [95.0, 66.7]
