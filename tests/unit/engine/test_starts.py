"""Given voltages and currents at time zero: closed forms, chunks, draws, files, refusals."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import ndtr, ndtri

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cpu import CpuBackend
from eventsim.engine.run import simulation
from eventsim.errors import BackendError, ParameterError
from eventsim.network.draws import stream_of
from tests.matrix.networks import network, stream
from tests.matrix.probes import start_of
from tests.support.compare import ATOL, assert_same_spikes
from tests.support.nets import lateral_net, random_stream, shared_net, with_adaptation

KINDS = ("lif", "adaptive", "receptors", "adlif", "own_neuron")
SILENT = es.EventStream([], [], [0, 0, 0], n_channels=1, duration=40.0)


def alone(size=3, **parameters):
    """One population that nothing reaches."""
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("cells", size, **parameters)
    return net


def test_a_voltage_decays_and_a_current_charges_as_in_closed_form(backend):
    net = alone(tau_mem=[5.0, 10.0, 20.0], tau_syn=4.0, resistance=0.5, v_leak=-0.2)
    v, i, t = np.array([0.7, -3.0, 0.1]), np.array([0.9, 2.0, -1.0]), np.array([0.0, 3.0, 11.0])
    given = es.Start(voltage={"cells": v}, current={"cells": i})
    tape = es.simulate(net, SILENT, start=given, backend=backend)
    a, b = 1 / net.populations["cells"].tau_mem, 1 / 4.0
    x, y = np.exp(-np.outer(t, a)), np.exp(-t * b)[:, None]
    wanted = -0.2 + (v + 0.2) * x + 0.5 * i * a * (x - y) / (b - a)
    found = es.voltage(net, tape, "cells", t)
    assert np.allclose(found, wanted, rtol=0, atol=1e-12)
    assert np.allclose(es.current(net, tape, "cells", t), i * y, rtol=0, atol=1e-12)
    assert len(tape["cells"]) == 0


def test_the_first_spike_is_where_the_current_at_the_start_takes_the_voltage(backend, precision):
    """Of a synapse as slow as the membrane: v = (v0 + J t / tau) exp(-t / tau)."""
    net, tau = alone(tau_mem=8.0, tau_syn=8.0, threshold=1.0), 8.0
    v, j = np.array([0.0, 0.5, 0.99]), np.array([4.0, 3.0, 1.5])
    given = es.Start(voltage={"cells": v}, current={"cells": j})
    tape = es.simulate(net, SILENT, start=given, backend=backend, precision=precision)
    times, neurons = tape["cells"].sample(1)
    first = np.array([times[neurons == k][0] for k in range(3)])
    reached = (v + j * first / tau) * np.exp(-first / tau)
    assert np.allclose(reached, 1.0, rtol=0, atol=1e-12 if precision == "double" else 1e-5)


@pytest.fixture(params=["double", "single"])
def precision(request, backend):
    if backend == "reference" and request.param == "single":
        pytest.skip("the reference computes in double precision")
    return request.param


def test_an_adlif_neuron_goes_from_its_start_as_the_matrix_exponential_says(backend):
    neuron = es.AdLIF(tau_mem=10.0, tau_syn=3.0, a=0.8, b=0.1, tau_w=30.0)
    net = alone(neuron=neuron)
    given = es.Start(voltage={"cells": 0.6}, current={"cells": [0.5, -1.0, 0.0]})
    tape = es.simulate(net, SILENT, start=given, backend=backend)
    p = net.populations["cells"]
    flow = neuron.matrices(dict(p.parameters)).flow
    state = neuron.state_of(next(iter(neuron.receptors)))
    for k, i in enumerate((0.5, -1.0, 0.0)):
        x = np.zeros(len(neuron.states))
        x[0], x[state] = 0.6, i
        wanted = (expm(flow[k] * 7.0) @ x)[0]
        found = es.voltage(net, tape, "cells", 7.0, neurons=k, samples=0)
        assert np.allclose(found, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wiring", ["layers", "lateral"])
def test_chunks_from_a_start_have_the_spikes_of_the_whole(kind, wiring):
    net = network({"neuron": kind, "wiring": wiring, "delay": "delay"})
    given = start_of(net)
    whole = es.simulate(net, stream(), start=given, backend="cpu")
    tapes = list(es.simulate_chunks(net, stream().chunks(7.0), state=given, backend="cpu"))
    assert whole.names
    for name in whole.names:
        times = [tape[name].sample(k)[0] for k in range(2) for tape in tapes]
        assert np.allclose(np.concatenate(times), whole[name].times, rtol=0, atol=1e-11)
    assert [tape.start is None for tape in tapes] == [False] + [True] * (len(tapes) - 1)


def test_a_run_that_makes_its_events_by_pieces_begins_at_the_start(monkeypatch):
    net = network({"neuron": "lif", "wiring": "loop", "delay": "delay"})
    given = start_of(net)
    events = es.poisson(300.0, n_channels=4, duration=50.0, n_samples=2, seed=3)
    tapes = []
    for most in (simulation.MOST, 20):
        monkeypatch.setattr(simulation, "MOST", most)
        tapes.append(es.simulate(net, events, start=given, backend="cpu"))
    assert all(np.array_equal(tapes[0][n].times, tapes[1][n].times) for n in ("a", "b"))
    read = [es.voltage(net, tape, "a", [0.0, 9.0]) for tape in tapes]
    assert np.array_equal(read[0], read[1])


def test_chunks_of_the_reference_from_a_start_have_its_spikes_to_the_bit():
    net = network({"neuron": "lif", "wiring": "loop", "delay": "delay"})
    given = start_of(net)
    whole = es.simulate(net, stream(), start=given, backend="reference")
    chunks = stream().chunks(13.0)
    tapes = list(es.simulate_chunks(net, chunks, state=given, backend="reference"))
    times = [tape["a"].sample(k)[0] for k in range(2) for tape in tapes]
    assert np.array_equal(np.concatenate(times), whole["a"].times)


def test_a_start_at_rest_gives_the_bits_of_none():
    net = network({"neuron": "lif", "wiring": "loop", "delay": "delay"})
    rest = es.Start(voltage={n: p.v_leak for n, p in net.spiking.items()}, current={"a": 0.0})
    given, plain = (es.simulate(net, stream(), start=s, backend="cpu") for s in (rest, None))
    assert all(np.array_equal(given[name].times, plain[name].times) for name in plain.names)


def test_drawn_values_follow_from_seed_name_sample_and_neuron_alone():
    net, drawn = alone(50), es.normal(-0.5, 0.4, most=0.9)
    tape = es.simulate(net, SILENT, start=es.Start(voltage={"cells": drawn}, seed=7))
    found = es.voltage(net, tape, "cells", 0.0)[:, 0]
    u = stream_of(7, "start", "cells", "voltage").uniform(0, 100)
    top = (0.9 + 0.5) / 0.4
    assert np.allclose(found.ravel(), -0.5 + 0.4 * ndtri(u * ndtr(top)), rtol=0, atol=1e-12)
    net.add_population("others", 4)
    again = es.Start(voltage={"others": 0.1, "cells": drawn}, seed=7)
    other = es.simulate(net, SILENT[:1], start=again)
    assert np.array_equal(es.voltage(net, other, "cells", 0.0)[:, 0], found[:1])


def test_a_tape_from_a_start_is_the_same_from_its_file(tmp_path):
    net = network({"neuron": "receptors", "wiring": "loop", "delay": "delay"})
    tape = es.simulate(net, stream(), start=start_of(net), backend="cpu")
    tape.save(tmp_path / "tape.npz")
    back = es.SpikeTape.load(tmp_path / "tape.npz")
    times = np.linspace(0.0, 49.0, 30)
    for read in (es.voltage, es.current):
        found, wanted = (read(net, one, "a", times) for one in (back, tape))
        assert np.array_equal(found, wanted, equal_nan=True)


def test_the_threshold_counts_as_single_precision_rounds_it():
    net, given = alone(threshold=1.0), es.Start(voltage={"cells": 1.0 - 1e-10})
    assert es.simulate(net, SILENT, start=given, backend="cpu") is not None
    with pytest.raises(ParameterError, match="below 1, the threshold"):
        es.simulate(net, SILENT, start=given, backend="cpu", precision="single")


def test_a_backend_of_before_is_not_given_a_start():
    class Old(CpuBackend):
        name = "old"
        runs = CpuBackend.runs - {"starts"}

    with using_backend("old", Old()), pytest.raises(BackendError, match="starts at rest only"):
        es.simulate(alone(), SILENT, start=es.Start(), backend="old")


LOOPS = {
    "queue": lambda: lateral_net(61, delays="scalar"),
    "windows, sums": lambda: lateral_net(61, delays="scalar"),
    "windows, sums: in flight": lambda: lateral_net(62, delays="synapse"),
    "windows, stretches": lambda: shared_net(63, n=20, refractory=2.5),
    "windows, sums: adaptive": lambda: with_adaptation(lateral_net(64, delays="scalar"), 65),
}


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", LOOPS)
def test_loops_by_every_algorithm_begin_at_the_start(case, fast_backend, precision, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", np.inf if case == "queue" else 0.0)
    net = LOOPS[case]()
    events = random_stream(66, n_samples=2, n_channels=net.input.size, duration=25.0)
    given = es.Start(
        voltage={name: es.normal(0.0, 0.5, most=0.99 * p.threshold.min())
                 for name, p in net.spiking.items()},
        current={name: es.normal(0.0, 1.0) for name in net.spiking}, seed=67,
    )  # fmt: skip
    how = {"start": given, "precision": precision, "backend": fast_backend}
    tape = es.simulate(net, events, **how)
    assert case.split(":")[0] in tape.algorithms.values()
    plain = es.simulate(net, events, start=given, backend="reference")
    assert assert_same_spikes(tape, plain, atol_ms=ATOL[precision], net=net) > 20
    rest = es.simulate(net, events, backend="reference")
    assert any(len(rest[name]) != len(plain[name]) for name in net.spiking)
    first = es.simulate(net, events[:1], **how)
    for name in net.spiking:
        assert np.array_equal(first[name].times, tape[name].sample(0)[0])
    for read in (es.voltage, es.current):
        for name in net.spiking:
            found = [read(net, one, name, [0.0, 3.0, 11.0]) for one in (tape, plain)]
            np.testing.assert_allclose(*found, atol=1e-9 if precision == "double" else 2e-3)
